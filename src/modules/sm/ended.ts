/** Sessions that ended of late: a client that comes too late learns which of its stanzas were handled (XEP-0198 §5). */
import type { Ledger } from '../../core/ledger.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'

/** Sessions that are remembered; the oldest is forgotten. */
export const endedKept = 1_000

export class Ended {
  /** By SM-ID, in the order in which they ended. The ledger is empty, and goes on counting what is under way. */
  readonly #last = new Map<string, { readonly account: Jid; readonly ledger: Ledger }>()

  note({ jid, ledger }: Session): void {
    if (ledger === undefined || ledger.resumeMs === 0) return
    this.#last.set(ledger.id, { account: jid.bare, ledger })
    if (this.#last.size <= endedKept) return
    for (const oldest of this.#last.keys()) {
      this.#last.delete(oldest)
      return
    }
  }

  /** How many stanzas of the client were handled in the session with this SM-ID; undefined when nobody knows. */
  handled(account: Jid, id: string): number | undefined {
    const found = this.#last.get(id)
    return found?.account.equals(account) ? found.ledger.handled : undefined
  }
}
