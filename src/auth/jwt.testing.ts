/** An issuer of tokens for tests: keys of every kind, and JWTs good and bad. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export interface Issuer {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** `kid` of the key. */
  readonly id: string
  readonly alg: string
  /** Of its public key. */
  readonly jwk: Readonly<Record<string, unknown>>
  readonly pem: string
}

const curves: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }

function makeKeys(alg: string, bits: number) {
  const namedCurve = curves[alg]
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve })
  if (/^[RP]S/.test(alg)) return generateKeyPairSync('rsa', { modulusLength: bits })
  return generateKeyPairSync('ed25519')
}

export function issuerOf(alg: string, id = 'one', bits = 2048): Issuer {
  const { privateKey, publicKey } = makeKeys(alg, bits)
  const jwk = { ...publicKey.export({ format: 'jwk' }), ...(id === '' ? {} : { kid: id }) }
  return { privateKey, publicKey, id, alg, jwk, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() }
}

export const jwks = (...issuers: readonly Issuer[]) => JSON.stringify({ keys: issuers.map(({ jwk }) => jwk) })

type Claims = Readonly<Record<string, unknown>>

const base64url = (data: string | Uint8Array) => Buffer.from(data).toString('base64url')
export const part = (value: unknown) => base64url(JSON.stringify(value))

function signature(alg: string, key: KeyObject, data: Buffer): Buffer {
  const hash = `sha${alg.slice(2)}`
  if (alg.startsWith('RS')) return sign(hash, data, key)
  if (alg.startsWith('PS')) return sign(hash, data, { key, padding: 6, saltLength: Number(alg.slice(2)) / 8 })
  if (alg.startsWith('ES')) return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' })
  return sign(undefined, data, key)
}

/** Signed by the issuer; `header` stands over what he would write. */
export function tokenOf(issuer: Issuer, claims: Claims, header: Claims = {}): string {
  const { alg, id, privateKey } = issuer
  const head = { alg, typ: 'JWT', ...(id === '' ? {} : { kid: id }), ...header }
  const signed = `${part(head)}.${part(claims)}`
  return `${signed}.${base64url(signature(alg, privateKey, Buffer.from(signed)))}`
}

/** By a shared secret. */
export function sharedToken(secret: string | Uint8Array, claims: Claims, header: Claims = {}): string {
  const signed = `${part({ alg: 'HS256', ...header })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
