/** RFC 6121 section 3: presence stanzas of type subscribe, subscribed, unsubscribe and unsubscribed, both ways. */
import type { Host } from '../../core/host.ts'
import type { ModuleContext } from '../../core/module.ts'
import { drop, type Packet, type Verdict, verdictHanded, verdictKept } from '../../core/packet.ts'
import type { RosterItem } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { stanzaBytes } from '../../stanza/keep.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import { type Change, newItem, type RosterBook } from './roster.book.ts'
import { hasFrom, type Inbound, inbound, isSame, outbound, type SubscriptionType } from './subscription.ts'

/** What these rules need of the module's context. */
export type SubscriptionContext = Pick<ModuleContext, 'accounts' | 'host' | 'on' | 'send' | 'sessions' | 'tell'>

export interface SubscriptionParts {
  readonly book: RosterBook
  readonly requestSize: number
  interestedOf(host: Host, local: string): readonly Session[]
  pushItem(host: Host, local: string, version: string, item: RosterItem): void
}

const subscriptionTypes = ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'] as const

export function subscriptions(ctx: SubscriptionContext, parts: SubscriptionParts): void {
  const filter = { kinds: ['presence'], types: subscriptionTypes } as const
  ctx.on('stanza:sent', (packet, session) => sent(ctx, parts, packet, session), filter)
  ctx.on('stanza:inbound', (packet, host) => received(ctx, parts, packet, host), { ...filter, phase: 'late' })
}

/** An unlisted item without any state is no record at all. */
function changeOf(item: RosterItem, request?: Octets): Change {
  const isEmpty = !item.listed && !item.pendingIn && item.subscription === 'none' && !item.pendingOut && !item.approved
  if (isEmpty) return { kind: 'remove' }
  return request === undefined ? { kind: 'put', item } : { kind: 'put', item, request }
}

/** Sections 3.1.2, 3.1.5, 3.2.2, 3.3.2 and 3.4.2: what the account's own client sent. */
async function sent(
  ctx: SubscriptionContext,
  { book, pushItem }: SubscriptionParts,
  packet: Packet,
  session: Session,
): Promise<Verdict> {
  const type = packet.el.attr('type') as SubscriptionType
  const { host } = session
  const { local } = session.jid
  // Section 3.1.2 rule 1: a full JID is treated as the bare one.
  const contact = packet.to.bare
  if (contact.equals(session.jid.bare)) return drop('RTK_SUBSCRIPTION_SELF')
  let isRouted = false
  const changed = await book.change(host, local, contact, (item) => {
    const before = item ?? newItem(contact)
    const { next, route } = outbound(type, before)
    isRouted = route
    if (isSame(before, next)) return { kind: 'keep' }
    // An item becomes one of the roster by the account's own doing, save by denying a request.
    const listed = before.listed || type !== 'unsubscribed'
    return changeOf({ ...before, ...next, listed })
  })
  const hadFrom = changed.before !== undefined && hasFrom(changed.before.subscription)
  const hasFromNow = changed.after !== undefined && hasFrom(changed.after.subscription)
  if (hadFrom && !hasFromNow) ctx.tell('roster:revoked', { host, local, contact })
  if (isRouted) ctx.send(packet.el, session.jid.bare, contact)
  if (changed.isVisible && changed.after !== undefined) pushItem(host, local, changed.version, changed.after)
  if (!hadFrom && hasFromNow) ctx.tell('roster:granted', { host, local, contact })
  return verdictKept
}

/** Sections 3.1.3, 3.1.6, 3.2.3, 3.3.3 and 3.4.2: what came for a local account. */
async function received(
  ctx: SubscriptionContext,
  parts: SubscriptionParts,
  packet: Packet,
  host: Host,
): Promise<Verdict> {
  const { book, interestedOf, pushItem, requestSize } = parts
  const type = packet.el.attr('type') as SubscriptionType
  const account = packet.to.bare
  const contact = packet.from.bare
  const { local } = account
  // Section 8.5.3.2.2: only a request may come to a full JID that is not there.
  if (type !== 'subscribe' && packet.to.resource !== '' && ctx.sessions.find(packet.to) === undefined) {
    return drop('RTK_SUBSCRIPTION_NO_RESOURCE')
  }
  // Section 8.5.1
  if (!(await ctx.accounts.exists(host, local))) return drop('RTK_SUBSCRIPTION_NO_ACCOUNT')
  let result: Inbound | undefined
  const changed = await book.change(host, local, contact, (item) => {
    const before = item ?? newItem(contact)
    result = inbound(type, before)
    if (isSame(before, result.next)) return { kind: 'keep' }
    const next = { ...before, ...result.next }
    return type === 'subscribe' && next.pendingIn ? changeOf(next, requestOf(packet, requestSize)) : changeOf(next)
  })
  const outcome = result as Inbound
  const hadFrom = changed.before !== undefined && hasFrom(changed.before.subscription)
  const hasFromNow = changed.after !== undefined && hasFrom(changed.after.subscription)
  if (outcome.deliver) deliver(ctx, packet, host, account, interestedOf)
  if (hadFrom && !hasFromNow) ctx.tell('roster:revoked', { host, local, contact })
  if (outcome.reply !== undefined) ctx.send(x('presence', NS_CLIENT, { type: outcome.reply }), account, contact)
  if (changed.isVisible && changed.after !== undefined) pushItem(host, local, changed.version, changed.after)
  if (!hadFrom && hasFromNow) ctx.tell('roster:granted', { host, local, contact })
  return outcome.deliver ? verdictHanded : drop('RTK_SUBSCRIPTION_NO_CHANGE')
}

/** A request goes to the available resources, everything else to those that get the pushes. */
function deliver(
  ctx: SubscriptionContext,
  packet: Packet,
  host: Host,
  account: Jid,
  interestedOf: SubscriptionParts['interestedOf'],
): void {
  const takers =
    packet.el.attr('type') === 'subscribe'
      ? ctx.sessions.ofAccount(host.domain, account.local).filter((session) => session.isAvailable)
      : interestedOf(host, account.local)
  for (const session of takers) session.deliverFrom(packet.el, packet.from.bare, account)
}

/** Section 3.1.3 rule 4: the complete stanza is kept, but not without a limit. */
function requestOf(packet: Packet, sizeMax: number): Octets {
  const whole: Element = packet.el.withAttrs({ from: packet.from.bare.toString(), to: packet.to.bare.toString() })
  const bytes = stanzaBytes(whole)
  if (bytes.length <= sizeMax) return bytes
  const status = packet.el.childText('status', NS_CLIENT)?.slice(0, 200)
  return stanzaBytes(
    x(
      'presence',
      NS_CLIENT,
      { from: packet.from.bare.toString(), to: packet.to.bare.toString(), type: 'subscribe' },
      status === undefined ? undefined : x('status', NS_CLIENT, status),
    ),
  )
}
