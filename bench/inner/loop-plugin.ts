/**
 * A plugin that measures how late the server's event loop is: a timer every 5 ms, and by how much it fires too late. Only
 * samples count in which the loop had work for half of the time, so that silence around a storm does not make it look
 * better. `ratatosk metrics list` reads the figures and begins anew.
 */
import type { ModuleDefinition } from 'ratatosk/plugin'

const EVERY_MS = 5

/** The sample that so large a share of the others is not above; 0 of none. */
function quantile(sorted: Float64Array, share: number): number {
  return sorted.length === 0 ? 0 : (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}

const loop: ModuleDefinition = {
  name: 'loop',
  setup(context) {
    let samples: number[] = []
    let taken = new Float64Array(0)
    let dueMs = performance.now() + EVERY_MS
    let since = performance.eventLoopUtilization()
    const timer = setInterval(() => {
      const now = performance.now()
      const total = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(total, since)
      since = total
      // setInterval counts from the last call, so the lateness of one does not make the next one late.
      if (utilization > 0.5) samples.push(Math.max(0, now - dueMs))
      dueMs = now + EVERY_MS
    }, EVERY_MS)
    timer.unref()
    context.onStop(() => clearInterval(timer))
    // Read in this order: the first one takes the samples.
    context.gauge('samples', 'Samples since the last reading', () => {
      taken = Float64Array.from(samples).sort()
      samples = []
      return taken.length
    })
    const micros = (name: string, share: number) =>
      context.gauge(`${name}_us`, 'Lateness of the loop in microseconds', () =>
        Math.round(quantile(taken, share) * 1000),
      )
    micros('p50', 0.5)
    micros('p99', 0.99)
    micros('max', 1)
  },
}

export default loop
