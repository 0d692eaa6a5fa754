/**
 * RFC 6121 section 4.5.2: everybody who saw a resource learns that it left, each once. A session that ends while its
 * account's roster must be loaded first leaves a departure behind; what changes meanwhile is noted in it, and a successor
 * under the same address finishes it before he shows himself.
 */
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Screen } from '../../core/services/privacy.ts'
import type { RosterItems, RosterService } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import type { Timer } from '../../world/clock.types.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import type { DirectedPresence } from './directed.ts'
import type { Grants } from './grants.ts'
import { type Privacy, shownTo, unreached, watchers, withItems } from './sight.ts'

export const unavailable: Element = x('presence', NS_CLIENT, { type: 'unavailable' })

/** Until a store that failed is asked again for whom to tell of a departure. */
const retryMs = 5000

interface Departure {
  readonly session: Session
  /** What applied to it at its end; 'unread' until its lists are. */
  screen: Screen | 'unread' | undefined
  readonly directed: readonly Jid[]
  /** Contacts whose subscription changed since, and whether they saw the resource. The first change decides. */
  readonly changed: Map<string, { readonly contact: Jid; readonly hadSeen: boolean }>
  timer: Timer | undefined
}

export type DepartureContext = Pick<ModuleContext, 'clock' | 'fanOut' | 'log' | 'sessions'>

export class Departures {
  readonly #ctx: DepartureContext
  readonly #roster: RosterService
  readonly #directed: DirectedPresence
  readonly #grants: Grants
  readonly #privacy: Privacy
  readonly #delayed: Counter
  /** By account; an account that waits for nothing has no entry. */
  readonly #waiting = new Map<string, Departure[]>()

  constructor(
    ctx: DepartureContext,
    roster: RosterService,
    directed: DirectedPresence,
    grants: Grants,
    privacy: Privacy,
    delayed: Counter,
  ) {
    this.#ctx = ctx
    this.#roster = roster
    this.#directed = directed
    this.#grants = grants
    this.#privacy = privacy
    this.#delayed = delayed
  }

  /** Accounts of which somebody has not left in everybody's eyes. */
  get size(): number {
    return this.#waiting.size
  }

