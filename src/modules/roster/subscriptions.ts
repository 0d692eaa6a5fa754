/** RFC 6121 section 3: presence stanzas of type subscribe, subscribed, unsubscribe and unsubscribed, both ways. */
import type { Host } from '../../core/host.ts'
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import { drop, type Packet, type Verdict, verdictHanded, verdictKept } from '../../core/packet.ts'
import { hasFrom } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { withDelay } from '../../stanza/delay.ts'
import { stanzaBytes } from '../../stanza/keep.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { serialise } from '../../xml/serialise.ts'
import { type Change, type Changed, errorRequests, newItem, type RosterBook } from './roster.book.ts'
import type { RosterPushes } from './roster.pushes.ts'
import { type Inbound, inbound, isSame, outbound, type SubscriptionType } from './subscription.ts'
import type { UnderWay } from './under-way.ts'

/** What these rules need of the module's context. */
export type SubscriptionContext = Pick<
  ModuleContext,
  'accounts' | 'clock' | 'host' | 'on' | 'send' | 'service' | 'sessions' | 'tell'
>

export interface SubscriptionParts {
  readonly book: RosterBook
  readonly pushes: RosterPushes
  readonly underWay: UnderWay
  /** Bytes of a request that is kept whole. */
  requestSize(): number
  /** Kept without their extensions by `request_size`. */
  readonly requestsCut: Counter
  readonly requestsDropped: Counter
}

const subscriptionTypes = ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'] as const

export function subscriptions(ctx: SubscriptionContext, parts: SubscriptionParts): void {
  const under = (host: Host, local: string, change: () => Promise<Verdict>) => parts.underWay.run(host, local, change)
  const filter = { kinds: ['presence'], types: subscriptionTypes } as const
  ctx.on(
    'stanza:sent',
    (packet, session) => under(session.host, session.jid.local, () => sent(ctx, parts, packet, session)),
    filter,
  )
  ctx.on('stanza:inbound', (packet, host) => under(host, packet.to.local, () => received(ctx, parts, packet, host)), {
    ...filter,
    phase: 'late',
  })
}

type ListedItem = Parameters<typeof isSame>[0] & { readonly listed: boolean }

/** An unlisted item without any state is no record at all. */
function isNothing(item: ListedItem): boolean {
  return !item.listed && !item.pendingIn && item.subscription === 'none' && !item.pendingOut && !item.approved
}

/** What a change means for the contact's sight of the account. */
function sight({ before, after }: Changed): 'granted' | 'revoked' | undefined {
  const had = before !== undefined && hasFrom(before.subscription)
  const has = after !== undefined && hasFrom(after.subscription)
  if (had === has) return undefined
  return has ? 'granted' : 'revoked'
}

/**
 * Sections 3.1.2, 3.1.5, 3.2.2, 3.3.2 and 3.4.2: what the account's own client sent. It waits until a local contact's
 * handlers are done, so that the contact sees one stanza after the other, and presence after its permission.
 */
async function sent(
  ctx: SubscriptionContext,
  { book, pushes }: SubscriptionParts,
  packet: Packet,
  session: Session,
): Promise<Verdict> {
  const type = packet.el.attr('type') as SubscriptionType
  const { host } = session
  const { local } = session.jid
  // Section 3.1.2 rule 1: a full JID is treated as the bare one.
  const contact = packet.to.bare
  // Section 4.2.2: an entity is subscribed to itself, and nothing can change that.
  if (contact.equals(session.jid.bare)) return drop('RTK_SUBSCRIPTION_SELF')
  let isRouted = false
  const changed = await book.change(host, local, contact, (item): Change => {
    const before = item ?? newItem(contact)
    const { next, route } = outbound(type, before)
    isRouted = route
    if (isSame(before, next)) return { kind: 'keep' }
    // An item becomes one of the roster by the account's own doing, save by denying a request.
    const after = { ...before, ...next, listed: before.listed || type !== 'unsubscribed' }
    return isNothing(after) ? { kind: 'remove' } : { kind: 'put', item: after }
  })
  const change = sight(changed)
  // Section 3.2.2: they leave while the contact may still see them.
  if (change === 'revoked') ctx.tell('roster:revoked', { host, local, contact, before: changed.before })
  const routed = isRouted ? ctx.send(packet.el, session.jid.bare, contact) : undefined
  // Before any waiting: pushes are in order of modification (section 2.6.3).
  if (changed.isVisible && changed.after !== undefined) pushes.item(host, local, changed.version, changed.after)
  if (change === 'granted') ctx.tell('roster:granted', { host, local, contact, sent: routed })
  await routed
  return verdictKept
}

