/** Who sees an account's presence, and what a broadcast reaches. */
import type { Host } from '../../core/host.ts'
import type { Sessions } from '../../core/module.ts'
import type { PrivacyService, Screen } from '../../core/services/privacy.ts'
import { hasFrom, type RosterItem, type RosterItems, type RosterService } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'

/** Contacts with a subscription of `from` or `both`. */
export function watchers(roster: RosterItems): Jid[] {
  const jids: Jid[] = []
  for (const item of roster.values()) {
    if (hasFrom(item.subscription)) jids.push(item.jid)
  }
  return jids
}

/** True when somebody of this domain may see the account: his server sees what he does. */
export function seesAt(roster: RosterItems, domain: string): boolean {
  for (const item of roster.values()) if (item.jid.domain === domain && hasFrom(item.subscription)) return true
  return false
}

/** Asked when it is needed: the module may come and go. */
export type Privacy = () => PrivacyService | undefined

/**
 * Of these addresses those that a session's presence is shown to (XEP-0016 §2.11). Where a rule names a resource of an
 * account that is online here, each of its resources has an answer of its own. `item` as for `Screen.passes`.
 */
export function shownTo(
  screen: Screen | undefined,
  sessions: Sessions,
  addresses: readonly Jid[],
  item?: RosterItem | null,
): readonly Jid[] {
  if (screen === undefined) return addresses
  return addresses.flatMap((to) =>
    apart([screen], sessions, to).filter((one) => screen.passes('presence-out', one, item)),
  )
}

/** The address, or each available resource of the account when it has some and a rule of one of the lists names one. */
export function apart(screens: readonly (Screen | undefined)[], sessions: Sessions, to: Jid): readonly Jid[] {
  if (!to.isBare || screens.every((screen) => screen === undefined || screen.resourcesOf(to).length === 0)) return [to]
  const there = availableOf(sessions, to.domain, to.local)
  return there.length === 0 ? [to] : there.map((session) => session.jid)
}

/** The account's available resources. */
export function availableOf(sessions: Sessions, domain: string, local: string): readonly Session[] {
  return sessions.ofAccount(domain, local).filter((session) => session.isAvailable)
}

/**
 * Calls `use` with an account's roster as it is at that very moment: at once when it is in the cache. What was loaded may
 * have changed while it came, and then somebody would see what he may not, or miss what he may.
 */
export function withItems<T>(
  roster: RosterService,
  host: Host,
  local: string,
  use: (items: RosterItems) => T | Promise<T>,
): T | Promise<T> {
  const items = roster.items(host, local)
  return items instanceof Promise ? later(roster, host, local, use, items) : use(items)
}

/** A roster that changes faster than it can be loaded is used as it came. */
const triesMax = 8

async function later<T>(
  roster: RosterService,
  host: Host,
  local: string,
  use: (items: RosterItems) => T | Promise<T>,
  loading: Promise<RosterItems>,
): Promise<T> {
  let items = await loading
  for (let tries = 0; tries < triesMax; tries++) {
    const now = roster.items(host, local)
    if (!(now instanceof Promise)) return use(now)
    items = await now
  }
  return use(items)
}

/**
 * Addresses among `targets` (of directed presence) that a broadcast to `told` (bare or full JIDs) does not reach. A bare
 * address reaches available resources only.
 */
export function unreached(sessions: Sessions, targets: Iterable<Jid>, told: readonly Jid[]): Jid[] {
  const reached = new Set(told.map((jid) => jid.toString()))
  const list = [...targets]
  // Bare targets first: they may reach the full ones.
  const rest: Jid[] = []
  for (const jid of [...list.filter((one) => one.isBare), ...list.filter((one) => !one.isBare)]) {
    if (reached.has(jid.toString())) continue
    if (!jid.isBare && reached.has(jid.bare.toString()) && (sessions.find(jid)?.isAvailable ?? true)) continue
    reached.add(jid.toString())
    rest.push(jid)
  }
  return rest
}
