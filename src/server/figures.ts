/** Figures that their owners keep for themselves, under names of the metrics. */
import type { Metrics } from '../core/metrics.ts'
import type { StoreMetrics, StoreState } from '../store/store.types.ts'
import type { NetQueues } from '../world/net.types.ts'

/** The states of the store, as `ratatosk_store_state` numbers them. */
const storeStates: readonly StoreState['name'][] = ['ready', 'full', 'stalled', 'failed', 'closed']

export interface FigureSources {
  readonly stores: { readonly metrics: Readonly<StoreMetrics>; readonly state: StoreState }
  readonly net: { readonly queues: NetQueues }
  controlConnections(): number
}

export function enterFigures(metrics: Metrics, { stores, net, controlConnections }: FigureSources): void {
  const store = stores.metrics
  metrics.gauge('ratatosk_control_connections', 'Connections to the control socket now', controlConnections)
  metrics.gauge(
    'ratatosk_store_state',
    'The store: 0 ready, 1 full (writes are refused), 2 stalled (it does not answer), 3 failed (it is away), 4 closed',
    () => storeStates.indexOf(stores.state.name),
  )
  metrics.gauge(
    'ratatosk_store_queue_operations',
    'Store operations that wait or are at work; limit store.queue_operations',
    () => store.queueOperations,
  )
  metrics.gauge(
    'ratatosk_store_queue_bytes',
    'Bytes of the store operations that wait or are at work; limit store.queue_bytes',
    () => store.queueBytes,
  )
  metrics.gauge(
    'ratatosk_connections_behind',
    'Connections with bytes that their client has not taken yet, beyond what the kernel holds',
    () => net.queues.behind,
  )
  metrics.gauge(
    'ratatosk_connections_behind_bytes',
    'Bytes that clients have not taken yet, beyond what the kernel holds; each may have limits.session_queue_bytes',
    () => net.queues.behindBytes,
  )
  metrics.gauge(
    'ratatosk_tls_handshakes_waiting',
    'TLS handshakes that wait for others before they begin',
    () => net.queues.handshakes,
  )
  const counted = (name: string, help: string, read: () => number) =>
    metrics.counted(`ratatosk_store_${name}_total`, help, read)
  counted(
    'queue_full',
    'Store operations refused because too much waited; limits store.queue_operations, store.queue_bytes',
    () => store.rejectedFull,
  )
  counted(
    'timeouts',
    'Store operations given up because they took too long; limit store.operation_timeout',
    () => store.timeouts,
  )
  counted(
    'stalled',
    'Store operations refused at once because the database did not answer those before',
    () => store.rejectedStalled,
  )
  counted('disk_full', 'Store operations refused because the disk was full', () => store.diskFull)
  counted('errors', 'Store operations that failed, for whatever reason', () => store.errors)
  counted('reads', 'Store operations that read', () => store.reads)
  counted('writes', 'Store operations that write', () => store.writes)
  counted('commits', 'Transactions that the store has committed', () => store.commits)
  counted('restarts', "Restarts of the store's engine after it had failed", () => store.restarts)
}
