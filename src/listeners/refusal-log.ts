/**
 * Refused connections in the log, where the reason is not to be heard on the wire: strangers decide how many there are,
 * so a line stands for all of one reason in its time.
 */
import type { Clock } from '../world/clock.types.ts'
import type { Log, LogFields } from '../world/log.types.ts'

/** A line for each code in this time (`refusal_log_interval`); the next one tells how many were left out. */
export const refusalLogIntervalMs = 60_000

export class RefusalLog {
  readonly #clock: Pick<Clock, 'monoMs'>
  readonly #log: Log
  /** By code, of which there are a handful. */
  readonly #told = new Map<string, { readonly until: number; leftOut: number }>()

  constructor(clock: Pick<Clock, 'monoMs'>, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** At `level` once in a time; what is left out there is told at `debug`. */
  write(level: 'info' | 'warn', message: string, code: string, fields: LogFields): void {
    const now = this.#clock.monoMs()
    const known = this.#told.get(code)
    if (known !== undefined && now < known.until) {
      known.leftOut++
      if (this.#log.enabled('debug')) this.#log.debug(message, { code, ...fields })
      return
    }
    this.#told.set(code, { until: now + refusalLogIntervalMs, leftOut: 0 })
    const leftOut = known === undefined || known.leftOut === 0 ? {} : { leftOut: known.leftOut }
    this.#log[level](message, { code, ...fields, ...leftOut })
  }
}
