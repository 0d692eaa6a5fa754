/**
 * Which accounts were removed or forbidden of late, or got another password. A stream that began to sign in before that must
 * not bind afterwards, nor get a token: its proof is of nothing any more (DESIGN.md section 10). It remembers a number, and asks.
 */
import type { Host } from './host.ts'

/** Accounts that are remembered. A stream from before the oldest of them has to sign in again, whoever it is. */
export const endingsKept = 1_000

export class AccountEndings {
  /** By account: which ending of all it was. In the order of the endings. */
  readonly #last = new Map<string, number>()
  #count = 0
  /** The latest ending that was forgotten. */
  #forgotten = 0

  /** Endings up to now: what a stream remembers when it begins to sign in. */
  get count(): number {
    return this.#count
  }

  note(host: Host, local: string): void {
    const key = `${host.domain}\0${local}`
    this.#last.delete(key)
    this.#last.set(key, ++this.#count)
    if (this.#last.size <= endingsKept) return
    for (const [oldest, number] of this.#last) {
      this.#last.delete(oldest)
      this.#forgotten = number
      return
    }
  }

  /** Whether the account may have ended after `count` endings. True for any account when that is too long ago to tell. */
  since(count: number, host: Host, local: string): boolean {
    if (count === this.#count) return false
    return count < this.#forgotten || (this.#last.get(`${host.domain}\0${local}`) ?? 0) > count
  }
}
