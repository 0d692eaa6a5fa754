/** Figures that their owners keep for themselves, under names of the metrics. */
import type { Metrics } from '../core/metrics.ts'
import type { StoreMetrics } from '../store/store.types.ts'
import type { NetQueues } from '../world/net.types.ts'

export interface FigureSources {
  readonly store: Readonly<StoreMetrics>
  readonly net: { readonly queues: NetQueues }
  controlConnections(): number
}

export function enterFigures(metrics: Metrics, { store, net, controlConnections }: FigureSources): void {
  metrics.gauge('ratatosk_control_connections', 'Connections to the control socket now', controlConnections)
  metrics.gauge(
    'ratatosk_store_queue_operations',
    'Store operations that wait or are at work; limit store_queue_operations',
    () => store.queueOperations,
  )
  metrics.gauge('ratatosk_store_queue_bytes', 'Their bytes; limit store_queue_bytes', () => store.queueBytes)
  metrics.gauge(
    'ratatosk_connections_behind',
    'Connections whose peer does not take what is written as fast as it is; limit session_queue_bytes each',
    () => net.queues.behind,
  )
  metrics.gauge('ratatosk_connections_behind_bytes', 'Bytes that wait for them', () => net.queues.behindBytes)
  metrics.gauge(
    'ratatosk_tls_handshakes_waiting',
    'TLS handshakes that begin in a later turn of the event loop',
    () => net.queues.handshakes,
  )
  const counted = (name: string, help: string, read: () => number) =>
    metrics.counted(`ratatosk_store_${name}_total`, help, read)
  counted('queue_full', 'Store operations refused by the limits of the queue', () => store.rejectedFull)
  counted('timeouts', 'Store operations beyond store_operation_timeout', () => store.timeouts)
  counted('errors', 'Store operations that failed', () => store.errors)
  counted('reads', 'Store operations that read', () => store.reads)
  counted('writes', 'Store operations that write', () => store.writes)
  counted('commits', 'Transactions of the store', () => store.commits)
  counted('restarts', "Restarts of the store's engine", () => store.restarts)
}
