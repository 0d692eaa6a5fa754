/** Stanzas that are counted and acknowledged, and sessions that wait for their client: for those who bind by other means. */
import type { Jid } from '../../jid/jid.ts'
import type { StreamError } from '../../stanza/error.ts'
import type { Element } from '../../xml/element.types.ts'
import type { ClientStream, TakeOver } from '../client-stream.ts'
import type { LedgerPolicy } from '../ledger.ts'
import type { Session } from '../session.ts'

/** A session that a client wants to go on with, and may; or could until it ended, which `answers.failed` tells. */
export interface Resumable {
  readonly session: Session
  readonly answers: TakeOver
}

export interface AcknowledgementService {
  readonly policy: LedgerPolicy
  /**
   * Begins to count, as the client asks; the element that answers him must be the next that he is sent, before any stanza.
   * It is a failure when the session counts already.
   */
  enable(session: Session, request: Element): Element
  /**
   * The session that a request to resume means, for `ClientStream.takeOver`; else the failure that answers it, or the error
   * that ends the stream: the client acknowledges what it was not sent.
   */
  find(account: Jid, request: Element): Resumable | Element | StreamError
  /** As `find` and `takeOver`, for a stream in the stage `bind`. The answer is sent. */
  resume(stream: ClientStream, request: Element): void
}

declare module '../services.ts' {
  interface Services {
    acknowledgements: AcknowledgementService
  }
}
