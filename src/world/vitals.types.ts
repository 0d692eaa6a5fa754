/** How the process is that the server runs in. Reading costs some microseconds; nothing is measured that nobody asks for. */

/** How often a delay was at most so long. */
export interface DelayCounts {
  /** With the bounds of `DELAY_BOUNDS`, each smaller one included in the next. */
  readonly buckets: readonly { readonly atMost: number; readonly count: number }[]
  readonly count: number
  /** Seconds. */
  readonly sum: number
}

export interface MemoryFigures {
  /** Bytes in RAM, all threads together. */
  readonly resident: number
  /** Of this thread: bytes that V8 has taken for its heap, and of those in use. */
  readonly heap: number
  readonly heapUsed: number
  /** Bytes of buffers and the like that belong to objects of this thread but are not on its heap. */
  readonly external: number
}

export interface CollectionFigures {
  /** minor, major, incremental or weak. */
  readonly kind: string
  readonly runs: number
  readonly seconds: number
}

export interface Vitals {
  /** When the process began, in seconds since 1970. */
  readonly startSeconds: number
  /** CPU seconds of the whole process, all threads together. */
  cpuSeconds(): number
  /** CPU seconds of this thread, whose event loop the server is. */
  loopCpuSeconds(): number
  /** Seconds in which the event loop had something to do, waiting for the CPU included. */
  loopBusySeconds(): number
  memory(): MemoryFigures
  /** How late the timers of this thread were, as far as somebody watched. */
  delays(): DelayCounts
  /** Garbage collections of this thread while somebody watched. */
  collections(): readonly CollectionFigures[]
  /**
   * Begins to look at delays and collections: a timer every 100 ms and a call a collection, some 0.02 % of a core. They nest.
   * Returns the end.
   */
  watch(): () => void
}

/** Seconds, upper bounds of the buckets of delays. */
export const DELAY_BOUNDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5] as const
