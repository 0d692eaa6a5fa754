/** Virtual time. The wall clock can be set wrong and made to jump; the monotonic one cannot. */
import type { Clock, Timer } from '../world/clock.types.ts'
import type { Flushable, TurnEnd } from '../world/turn.ts'
import type { Life, Scheduler } from './scheduler.ts'

/** Where virtual wall-clock time begins. */
export const BEGINNING = Date.UTC(2026, 0, 1)

export class SimClock implements Clock {
  readonly #scheduler: Scheduler
  readonly #life: Life
  #wallOffset: number

  constructor(scheduler: Scheduler, life: Life, skewMs = 0) {
    this.#scheduler = scheduler
    this.#life = life
    this.#wallOffset = BEGINNING + skewMs
  }

  now(): Date {
    return new Date(this.wallMs())
  }

  wallMs(): number {
    return Math.floor(this.#scheduler.now + this.#wallOffset)
  }

  monoMs(): number {
    return this.#scheduler.now
  }

  after<T>(ms: number, fn: (arg: T) => void, arg: T): Timer {
    if (!Number.isFinite(ms)) throw new RangeError(`a timer cannot wait for ${ms} ms`)
    return this.#scheduler.after(ms, 'timer', this.#life, fn, arg)
  }

  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#scheduler.after(0, 'work', this.#life, fn, arg)
  }

  /** Somebody sets the wall clock, forwards or backwards. */
  jump(ms: number): void {
    this.#wallOffset += ms
  }
}

/** The end of a turn: the next event but those that were asked for before it. */
export class SimTurn implements TurnEnd {
  readonly #scheduler: Scheduler
  readonly #life: Life
  #dirty: Flushable[] = []

  constructor(scheduler: Scheduler, life: Life) {
    this.#scheduler = scheduler
    this.#life = life
  }

  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#scheduler.after(0, 'work', this.#life, fn, arg)
  }

  flushAtEnd(transport: Flushable): void {
    this.#dirty.push(transport)
    if (this.#dirty.length === 1) this.#scheduler.after(0, 'work', this.#life, flushAll, this)
  }

  flush(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (const transport of dirty) transport.flush()
  }
}

function flushAll(turn: SimTurn): void {
  turn.flush()
}
