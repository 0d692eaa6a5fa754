/**
 * Between an account's permission and the contact's first sight of its resources lies the way of `subscribed`: presence
 * comes behind it (RFC 6121 sections 3.1.5 and 3.1.6). What happens on that way must not show a resource after all, nor
 * take back what was never shown.
 */
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'

export class Grants {
  /** Contacts that may see a session and have not yet. */
  readonly #unseen = new Map<Session, Map<string, Jid>>()

  /** Calls `show` for the sessions that are still to be shown when `after` is settled; at once without it. */
  granted(
    sessions: readonly Session[],
    contact: Jid,
    after: Promise<void> | undefined,
    show: (sessions: readonly Session[]) => void,
  ): void {
    if (after === undefined) {
      show(sessions)
      return
    }
    for (const session of sessions) {
      const known = this.#unseen.get(session)
      if (known === undefined) this.#unseen.set(session, new Map([[contact.toString(), contact]]))
      else known.set(contact.toString(), contact)
    }
    const go = () => show(sessions.filter((session) => this.forget(session, contact)))
    after.then(go, go)
  }

  /** True when the contact has not seen the session yet; then it will not. */
  forget(session: Session, contact: Jid): boolean {
    const known = this.#unseen.get(session)
    if (known === undefined || !known.delete(contact.toString())) return false
    if (known.size === 0) this.#unseen.delete(session)
    return true
  }

  /** The contacts that have not seen the session; they are forgotten, because it has told all, or has left. */
  takeAll(session: Session): ReadonlyMap<string, Jid> {
    const known = this.#unseen.get(session)
    if (known === undefined) return none
    this.#unseen.delete(session)
    return known
  }
}

const none: ReadonlyMap<string, Jid> = new Map()
