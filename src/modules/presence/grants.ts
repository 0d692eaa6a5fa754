/**
 * Between an account's permission and the contact's first sight of its resources lies the way of `subscribed`: presence
 * comes behind it (RFC 6121 sections 3.1.5 and 3.1.6). What happens on that way must not show a resource after all, nor
 * take back what was never shown.
 */
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'

/** One permission on its way. */
interface Grant {
  readonly contact: Jid
  /** Ids of sessions that were available when it was given and have not broadcast since: the contact has not seen them. */
  readonly unseen: Set<string>
}

export class Grants {
  /** By account. */
  readonly #open = new Map<string, Set<Grant>>()

  /**
   * Calls `show` when `after` is settled, unless the permission was taken back; at once without `after`. A contact who
   * came on the way may have missed what was broadcast meanwhile, so `show` is for all sessions that are there then.
   */
  granted(
    account: Jid,
    sessions: readonly Session[],
    contact: Jid,
    after: Promise<void> | undefined,
    show: () => void,
  ): void {
    if (after === undefined) {
      show()
      return
    }
    const grant: Grant = { contact, unseen: new Set(sessions.map((session) => session.id)) }
    const key = account.toString()
    const open = this.#open.get(key)
    if (open === undefined) this.#open.set(key, new Set([grant]))
    else open.add(grant)
    const go = () => {
      if (this.#close(key, grant)) show()
    }
    after.then(go, go)
  }

  /** The session has told everybody who may see it. */
  broadcast(session: Session): void {
    for (const grant of this.#open.get(session.jid.bare.toString()) ?? []) grant.unseen.delete(session.id)
  }

  /** Ends what is on its way to the contact. Gives the ids of the sessions that he has not seen. */
  revoked(account: Jid, contact: Jid): ReadonlySet<string> {
    const key = account.toString()
    for (const grant of this.#open.get(key) ?? []) {
      if (!grant.contact.equals(contact)) continue
      this.#close(key, grant)
      return grant.unseen
    }
    return none
  }

  /** The session leaves. Gives the contacts that have not seen it, and never will. */
  left(session: Session): ReadonlyMap<string, Jid> {
    const open = this.#open.get(session.jid.bare.toString())
    if (open === undefined) return nobody
    const unseen = new Map<string, Jid>()
    for (const { contact, unseen: sessions } of open) {
      if (sessions.delete(session.id)) unseen.set(contact.toString(), contact)
    }
    return unseen
  }

  /** False when it was closed before. */
  #close(key: string, grant: Grant): boolean {
    const open = this.#open.get(key)
    if (open === undefined || !open.delete(grant)) return false
    if (open.size === 0) this.#open.delete(key)
    return true
  }
}

const none: ReadonlySet<string> = new Set()
const nobody: ReadonlyMap<string, Jid> = new Map()
