/**
 * Signatures of tokens (RFC 7518 section 3, RFC 8037 section 3.1, RFC 9864) and the keys that verify them, as files hold them: a JWKS
 * (RFC 7517) or PEM. Pure functions over OpenSSL: each key knows which algorithms it may verify, so that nobody can have a public key
 * taken for a shared secret (RFC 8725 section 3.1).
 */
import {
  constants,
  createHmac,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto'

const hashOf = {
  RS256: 'sha256',
  RS384: 'sha384',
  RS512: 'sha512',
  PS256: 'sha256',
  PS384: 'sha384',
  PS512: 'sha512',
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
  EdDSA: undefined,
  Ed25519: undefined,
  HS256: 'sha256',
  HS384: 'sha384',
  HS512: 'sha512',
} as const

export type SignatureAlgorithm = keyof typeof hashOf

export const signatureAlgorithms = Object.keys(hashOf) as readonly SignatureAlgorithm[]

/** Those of a shared secret: whoever can verify can sign. */
export function isSymmetric(algorithm: SignatureAlgorithm): boolean {
  return algorithm.startsWith('HS')
}

export interface VerificationKey {
  /** `kid`, '' without. */
  readonly id: string
  /** What it is, for people: 'RSA, 2048 bits'. */
  readonly kind: string
  /** What it may verify. */
  readonly algorithms: readonly SignatureAlgorithm[]
  /** False also for an algorithm that is not among them, and for signatures of any form. Synchronous: some 0.1 ms, P-521 2 ms. */
  verify(algorithm: SignatureAlgorithm, data: Uint8Array, signature: Uint8Array): boolean
}

export interface ReadKeys {
  readonly keys: readonly VerificationKey[]
  /** Why others in the file are none (RFC 7517 section 5 wants them passed over). */
  readonly skipped: readonly string[]
}

/** More in one file are refused. */
export const KEYS_MAX = 16
/** More without a name are refused: a token is tried with each of them. */
export const UNNAMED_MAX = 4

/** Least bits of an RSA key (RFC 7518 section 3.3). */
const RSA_BITS_MIN = 2048

const curves: Readonly<Record<string, SignatureAlgorithm>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

/** The keys of a file, or what is wrong with it. */
export function readVerificationKeys(text: string): ReadKeys | string {
  const read = text.includes('-----BEGIN ') ? readPem(text) : readJwks(text)
  if (typeof read === 'string') return read
  if (read.keys.length > KEYS_MAX) return `${read.keys.length} keys are more than ${KEYS_MAX}`
  const unnamed = read.keys.filter(({ id }) => id === '').length
  if (unnamed > UNNAMED_MAX) return `${unnamed} keys without a name ('kid') are more than ${UNNAMED_MAX}`
  if (read.keys.length > 0) return read
  return read.skipped.length === 0 ? 'there is no key in it' : `no key in it can be used: ${read.skipped.join('; ')}`
}

function readPem(text: string): ReadKeys | string {
  const keys: VerificationKey[] = []
  const skipped: string[] = []
  for (const [block, label = ''] of text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/g)) {
    if (label.endsWith('PRIVATE KEY')) return 'a private key is in it; only the public one belongs here'
    enter(() => keyOf('', createPublicKey(block)), label.toLowerCase(), keys, skipped)
  }
  return { keys, skipped }
}

function readJwks(text: string): ReadKeys | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is neither PEM nor JSON'
  }
  if (!isRecord(value)) return 'it is no JWKS: an object with "keys" is expected'
  const list = Array.isArray(value['keys'])
    ? (value['keys'] as readonly unknown[])
    : 'kty' in value
      ? [value]
      : undefined
  if (list === undefined) return 'it is no JWKS: an object with "keys" is expected'
  const keys: VerificationKey[] = []
  const skipped: string[] = []
  for (const [at, jwk] of list.entries()) {
    const name = isRecord(jwk) && typeof jwk['kid'] === 'string' ? `key ${jwk['kid']}` : `key ${at + 1}`
    enter(() => (isRecord(jwk) ? readJwk(jwk) : 'it is no object'), name, keys, skipped)
  }
  return { keys, skipped }
}

