/** The service `copies`: copies of messages that an account's other resources had (XEP-0280; module `carbons`). */
import type { Jid } from '../../jid/jid.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Session } from '../session.ts'

export interface CopyService {
  /** Whether the session had a copy of a message from this sender. */
  had(session: Session, from: Jid, message: Element): boolean
  /**
   * The session's copy is all that there is of the message from now on: should it be lost, the message goes to the account
   * again. False when the session had none, or answers for too many.
   */
  standsIn(session: Session, from: Jid, message: Element): boolean
}

declare module '../services.ts' {
  interface Services {
    copies: CopyService
  }
}
