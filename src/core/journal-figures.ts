/** What a journal of sessions (durable.ts) counts; one set for all of a server. */
import type { Counter, Metrics } from './metrics.ts'

export interface JournalFigures {
  readonly writes: Counter
  readonly stanzas: Counter
  readonly failures: Counter
  readonly restored: Counter
}

export function journalFigures(metrics: Metrics): JournalFigures {
  return {
    writes: metrics.counter('ratatosk_journal_writes_total', 'Writes of durable sessions to the store'),
    stanzas: metrics.counter('ratatosk_journal_stanzas_total', 'Stanzas kept for clients with durable sessions'),
    failures: metrics.counter(
      'ratatosk_journal_failures_total',
      'Writes of durable sessions that failed and are tried again',
    ),
    restored: metrics.counter(
      'ratatosk_sessions_restored_total',
      'Sessions that outlived the server that they were of',
    ),
  }
}
