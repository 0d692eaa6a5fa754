/** A bounded cache from the bytes of an address on the wire to the prepared address; one a server. */
import { decode, type Octets, own } from '../xml/octets.ts'
import { type Jid, parseJid } from './jid.ts'

/** Longer attribute values are parsed each time: the cache is bounded in bytes as well as in entries. */
const MAX_KEY = 512

/**
 * Two generations instead of a list of recent use: a hit in the young one is a single Map lookup. When the young one is
 * full it becomes the old one, and what is used again moves back. It holds at most `max` addresses.
 */
export class JidCache {
  #half: number
  #young = new Map<Octets, Jid>()
  #old = new Map<Octets, Jid>()
  /** Addresses that had to make room. */
  evicted = 0

  constructor(max: number) {
    this.#half = Math.max(1, max >>> 1)
  }

  /** Another `max` from now on; with more than that in it, it begins anew. */
  resize(max: number): void {
    this.#half = Math.max(1, max >>> 1)
    if (this.#young.size <= this.#half && this.#old.size <= this.#half) return
    this.evicted += this.size
    this.#young = new Map()
    this.#old = new Map()
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** The raw value of an attribute, still escaped. Undefined when it is no JID; such values are not kept. */
  parse(raw: Octets): Jid | undefined {
    const hit = this.#young.get(raw)
    return hit === undefined ? this.#miss(raw) : hit
  }

  #miss(raw: Octets): Jid | undefined {
    let found = this.#old.get(raw)
    if (found === undefined) {
      found = parseJid(unescapeAttr(decode(raw)))
      if (found === undefined || raw.length > MAX_KEY) return found
    }
    this.#old.delete(raw)
    if (this.#young.size >= this.#half) {
      this.evicted += this.#old.size
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(own(raw), found)
    return found
  }
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** References and white space of an attribute value (XML 1.0 sections 3.3.3, 4.1); the scanner has checked them. */
function unescapeAttr(text: string): string {
  if (!/[&\t\n\r]/.test(text)) return text
  return text.replace(/[\t\n\r]/g, ' ').replace(/&(?:#x([0-9a-fA-F]{1,8})|#([0-9]{1,10})|([a-z]{2,4}));/g, reference)
}

function reference(
  whole: string,
  hex: string | undefined,
  decimal: string | undefined,
  name: string | undefined,
): string {
  if (name !== undefined) return NAMED[name] ?? whole
  const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  return point <= 0x10ffff ? String.fromCodePoint(point) : whole
}
