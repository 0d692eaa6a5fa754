/**
 * The end of a turn of the event loop. One `setImmediate` serves all of a world: first whatever asked to run `soon`, then
 * every transport that was written to sends what it has joined, so that a tick costs each socket one write.
 */

/** Something that sends at the end of the turn. It must not throw. */
export interface Flushable {
  flush(): void
}

/** The simulator has its own. */
export interface TurnEnd {
  /** Calls `fn(arg)` at the end of this turn; what is added meanwhile waits for the next turn. */
  soon<T>(fn: (arg: T) => void, arg: T): void
  /** Calls `flush` once at the end of this turn, after the `soon` callbacks. The caller asks once a turn. */
  flushAtEnd(transport: Flushable): void
}

type Callback = (arg: never) => void

export class Turn implements TurnEnd {
  #callbacks: Callback[] = []
  #args: unknown[] = []
  #dirty: Flushable[] = []
  #armed = false
  readonly #end = (): void => this.#run()

  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#callbacks.push(fn as Callback)
    this.#args.push(arg)
    this.#arm()
  }

  flushAtEnd(transport: Flushable): void {
    this.#dirty.push(transport)
    this.#arm()
  }

  #arm(): void {
    if (this.#armed) return
    this.#armed = true
    setImmediate(this.#end)
  }

  #run(): void {
    this.#armed = false
    const callbacks = this.#callbacks
    if (callbacks.length > 0) this.#runCallbacks(callbacks)
    const dirty = this.#dirty
    if (dirty.length === 0) return
    this.#dirty = []
    for (let i = 0; i < dirty.length; i++) (dirty[i] as Flushable).flush()
  }

  /** A callback that throws does so past us, but neither the other callbacks nor the writes of the turn are lost. */
  #runCallbacks(callbacks: Callback[]): void {
    const args = this.#args
    this.#callbacks = []
    this.#args = []
    let i = 0
    try {
      for (; i < callbacks.length; ) {
        const at = i++
        ;(callbacks[at] as Callback)(args[at] as never)
      }
    } finally {
      if (i < callbacks.length) {
        this.#callbacks = callbacks.slice(i).concat(this.#callbacks)
        this.#args = args.slice(i).concat(this.#args)
      }
      if (this.#callbacks.length > 0 || this.#dirty.length > 0) this.#arm()
    }
  }
}
