/** Figures of the process. Those that every exporter has bear the names that every dashboard knows (`process_…`). */
import type { Metrics } from '../core/metrics.ts'
import { softwareVersion } from '../core/software.ts'
import type { Vitals } from '../world/vitals.types.ts'

export function enterProcessFigures(metrics: Metrics, vitals: Vitals): void {
  metrics.labelled(
    { name: 'ratatosk_build_info', kind: 'info', help: 'Version of Ratatosk and of Node, in labels; always 1' },
    () => [{ labels: { version: softwareVersion }, value: 1 }],
  )
  metrics.counted('process_cpu_seconds_total', 'CPU time of the whole process, user and system', () =>
    vitals.cpuSeconds(),
  )
  metrics.gauge('process_resident_memory_bytes', 'Memory of the process in RAM', () => vitals.memory().resident)
  metrics.gauge('process_start_time_seconds', 'When the process began, since 1970', () => vitals.startSeconds)
  metrics.counted(
    'ratatosk_loop_cpu_seconds_total',
    'CPU time of the event loop: the whole but its helping threads',
    () => vitals.loopCpuSeconds(),
  )
  metrics.counted('ratatosk_loop_busy_seconds_total', 'Time in which the event loop had something to do', () =>
    vitals.loopBusySeconds(),
  )
  metrics.histogram(
    'ratatosk_loop_delay_seconds',
    'How late a timer was, asked ten times a second since somebody first looked at /metrics',
    () => vitals.delays(),
  )
  metrics.gauge('ratatosk_heap_bytes', "Memory that V8 has taken for the event loop's heap", () => vitals.memory().heap)
  metrics.gauge(
    'ratatosk_heap_used_bytes',
    "Memory in use in the event loop's heap, of ratatosk_heap_bytes",
    () => vitals.memory().heapUsed,
  )
  metrics.gauge('ratatosk_external_memory_bytes', 'Memory of buffers and the like beside the heap', () => {
    return vitals.memory().external
  })
  metrics.labelled(
    {
      name: 'ratatosk_gc_runs_total',
      kind: 'counter',
      help: 'Garbage collections of the event loop since somebody first looked at /metrics',
    },
    () => vitals.collections().map(({ kind, runs }) => ({ labels: { kind }, value: runs })),
  )
  metrics.labelled(
    {
      name: 'ratatosk_gc_seconds_total',
      kind: 'counter',
      help: 'Time in which garbage was collected and nothing else done, since somebody first looked at /metrics',
    },
    () => vitals.collections().map(({ kind, seconds }) => ({ labels: { kind }, value: seconds })),
  )
}
