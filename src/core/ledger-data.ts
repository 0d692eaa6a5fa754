/** What leaves a ledger (ledger.ts). */
import type { Octets } from '../xml/octets.ts'
import type { Batch } from './hand-over.ts'

/** As plain data, for a session that moves. */
export interface LedgerData {
  readonly id: string
  readonly resume: number
  readonly handled: number
  readonly sent: number
  /** Unacknowledged stanzas. */
  readonly kept: readonly string[]
  /** See `Unacknowledged.times`. */
  readonly times: readonly number[]
}

/** What the client never acknowledged, for the way of the undeliverable. */
export interface Unacknowledged {
  readonly bytes: Octets
  /** Pairs: from this stanza on, counted from 0, they were sent at this time, in milliseconds since 1970, or a beat later. */
  readonly times: readonly number[]
  /** What of it a store keeps. */
  readonly batch: Batch | undefined
}
