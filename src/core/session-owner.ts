/** What a session needs of the core, and how it ends. */
import type { Element } from '../xml/element.types.ts'
import type { Batch } from './hand-over.ts'
import type { Ledger } from './ledger.ts'
import type { LedgerBook } from './ledger-book.ts'
import type { LinkRest, SessionLink } from './session-link.ts'
import type { Settling } from './settling.ts'

export interface SessionLimits {
  /** Bytes that may wait for a slow reader before he is cut with `policy-violation`. */
  readonly queueBytesMax: number
  /** Stanzas that may wait behind one that waits for a store, before the client's reading is held. */
  readonly pendingStanzasMax: number
}

/** What the core does for a session (`S`): one object for all of them. */
export interface SessionOwner<S> {
  readonly limits: SessionLimits
  readonly ledgers: LedgerBook
  /** Processes one stanza of the client; a promise suspends the session's order. */
  process(session: S, el: Element): Promise<void> | undefined
  /** Told once when a session has ended. */
  ended(session: S, cause: SessionEnd): void
  /** What was accepted for the session and has not left its link: it is undeliverable, but for what `batch` has of it. */
  unsent(session: S, unsent: LinkRest, batch: Batch | undefined, settling?: Settling): void
  /** A limit was hit: counted and logged there. */
  overflow(session: S, queuedBytes: number): void
  /** The client's reading is held, because `session_pending_stanzas` wait: counted there. */
  held(): void
  /** It has a ledger with a journal. */
  counts(session: S, ledger: Ledger): void
  /** It has ended, and its ledger is about to be emptied; undefined when nobody keeps that. */
  settles(session: S, ledger: Ledger): Settling | undefined
  /** It has lost its link, and waits for its client for `ledger.resumeMs` at most. */
  waits(session: S, ledger: Ledger): void
  /** Its client has left too much unacknowledged: it is to be ended. */
  unacknowledged(session: S): void
}

/** Where a session (`S`) is. */
export type SessionState<S> =
  | { readonly kind: 'active'; readonly link: SessionLink }
  | { readonly kind: 'detached' }
  /** Another object is this session now; who still holds this one reaches that one through it. */
  | { readonly kind: 'moved'; readonly to: S }
  | { readonly kind: 'closed'; readonly end: SessionEnd }

/** Why a session ended. */
export interface SessionEnd {
  readonly reason: 'closed' | 'lost' | 'replaced' | 'kicked' | 'shutdown' | 'error'
  readonly detail: string
}
