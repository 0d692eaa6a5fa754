/** The last messages of a session, known again by a hash: enough to say whether one of them is meant, and little memory. */
import type { SlotCodec } from '../../core/slots.ts'
import type { Jid } from '../../jid/jid.ts'
import type { Element } from '../../xml/element.types.ts'

/** Messages that one list knows (`carbons_recent_messages`). */
export const recentMax = 64

export class Recent {
  readonly #keys: number[] = []
  #at = 0

  /** The oldest makes room. */
  add(key: number): void {
    if (this.#keys.length < recentMax) this.#keys.push(key)
    else {
      this.#keys[this.#at] = key
      this.#at = (this.#at + 1) % recentMax
    }
  }

  has(key: number): boolean {
    return this.#keys.includes(key)
  }

  /** Oldest first. */
  get keys(): readonly number[] {
    return [...this.#keys.slice(this.#at), ...this.#keys.slice(0, this.#at)]
  }
}

/** Of a message and its answer alike: whom it was with, and its id. Undefined for one without an id. */
export function keyOf(peer: Jid, message: Element): number | undefined {
  const id = message.attr('id')
  if (id === undefined || id === '') return undefined
  return hash(id, hash(peer.toString(), 0x811c9dc5) ^ 0xff) | 0
}

/** FNV-1a over UTF-16. */
function hash(text: string, start: number): number {
  let value = start
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value
}

function readKeys(data: unknown): readonly number[] | undefined {
  if (!Array.isArray(data)) return undefined
  const keys: number[] = []
  for (const key of data) {
    if (typeof key !== 'number' || (key | 0) !== key) return undefined
    keys.push(key)
  }
  return keys
}

export const recentCodec: SlotCodec<Recent> = {
  encode: (recent) => recent.keys,
  decode(data) {
    const keys = readKeys(data)
    if (keys === undefined) return undefined
    const recent = new Recent()
    for (const key of keys) recent.add(key)
    return recent
  },
}

export const keysCodec: SlotCodec<Set<number>> = {
  encode: (keys) => [...keys],
  decode(data) {
    const keys = readKeys(data)
    return keys === undefined ? undefined : new Set(keys)
  },
}
