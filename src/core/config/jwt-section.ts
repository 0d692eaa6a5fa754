/** Options of the back end `jwt` (`auth.jwt`), and what they have to do with the others of `auth`. */
import { isSymmetric, readVerificationKeys, signatureAlgorithms } from '../../world/signatures.ts'
import { entryOf, type Input, type MapInput } from './input.ts'
import { plainReading } from './make.ts'
import type { Report } from './mistake.ts'
import { opt } from './opt.ts'

const nameMax = 1000

export const jwtOptions = {
  keys: opt.path({
    description:
      'File of the keys that tokens are signed with: a JWKS (RFC 7517), or public keys or certificates in PEM. A reload reads it again.',
  }),
  algorithms: opt.list(opt.oneOf(signatureAlgorithms, { description: 'An algorithm.' }), {
    default: signatureAlgorithms.filter((name) => !isSymmetric(name)),
    minItems: 1,
    description:
      'Algorithms of signatures that count (RFC 7518). Those of shared secrets (HS256 …) have to be named: whoever can check such a token can make one.',
  }),
  issuer: opt.optional(
    opt.string({
      minLength: 1,
      maxLength: nameMax,
      description: 'What `iss` of a token must be. Left out: whoever has signed it.',
    }),
  ),
  audience: opt.list(opt.string({ minLength: 1, maxLength: nameMax, description: 'A name of this service.' }), {
    default: [],
    maxItems: 16,
    description:
      'One of these must be in `aud` of a token. Without any a token may be for nobody in particular, and must else be for the host.',
  }),
  claim: opt.string({
    default: 'sub',
    minLength: 1,
    maxLength: 100,
    description: 'What names the account: `sub`, `preferred_username` … A whole address must be of the host.',
  }),
  scope: opt.optional(
    opt.string({
      minLength: 1,
      maxLength: nameMax,
      check: (text) => (/\s/.test(text) ? 'one scope, without blanks, is expected' : undefined),
      description: 'A token must have it in `scope`; clients are told of it (RFC 7628 section 3.2.2).',
    }),
  ),
  openid_configuration: opt.optional(
    opt.string({
      maxLength: nameMax,
      check: (text) => (/^https:\/\/[^\s]+$/.test(text) ? undefined : 'a URL with https:// is expected'),
      description: "URL of the issuer's configuration, for clients whose token does not do (RFC 7628 section 3.2.2).",
    }),
  ),
  leeway: opt.duration({
    default: '30 seconds',
    max: '10 minutes',
    description: 'How wrong clocks may be, for `exp` and `nbf`.',
  }),
  make_accounts: opt.bool({
    default: true,
    description:
      'An account that a token names is made when it first signs in. If not, it must be there, as with `internal` beside `jwt`.',
  }),
}

/** The back end needs its section. `auth` is what counts for a host type. */
export function checkJwt(auth: MapInput, backends: readonly string[], report: Report): void {
  if (!backends.includes('jwt') || entryOf(auth, 'jwt') !== undefined) return
  const at = entryOf(auth, 'backends')?.value ?? auth
  const hint = `for example 'jwt: { keys: keys.json }', the keys of whoever signs the tokens`
  report.error(at, 'RTK_CONFIG_MISSING', `'jwt' is missing: the back end jwt needs it`, hint)
}

/** Every `auth.jwt` that is a map. */
export function jwtSections(root: MapInput): readonly MapInput[] {
  const types = entryOf(root, 'host_types')?.value
  const owners = [root, ...(types?.kind === 'map' ? types.entries.map(({ value }) => value) : [])]
  return owners.flatMap((owner) => {
    const auth = mapAt(owner, 'auth')
    return (auth === undefined ? undefined : mapAt(auth, 'jwt')) ?? []
  })
}

function mapAt(owner: Input, name: string): MapInput | undefined {
  const value = owner.kind === 'map' ? entryOf(owner, name)?.value : undefined
  return value?.kind === 'map' ? value : undefined
}

/** Looks at what a file of keys holds; true when one of them is a secret that nobody else should read. */
export function checkKeys(section: MapInput, input: Input, path: string, text: string, report: Report): boolean {
  const read = readVerificationKeys(text)
  if (typeof read === 'string') {
    report.error(input, 'RTK_CONFIG_JWT_KEYS', `${path}: ${read}`, 'a JWKS (RFC 7517), or public keys in PEM')
    return false
  }
  const entry = entryOf(section, 'algorithms')?.value
  const { algorithms: option } = jwtOptions
  const algorithms =
    entry === undefined ? option.absent(section, 'algorithms', plainReading()) : option.read(entry, plainReading())
  const able = [...new Set(read.keys.flatMap((key) => key.algorithms))]
  // A mistake in the list itself was reported by the check.
  if (algorithms !== undefined && !able.some((name) => algorithms.includes(name))) {
    const held = [...new Set(read.keys.map(({ kind }) => kind))].join('; ')
    const text = `no key in ${path} is for one of the algorithms that count (found: ${held})`
    report.error(entry ?? input, 'RTK_CONFIG_JWT_KEYS', text, `as in 'algorithms: [${able[0]}]'`)
  }
  return able.some(isSymmetric)
}
