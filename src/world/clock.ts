/**
 * The real clock: one timer wheel over one `setTimeout`, which is armed for the next slot that holds a timer and not at all
 * when none waits. Timers never keep the process alive; open sockets and listeners do.
 */
import type { Clock, Timer } from './clock.types.ts'
import type { Turn } from './turn.ts'
import { TICK_MS, TimerWheel } from './wheel.ts'

/** `setTimeout` fires at once beyond 2^31 ms; the wheel is looked at daily at the latest. */
const LONGEST_SLEEP_MS = 86_400_000

export class RealClock implements Clock {
  readonly #turn: Turn
  readonly #wheel = new TimerWheel()
  readonly #origin = performance.now()
  #sleep: ReturnType<typeof setTimeout> | undefined
  #armedFor = Number.POSITIVE_INFINITY
  readonly #wake = (): void => this.#turned()

  constructor(turn: Turn) {
    this.#turn = turn
    this.#wheel.emptied = () => this.#disarm()
  }

  now(): Date {
    return new Date()
  }

  wallMs(): number {
    return Date.now()
  }

  monoMs(): number {
    return performance.now()
  }

  after<T>(ms: number, fn: (arg: T) => void, arg: T): Timer {
    if (!Number.isFinite(ms)) throw new RangeError(`a timer cannot wait for ${ms} ms`)
    const elapsed = performance.now() - this.#origin
    const tick = Math.ceil((elapsed + (ms > 0 ? ms : 0)) / TICK_MS)
    // An empty wheel stands still; it is brought to the present before it takes a timer, which costs nothing while empty.
    if (this.#wheel.size === 0) this.#wheel.advance(Math.floor(elapsed / TICK_MS))
    const timer = this.#wheel.add(tick, fn, arg)
    if (tick < this.#armedFor) this.#arm(tick)
    return timer
  }

  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#turn.soon(fn, arg)
  }

  #turned(): void {
    this.#sleep = undefined
    this.#armedFor = Number.POSITIVE_INFINITY
    try {
      this.#wheel.advance(Math.floor((performance.now() - this.#origin) / TICK_MS))
    } finally {
      const next = this.#wheel.nextWake()
      if (next < this.#armedFor) this.#arm(next)
    }
  }

  #arm(tick: number): void {
    if (this.#sleep !== undefined) clearTimeout(this.#sleep)
    const ms = this.#origin + tick * TICK_MS - performance.now()
    this.#sleep = setTimeout(this.#wake, Math.min(Math.max(Math.ceil(ms), 1), LONGEST_SLEEP_MS))
    this.#sleep.unref()
    this.#armedFor = tick
  }

  #disarm(): void {
    if (this.#sleep !== undefined) clearTimeout(this.#sleep)
    this.#sleep = undefined
    this.#armedFor = Number.POSITIVE_INFINITY
  }
}
