/** The real dice: the operating system's CSPRNG by way of OpenSSL, drawn in pools of 4 KB. */
import { randomFillSync, randomInt, randomUUID } from 'node:crypto'
import type { Random } from './random.types.ts'

const POOL_BYTES = 4096
/** 17 bytes make 23 base64url characters, of which the first 22 carry 132 random bits. */
const ID_BYTES = 17
const ID_CHARACTERS = 22

export class RealRandom implements Random {
  readonly #pool = Buffer.allocUnsafeSlow(POOL_BYTES)
  #used = POOL_BYTES

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count)
    if (count > POOL_BYTES) return randomFillSync(out)
    const from = this.#take(count)
    out.set(this.#pool.subarray(from, from + count))
    this.#forget(from, count)
    return out
  }

  id(): string {
    const from = this.#take(ID_BYTES)
    const text = this.#pool.toString('base64url', from, from + ID_BYTES).slice(0, ID_CHARACTERS)
    this.#forget(from, ID_BYTES)
    return text
  }

  uuid(): string {
    return randomUUID()
  }

  below(limit: number): number {
    return randomInt(limit)
  }

  #take(count: number): number {
    if (this.#used + count > POOL_BYTES) {
      randomFillSync(this.#pool)
      this.#used = 0
    }
    const from = this.#used
    this.#used += count
    return from
  }

  /** What was handed out does not stay behind in memory. */
  #forget(from: number, count: number): void {
    this.#pool.fill(0, from, from + count)
  }
}
