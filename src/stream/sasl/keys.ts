/** Keys of SCRAM (RFC 5802 section 3): made from passwords, kept in the store, faked for names that do not exist. */
import { prepPassword } from '../../jid/index.ts'
import type { Hashing, HashName } from '../../world/hashing.types.ts'
import { readBase64, toBase64, toUtf8 } from './encoding.ts'
import type { AccountRefusal, ScramCredential, ScramName, ServerAnswer, ServerLookup } from './sasl.types.ts'

/** XEP-0438 section 6.2. */
export const SALT_LENGTH = 16
/** XEP-0438 section 7. What is announced is never below 4096 (RFC 5802 section 5.1, RFC 7677 section 4). */
export const DEFAULT_ITERATIONS = 10_000
export const MIN_ITERATIONS = 4096

export const HASH_OF: Readonly<Record<ScramName, HashName>> = {
  'SCRAM-SHA-1': 'sha1',
  'SCRAM-SHA-256': 'sha256',
  'SCRAM-SHA-512': 'sha512',
}

const LENGTH: Readonly<Record<HashName, number>> = { sha1: 20, sha256: 32, sha512: 64 }

const CLIENT_KEY = toUtf8('Client Key')
const SERVER_KEY = toUtf8('Server Key')

export function isScramName(name: string): name is ScramName {
  return Object.hasOwn(HASH_OF, name)
}

/** From the salted password, which is as good as the password and is not kept. */
export function keysOf(hashing: Hashing, hash: HashName, saltedPassword: Uint8Array) {
  const clientKey = hashing.hmac(hash, saltedPassword, CLIENT_KEY)
  const serverKey = hashing.hmac(hash, saltedPassword, SERVER_KEY)
  return { clientKey, storedKey: hashing.hash(hash, clientKey), serverKey }
}

/**
 * PBKDF2 over the prepared password. RFC 5802 names SASLprep; RFC 8265 section 6.2 puts OpaqueString in its place, which
 * gives the same for nearly every password, but keeps compatibility characters (SASLprep turns U+2163 into "IV").
 * Undefined when the password is empty or holds a character that none may hold.
 */
export async function stretch(
  hashing: Hashing,
  hash: HashName,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<Uint8Array | undefined> {
  const prepared = prepPassword(password)
  return prepared === undefined ? undefined : hashing.pbkdf2(hash, prepared, salt, iterations)
}

/** What the server keeps of a password. Undefined when it cannot be one (see `stretch`). The salt should be fresh. */
export async function deriveScram(
  hashing: Hashing,
  hash: HashName,
  password: string,
  salt: Uint8Array,
  iterations: number,
): Promise<ScramCredential | undefined> {
  const salted = await stretch(hashing, hash, password, salt, iterations)
  if (salted === undefined) return undefined
  const { storedKey, serverKey } = keysOf(hashing, hash, salted)
  return { hash, salt, iterations, storedKey, serverKey }
}

/**
 * For PLAIN: whether a password belongs to a credential. For an unknown name call it with a decoy and `isKnown` false: it
 * stretches all the same.
 */
export async function verifyPassword(
  hashing: Hashing,
  password: string,
  credential: ScramCredential,
  isKnown: boolean,
): Promise<boolean> {
  const { hash, salt, iterations } = credential
  const derived = await deriveScram(hashing, hash, password, salt, iterations)
  return derived !== undefined && hashing.equal(derived.storedKey, credential.storedKey) && isKnown
}

/** A row of the credentials store. `mechanism` is the one without -PLUS. */
export interface CredentialRow {
  readonly mechanism: string
  readonly parameters: string
  readonly value: Uint8Array
}

/** `parameters` is `v=1,i=ITERATIONS,s=SALT` (base64), `value` the stored key and behind it the server key. */
export function toRow(mechanism: ScramName, credential: ScramCredential): CredentialRow {
  const parameters = `v=1,i=${credential.iterations},s=${toBase64(credential.salt)}`
  return { mechanism, parameters, value: Buffer.concat([credential.storedKey, credential.serverKey]) }
}

/** Undefined when the row is of another version or mechanism, or damaged. */
export function fromRow(row: CredentialRow): ScramCredential | undefined {
  if (!isScramName(row.mechanism)) return undefined
  const match = /^v=1,i=([1-9][0-9]{0,8}),s=([A-Za-z0-9+/]+={0,2})$/.exec(row.parameters)
  const salt = readBase64(match?.[2] ?? '=')
  const hash = HASH_OF[row.mechanism]
  const length = LENGTH[hash]
  if (salt === undefined || row.value.length !== 2 * length) return undefined
  const iterations = Number(match?.[1])
  return { hash, salt, iterations, storedKey: row.value.subarray(0, length), serverKey: row.value.subarray(length) }
}

/**
 * What names that do not exist get: iterations as accounts have them, a salt that stays the same as long as the secret does,
 * and keys that no password has. Keep the secret (32 random bytes) in the store: new salts after a restart would tell.
 */
export class Decoys {
  readonly #hashing: Hashing
  readonly #secret: Uint8Array
  readonly #counts: readonly number[]

  /** `iterations` of new accounts and, where it was changed, those that it was before: accounts have any of them. */
  constructor(hashing: Hashing, secret: Uint8Array, ...iterations: readonly number[]) {
    this.#hashing = hashing
    this.#secret = secret
    this.#counts = iterations
  }

  for(mechanism: ScramName, username: string, domain: string): ScramCredential {
    const hash = HASH_OF[mechanism]
    // Neither a localpart nor a domainpart holds a NUL, so that no two accounts share an input.
    const iterations = this.#iterationsOf(username, domain)
    const name = `\0${mechanism}\0${username}\0${domain}\0${iterations}`
    const salt = this.#hashing.hmac('sha256', this.#secret, toUtf8(`salt${name}`)).subarray(0, SALT_LENGTH)
    const storedKey = this.#hashing.hmac(hash, this.#secret, toUtf8(`stored${name}`))
    return { hash, salt, iterations, storedKey, serverKey: storedKey }
  }

  /**
   * One of the counts for each name, the same for all mechanisms: the one with the highest hash, so that a new count takes
   * its share of the names, as if they had got new passwords, and leaves the others as they were.
   */
  #iterationsOf(username: string, domain: string): number {
    const [first = 0] = this.#counts
    if (this.#counts.length === 1) return first
    let found = { iterations: first, rank: -1 }
    for (const iterations of this.#counts) {
      const text = toUtf8(`iterations\0${iterations}\0${username}\0${domain}`)
      const rank = Buffer.from(this.#hashing.hmac('sha256', this.#secret, text)).readUIntBE(0, 6)
      if (rank > found.rank) found = { iterations, rank }
    }
    return found.iterations
  }

  /**
   * The answer to a look-up. The decoy is made for known names too, so that both take the same time.
   * A `refusal` is told only to a client that proves the password.
   */
  answer(
    lookup: ServerLookup,
    found: ScramCredential | undefined,
    refusal?: AccountRefusal,
  ): Extract<ServerAnswer, { kind: 'credential' }> {
    const decoy = this.for(lookup.mechanism, lookup.username, lookup.domain)
    const credential = found ?? decoy
    const isKnown = found !== undefined
    return refusal === undefined
      ? { kind: 'credential', credential, isKnown }
      : { kind: 'credential', credential, isKnown, refusal }
  }
}
