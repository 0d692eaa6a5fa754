/** The real process: `process` and `performance` of Node. */
import { constants, PerformanceObserver, performance } from 'node:perf_hooks'
import {
  type CollectionFigures,
  DELAY_BOUNDS,
  type DelayCounts,
  type MemoryFigures,
  type Vitals,
} from './vitals.types.ts'

const SAMPLE_MS = 100

const kinds: ReadonlyMap<unknown, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weak'],
])

export class RealVitals implements Vitals {
  readonly startSeconds = performance.timeOrigin / 1_000
  readonly #delays = new Delays()
  readonly #collections = new Map<string, { runs: number; seconds: number }>()
  #watchers = 0
  /** Not the clock's: its wheel turns in steps of 10 ms, and this is to see less. */
  #timer: ReturnType<typeof setInterval> | undefined
  #lastMs = 0
  #observer: PerformanceObserver | undefined

  constructor() {
    for (const kind of kinds.values()) this.#collections.set(kind, { runs: 0, seconds: 0 })
  }

  cpuSeconds(): number {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  }

  loopCpuSeconds(): number {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1e6
  }

  loopBusySeconds(): number {
    return performance.eventLoopUtilization().active / 1_000
  }

  memory(): MemoryFigures {
    const { rss, heapTotal, heapUsed, external } = process.memoryUsage()
    return { resident: rss, heap: heapTotal, heapUsed, external }
  }

  delays(): DelayCounts {
    return this.#delays.counts
  }

  collections(): readonly CollectionFigures[] {
    return [...this.#collections].map(([kind, { runs, seconds }]) => ({ kind, runs, seconds }))
  }

  watch(): () => void {
    if (this.#watchers++ === 0) this.#begin()
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      if (--this.#watchers === 0) this.#end()
    }
  }

  #begin(): void {
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        this.#collected('detail' in entry ? entry.detail : undefined, entry.duration)
    })
    this.#observer.observe({ entryTypes: ['gc'] })
    this.#lastMs = performance.now()
    this.#timer = setInterval(() => this.#asked(), SAMPLE_MS)
    this.#timer.unref()
  }

  #collected(detail: unknown, durationMs: number): void {
    const kind = typeof detail === 'object' && detail !== null && 'kind' in detail ? kinds.get(detail.kind) : undefined
    const figures = this.#collections.get(kind ?? 'major')
    if (figures === undefined) return
    figures.runs++
    figures.seconds += durationMs / 1_000
  }

  #asked(): void {
    const now = performance.now()
    this.#delays.add((now - this.#lastMs - SAMPLE_MS) / 1_000)
    this.#lastMs = now
  }

  #end(): void {
    if (this.#timer !== undefined) clearInterval(this.#timer)
    this.#timer = undefined
    this.#observer?.disconnect()
    this.#observer = undefined
  }
}

/** A histogram of delays. */
export class Delays {
  /** One a bound, not yet summed up, and one for what is beyond all. */
  readonly #counts = new Array<number>(DELAY_BOUNDS.length + 1).fill(0)
  #sum = 0

  /** Seconds; one that is early by rounding is not late. */
  add(seconds: number): void {
    const delay = Math.max(0, seconds)
    const at = DELAY_BOUNDS.findIndex((bound) => delay <= bound)
    const slot = at < 0 ? DELAY_BOUNDS.length : at
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1
    this.#sum += delay
  }

  get counts(): DelayCounts {
    let count = 0
    const buckets = DELAY_BOUNDS.map((atMost, i) => {
      count += this.#counts[i] ?? 0
      return { atMost, count }
    })
    return { buckets, count: count + (this.#counts.at(-1) ?? 0), sum: this.#sum }
  }
}
