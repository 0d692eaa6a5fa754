/** What waits for one inactive client, as it survives a move of his session. */
import type { Json } from '../../core/command-result.ts'
import type { SlotCodec } from '../../core/slots.ts'
import { decode, encode, type Octets } from '../../xml/octets.ts'

export interface Held {
  readonly bytes: Octets
  /** When it came, in milliseconds since 1970. */
  readonly ms: number
}

export class Waiting {
  /** By what replaces them, in order; those that nothing replaces under keys of their own. */
  readonly #held = new Map<string, Held>()
  #bytes = 0
  /** Those that had keys of their own, ever. */
  #unique = 0
  /** The client has another stream: it is active, whatever it said before. */
  isLifted = false

  get bytes(): number {
    return this.#bytes
  }

  /** When the oldest came; 0 when there is none. */
  get since(): number {
    for (const { ms } of this.#held.values()) return ms
    return 0
  }

  /** Behind all that waits. True when it replaces one: that one is gone, and never the other way round. */
  add(key: string, held: Held): boolean {
    const name = key === '' ? `${this.#unique++}` : key
    const before = this.#held.get(name)
    if (before !== undefined) {
      this.#bytes -= before.bytes.length
      this.#held.delete(name)
    }
    this.#held.set(name, held)
    this.#bytes += held.bytes.length
    return before !== undefined
  }

  /** The oldest, which waits no more. */
  shift(): Held | undefined {
    for (const [key, held] of this.#held) {
      this.#held.delete(key)
      this.#bytes -= held.bytes.length
      return held
    }
    return undefined
  }

  entries(): IterableIterator<[string, Held]> {
    return this.#held.entries()
  }
}

/** True for a key that `Waiting.add` made: it may be that of another stanza later. */
function isUnique(key: string): boolean {
  const first = key.charCodeAt(0)
  return first >= 0x30 && first <= 0x39
}

/** `{ lifted, held: [[key, XML, ms], …] }` */
export const waitingCodec: SlotCodec<Waiting> = {
  encode(waiting) {
    const held: Json[] = []
    for (const [key, { bytes, ms }] of waiting.entries()) held.push([isUnique(key) ? '' : key, decode(bytes), ms])
    return { lifted: waiting.isLifted, held }
  },
  decode(data) {
    if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined
    const { lifted, held } = data as { readonly lifted?: Json; readonly held?: Json }
    if (typeof lifted !== 'boolean' || !Array.isArray(held)) return undefined
    const waiting = new Waiting()
    waiting.isLifted = lifted
    for (const entry of held) {
      if (!Array.isArray(entry)) return undefined
      const [key, text, ms] = entry
      if (typeof key !== 'string' || typeof text !== 'string' || typeof ms !== 'number') return undefined
      waiting.add(key, { bytes: encode(text), ms })
    }
    return waiting
  },
}
