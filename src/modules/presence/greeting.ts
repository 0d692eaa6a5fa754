/**
 * What a resource is told that has just become available: its account's other resources (RFC 6121 section 4.2.2), its
 * contacts (section 4.3.1) and who asks for a subscription (section 3.1.3 rule 4).
 */
import type { FanOutGroup } from '../../core/fan-out.ts'
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import { hasTo, type RosterItem, type RosterItems, type RosterService, sees } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { delayNote } from '../../stanza/delay.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { availableOf, type Privacy, withItems } from './sight.ts'

const probe: Element = x('presence', NS_CLIENT, { type: 'probe' })

export type GreetingContext = Pick<ModuleContext, 'fanOut' | 'host' | 'log' | 'random' | 'send' | 'sessions'>

export class Greeting {
  readonly #ctx: GreetingContext
  readonly #roster: RosterService
  readonly #privacy: Privacy
  readonly #incomplete: Counter

  constructor(ctx: GreetingContext, roster: RosterService, privacy: Privacy, incomplete: Counter) {
    this.#ctx = ctx
    this.#roster = roster
    this.#privacy = privacy
    this.#incomplete = incomplete
  }

  /** Never fails: what cannot be read now is left out and logged, and the session goes on. */
  greet(session: Session, items: RosterItems): void {
    const groups: FanOutGroup[] = []
    this.#add(groups, session, session.host.domain, session.jid.local)
    let isAsked = false
    for (const item of items.values()) {
      if (item.pendingIn) isAsked = true
      if (item.pendingOut) this.#askAgain(session, item)
      if (hasTo(item.subscription)) this.#ask(groups, session, item)
    }
    if (groups.length > 0) this.#ctx.fanOut(groups)
    if (isAsked) this.#guard(session, this.#requests(session))
  }

  /** Asks after contacts whose presence did not reach the session before. Never fails. */
  meet(session: Session, contacts: readonly RosterItem[]): void {
    const groups: FanOutGroup[] = []
    for (const item of contacts) this.#ask(groups, session, item)
    if (groups.length > 0) this.#ctx.fanOut(groups)
  }

  /** True for an account of which the server itself knows who is there. */
  isHere(contact: Jid): boolean {
    return this.#ctx.host(contact.domain) !== undefined
  }

  /** XEP-0016 §2.11: whether a resource does not hide itself from another. */
  isShownTo(other: Session, session: Session): boolean {
    return this.#privacy()?.screen(other)?.passes('presence-out', session.jid) !== false
  }

  /** XEP-0191 §3.3: nothing goes to a contact who is blocked. */
  #isBlocked(session: Session, contact: Jid): boolean {
    return this.#privacy()?.screen(session)?.passes('other', contact) === false
  }

  /** A probe to a contact elsewhere; of a contact here the server knows the answer itself. */
  #ask(groups: FanOutGroup[], session: Session, { jid }: RosterItem): void {
    const host = this.#ctx.host(jid.domain)
    if (host === undefined) {
      this.#probe(session, jid)
      return
    }
    if (availableOf(this.#ctx.sessions, host.domain, jid.local).length === 0) return
    let isNow = true
    const done = withItems(this.#roster, host, jid.local, (items) => {
      // The two rosters disagree: the answer to a true probe mends ours (section 4.3.2 rule 1).
      if (!sees(items, session.jid)) this.#probe(session, jid)
      else if (isNow) this.#add(groups, session, host.domain, jid.local)
      else if (session.isAvailable) {
        const late: FanOutGroup[] = []
        this.#add(late, session, host.domain, jid.local)
        if (late.length > 0) this.#ctx.fanOut(late)
      }
    })
    isNow = false
    if (done instanceof Promise) this.#guard(session, done)
  }

  #probe(session: Session, contact: Jid): void {
    if (!this.#isBlocked(session, contact)) this.#ctx.send(probe, session.jid.bare, contact)
  }

  #add(groups: FanOutGroup[], session: Session, domain: string, local: string): void {
    for (const other of availableOf(this.#ctx.sessions, domain, local)) {
      if (other === session || other.presence === undefined) continue
      if (!this.isShownTo(other, session)) continue
      const note = delayNote(other.jid, other.presenceMs)
      groups.push({ el: other.presence, from: other.jid, recipients: [session.jid], note })
    }
  }

  /** Section 3.1.2: a request to elsewhere may have been lost on the way. */
  #askAgain(session: Session, { jid }: RosterItem): void {
    if (this.#ctx.host(jid.domain) !== undefined || this.#isBlocked(session, jid)) return
    const request = x('presence', NS_CLIENT, { id: this.#ctx.random.id(), type: 'subscribe' })
    this.#ctx.send(request, session.jid.bare, jid)
  }

  async #requests(session: Session): Promise<void> {
    const requests = await this.#roster.requests(session.host, session.jid.local)
    if (!session.isAvailable) return
    const items = await this.#roster.items(session.host, session.jid.local)
    for (const request of requests) {
      const item = items.get(request.attr('from') ?? '')
      if (item?.pendingIn && !this.#isBlocked(session, item.jid))
        session.deliverFrom(request, item.jid, session.jid.bare)
    }
  }

  #guard(session: Session, done: Promise<void>): void {
    done.catch((error: unknown) => {
      this.#incomplete.value++
      this.#ctx.log.warn('a resource could not be told of all its contacts', {
        code: 'RTK_PRESENCE_GREETING',
        jid: session.label,
        error,
      })
    })
  }
}
