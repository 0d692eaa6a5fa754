/**
 * JSON Web Tokens (RFC 7519) that are signed (RFC 7515 section 7.1), judged by the rules of a host type, as RFC 8725 would have them
 * judged. Nothing of a token is believed before its signature.
 */
import { makeJid, parseJid } from '../jid/index.ts'
import { MAX_TOKEN } from '../stream/sasl/index.ts'
import { type SignatureAlgorithm, UNNAMED_MAX, type VerificationKey } from '../world/signatures.ts'

export interface TokenRules {
  readonly keys: readonly VerificationKey[]
  /** Those that count; others are refused whatever the keys can. */
  readonly algorithms: readonly SignatureAlgorithm[]
  /** `iss`; undefined: the keys tell enough. */
  readonly issuer: string | undefined
  /** `aud` must name one of these. Empty: a token may have none, and else must name the host. */
  readonly audience: readonly string[]
  /** A token must have it among its `scope` (RFC 9068 section 2.2.3). */
  readonly scope: string | undefined
  /** The claim that names the account. */
  readonly claim: string
  /** How wrong the clocks may be, in milliseconds. */
  readonly leewayMs: number
}

/** Why a token does not do. Nothing in it is the token's own words. */
export interface TokenFault {
  readonly code: `RTK_JWT_${string}`
  readonly text: string
  /** Its signature is good, and so are issuer and audience: it is a token for us. */
  readonly isOurs: boolean
  /** The localpart that it names, where all of it is good but the time, or the scope. */
  readonly local?: string
}

/** Whose token it is, at this time: a prepared localpart of the domain. */
export function checkToken(
  token: string,
  rules: TokenRules,
  domain: string,
  nowMs: number,
): { readonly local: string } | TokenFault {
  const read = readSigned(token, rules)
  if ('code' in read) return read
  const { claims } = read
  const { issuer, claim } = rules
  if (issuer !== undefined && claims['iss'] !== issuer) return foreign('RTK_JWT_ISSUER', 'it has another issuer')
  if (!isForUs(claims['aud'], rules.audience, domain)) return foreign('RTK_JWT_AUDIENCE', 'it is for somebody else')
  const named = Object.hasOwn(claims, claim) ? claims[claim] : undefined
  const local = typeof named === 'string' ? localOf(named, domain) : undefined
  if (local === undefined) return ours('RTK_JWT_ACCOUNT', `'${claim}' names no account of this host`)
  return timeFault(claims, rules.leewayMs, nowMs, local) ?? scopeFault(claims['scope'], rules.scope, local) ?? { local }
}

type Claims = Readonly<Record<string, unknown>>

function foreign(code: TokenFault['code'], text: string): TokenFault {
  return { code, text, isOurs: false }
}

function ours(code: TokenFault['code'], text: string, local?: string): TokenFault {
  return { code, text, isOurs: true, ...(local === undefined ? {} : { local }) }
}

const malformed = foreign('RTK_JWT_MALFORMED', 'it is no signed JWT')

function readSigned(token: string, rules: TokenRules): { readonly claims: Claims } | TokenFault {
  if (token.length > MAX_TOKEN) return foreign('RTK_JWT_BYTES', 'it is too long')
  const parts = token.split('.', 4)
  const [head = '', body = '', tail = ''] = parts
  const signature = readBase64Url(tail)
  const header = readObject(head)
  if (header === undefined || signature === undefined || parts.length !== 3) return malformed
  const { alg, kid, crit } = header
  const algorithm = rules.algorithms.find((name) => name === alg)
  if (algorithm === undefined) return foreign('RTK_JWT_ALGORITHM', 'its algorithm does not count here')
  // RFC 7515 section 4.1.11: we understand no extension.
  if (crit !== undefined) return foreign('RTK_JWT_CRITICAL', 'it demands an extension')
  const candidates = candidatesOf(rules.keys, algorithm, kid)
  if (candidates.length > UNNAMED_MAX) return foreign('RTK_JWT_KEY', 'it does not say which of many keys it is for')
  if (candidates.length === 0) return foreign('RTK_JWT_KEY', 'no key for it is known')
  const signed = Buffer.from(token.slice(0, head.length + 1 + body.length), 'latin1')
  if (!candidates.some((key) => key.verify(algorithm, signed, signature))) {
    return foreign('RTK_JWT_SIGNATURE', 'its signature is wrong')
  }
  const claims = readObject(body)
  return claims === undefined ? malformed : { claims }
}

/** The key that the token names, else all that have no name; all, when it names none. */
function candidatesOf(keys: readonly VerificationKey[], algorithm: SignatureAlgorithm, kid: unknown) {
  const able = keys.filter(({ algorithms }) => algorithms.includes(algorithm))
  if (typeof kid !== 'string') return able
  const named = able.filter(({ id }) => id === kid)
  return named.length > 0 ? named : able.filter(({ id }) => id === '')
}

/** RFC 7519 section 4.1.3: who is not in it must refuse the token. */
function isForUs(aud: unknown, audience: readonly string[], domain: string): boolean {
  if (aud === undefined) return audience.length === 0
  const list: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  const names = audience.length === 0 ? [domain] : audience
  return list.some((name) => typeof name === 'string' && names.includes(name))
}

/** A whole address must be of this host (a name alone cannot hold an @). */
function localOf(named: string, domain: string): string | undefined {
  if (!named.includes('@')) return makeJid(named, domain)?.local || undefined
  const jid = parseJid(named)
  return jid?.isBare === true && jid.domain === domain && jid.local !== '' ? jid.local : undefined
}

/** Sections 4.1.4 and 4.1.5. A token without an end would be a password that nobody can change. */
function timeFault({ exp, nbf }: Claims, leewayMs: number, nowMs: number, local: string): TokenFault | undefined {
  if (typeof exp !== 'number') return ours('RTK_JWT_ENDLESS', `it has no 'exp'`)
  if (nbf !== undefined && typeof nbf !== 'number') return ours('RTK_JWT_NOT_YET', `its 'nbf' is no time`)
  if (nbf !== undefined && nowMs + leewayMs < nbf * 1_000) return ours('RTK_JWT_NOT_YET', 'it is not good yet')
  return nowMs - leewayMs >= exp * 1_000 ? ours('RTK_JWT_EXPIRED', 'it has expired', local) : undefined
}

function scopeFault(scope: unknown, needed: string | undefined, local: string): TokenFault | undefined {
  if (needed === undefined || (typeof scope === 'string' && scope.split(' ').includes(needed))) return undefined
  return ours('RTK_JWT_SCOPE', 'it has not the scope that is needed', local)
}

/** RFC 7515 section 2: base64url without padding; strict, so that a token has one form. */
function readBase64Url(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

function readObject(text: string): Claims | undefined {
  const bytes = readBase64Url(text)
  if (bytes === undefined) return undefined
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined
  } catch {
    return undefined
  }
}
