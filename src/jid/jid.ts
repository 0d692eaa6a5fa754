/**
 * Addresses of XMPP (RFC 7622): `[local@]domain[/resource]`, prepared once when they are made, so that two equal
 * addresses have equal strings.
 */
import { encode, type Octets } from '../xml/octets.ts'
import { enforceDomain } from './domain.ts'
import { FAULT, type JidFault } from './fault.ts'
import { enforceLocal, enforceResource } from './precis.ts'

const AT = 0x40
const SLASH = 0x2f

/** An immutable address. Made by `parseJid`, `parseJidOrFault`, `jid`, `makeJid` and `JidCache`, never by hand. */
export class Jid {
  /** The localpart in prepared form, '' when absent. */
  readonly local: string
  /** The domainpart in prepared form: lower-case U-labels, or an IPv6 address in brackets. */
  readonly domain: string
  /** The resourcepart in prepared form, '' when absent. */
  readonly resource: string
  /** The bytes of the full form, escaped for an attribute in either kind of quotes. */
  readonly octets: Octets
  readonly #full: string
  #bare: Jid | undefined

  private constructor(local: string, domain: string, resource: string, full: string, octets: Octets, bare?: Jid) {
    this.local = local
    this.domain = domain
    this.resource = resource
    this.octets = octets
    this.#full = full
    this.#bare = bare
  }

  /**
   * For this folder only: parts that are prepared already. The strings of the result share no memory with what they
   * were cut from.
   */
  static fromPrepared(local: string, domain: string, resource: string, bare?: Jid): Jid {
    const head = local === '' ? domain : `${local}@${domain}`
    const bytes = Buffer.from(resource === '' ? head : `${head}/${resource}`, 'utf8')
    const plain = bytes.toString('latin1')
    // UTF-8 has as many bytes as UTF-16 has units only when all is ASCII.
    const units = (local === '' ? 0 : local.length + 1) + domain.length + (resource === '' ? 0 : resource.length + 1)
    const full = bytes.length === units ? plain : bytes.toString('utf8')
    const start = local === '' ? 0 : local.length + 1
    return new Jid(
      bare?.local ?? full.slice(0, local.length),
      bare?.domain ?? full.slice(start, start + domain.length),
      resource === '' ? '' : full.slice(start + domain.length + 1),
      full,
      escapeResource(plain, resource) as Octets,
      bare,
    )
  }

  get isBare(): boolean {
    return this.resource === ''
  }

  /** The address without resource; itself when it has none. */
  get bare(): Jid {
    if (this.resource === '') return this
    return (this.#bare ??= this.#makeBare())
  }

  /** Shares its strings with this one: half the memory of a separate one. */
  #makeBare(): Jid {
    const head = this.#full.slice(0, this.#full.length - this.resource.length - 1)
    return new Jid(this.local, this.domain, '', head, encode(head))
  }

  toString(): string {
    return this.#full
  }

  toJSON(): string {
    return this.#full
  }

  equals(other: Jid): boolean {
    return this === other || this.#full === other.#full
  }

  /** The same account or service with another resource, which must be prepared (`prepResource`); '' gives the bare one. */
  withResource(resource: string): Jid {
    if (resource === this.resource) return this
    const bare = this.bare
    return resource === '' ? bare : Jid.fromPrepared(bare.local, bare.domain, resource, bare)
  }
}

/** Only a resourcepart can hold characters that an attribute value must escape (RFC 7622 section 3.3.1). */
function escapeResource(bytes: string, resource: string): string {
  for (let i = 0; i < resource.length; i++) {
    const c = resource.charCodeAt(i)
    if (c === 0x26 || c === 0x3c || c === 0x3e || c === 0x22 || c === 0x27) {
      return bytes
        .replaceAll('&', '&amp;')
        .replaceAll('<', '&lt;')
        .replaceAll('>', '&gt;')
        .replaceAll('"', '&quot;')
        .replaceAll("'", '&apos;')
    }
  }
  return bytes
}

/** Prepares an address from outside, or says why it is none. Never throws. Cost is linear in its length. */
export function parseJidOrFault(text: string): Jid | JidFault {
  // RFC 7622 section 3.2: first the resource is cut at the first '/', then the localpart at the first '@'.
  let at = -1
  let slash = -1
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === SLASH) {
      slash = i
      break
    }
    if (c === AT && at < 0) at = i
  }
  const end = slash < 0 ? text.length : slash
  if (at === 0) return FAULT.localEmpty
  if (slash === text.length - 1 && slash >= 0) return FAULT.resourceEmpty
  const domain = enforceDomain(at < 0 ? (slash < 0 ? text : text.slice(0, end)) : text.slice(at + 1, end))
  if (typeof domain !== 'string') return domain
  const local = at < 0 ? '' : enforceLocal(text.slice(0, at))
  if (typeof local !== 'string') return local
  const resource = slash < 0 ? '' : enforceResource(text.slice(slash + 1))
  if (typeof resource !== 'string') return resource
  return Jid.fromPrepared(local, domain, resource)
}

/** Prepares an address from outside; undefined when it is none. Never throws. */
export function parseJid(text: string): Jid | undefined {
  const made = parseJidOrFault(text)
  return made instanceof Jid ? made : undefined
}

/** For literals and tests. Throws a TypeError that names the fault. */
export function jid(text: string): Jid {
  const made = parseJidOrFault(text)
  if (made instanceof Jid) return made
  throw new TypeError(`${JSON.stringify(text)} is not a JID: ${made.text} (${made.code})`)
}

/** Prepares the three parts and joins them; '' for an absent localpart or resourcepart. Undefined when one is invalid. */
export function makeJid(local: string, domain: string, resource = ''): Jid | undefined {
  const d = enforceDomain(domain)
  const l = local === '' ? '' : enforceLocal(local)
  const r = resource === '' ? '' : enforceResource(resource)
  if (typeof d !== 'string' || typeof l !== 'string' || typeof r !== 'string') return undefined
  return Jid.fromPrepared(l, d, r)
}
