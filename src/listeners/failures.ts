/** Failed sign-ins by a key (an address, an account) within a window that begins with the first; bounded. */
import type { Counter } from '../core/metrics.ts'
import type { Clock } from '../world/clock.types.ts'

/** Keys that are remembered at one time; the one that failed longest ago is forgotten first. */
export const keysMax = 100_000

export class Failures {
  readonly #clock: Pick<Clock, 'monoMs'>
  readonly #forgotten: Counter
  readonly #max: number
  readonly #byKey = new Map<string, { count: number; readonly until: number }>()

  constructor(clock: Pick<Clock, 'monoMs'>, forgotten: Counter, max = keysMax) {
    this.#clock = clock
    this.#forgotten = forgotten
    this.#max = max
  }

  get size(): number {
    return this.#byKey.size
  }

  /** Counts a failure; returns how many there are in the key's window. */
  add(key: string, windowMs: number): number {
    const known = this.#current(key)
    const entry = known ?? { count: 0, until: this.#clock.monoMs() + windowMs }
    entry.count++
    this.#byKey.delete(key)
    this.#byKey.set(key, entry)
    if (this.#byKey.size > this.#max) this.#forgetOldest()
    return entry.count
  }

  count(key: string): number {
    return this.#current(key)?.count ?? 0
  }

  #current(key: string): { count: number; readonly until: number } | undefined {
    const entry = this.#byKey.get(key)
    if (entry === undefined || entry.until > this.#clock.monoMs()) return entry
    this.#byKey.delete(key)
    return undefined
  }

  #forgetOldest(): void {
    const [oldest] = this.#byKey.keys()
    if (oldest === undefined) return
    this.#byKey.delete(oldest)
    this.#forgotten.value++
  }
}
