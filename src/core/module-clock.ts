/** The clock of one module: timers that it has not cancelled go with it, so that a reload leaves none behind. */
import type { Clock, Timer } from '../world/clock.types.ts'

export class ModuleClock implements Clock {
  readonly #clock: Clock
  readonly #open = new Set<Timer>()
  #isStopped = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Timers that wait: a reload must leave as many. */
  get pending(): number {
    return this.#open.size
  }

  now(): Date {
    return this.#clock.now()
  }

  wallMs(): number {
    return this.#clock.wallMs()
  }

  monoMs(): number {
    return this.#clock.monoMs()
  }

  /** After the module's end a timer is taken and never runs. */
  after<T>(ms: number, fn: (arg: T) => void, arg: T): Timer {
    const timer = new ModuleTimer(this.#open, fn, arg)
    if (!this.#isStopped) timer.start(this.#clock, ms)
    return timer
  }

  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#clock.soon(fn, arg)
  }

  stop(): void {
    this.#isStopped = true
    for (const timer of this.#open) timer.cancel()
  }
}

class ModuleTimer<T> implements Timer {
  readonly #open: Set<Timer>
  readonly #fn: (arg: T) => void
  readonly #arg: T
  #inner: Timer | undefined

  constructor(open: Set<Timer>, fn: (arg: T) => void, arg: T) {
    this.#open = open
    this.#fn = fn
    this.#arg = arg
  }

  start(clock: Clock, ms: number): void {
    this.#open.add(this)
    this.#inner = clock.after(ms, (self: ModuleTimer<T>) => self.#run(), this)
  }

  cancel(): void {
    this.#open.delete(this)
    this.#inner?.cancel()
  }

  #run(): void {
    this.#open.delete(this)
    this.#fn(this.#arg)
  }
}
