/** What the core tells whoever keeps sessions in a store (durable.ts). */
import type { Ledger, LedgerJournal } from './ledger.ts'
import type { Session } from './session.ts'

export interface SessionJournal extends LedgerJournal {
  /** A session counts from now on, or goes on counting as another object. */
  enters(session: Session, ledger: Ledger): void
  /** What it had is kept until it has gone the way of the undeliverable. */
  ended(session: Session): void
  /** Makes the sessions again that were there when the process ended; they wait for their clients. Once, before clients come. */
  restore(): Promise<void>
}
