/**
 * The simulator's heart: events in order of virtual time, equal times in the order they were asked for. Nothing happens
 * between two events but the promises that the first has set going.
 */
import type { Timer } from '../world/clock.types.ts'
import { microtasksDone } from '../world/microtasks.ts'

/** A process of the simulation. What it asked for is not done any more once it has died. */
export interface Life {
  alive: boolean
}

/** `work` will happen soon and is waited for by `settle`; a `timer` may be a long way off and is not. */
export type EventKind = 'work' | 'timer'

export interface SchedulerLimits {
  /** Virtual milliseconds after which a run is given up. */
  readonly virtualMs: number
  /** Events after which a run is given up. */
  readonly events: number
}

class SimEvent implements Timer {
  readonly at: number
  readonly order: number
  readonly kind: EventKind
  readonly life: Life
  #call: (() => void) | undefined
  readonly #scheduler: Scheduler

  constructor(scheduler: Scheduler, at: number, order: number, kind: EventKind, life: Life, call: () => void) {
    this.#scheduler = scheduler
    this.at = at
    this.order = order
    this.kind = kind
    this.life = life
    this.#call = call
  }

  cancel(): void {
    if (this.take() !== undefined) this.#scheduler.cancelled(this)
  }

  /** What is to be called, once. */
  take(): (() => void) | undefined {
    const call = this.#call
    this.#call = undefined
    return call
  }

  get live(): boolean {
    return this.#call !== undefined && this.life.alive
  }
}

export class Scheduler {
  /** Virtual milliseconds since the beginning of the run. */
  now = 0
  /** Events that have happened. */
  count = 0
  readonly limits: SchedulerLimits
  #order = 0
  #heap: SimEvent[] = []
  #driving = false
  #settling: (() => void)[] = []

  constructor(limits: SchedulerLimits) {
    this.limits = limits
  }

  get driving(): boolean {
    return this.#driving
  }

  /** Calls `fn(arg)` after `delayMs`, unless `life` has ended by then. */
  after<T>(delayMs: number, kind: EventKind, life: Life, fn: (arg: T) => void, arg: T): Timer {
    const event = new SimEvent(this, this.now + Math.max(0, delayMs), this.#order++, kind, life, () => fn(arg))
    this.#push(event)
    return event
  }

  cancelled(_event: SimEvent): void {
    // It stays in the heap and is passed over when its time comes; a heap of mostly dead events is swept.
    if (this.#heap.length > 1024 && this.#heap.length > 4 * this.#heap.filter((event) => event.live).length) {
      const live = this.#heap.filter((event) => event.live)
      this.#heap = []
      for (const event of live) this.#push(event)
    }
  }

  /** Time of the next event, Infinity when there is none. */
  next(): number {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined) return Number.POSITIVE_INFINITY
      if (first.live) return first.at
      this.#pop()
    }
  }

  /** Does the next event; false when there is none. */
  step(): boolean {
    if (this.next() === Number.POSITIVE_INFINITY) return false
    const event = this.#pop() as SimEvent
    this.now = event.at
    this.count++
    event.take()?.()
    return true
  }

  /** Does events until `done`; false when nothing is left to happen. Throws beyond a limit, and what an event throws. */
  async drive(done: () => boolean, untilMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (this.#driving) throw new Error('the simulation is being driven already: await sleep or settle instead')
    this.#driving = true
    try {
      for (;;) {
        await microtasksDone()
        // Who waited for quiet may have set something going.
        if (this.#tellSettled()) continue
        if (done()) return true
        const next = this.next()
        if (next > untilMs || next === Number.POSITIVE_INFINITY) {
          if (untilMs !== Number.POSITIVE_INFINITY) this.now = untilMs
          return false
        }
        if (this.count >= this.limits.events) throw new Error(`more than ${this.limits.events} events`)
        if (next > this.limits.virtualMs) throw new Error(`no end within ${this.limits.virtualMs} virtual ms`)
        this.step()
      }
    } finally {
      this.#driving = false
    }
  }

  /** Does everything up to `untilMs` at once, for tests without promises. */
  driveNow(untilMs: number): void {
    while (this.next() <= untilMs) this.step()
    this.now = untilMs
  }

  /** Resolves when nothing but timers is left. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.#settling.push(resolve))
  }

  get quiet(): boolean {
    return !this.#heap.some((event) => event.kind === 'work' && event.live)
  }

  #tellSettled(): boolean {
    if (this.#settling.length === 0 || !this.quiet) return false
    const settling = this.#settling
    this.#settling = []
    for (const resolve of settling) resolve()
    return true
  }

  #push(event: SimEvent): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!before(event, heap[above] as SimEvent)) break
      heap[at] = heap[above] as SimEvent
      at = above
    }
    heap[at] = event
  }

  #pop(): SimEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || last === first) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && before(heap[below + 1] as SimEvent, heap[below] as SimEvent)) below++
      if (!before(heap[below] as SimEvent, last)) break
      heap[at] = heap[below] as SimEvent
      at = below
    }
    heap[at] = last
    return first
  }
}

function before(a: SimEvent, b: SimEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
