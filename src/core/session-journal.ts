/** What the core tells whoever keeps sessions in a store (durable.ts). */
import type { Ledger, LedgerJournal } from './ledger.ts'
import type { Session } from './session.ts'
import type { Settling } from './settling.ts'

/** It waits for its client even when the server has ended. */
export function outlives({ ledger }: Session): boolean {
  return ledger?.journal !== undefined && ledger.resumeMs > 0
}

export interface SessionJournal extends LedgerJournal {
  /** A session counts from now on, or goes on counting as another object. */
  enters(session: Session, ledger: Ledger): void
  /** It has ended: what it had is kept until it has gone the way of the undeliverable, as the answer is told. */
  settles(session: Session, ledger: Ledger): Settling
  /** Makes the sessions again that were there when the process ended; they wait for their clients. Once, before clients come. */
  restore(): Promise<void>
  /** Writes what is left to write; nothing is written afterwards. */
  stop(): Promise<void>
}
