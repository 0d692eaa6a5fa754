/**
 * The lists in memory, ready to be applied. Those of accounts that are online stay there, so that nothing waits for them;
 * of the others a bounded number. An account without any list costs a look into a map.
 */
import type { Host } from '../../core/host.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Screen, Traffic } from '../../core/services/privacy.ts'
import type { RosterChange, RosterItem, RosterItems, RosterService } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Slot } from '../../core/slots.ts'
import { type Jid, jid } from '../../jid/jid.ts'
import { BoundedCache } from '../../store/cache.ts'
import { CompiledList, denies, noRule } from './rules.ts'
import type { Stored } from './stored.ts'

/** An account's roster, as far as rules look at it. */
type Facts = Map<string, RosterItem>

/** A list of one account. */
export class ListScreen implements Screen {
  readonly list: CompiledList
  /** True for the default list, which is the blocklist (XEP-0191 §5). */
  readonly isBlocklist: boolean
  readonly #own: Jid
  readonly #facts: Facts | undefined

  constructor(own: Jid, list: CompiledList, facts: Facts | undefined, isBlocklist: boolean) {
    this.#own = own
    this.list = list
    this.#facts = facts
    this.isBlocklist = isBlocklist
  }

  /** The code of the rule that decides (rules.ts). */
  decide(traffic: Traffic, peer: Jid, item?: RosterItem | null): number {
    if (isExempt(this.#own, peer)) return noRule
    return this.list.decide(traffic, peer, item === undefined ? this.#facts?.get(peer.bare.toString()) : item)
  }

  passes(traffic: Traffic, peer: Jid, item?: RosterItem | null): boolean {
    return !denies(this.decide(traffic, peer, item))
  }

  resourcesOf(account: Jid): readonly string[] {
    return this.list.resourcesOf(account)
  }
}

/**
 * No rule stands between a user's own resources (XEP-0016 note 5, XEP-0191 note 8), nor between him and his server, which
 * is no other user (§2.9 to 2.13 speak of these): he could not take the rule back.
 */
export function isExempt(own: Jid, peer: Jid): boolean {
  return peer.domain === own.domain && (peer.local === '' || peer.local === own.local)
}

/** What is in force for one account. */
export interface AccountLists {
  readonly byDefault: ListScreen | undefined
  /** Other lists that sessions have chosen, by name. */
  readonly active: ReadonlyMap<string, ListScreen>
  /** Kept up to date while a list looks at the roster. */
  readonly facts: Facts | undefined
}

/** Of all accounts without any list in force. */
export const noLists: AccountLists = { byDefault: undefined, active: new Map(), facts: undefined }

/** A session that takes another active list: '' for none. */
export interface Choice {
  readonly session: Jid
  readonly name: string
}

/** What was loaded is loaded again this often when it has changed meanwhile. */
const triesMax = 8

export type ScreensContext = Pick<ModuleContext, 'accountJid' | 'clock' | 'host' | 'log' | 'sessions' | 'slot' | 'tell'>

export interface ScreensParts {
  readonly roster: RosterService
  read(host: Host, local: string): Promise<Stored>
  /** Accounts that are not online whose lists are kept in memory. */
  readonly cacheMax: number
  readonly evicted: { value: number }
}

export class Screens {
  readonly #ctx: ScreensContext
  readonly #parts: ScreensParts
  /** By bare JID: accounts that are online. */
  readonly #held = new Map<string, AccountLists>()
  readonly #cache: BoundedCache<AccountLists>
  readonly #active: Slot<string>
  /** True once a session has chosen a list. */
  #hasActive = false

  constructor(ctx: ScreensContext, parts: ScreensParts) {
    this.#ctx = ctx
    this.#parts = parts
    const { cacheMax, evicted } = parts
    this.#cache = new BoundedCache(ctx.clock, { maxEntries: cacheMax, load: (key) => this.#load(key), evicted })
    this.#active = ctx.slot('active', () => '', {
      kept: {
        encode: (name) => name,
        decode: (data) => (typeof data === 'string' ? data : undefined),
      },
    })
  }

  /** Accounts that are online of which the lists, or that there are none, are in memory. */
  get held(): number {
    return this.#held.size
  }

  resize(cacheMax: number): void {
    this.#cache.resize(cacheMax)
  }

  /** False when the account is known to have no list in force: a look into a map. */
  concerns(account: Jid): boolean {
    return this.#held.get(account.bare.toString()) !== noLists
  }

  /** False when the account is known to have no session with a list of its own. */
  concernsSessions(account: Jid): boolean {
    return this.#hasActive && (this.#held.get(account.bare.toString())?.active.size ?? 1) > 0
  }

  /** What is in force for the account, undefined when it is not in memory. */
  known(account: Jid): AccountLists | undefined {
    const key = account.toString()
    const held = this.#held.get(key)
    if (held !== undefined) return held
    const cached = this.#cache.get(key) ?? undefined
    if (cached !== undefined && this.#isOnline(account)) {
      this.#held.set(key, cached)
      // It makes room for one that is not.
      this.#cache.invalidate(key)
    }
    return cached
  }

  /** The same, from the store. Rejects with `WorldError`. */
  async load(account: Jid): Promise<AccountLists> {
    const key = account.toString()
    let loaded = (await this.#cache.fetch(key)) ?? noLists
    for (let tries = 0; tries < triesMax; tries++) {
      const now = this.known(account)
      if (now !== undefined) return now
      loaded = (await this.#cache.fetch(key)) ?? noLists
    }
    return loaded
  }

  /** Loads it, one account after the other, so that first stanzas need not wait long. What fails is tried again then. */
  async prefetch(accounts: readonly Jid[]): Promise<void> {
    for (const account of accounts) {
      if (this.known(account) === undefined) await this.load(account).catch(() => undefined)
    }
  }

  /** The last session of the account is gone. */
  left(account: Jid): void {
    if (!this.#isOnline(account)) this.#held.delete(account.toString())
  }

  /** The list that applies to a session (XEP-0016 §2.2 rules 1 and 2). */
  screenIn(lists: AccountLists, session: Session): ListScreen | undefined {
    const name = this.activeOf(session)
    return name === '' ? lists.byDefault : (lists.active.get(name) ?? lists.byDefault)
  }

  /** As the service gives it to who cannot wait. */
  screen(session: Session): Screen | undefined {
    const own = session.jid.bare
    const lists = this.known(own)
    if (lists === undefined) return { passes: (_, peer) => isExempt(own, peer), resourcesOf: () => [] }
    return this.screenIn(lists, session)
  }

  /** The name of the session's active list, '' for none. */
  activeOf(session: Session): string {
    return session.slots.peek(this.#active) ?? ''
  }

  /**
   * Puts in force what is stored now, after `choice` of a session, and tells what has changed for whom. Rejects with
   * `WorldError` when the roster cannot be read; then nothing is known of the account until it can.
   */
  async enforce(host: Host, own: Jid, stored: Stored, choice?: Choice): Promise<void> {
    const held = this.known(own)
    const lists = this.#compile(own, stored, held, choice)
    const needsRoster = [...lists.values()].some((list) => list.needsRoster)
    try {
      // With the roster in memory who is hidden is told at once: later some of them would be gone, and stopped from saying so.
      // In the midst of a change it would say what is about to be, and who is hidden now would never hear of it.
      await this.#withRoster(host, own.local, true, (items) => {
        this.#publish(own, stored, lists, needsRoster ? new Map(items) : undefined, choice)
      })
    } catch (error) {
      if (needsRoster) {
        this.#forget(own)
        throw error
      }
      this.#publish(own, stored, lists, undefined, choice)
    }
  }

  #publish(
    own: Jid,
    stored: Stored,
    lists: ReadonlyMap<string, CompiledList>,
    facts: Facts | undefined,
    choice: Choice | undefined,
  ): void {
    const { sessions } = this.#ctx
    const there = sessions.ofAccount(own.domain, own.local)
    const old = this.known(own)
    const before = there.map((session) => (old === undefined ? this.screen(session) : this.screenIn(old, session)))
    if (choice !== undefined) this.#choose(choice)
    const after = inForce(own, stored.defaultName, lists, facts)
    this.#cache.invalidate(own.toString())
    if (there.length > 0) this.#held.set(own.toString(), after)
    there.forEach((session, index) => {
      const was = before[index]
      const now = this.screenIn(after, session)
      if (was === now || (was instanceof ListScreen && was.list === now?.list)) return
      this.#ctx.tell('privacy:changed', { session, before: was, after: now, item: undefined })
    })
  }

  #choose({ session, name }: Choice): void {
    this.#ctx.sessions.find(session)?.slots.set(this.#active, name)
  }

  /** The lists in use by name; what has not changed is taken over. */
  #compile(
    own: Jid,
    stored: Stored,
    held: AccountLists | undefined,
    choice: Choice | undefined,
  ): ReadonlyMap<string, CompiledList> {
    const names = new Set([stored.defaultName])
    for (const session of this.#ctx.sessions.ofAccount(own.domain, own.local)) {
      const name = choice !== undefined && session.jid.equals(choice.session) ? choice.name : this.activeOf(session)
      names.add(name)
      // Also what sessions chose before the module was loaded, or elsewhere.
      if (name !== '') this.#hasActive = true
    }
    const lists = new Map<string, CompiledList>()
    for (const name of names) {
      const list = stored.lists.get(name)
      if (list === undefined) continue
      const known = [held?.byDefault?.list, held?.active.get(name)?.list].find(
        (one) => one?.name === name && one.version === list.version,
      )
      lists.set(name, known ?? new CompiledList(name, list.version, list.rules))
    }
    return lists
  }

