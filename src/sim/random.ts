/** Seeded dice: xoshiro128** (Blackman and Vigna), seeded by splitmix32. The same seed gives the same throws. */
import type { Random } from '../world/random.types.ts'

const ID_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}

export class SimRandom implements Random {
  readonly #state = new Uint32Array(4)

  constructor(seed: number) {
    let mix = seed >>> 0
    for (let i = 0; i < 4; i++) {
      mix = (mix + 0x9e3779b9) >>> 0
      let word = mix
      word = Math.imul(word ^ (word >>> 16), 0x21f0aaad)
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
      this.#state[i] = word ^ (word >>> 15)
    }
  }

  /** Dice of their own for a part of the simulation, so that one part's throws do not shift another's. */
  fork(label: string): SimRandom {
    let seed = this.next()
    for (let i = 0; i < label.length; i++) seed = Math.imul(seed ^ label.charCodeAt(i), 0x01000193)
    return new SimRandom(seed)
  }

  /** 32 bits. */
  next(): number {
    const s = this.#state
    const [a = 0, b = 0, c = 0, d = 0] = s
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    s[2] = c ^ a
    s[3] = d ^ b
    s[1] = b ^ (s[2] as number)
    s[0] = a ^ (s[3] as number)
    s[2] = (s[2] as number) ^ (b << 9)
    s[3] = rotate(s[3] as number, 11)
    return result
  }

  /** 0 up to but without 1. */
  fraction(): number {
    return this.next() / 4294967296
  }

  /** A number between the two. */
  between(low: number, high: number): number {
    return low + (high - low) * this.fraction()
  }

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count)
    for (let i = 0; i < count; i++) out[i] = this.next() >>> 24
    return out
  }

  id(): string {
    let id = ''
    for (let i = 0; i < 22; i++) id += ID_ALPHABET[this.next() >>> 26]
    return id
  }

  uuid(): string {
    const bytes = this.bytes(16)
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
    const hex = Buffer.from(bytes).toString('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  below(limit: number): number {
    if (!(limit >= 1)) throw new RangeError(`no number below ${limit}`)
    return Math.floor(this.fraction() * limit)
  }
}
