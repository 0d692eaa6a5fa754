/** Faults of handlers in the log: a handler that throws on every stanza must not fill the disk. */
import type { Clock } from '../world/clock.types.ts'
import type { Log, LogFields } from '../world/log.types.ts'

/** A line for each place and module in this time (`fault_log_interval`); the next one tells how many were left out. */
const intervalMs = 1_000

/** Places and modules that are told apart; the modules are few, so this is never reached by strangers. */
const placesMax = 1_000

export class FaultLog {
  readonly #clock: Pick<Clock, 'monoMs'>
  readonly #log: Log
  readonly #places = new Map<string, { until: number; leftOut: number }>()

  constructor(clock: Pick<Clock, 'monoMs'>, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  write(place: string, module: string, error: unknown, fields: LogFields): void {
    const key = `${place} ${module}`
    const now = this.#clock.monoMs()
    const known = this.#places.get(key)
    if (known !== undefined && now < known.until) {
      known.leftOut++
      return
    }
    if (this.#places.size >= placesMax) this.#places.clear()
    this.#places.set(key, { until: now + intervalMs, leftOut: 0 })
    const leftOut = known === undefined || known.leftOut === 0 ? {} : { leftOut: known.leftOut }
    this.#log.error('a handler failed', { code: 'RTK_HANDLER_FAILED', place, module, error, ...leftOut, ...fields })
  }
}
