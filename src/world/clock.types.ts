/** Time, as the house sees it (DESIGN.md section 5). The real clock and the simulator's are two implementations. */

export interface Timer {
  /** Harmless when it already fired or was cancelled. */
  cancel(): void
}

export interface Clock {
  /** Wall-clock time, for people and protocols. It may jump. */
  now(): Date
  /** Wall-clock milliseconds since 1970. It may jump. */
  wallMs(): number
  /** Monotonic milliseconds, for leases, time-outs and back-off. Never jumps, starts anywhere. */
  monoMs(): number
  /**
   * Calls `fn(arg)` once, `ms` milliseconds from now at the earliest. One timer wheel serves all: a timer costs a small
   * object, its resolution is 10 ms (delays under 10 ms are honoured as soon as the wheel turns). A timer does not keep
   * the process alive; listeners and connections do. Throws RangeError when `ms` is not finite.
   */
  after<T>(ms: number, fn: (arg: T) => void, arg: T): Timer
  /** Calls `fn(arg)` after the current turn of the event loop: when everything read in this turn was handled. */
  soon<T>(fn: (arg: T) => void, arg: T): void
}
