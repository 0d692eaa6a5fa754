/**
 * The end of a turn of the event loop. One `setImmediate` serves all of a world: first whatever asked to run `soon`, then
 * every transport that was written to sends what it has joined, so that a tick costs each socket one write.
 *
 * A read that comes after a pause is most often the only one of its turn. Its answers leave as soon as it is handled: a
 * `setImmediate` is one more way from libuv into JavaScript through cold caches, some 10 us a message on a quiet server.
 */

/** The first read after a pause of so many milliseconds does not wait for the end of the turn. */
export const PAUSE_MS = 0.02

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
  /** What is being handled is the first read after a pause. */
  #first = false
  /** When what was written last left, in milliseconds. */
  #left = 0
  readonly #end = (): void => this.#run()

  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#callbacks.push(fn as Callback)
    this.#args.push(arg)
    this.#arm()
  }

  flushAtEnd(transport: Flushable): void {
    this.#dirty.push(transport)
    if (!this.#first) this.#arm()
  }

  /** A door is about to hand over what it has read. */
  readBegins(): void {
    if (!this.#armed && this.#dirty.length === 0) this.#first = performance.now() - this.#left >= PAUSE_MS
  }

  /** It has; called whatever happened meanwhile. */
  readEnds(): void {
    if (!this.#first) return
    this.#first = false
    if (this.#armed || this.#dirty.length === 0) return
    this.#flush()
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
    if (this.#dirty.length > 0) this.#flush()
  }

  #flush(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (let i = 0; i < dirty.length; i++) (dirty[i] as Flushable).flush()
    this.#left = performance.now()
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