function enter(read: () => VerificationKey | string, name: string, keys: VerificationKey[], skipped: string[]): void {
  let made: VerificationKey | string
  try {
    made = read()
  } catch (error) {
    // OpenSSL's and Node's own words, which show nothing of the key.
    made = error instanceof Error ? error.message : String(error)
  }
  if (typeof made === 'string') skipped.push(`${name}: ${made}`)
  else keys.push(made)
}

function readJwk(jwk: Readonly<Record<string, unknown>>): VerificationKey | string {
  const { kty, use, key_ops: operations, kid, alg, k } = jwk
  if (use !== undefined && use !== 'sig') return `it is for '${String(use)}', not for signatures`
  if (Array.isArray(operations) && !operations.includes('verify')) return 'it is not for verifying'
  const id = typeof kid === 'string' ? kid : ''
  const made =
    kty === 'oct' && typeof k === 'string'
      ? keyOf(id, createSecretKey(Buffer.from(k, 'base64url')))
      : keyOf(id, createPublicKey({ key: jwk as { [name: string]: string }, format: 'jwk' }))
  if (typeof made === 'string' || alg === undefined) return made
  const algorithms = made.algorithms.filter((name) => name === alg)
  return algorithms.length === 0 ? `${made.kind} is not for ${String(alg)}` : limited(made, algorithms)
}

/** The same key for fewer algorithms. */
function limited(key: VerificationKey, algorithms: readonly SignatureAlgorithm[]): VerificationKey {
  return {
    ...key,
    algorithms,
    verify: (algorithm, data, signature) => algorithms.includes(algorithm) && key.verify(algorithm, data, signature),
  }
}

function keyOf(id: string, key: KeyObject): VerificationKey | string {
  const { kind, algorithms } = uses(key)
  if (algorithms.length === 0) return `${kind} is of no use`
  return {
    id,
    kind,
    algorithms,
    verify: (algorithm, data, signature) => algorithms.includes(algorithm) && isSigned(key, algorithm, data, signature),
  }
}

function uses(key: KeyObject): Pick<VerificationKey, 'kind' | 'algorithms'> {
  if (key.type === 'secret') {
    const bytes = key.symmetricKeySize ?? 0
    // RFC 7518 section 3.2: as long as the hash at least.
    const algorithms = (['HS256', 'HS384', 'HS512'] as const).filter((name) => bytes * 8 >= Number(name.slice(2)))
    return { kind: `a secret of ${bytes * 8} bits`, algorithms }
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: { modulusLength = 0, namedCurve = '', hashAlgorithm } = {} } =
    key
  switch (type) {
    case 'rsa':
    case 'rsa-pss': {
      const kind = `RSA, ${modulusLength} bits`
      if (modulusLength < RSA_BITS_MIN) return { kind, algorithms: [] }
      const all = type === 'rsa' ? (['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const) : pss
      return { kind, algorithms: all.filter((name) => hashAlgorithm === undefined || hashAlgorithm === hashOf[name]) }
    }
    case 'ec': {
      const algorithm = curves[namedCurve]
      return { kind: `EC, ${namedCurve}`, algorithms: algorithm === undefined ? [] : [algorithm] }
    }
    case 'ed25519':
      return { kind: 'Ed25519', algorithms: ['EdDSA', 'Ed25519'] }
    default:
      return { kind: String(type), algorithms: [] }
  }
}

const pss = ['PS256', 'PS384', 'PS512'] as const

function isSigned(key: KeyObject, algorithm: SignatureAlgorithm, data: Uint8Array, signature: Uint8Array): boolean {
  const hash = hashOf[algorithm]
  switch (algorithm.slice(0, 2)) {
    case 'HS': {
      const made = createHmac(hash ?? 'sha256', key)
        .update(data)
        .digest()
      return made.length === signature.length && timingSafeEqual(made, signature)
    }
    case 'PS': {
      const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants
      return verify(hash, data, { key, padding, saltLength }, signature)
    }
    case 'ES':
      // RFC 7518 section 3.4: both numbers, one behind the other.
      return verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature)
    default:
      return verify(hash, data, key, signature)
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
