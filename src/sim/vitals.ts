/** The process of a simulated host: figures stand still until a test sets them, and no timer is late. */
import {
  type CollectionFigures,
  DELAY_BOUNDS,
  type DelayCounts,
  type MemoryFigures,
  type Vitals,
} from '../world/vitals.types.ts'

export class SimVitals implements Vitals {
  startSeconds = 0
  cpu = 0
  loopCpu = 0
  busy = 0
  figures: MemoryFigures = { resident: 0, heap: 0, heapUsed: 0, external: 0 }
  counts: DelayCounts = { buckets: DELAY_BOUNDS.map((atMost) => ({ atMost, count: 0 })), count: 0, sum: 0 }
  collected: readonly CollectionFigures[] = []
  /** Who watches now. */
  watchers = 0

  cpuSeconds(): number {
    return this.cpu
  }
  loopCpuSeconds(): number {
    return this.loopCpu
  }
  loopBusySeconds(): number {
    return this.busy
  }
  memory(): MemoryFigures {
    return this.figures
  }
  delays(): DelayCounts {
    return this.counts
  }
  collections(): readonly CollectionFigures[] {
    return this.collected
  }
  watch(): () => void {
    this.watchers++
    return () => {
      this.watchers--
    }
  }
}
