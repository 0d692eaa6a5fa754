/** What the core has at the moment, as figures. */
import type { JidCache } from '../jid/cache.ts'
import type { Metrics } from './metrics.ts'
import type { Requests } from './requests.ts'
import type { SessionTable } from './session-table.ts'

export interface Gauged {
  readonly metrics: Metrics
  readonly sessions: SessionTable
  readonly jids: JidCache
  readonly requests: Requests
  hosts(): number
}

export function coreGauges({ metrics, sessions, jids, requests, hosts }: Gauged): void {
  metrics.gauge('ratatosk_sessions', 'Sessions with a resource now, those that wait for their client included', () =>
    sessions.count(),
  )
  metrics.gauge('ratatosk_hosts', 'Hosts served', hosts)
  metrics.gauge(
    'ratatosk_jid_cache_entries',
    'Addresses (JIDs) that need not be checked again, in memory; limit limits.jid_cache_entries',
    () => jids.size,
  )
  metrics.counted(
    'ratatosk_jid_cache_evictions_total',
    'Addresses (JIDs) in memory that made room for others; limit limits.jid_cache_entries',
    () => jids.evicted,
  )
  metrics.gauge(
    'ratatosk_requests_open',
    'Requests of the server to clients that wait for an answer; limit requests_open',
    () => requests.openCount,
  )
}