  async #load(key: string): Promise<AccountLists> {
    const own = jid(key)
    const host = this.#ctx.host(own.domain)
    if (host === undefined) return noLists
    const stored = await this.#parts.read(host, own.local)
    const lists = this.#compile(own, stored, undefined, undefined)
    const needsRoster = [...lists.values()].some((list) => list.needsRoster)
    if (!needsRoster) return inForce(own, stored.defaultName, lists, undefined)
    return this.#withRoster(host, own.local, false, (items) => inForce(own, stored.defaultName, lists, new Map(items)))
  }

  /**
   * Calls `use` with the roster as it is at that very moment: what came by a promise may have changed since. `settles`: when
   * everybody knows of it.
   */
  async #withRoster<T>(host: Host, local: string, settles: boolean, use: (items: RosterItems) => T): Promise<T> {
    const { roster } = this.#parts
    for (let tries = 0; tries < triesMax; tries++) {
      const open = settles ? roster.settled(host, local) : undefined
      if (open === undefined) {
        const items = roster.items(host, local)
        if (!(items instanceof Promise)) return use(items)
        await items
      } else await open
    }
    return use(await roster.items(host, local))
  }

  /** XEP-0016 §2.2 rule 9: what an item of the roster is now counts from now on. */
  rosterChanged(item: RosterChange): void {
    const { host, local, contact, before, after } = item
    const own = this.#ctx.accountJid(host, local)
    const held = this.#held.get(own.toString())
    if (held === undefined) {
      this.#forgetUnheld(own)
      return
    }
    const { facts } = held
    if (facts === undefined) return
    if (after === undefined) facts.delete(contact.toString())
    else facts.set(contact.toString(), after)
    for (const session of this.#ctx.sessions.ofAccount(own.domain, own.local)) {
      const screen = this.screenIn(held, session)
      if (screen === undefined || !screen.list.needsRoster) continue
      const was: Screen = {
        passes: (traffic, peer) => screen.passes(traffic, peer, before ?? null),
        resourcesOf: (account) => screen.resourcesOf(account),
      }
      this.#ctx.tell('privacy:changed', { session, before: was, after: screen, item })
    }
  }

  /** The whole roster may have changed. */
  rosterReplaced(host: Host, local: string): void {
    const own = this.#ctx.accountJid(host, local)
    const facts = this.#held.get(own.toString())?.facts
    if (facts === undefined) {
      this.#forgetUnheld(own)
      return
    }
    this.#withRoster(host, local, false, (items) => {
      facts.clear()
      for (const [key, item] of items) facts.set(key, item)
    }).catch((error: unknown) => {
      this.#ctx.log.warn('a roster could not be read again for its privacy lists', {
        code: 'RTK_PRIVACY_ROSTER',
        account: own.toString(),
        error,
      })
      this.#forget(own)
    })
  }

  /** What was loaded for an account that is not online, or is on its way, looked at the roster as it was. */
  #forgetUnheld(own: Jid): void {
    const cached = this.#cache.get(own.toString())
    if (cached === undefined || cached?.facts !== undefined) this.#cache.invalidate(own.toString())
  }

  #forget(own: Jid): void {
    this.#held.delete(own.toString())
    this.#cache.invalidate(own.toString())
  }

  #isOnline({ domain, local }: Jid): boolean {
    return this.#ctx.sessions.isOnline(domain, local)
  }
}

function inForce(
  own: Jid,
  defaultName: string,
  lists: ReadonlyMap<string, CompiledList>,
  facts: Facts | undefined,
): AccountLists {
  let byDefault: ListScreen | undefined
  const active = new Map<string, ListScreen>()
  for (const [name, list] of lists) {
    const screen = new ListScreen(own, list, list.needsRoster ? facts : undefined, name === defaultName)
    // Who has chosen the default list has what he would have without a choice.
    if (name !== defaultName) active.set(name, screen)
    else if (!list.isEmpty) byDefault = screen
  }
  if (byDefault !== undefined || active.size > 0) return { byDefault, active, facts }
  return noLists
}
