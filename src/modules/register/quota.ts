/** How often something may be done in a time, by whoever does it. Bounded: the one who began longest ago is forgotten. */
import type { Clock } from '../../world/clock.types.ts'

/** Those who are remembered (`register_quota_keys`). */
export const quotaKeysMax = 10_000

interface Use {
  readonly untilMs: number
  count: number
}

export class Quota {
  readonly #clock: Pick<Clock, 'monoMs'>
  readonly #forgotten: { value: number }
  readonly #uses = new Map<string, Use>()

  /** `forgotten` counts those who made room. */
  constructor(clock: Pick<Clock, 'monoMs'>, forgotten: { value: number }) {
    this.#clock = clock
    this.#forgotten = forgotten
  }

  /** Counts one. False when there have been `max` within `windowMs` since the first; then it is not counted. */
  take(key: string, max: number, windowMs: number): boolean {
    const now = this.#clock.monoMs()
    const known = this.#uses.get(key)
    if (known !== undefined && known.untilMs > now) {
      if (known.count >= max) return false
      known.count++
      return true
    }
    this.#uses.delete(key)
    this.#uses.set(key, { untilMs: now + windowMs, count: 1 })
    for (const [oldest] of this.#uses) {
      if (this.#uses.size <= quotaKeysMax) break
      this.#uses.delete(oldest)
      this.#forgotten.value++
    }
    return true
  }
}
