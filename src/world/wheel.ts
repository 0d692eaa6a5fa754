/**
 * A hierarchical timer wheel: five levels of 64 slots. Adding and cancelling are O(1) and touch no clock; a tick is
 * 10 ms. It knows no real time: its owner says how many ticks have passed (Varghese and Lauck, SOSP 1987, scheme 7).
 */
import type { Timer } from './clock.types.ts'

/** One tick in milliseconds, the resolution of every timer of the house. */
export const TICK_MS = 10

const SLOTS = 64
const LEVELS = 5
const SPAN = SLOTS ** LEVELS

type Callback = (arg: never) => void

class Link {
  previous: Link
  next: Link

  constructor() {
    this.previous = this
    this.next = this
  }

  append(link: Link): void {
    link.previous = this.previous
    link.next = this
    this.previous.next = link
    this.previous = link
  }

  unlink(): void {
    this.previous.next = this.next
    this.next.previous = this.previous
    this.previous = this
    this.next = this
  }
}

class WheelTimer extends Link implements Timer {
  readonly tick: number
  readonly fn: Callback
  readonly arg: unknown
  #wheel: TimerWheel | undefined

  constructor(wheel: TimerWheel, tick: number, fn: Callback, arg: unknown) {
    super()
    this.#wheel = wheel
    this.tick = tick
    this.fn = fn
    this.arg = arg
  }

  cancel(): void {
    const wheel = this.#wheel
    if (wheel === undefined) return
    this.#wheel = undefined
    this.unlink()
    wheel.forget()
  }

  /** Called by the wheel when the timer is taken out to fire. */
  spend(): void {
    this.#wheel = undefined
    this.unlink()
  }
}

export class TimerWheel {
  /** Timers that wait. */
  size = 0
  /** Called when the last waiting timer was cancelled. */
  emptied: () => void = () => {}
  #current = 0
  readonly #slots: Link[] = []
  /** Timers whose tick has come; what is left here when a callback throws fires at the next `advance`. */
  readonly #due = new Link()

  constructor() {
    for (let i = 0; i < SLOTS * LEVELS; i++) this.#slots.push(new Link())
  }

  /** Adds a timer; a tick that has passed means the next one. */
  add<T>(tick: number, fn: (arg: T) => void, arg: T): Timer {
    const timer = new WheelTimer(this, tick > this.#current ? tick : this.#current + 1, fn as Callback, arg)
    this.size++
    this.#place(timer)
    return timer
  }

  forget(): void {
    this.size--
    if (this.size === 0) this.emptied()
  }

  /** The tick at which `advance` must be called next: a timer fires there, or a slot is dealt out. Infinity when empty. */
  nextWake(): number {
    if (this.size === 0) return Number.POSITIVE_INFINITY
    if (this.#due.next !== this.#due) return this.#current
    let soonest = Number.POSITIVE_INFINITY
    for (let level = 0, width = 1; level < LEVELS; level++, width *= SLOTS) {
      const position = Math.floor(this.#current / width)
      for (let i = 1; i <= SLOTS; i++) {
        const start = (position + i) * width
        if (start >= soonest) break
        const slot = this.#slot(level, position + i)
        if (slot.next !== slot) {
          soonest = start
          break
        }
      }
    }
    return soonest
  }

  /** Fires everything due up to and with `tick`. When a callback throws, the rest keeps its place for the next call. */
  advance(tick: number): void {
    for (;;) {
      this.#fire()
      const next = this.nextWake()
      if (next > tick) break
      this.#current = next
      this.#dealOut()
    }
    if (tick > this.#current) this.#current = tick
  }

  #fire(): void {
    for (let timer = this.#due.next; timer !== this.#due; timer = this.#due.next) {
      const { fn, arg } = timer as WheelTimer
      ;(timer as WheelTimer).spend()
      this.size--
      fn(arg as never)
    }
  }

  #dealOut(): void {
    for (let level = LEVELS - 1, width = SLOTS ** level; level >= 0; level--, width /= SLOTS) {
      if (this.#current % width !== 0) continue
      const slot = this.#slot(level, this.#current / width)
      for (let timer = slot.next; timer !== slot; timer = slot.next) {
        timer.unlink()
        if ((timer as WheelTimer).tick <= this.#current) this.#due.append(timer)
        else this.#place(timer as WheelTimer)
      }
    }
  }

  #place(timer: WheelTimer): void {
    const delta = timer.tick - this.#current
    // Beyond the wheel's span a timer waits in the farthest slot and is dealt out anew when that slot comes.
    const tick = delta < SPAN ? timer.tick : this.#current + SPAN - 1
    let level = 0
    let width = 1
    while (level < LEVELS - 1 && delta >= width * SLOTS) {
      level++
      width *= SLOTS
    }
    this.#slot(level, Math.floor(tick / width)).append(timer)
  }

  #slot(level: number, position: number): Link {
    return this.#slots[level * SLOTS + (position % SLOTS)] as Link
  }
}
