/**
 * Directed presence (RFC 6121 section 4.6): whom a session has told of itself beyond its subscribers, so that it can be
 * taken back. Who sends `unavailable` himself stays in the list (a SHOULD of section 4.6.1): one stanza too many to
 * somebody who is gone is cheaper than a look at every copy of every broadcast.
 */
import type { ModuleContext } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'
import type { Slot, SlotCodec } from '../../core/slots.ts'
import { type Jid, parseJid } from '../../jid/jid.ts'

/** A list of JIDs. */
const addresses: SlotCodec<Map<string, Jid>> = {
  encode: (targets) => [...targets.keys()],
  decode(data) {
    if (!Array.isArray(data)) return undefined
    const targets = new Map<string, Jid>()
    for (const text of data) {
      const to = typeof text === 'string' ? parseJid(text) : undefined
      if (to === undefined) return undefined
      targets.set(to.toString(), to)
    }
    return targets
  },
}

export class DirectedPresence {
  readonly #slot: Slot<Map<string, Jid>>

  constructor(ctx: Pick<ModuleContext, 'slot'>) {
    this.#slot = ctx.slot('directed', () => new Map(), { kept: addresses })
  }

  /** False when the session has `max` addresses already. */
  note(session: Session, to: Jid, max: number): boolean {
    const key = to.toString()
    const known = session.slots.peek(this.#slot)
    if (known !== undefined && known.size >= max && !known.has(key)) return false
    session.slots.get(this.#slot).set(key, to)
    return true
  }

  takeBack(session: Session, to: Jid): void {
    session.slots.peek(this.#slot)?.delete(to.toString())
  }

  hasAny(session: Session): boolean {
    return (session.slots.peek(this.#slot)?.size ?? 0) > 0
  }

  /** All addresses, which are forgotten. */
  takeAll(session: Session): readonly Jid[] {
    const targets = session.slots.peek(this.#slot)
    if (targets === undefined) return []
    session.slots.set(this.#slot, undefined)
    return [...targets.values()]
  }

  /** The addresses of one contact, which are forgotten. */
  takeOf(session: Session, contact: Jid): readonly Jid[] {
    return this.takeThose(session, (target) => target.bare.equals(contact))
  }

  /** The addresses that are meant, which are forgotten. */
  takeThose(session: Session, areMeant: (target: Jid) => boolean): readonly Jid[] {
    const targets = session.slots.peek(this.#slot)
    if (targets === undefined) return []
    const found = [...targets.values()].filter(areMeant)
    for (const target of found) targets.delete(target.toString())
    return found
  }

  /** True when this very address, or the account as a whole, was told. */
  isKnownTo(session: Session, who: Jid): boolean {
    const targets = session.slots.peek(this.#slot)
    if (targets === undefined) return false
    return targets.has(who.toString()) || targets.has(who.bare.toString())
  }

  /** True when any address of the domain was told. */
  isSharedAt(session: Session, domain: string): boolean {
    const targets = session.slots.peek(this.#slot)
    if (targets === undefined) return false
    for (const target of targets.values()) if (target.domain === domain) return true
    return false
  }

  /** True when any address of the account was told: occupants of a room share its bare address. */
  isSharedWith(session: Session, account: Jid): boolean {
    const targets = session.slots.peek(this.#slot)
    if (targets === undefined) return false
    for (const target of targets.values()) if (target.bare.equals(account)) return true
    return false
  }
}
