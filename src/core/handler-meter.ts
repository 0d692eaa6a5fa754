/**
 * What the handlers of modules cost, taken only while somebody watches: then the tables of handlers hold wrapped ones, and
 * afterwards the plain ones again. A stanza's way asks nobody whether time is taken.
 */

export interface HandlerCost {
  readonly calls: number
  /** Of the event loop's time, in milliseconds; without what a handler waits for, and without handlers that it called. */
  readonly ms: number
}

export class HandlerMeter {
  readonly #now: () => number
  readonly #costs = new Map<string, { calls: number; ms: number }>()
  /** Time that handlers took within the one under way. */
  #innerMs = 0

  /** `now` gives milliseconds. */
  constructor(now: () => number) {
    this.#now = now
  }

  /** By module. Grows as long as it lives. */
  get costs(): ReadonlyMap<string, HandlerCost> {
    return this.#costs
  }

  /** The same handler with its time taken, whether it returns or throws; of a promise, the time until it is returned. */
  wrap<A extends unknown[], R>(module: string, handler: (...args: A) => R): (...args: A) => R {
    let cost = this.#costs.get(module)
    if (cost === undefined) {
      cost = { calls: 0, ms: 0 }
      this.#costs.set(module, cost)
    }
    const of = cost
    return (...args) => {
      const outerMs = this.#innerMs
      this.#innerMs = 0
      const begun = this.#now()
      try {
        return handler(...args)
      } finally {
        const took = this.#now() - begun
        of.calls++
        of.ms += took - this.#innerMs
        this.#innerMs = outerMs + took
      }
    }
  }
}

/** What holds handlers: a host type. */
export interface Measured {
  measure(meter: HandlerMeter | undefined): void
}

/** The one meter of a server, and who wants it. */
export class HandlerWatch {
  readonly #meter: HandlerMeter
  readonly #measured: Measured[] = []
  #watchers = 0

  constructor(now: () => number) {
    this.#meter = new HandlerMeter(now)
  }

  /** Of handlers that come later, too. */
  enter(measured: Measured): void {
    this.#measured.push(measured)
    if (this.#watchers > 0) measured.measure(this.#meter)
  }

  /** Takes times until the returned function is called. They nest. */
  watch(): () => void {
    if (this.#watchers++ === 0) this.#measure(this.#meter)
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      if (--this.#watchers === 0) this.#measure(undefined)
    }
  }

  #measure(meter: HandlerMeter | undefined): void {
    for (const measured of this.#measured) measured.measure(meter)
  }

  /** All that was taken since the server began, by module: whoever watches takes the difference. */
  costs(): ReadonlyMap<string, HandlerCost> {
    return new Map([...this.#meter.costs].map(([module, { calls, ms }]) => [module, { calls, ms }]))
  }
}
