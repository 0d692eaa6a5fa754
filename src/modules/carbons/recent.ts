/** The last messages of a session, known again by a hash: enough to say whether one of them is meant, and little memory. */
import type { SlotCodec } from '../../core/slots.ts'
import type { Jid } from '../../jid/jid.ts'
import type { Element } from '../../xml/element.types.ts'

/** Messages that one list begins with room for. */
const roomAtFirst = 16

export class Recent {
  readonly #max: number
  #keys = new Int32Array(roomAtFirst)
  #length = 0
  #at = 0

  /** Knows `max` messages, a power of two. */
  constructor(max: number) {
    this.#max = max
  }

  /** The oldest makes room. */
  add(key: number): void {
    if (this.#length < this.#max) {
      if (this.#length === this.#keys.length) this.#grow()
      this.#keys[this.#length++] = key
    } else {
      this.#keys[this.#at] = key
      this.#at = (this.#at + 1) % this.#max
    }
  }

  #grow(): void {
    const more = new Int32Array(this.#keys.length * 2)
    more.set(this.#keys)
    this.#keys = more
  }

  has(key: number): boolean {
    const at = this.#keys.indexOf(key)
    return at >= 0 && at < this.#length
  }

  /** Oldest first. */
  get keys(): readonly number[] {
    const known = this.#keys.subarray(0, this.#length)
    return [...known.subarray(this.#at), ...known.subarray(0, this.#at)]
  }
}

/** Of a message and its answer alike: whom it was with, and its id. Undefined for one without an id. */
export function keyOf(peer: Jid, message: Element): number | undefined {
  const id = message.attr('id')
  if (id === undefined || id === '') return undefined
  return hash(id, hash(peer.toString(), 0x811c9dc5) ^ 0xff) | 0
}

/** Of a message as one of its copies is known: an id may come again with another text. Undefined for one without an id. */
export function copyKeyOf(from: Jid, message: Element): number | undefined {
  const key = keyOf(from, message)
  return key === undefined ? undefined : hash(message.childText('body') ?? '', key) | 0
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

/** For lists that know `max` messages. */
export function recentCodec(max: number): SlotCodec<Recent> {
  return {
    encode: (recent) => recent.keys,
    decode(data) {
      const keys = readKeys(data)
      if (keys === undefined) return undefined
      const recent = new Recent(max)
      for (const key of keys) recent.add(key)
      return recent
    },
  }
}

export const keysCodec: SlotCodec<Set<number>> = {
  encode: (keys) => [...keys],
  decode(data) {
    const keys = readKeys(data)
    return keys === undefined ? undefined : new Set(keys)
  },
}