  /** True when sessions of the account have ended of which not everybody knows. */
  has(account: Jid): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(account.toString())
  }

  /** Resources that have ended, of which this address, that could see them, was not told yet. */
  leaving(account: Jid, to: Jid): readonly Jid[] {
    const waiting = this.#waiting.get(account.toString()) ?? []
    return waiting
      .filter((departure) => this.#screenOf(departure)?.passes('presence-out', to) !== false)
      .map(({ session }) => session.jid)
  }

  /** An available session takes itself back. */
  leave(session: Session, el: Element, items: RosterItems): Promise<void> | undefined {
    const own = this.#ctx.sessions.ofAccount(session.host.domain, session.jid.local)
    const unseen = this.#grants.left(session)
    const told = watchers(items).filter((contact) => !unseen.has(contact.toString()))
    for (const other of own) if (other.isAvailable) told.push(other.jid)
    const all = this.#all(session.jid, told, this.#directed.takeAll(session))
    return broadcast(this.#ctx, el, session.jid, this.#shown(session, all))
  }

  /** A session that is not available takes back what it has shown of itself. */
  leaveDirected(session: Session, el: Element): Promise<void> | undefined {
    const told = unreached(this.#ctx.sessions, this.#directed.takeAll(session), [])
    return broadcast(this.#ctx, el, session.jid, this.#shown(session, told))
  }

  #shown(session: Session, addresses: readonly Jid[]): readonly Jid[] {
    return shownTo(this.#privacy()?.screen(session), this.#ctx.sessions, addresses)
  }

  /** An available session has ended. */
  ended(session: Session): void {
    const changed: Departure['changed'] = new Map()
    for (const [key, contact] of this.#grants.left(session)) changed.set(key, { contact, hadSeen: false })
    const departure: Departure = {
      session,
      screen: 'unread',
      directed: this.#directed.takeAll(session),
      changed,
      timer: undefined,
    }
    const key = session.jid.bare.toString()
    const waiting = this.#waiting.get(key)
    if (waiting === undefined) this.#waiting.set(key, [departure])
    else waiting.push(departure)
    this.#attempt(departure)
  }

  /** Finishes what waits for the account, with its roster as it is now. */
  complete(account: Jid, items: RosterItems): void {
    const waiting = this.#waiting.get(account.toString())
    if (waiting === undefined) return
    this.#waiting.delete(account.toString())
    for (const departure of waiting) {
      departure.timer?.cancel()
      this.#tell(departure, items)
    }
  }

  /** The contact's sight of the account has changed; true: he saw it until now. */
  sightChanged(account: Jid, contact: Jid, hadSeen: boolean): void {
    for (const { changed } of this.#waiting.get(account.toString()) ?? []) {
      if (!changed.has(contact.toString())) changed.set(contact.toString(), { contact, hadSeen })
    }
  }

  stop(): void {
    for (const waiting of this.#waiting.values()) for (const departure of waiting) departure.timer?.cancel()
    this.#waiting.clear()
  }

  /** Who completes it may come before its lists are read. */
  #screenOf({ session, screen }: Departure): Screen | undefined {
    return screen === 'unread' ? this.#privacy()?.screen(session) : screen
  }

  /** Who was shown the session by lists that must be read first (after a reload of their module) is told of its end all the same. */
  #attempt(departure: Departure): void {
    const { session } = departure
    const account = session.jid.bare
    const finish = (screen: Screen | undefined) => {
      departure.screen = screen
      return withItems(this.#roster, session.host, account.local, (items) => this.complete(account, items))
    }
    const screen = departure.screen === 'unread' ? this.#privacy()?.read(session) : departure.screen
    const done = screen instanceof Promise ? screen.then(finish) : finish(screen)
    if (!(done instanceof Promise)) return
    done.catch((error: unknown) => {
      this.#delayed.value++
      this.#ctx.log.warn('contacts could not be told yet that a session ended', {
        code: 'RTK_PRESENCE_DEPARTURE',
        jid: session.jid.toString(),
        error,
      })
      if (!this.has(account)) return
      departure.timer = this.#ctx.clock.after(retryMs, (one: Departure) => this.#attempt(one), departure)
    })
  }

  #tell(departure: Departure, items: RosterItems): void {
    const { directed, changed } = departure
    const { jid } = departure.session
    const told = watchers(items).filter((contact) => changed.get(contact.toString())?.hadSeen !== false)
    const known = new Set(told.map((contact) => contact.toString()))
    for (const { contact, hadSeen } of changed.values()) {
      if (hadSeen && !known.has(contact.toString())) told.push(contact)
    }
    const own = this.#ctx.sessions.ofAccount(jid.domain, jid.local).filter((other) => other.isAvailable)
    // Who told himself is gone; behind his address may stand the session that replaced him.
    const others = directed.filter((one) => !one.equals(jid))
    const all = this.#all(jid, [...told, ...own.map((other) => other.jid)], others)
    void broadcast(this.#ctx, unavailable, jid, shownTo(this.#screenOf(departure), this.#ctx.sessions, all))
  }

  /** Each address once: the account's own available resources are among those told. */
  #all(jid: Jid, told: readonly Jid[], directed: readonly Jid[]): readonly Jid[] {
    return [...told, ...unreached(this.#ctx.sessions, directed, [...told, jid.bare])]
  }
}

/**
 * Sends presence to all recipients. The promise, where there is one, is for who must not send more before all have it: a
 * fan-out that is larger than a turn's share goes on later.
 */
export function broadcast(
  ctx: Pick<ModuleContext, 'fanOut'>,
  el: Element,
  from: Jid,
  recipients: readonly Jid[],
): Promise<void> | undefined {
  if (recipients.length === 0) return undefined
  let isDone = false
  let wake: (() => void) | undefined
  ctx.fanOut([{ el, from, recipients }], () => {
    isDone = true
    wake?.()
  })
  if (isDone) return undefined
  return new Promise((resolve) => {
    wake = resolve
  })
}
