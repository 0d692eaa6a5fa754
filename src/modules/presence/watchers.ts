/** Who sees an account's presence. */
import type { RosterItems } from '../../core/services/roster.ts'
import type { Jid } from '../../jid/jid.ts'

/** Contacts with a subscription of `from` or `both`. */
export function watchers(roster: RosterItems): Jid[] {
  const jids: Jid[] = []
  for (const item of roster.values()) {
    if (item.subscription === 'from' || item.subscription === 'both') jids.push(item.jid)
  }
  return jids
}

/** True when the contact may see the presence of the account whose roster this is. */
export function sees(roster: RosterItems, contact: Jid): boolean {
  const subscription = roster.get(contact.toString())?.subscription
  return subscription === 'from' || subscription === 'both'
}

/** Addresses of directed presence that a broadcast to `told` does not reach anyway. */
export function directedTargets(targets: ReadonlyMap<string, Jid> | undefined, told: readonly Jid[]): readonly Jid[] {
  if (targets === undefined || targets.size === 0) return []
  const reached = new Set(told.map((jid) => jid.toString()))
  return [...targets.values()].filter((jid) => !reached.has(jid.toString()) && !reached.has(jid.bare.toString()))
}
