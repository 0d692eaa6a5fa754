/** Sessions that ended of late: a client that comes too late learns which of its stanzas were handled (XEP-0198 §5). */
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'

/** Sessions that are remembered; the oldest is forgotten. */
export const endedKept = 1_000

export class Ended {
  /** By SM-ID, in the order in which they ended. They go on counting what is under way. */
  readonly #last = new Map<string, Session>()

  note(session: Session): void {
    const { ledger } = session
    if (ledger === undefined || ledger.resumeMs === 0) return
    this.#last.set(ledger.id, session)
    if (this.#last.size <= endedKept) return
    for (const oldest of this.#last.keys()) {
      this.#last.delete(oldest)
      return
    }
  }

  /** The account's session that had this SM-ID; undefined when nobody knows. */
  find(account: Jid, id: string): Session | undefined {
    const found = this.#last.get(id)
    return found?.jid.bare.equals(account) ? found : undefined
  }
}