/** Sections 3.1.3, 3.1.6, 3.2.3, 3.3.3 and 3.4.2: what came for a local account. */
async function received(
  ctx: SubscriptionContext,
  parts: SubscriptionParts,
  packet: Packet,
  host: Host,
): Promise<Verdict> {
  const type = packet.el.attr('type') as SubscriptionType
  const account = packet.to.bare
  const contact = packet.from.bare
  const { local } = account
  if (contact.equals(account)) return drop('RTK_SUBSCRIPTION_SELF')
  // Section 8.5.3.2.2: only a request may come to a full JID that is not there.
  if (type !== 'subscribe' && packet.to.resource !== '' && ctx.sessions.find(packet.to) === undefined) {
    return drop('RTK_SUBSCRIPTION_NO_RESOURCE')
  }
  // Section 8.5.1
  if (!(await ctx.accounts.exists(host, local))) return drop('RTK_SUBSCRIPTION_NO_ACCOUNT')
  const done = await enter(parts, packet, host, type, ctx.clock.now())
  if (done === undefined) return drop('RTK_ROSTER_REQUESTS_MAX')
  const { changed, outcome } = done
  const change = sight(changed)
  if (outcome.deliver) deliver(ctx, parts.pushes, packet, host, account)
  const push = () => {
    if (changed.isVisible && changed.after !== undefined) {
      parts.pushes.item(host, local, changed.version, changed.after)
    }
  }
  // Section 3.3.3: delivery, push, then the resources leave. Section 3.1.5: approval, push, then presence.
  if (outcome.reply !== 'subscribed') {
    push()
    if (change === 'revoked') ctx.tell('roster:revoked', { host, local, contact, before: changed.before })
    if (outcome.reply !== undefined) await ctx.send(answer(packet, outcome.reply), account, contact)
  } else {
    const replied = ctx.send(answer(packet, 'subscribed'), account, contact)
    push()
    if (change === 'granted') ctx.tell('roster:granted', { host, local, contact, sent: replied })
    await replied
  }
  return outcome.deliver ? verdictHanded : drop('RTK_SUBSCRIPTION_NO_CHANGE')
}

function answer(packet: Packet, type: 'subscribed' | 'unsubscribed'): Element {
  return x('presence', NS_CLIENT, { id: packet.el.attr('id'), type })
}

/** Enters it into the account's roster; undefined when it would be one request too many. */
async function enter(
  { book, requestSize, requestsCut, requestsDropped }: SubscriptionParts,
  packet: Packet,
  host: Host,
  type: SubscriptionType,
  now: Date,
): Promise<{ readonly changed: Changed; readonly outcome: Inbound } | undefined> {
  const contact = packet.from.bare
  // XEP-0203 §2: who is given it later is told since when it waits.
  const withNote = (request: Element) => stanzaBytes(withDelay(request, host.jid, now))
  let outcome: Inbound | undefined
  try {
    const changed = await book.change(host, packet.to.local, contact, (item): Change => {
      const before = item ?? newItem(contact)
      outcome = inbound(type, before)
      if (isSame(before, outcome.next)) return { kind: 'keep' }
      const after = { ...before, ...outcome.next }
      if (isNothing(after)) return { kind: 'remove' }
      const isNewRequest = type === 'subscribe' && after.pendingIn
      return isNewRequest
        ? { kind: 'put', item: after, request: withNote(requestOf(packet, requestSize(), requestsCut)) }
        : { kind: 'put', item: after }
    })
    return { changed, outcome: outcome as Inbound }
  } catch (error) {
    // Section 8.5.1: silence, as for an account that does not exist.
    if (error !== errorRequests) throw error
    requestsDropped.value++
    return undefined
  }
}

/** A request goes to the available resources, everything else to those that get the pushes. */
function deliver(ctx: SubscriptionContext, pushes: RosterPushes, packet: Packet, host: Host, account: Jid): void {
  const takers =
    packet.el.attr('type') === 'subscribe'
      ? ctx.sessions.ofAccount(host.domain, account.local).filter((session) => session.isAvailable)
      : pushes.interestedOf(host, account.local)
  const privacy = ctx.service('privacy')
  for (const session of takers) {
    // A list that applies to this one resource.
    if (privacy?.screen(session)?.passes('other', packet.from.bare) === false) continue
    session.deliverFrom(packet.el, packet.from.bare, account)
  }
}

/** Section 3.1.3 rule 4: the complete stanza is kept, but not without a limit. */
function requestOf(packet: Packet, sizeMax: number, cut: Counter): Element {
  const addresses = { from: packet.from.bare.toString(), to: packet.to.bare.toString() }
  const request = packet.el.withAttrs(addresses)
  if (serialise(request, '').length <= sizeMax) return request
  cut.value++
  const status = beginning(packet.el.childText('status', NS_CLIENT))
  return x(
    'presence',
    NS_CLIENT,
    { ...addresses, id: beginning(packet.el.attr('id')), type: 'subscribe' },
    status === undefined ? undefined : x('status', NS_CLIENT, status),
  )
}

/** What is kept of a text of a request that is cut; never half a character. */
function beginning(text: string | undefined): string | undefined {
  return text?.slice(0, 200).replace(/[\ud800-\udbff]$/, '')
}
