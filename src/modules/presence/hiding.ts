/**
 * What a change of a privacy list means for those who see each other (XEP-0016 §2.10 and §2.11, XEP-0191 §3.3 and §3.4): who
 * may no longer see a resource sees it leave, who may again sees it come; and the same for what the resource itself sees.
 */
import type { FanOutGroup } from '../../core/fan-out.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Screen, ScreenChange } from '../../core/services/privacy.ts'
import { hasFrom, hasTo, type RosterItem, type RosterService } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { type Departures, unavailable } from './departures.ts'
import type { DirectedPresence } from './directed.ts'
import type { Greeting } from './greeting.ts'
import { apart, availableOf, unreached, watchers, withItems } from './sight.ts'

export type HidingContext = Pick<ModuleContext, 'fanOut' | 'log' | 'sessions'>

export class Hiding {
  readonly #ctx: HidingContext
  readonly #roster: RosterService
  readonly #directed: DirectedPresence
  readonly #greeting: Greeting
  readonly #departures: Departures

  constructor(
    ctx: HidingContext,
    roster: RosterService,
    directed: DirectedPresence,
    greeting: Greeting,
    departures: Departures,
  ) {
    this.#ctx = ctx
    this.#roster = roster
    this.#directed = directed
    this.#greeting = greeting
    this.#departures = departures
  }

  /** At once when the roster is in memory. Never fails: what cannot be read now is left out and logged. */
  changed(change: ScreenChange): void {
    const { session, item } = change
    if (!session.isAvailable && !this.#directed.hasAny(session)) return
    if (item !== undefined) {
      this.#tellOfItem(change, item)
      return
    }
    const done = withItems(this.#roster, session.host, session.jid.local, (items) => {
      this.#tellOthers(change, watchers(items), anybody)
      const seen = [...items.values()].filter(isSeen)
      this.#tellSession(change, seen, seen)
    })
    if (!(done instanceof Promise)) return
    done.catch((error: unknown) => {
      this.#ctx.log.warn('contacts could not be told what a changed privacy list hides', {
        code: 'RTK_PRESENCE_HIDING',
        jid: session.label,
        error,
      })
    })
  }

  /**
   * XEP-0016 §2.2 rule 9. Who may see the account from now on is shown it by the permission, and who may not any more sees it
   * leave by that. Whom the account sees no more would say that he leaves too late to pass.
   */
  #tellOfItem(change: ScreenChange, { contact, before, after }: NonNullable<ScreenChange['item']>): void {
    const [saw, sees] = [hasFrom(before?.subscription), hasFrom(after?.subscription)]
    const isAbout = (to: Jid) => to.bare.equals(contact)
    if (!saw || sees) this.#tellOthers(change, saw ? [contact] : [], isAbout)
    const seen = before !== undefined && isSeen(before) ? [before] : []
    this.#tellSession(change, seen, seen.length > 0 && after !== undefined && isSeen(after) ? [after] : [])
  }

  /** XEP-0016 §2.11: those who saw the resource, by subscription or because it told them. */
  #tellOthers(
    { session, before, after }: ScreenChange,
    subscribers: readonly Jid[],
    isAbout: (to: Jid) => boolean,
  ): void {
    const { sessions } = this.#ctx
    const isHidden = (to: Jid) => passes(before, 'presence-out', to) && !passes(after, 'presence-out', to)
    const isShown = (to: Jid) => !passes(before, 'presence-out', to) && passes(after, 'presence-out', to)
    const told = this.#directed.takeThose(session, (to) => isAbout(to) && isHidden(to))
    const groups: FanOutGroup[] = []
    const seeing = session.isAvailable ? subscribers.flatMap((to) => this.#addresses([before, after], to)) : []
    const hidden = seeing.filter(isHidden)
    const recipients = [...hidden, ...unreached(sessions, told, hidden)]
    if (recipients.length > 0) groups.push({ el: unavailable, from: session.jid, recipients })
    const shown = seeing.filter(isShown)
    if (shown.length > 0 && session.presence !== undefined) {
      groups.push({ el: session.presence, from: session.jid, recipients: shown })
    }
    if (groups.length > 0) this.#ctx.fanOut(groups)
  }

  /** The contact; and those of his resources that rules name, which differ from it. Here these are told who are available. */
  #addresses(screens: readonly (Screen | undefined)[], to: Jid): readonly Jid[] {
    return this.#greeting.isHere(to) ? apart(screens, this.#ctx.sessions, to) : [to, ...named(screens, to)]
  }

  /** XEP-0016 §2.10: whom the session sees: `seen` until now, `visible` from now on. */
  #tellSession(
    { session, before, after }: ScreenChange,
    seen: readonly RosterItem[],
    visible: readonly RosterItem[],
  ): void {
    if (!session.isAvailable) return
    for (const item of seen) {
      for (const from of this.#seen(session, [before, after], item.jid)) {
        if (passes(before, 'presence-in', from) && !passes(after, 'presence-in', from)) {
          // Past the filters: it is one of them that speaks.
          session.deliverFrom(unavailable, from, session.jid)
        }
      }
    }
    const met = visible.filter((item) =>
      [item.jid, ...named([before, after], item.jid)].some(
        (from) => !passes(before, 'presence-in', from) && passes(after, 'presence-in', from),
      ),
    )
    if (met.length > 0) this.#greeting.meet(session, met)
  }

  /** What the session sees of a contact: of one elsewhere the server knows no resource. */
  #seen(session: Session, screens: readonly (Screen | undefined)[], contact: Jid): readonly Jid[] {
    if (!this.#greeting.isHere(contact)) return [contact, ...named(screens, contact)]
    const there = availableOf(this.#ctx.sessions, contact.domain, contact.local)
      .filter((other) => this.#greeting.isShownTo(other, session))
      .map((other) => other.jid)
    // What these say of themselves would come too late to pass.
    return [...there, ...unreached(this.#ctx.sessions, this.#departures.leaving(contact, session.jid), there)]
  }
}

/** Full addresses of a contact that rules name. */
function named(screens: readonly (Screen | undefined)[], contact: Jid): readonly Jid[] {
  const resources = new Set(screens.flatMap((screen) => screen?.resourcesOf(contact) ?? []))
  return [...resources].map((resource) => contact.withResource(resource))
}

function passes(screen: Screen | undefined, traffic: 'presence-in' | 'presence-out', peer: Jid): boolean {
  return screen === undefined || screen.passes(traffic, peer)
}

function anybody(): boolean {
  return true
}

function isSeen({ subscription }: RosterItem): boolean {
  return hasTo(subscription)
}
