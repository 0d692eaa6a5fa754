/** What all ledgers of a node share: the beat by which they ask and wait, and figures. */
import type { Clock } from '../world/clock.types.ts'
import type { Counter, Metrics } from './metrics.ts'

/** One beat, in milliseconds: what is measured in beats is that exact. */
export const beatMs = 1_000

/** Something that wants to hear the beat. */
export interface Beaten {
  /** False: it wants to hear no more. */
  beat(): boolean
}

export class LedgerBook {
  readonly #clock: Clock
  /** Beats so far. They stand still while nobody listens. */
  beat = 0
  /** Bytes that are not acknowledged, of all ledgers. */
  bytes = 0
  /** Sessions that wait for their client without a link. */
  waiting = 0
  /** Links that were dropped because a request was not answered in time. */
  readonly silent: Counter
  #listeners: Beaten[] = []
  #isArmed = false
  #isStopped = false

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock
    this.silent = metrics.counter(
      'ratatosk_sessions_silent_total',
      'Connections dropped because the client did not say in time what it has (XEP-0198); limit modules.sm.ack_timeout',
    )
    metrics.gauge(
      'ratatosk_unacknowledged_bytes',
      'Bytes that clients with stream management have not acknowledged; each may have modules.sm.queue_bytes',
      () => this.bytes,
    )
    metrics.gauge(
      'ratatosk_sessions_waiting',
      'Sessions that have lost their connection and wait for their client (XEP-0198)',
      () => this.waiting,
    )
  }

  get wallMs(): number {
    return this.#clock.wallMs()
  }

  /** From the next beat on; each once. */
  listen(one: Beaten): void {
    this.#listeners.push(one)
    if (!this.#isArmed) this.#arm()
  }

  /** Nobody hears a beat any more. */
  stop(): void {
    this.#isStopped = true
    this.#listeners = []
  }

  #arm(): void {
    if (this.#isStopped) return
    this.#isArmed = true
    this.#clock.after(beatMs, (self: LedgerBook) => self.#beats(), this)
  }

  #beats(): void {
    this.beat++
    const listeners = this.#listeners
    let kept = 0
    for (let i = 0; i < listeners.length; i++) {
      const one = listeners[i] as Beaten
      if (one.beat()) listeners[kept++] = one
    }
    listeners.length = kept
    if (kept > 0) this.#arm()
    else this.#isArmed = false
  }
}
