/** Waiting for a handler's promise, for a bounded time: a store that never answers costs one stanza, not a session. */
import { StanzaError } from '../stanza/error.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Counter, Metrics } from './metrics.ts'

// Whatever the handler waits for may be there again soon.
const errorTimeout = new StanzaError('RTK_HOOK_TIMEOUT', 'internal-server-error', { type: 'wait' })

export class Timed {
  readonly #clock: Clock
  readonly #timeoutMs: () => number
  readonly #expired: Counter

  constructor(clock: Clock, timeoutMs: () => number, metrics: Metrics) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#expired = metrics.counter(
      'ratatosk_hook_timeouts_total',
      'Times that a handler of a module, or what modules had under way when their last host was gone, was given up because it took too long; limit limits.hook_timeout',
    )
  }

  /** Rejects with `internal-server-error` (RTK_HOOK_TIMEOUT), of type `wait`, after `hook_timeout`. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(
        this.#timeoutMs(),
        () => {
          this.#expired.value++
          reject(errorTimeout)
        },
        undefined,
      )
      promise.then(
        (value) => {
          timer.cancel()
          resolve(value)
        },
        (error) => {
          timer.cancel()
          reject(error)
        },
      )
    })
  }
}
