/**
 * RFC 6121 section 4: initial and later presence, unavailable presence, probes, directed presence; and section 8.5.3.1's
 * rule that a request to a resource needs its presence. Nobody sees what he has no subscription to, and everybody who
 * saw a resource available sees it leave, once.
 */
import { opt } from '../../core/config/opt.ts'
import type { Host } from '../../core/host.ts'
import { defineModule } from '../../core/module.ts'
import { drop, type Packet, refuse, type Verdict, verdictHanded } from '../../core/packet.ts'
import type { RosterItems } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import { keepStanza } from '../../stanza/keep.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { presencePriority, presenceType } from '../../stanza/stanza.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { AccountOrder } from './order.ts'
import { directedTargets, sees, watchers } from './watchers.ts'

const errorDirected = new StanzaError('RTK_PRESENCE_DIRECTED_MAX', 'resource-constraint', {
  text: 'presence was sent to too many addresses',
})
const errorSize = new StanzaError('RTK_PRESENCE_SIZE', 'policy-violation', { text: 'the presence is too large' })
// RFC 6121 section 8.5.3.1: the same answer as for a resource that is not there.
const errorLeak = new StanzaError('RTK_PRESENCE_NOT_SHARED', 'service-unavailable')

const unavailable: Element = x('presence', NS_CLIENT, { type: 'unavailable' })

export default defineModule({
  name: 'presence',
  needs: { roster: 'hard' },
  options: {
    directed_max: opt.int({
      default: 1000,
      min: 1,
      description: 'Addresses that one session may have sent directed presence to.',
      reload: 'hot',
    }),
    size_max: opt.bytes({ default: '16 KiB', description: 'Bytes of a presence that is broadcast.', reload: 'hot' }),
    iq_needs_presence: opt.bool({
      default: true,
      description:
        'A request to a full JID is delivered only to somebody who may see that resource (RFC 6121 section 8.5.3.1).',
      reload: 'hot',
    }),
  },
  setup(ctx) {
    const { options, services, sessions } = ctx
    const directed = ctx.slot<Map<string, Jid>>('directed', () => new Map(), { kept: true })
    const order = new AccountOrder()

    function items(host: Host, local: string): RosterItems | Promise<RosterItems> {
      return services.roster.items(host, local)
    }

    /** All other available resources of the account, and the session's own when asked. */
    function resources(session: Session): readonly Session[] {
      return sessions.ofAccount(session.host.domain, session.jid.local).filter((other) => other.isAvailable)
    }

    function broadcast(session: Session, el: Element, to: readonly Jid[]): void {
      ctx.fanOut([{ el, from: session.jid, recipients: to }])
    }

    // Section 4.2.2, 4.3.1 and 4.4.2
    async function available(session: Session, el: Element): Promise<void> {
      await order.turn(session.jid.bare)
      const { host } = session
      const roster = await items(host, session.jid.local)
      if (!session.isActive) return
      const isInitial = !session.isAvailable
      const wasReady = session.isAvailable && session.priority >= 0
      session.presence = keepStanza(el)
      session.priority = presencePriority(el) ?? 0
      const isReady = session.priority >= 0
      if (isReady && !wasReady) session.takesMessages = false
      const contacts = watchers(roster)
      const own = resources(session).map((other) => other.jid)
      broadcast(session, el, [...contacts, ...own])
      if (isInitial) await greet(session, roster)
      if (isReady && !wasReady) {
        try {
          await ctx.tellAll('presence:ready', session)
        } finally {
          session.takesMessages = true
        }
      }
    }

    /** What a new resource is told: its account's other resources, its contacts, and who asks for a subscription. */
    async function greet(session: Session, roster: RosterItems): Promise<void> {
      for (const other of resources(session)) {
        if (other !== session && other.presence !== undefined)
          session.deliverFrom(other.presence, other.jid, session.jid)
      }
      for (const item of roster.values()) {
        if (item.subscription === 'to' || item.subscription === 'both') await ask(session, item.jid)
      }
      let pending = false
      for (const item of roster.values()) if (item.pendingIn) pending = true
      if (!pending) return
      for (const request of await services.roster.requests(session.host, session.jid.local)) {
        const from = request.attr('from')
        const contact = from === undefined ? undefined : roster.get(from)?.jid
        if (contact !== undefined) session.deliverFrom(request, contact, session.jid.bare)
      }
    }

    /** Section 4.3.1: a probe to a contact elsewhere; of a contact here the server knows the answer itself. */
    async function ask(session: Session, contact: Jid): Promise<void> {
      const host = ctx.host(contact.domain)
      if (host === undefined) {
        ctx.send(x('presence', NS_CLIENT, { type: 'probe' }), session.jid.bare, contact)
        return
      }
      const there = sessions.ofAccount(host.domain, contact.local)
      if (!there.some((other) => other.isAvailable)) return
      if (!sees(await items(host, contact.local), session.jid.bare)) return
      for (const other of there) {
        if (other.presence !== undefined) session.deliverFrom(other.presence, other.jid, session.jid)
      }
    }

    /** Section 4.5.2: everybody who saw the resource learns that it left, each once. */
    function leave(session: Session, el: Element, roster: RosterItems | undefined, wasAvailable: boolean): void {
      const contacts = wasAvailable && roster !== undefined ? watchers(roster) : []
      const own = wasAvailable ? resources(session).map((other) => other.jid) : []
      const told = [...contacts, ...own]
      const rest = directedTargets(session.slots.peek(directed), told)
      session.slots.set(directed, undefined)
      broadcast(session, el, [...told, ...rest])
    }

    async function unavailableSelf(session: Session, el: Element): Promise<void> {
      await order.turn(session.jid.bare)
      const wasAvailable = session.isAvailable
      const roster = await items(session.host, session.jid.local)
      if (!session.isActive) return
      // Its own resource is told too, as any available one of the account (section 4.5.2).
      leave(session, el, roster, wasAvailable)
      session.presence = undefined
      session.takesMessages = true
    }

    ctx.on('presence:self', (packet, session): Promise<Verdict> | Verdict | undefined => {
      if (packet.el.size > options.size_max) return refuse(errorSize)
      const type = presenceType(packet.el)
      if (type === '') return available(session, packet.el).then(() => verdictHanded)
      if (type === 'unavailable') return unavailableSelf(session, packet.el).then(() => verdictHanded)
      return drop('RTK_PRESENCE_TO_NOBODY')
    })

    // Section 4.6: directed presence is remembered, so that it can be taken back.
    ctx.on(
      'stanza:sent',
      (packet, session) => {
        if (packet.implicitTo) return undefined
        const targets = session.slots.peek(directed)
        const key = packet.to.toString()
        if (packet.el.attr('type') === 'unavailable') {
          targets?.delete(key)
          return undefined
        }
        if (targets !== undefined && targets.size >= options.directed_max && !targets.has(key))
          return refuse(errorDirected)
        session.slots.get(directed).set(key, packet.to)
        return undefined
      },
      { kinds: ['presence'], types: ['', 'unavailable'], phase: 'late' },
    )

    ctx.on('session:ended', ({ session }) => {
      const wasAvailable = session.isAvailable
      if (!wasAvailable && (session.slots.peek(directed)?.size ?? 0) === 0) return
      const roster = wasAvailable ? items(session.host, session.jid.local) : undefined
      if (!(roster instanceof Promise)) {
        leave(session, unavailable, roster, wasAvailable)
        return
      }
      // A successor under the same full JID must not appear before its predecessor has left.
      order.add(
        session.jid.bare,
        roster.then(
          (loaded) => leave(session, unavailable, loaded, wasAvailable),
          (error) => {
            ctx.log.warn('contacts could not be told that a session ended', { jid: session.label, error })
            leave(session, unavailable, undefined, wasAvailable)
          },
        ),
      )
    })

    // Section 4.3.2
    ctx.on(
      'stanza:inbound',
      async (packet, host): Promise<Verdict> => {
        const { from, to } = packet
        const roster = await items(host, to.local)
        const isOwn = from.bare.equals(to.bare)
        if (!isOwn && !sees(roster, from.bare)) {
          answerStranger(packet)
          return verdictHanded
        }
        if (!(await ctx.accounts.exists(host, to.local))) {
          answerStranger(packet)
          return verdictHanded
        }
        const there = sessions.ofAccount(host.domain, to.local).filter((other) => other.isAvailable)
        if (to.resource !== '') {
          // A probe to a full JID learns no more than that the resource is there.
          if (there.some((other) => other.jid.equals(to))) ctx.send(x('presence', NS_CLIENT), to, from)
          return verdictHanded
        }
        for (const other of there) if (other.presence !== undefined) ctx.send(other.presence, other.jid, from)
        if (there.length === 0)
          ctx.send(x('presence', NS_CLIENT, { id: packet.el.attr('id'), type: 'unavailable' }), to, from)
        return verdictHanded
      },
      { kinds: ['presence'], types: ['probe'] },
    )

    /** Rule 1: no subscription. Somebody who got directed presence may know that one resource (section 4.6.6). */
    function answerStranger(packet: Packet): void {
      const { from, to } = packet
      const told = sessions
        .ofAccount(to.domain, to.local)
        .filter(
          (other) =>
            other.slots.peek(directed)?.has(from.toString()) || other.slots.peek(directed)?.has(from.bare.toString()),
        )
      if (told.length > 0) {
        for (const other of told)
          if (to.resource === '' || other.jid.equals(to)) ctx.send(x('presence', NS_CLIENT), other.jid, from)
        return
      }
      ctx.send(x('presence', NS_CLIENT, { id: packet.el.attr('id'), type: 'unsubscribed' }), to.bare, from.bare)
    }

    // Section 8.5.3.1: a request to a resource of somebody who does not share presence with the asker.
    ctx.on(
      'stanza:inbound',
      (packet, host): Verdict | undefined | Promise<Verdict | undefined> => {
        const { from, to } = packet
        if (!options.iq_needs_presence || to.resource === '') return undefined
        if (from.local === '' || from.bare.equals(to.bare)) return undefined
        const told = sessions.find(to)?.slots.peek(directed)
        if (told?.has(from.toString()) || told?.has(from.bare.toString())) return undefined
        const decide = (roster: RosterItems) => (sees(roster, from.bare) ? undefined : refuse(errorLeak))
        const roster = items(host, to.local)
        return roster instanceof Promise ? roster.then(decide) : decide(roster)
      },
      { kinds: ['iq'], types: ['get', 'set'] },
    )

    // Section 3.1.5: the new subscriber gets the presence of each resource.
    ctx.on('roster:granted', ({ host, local, contact }) => {
      for (const session of sessions.ofAccount(host.domain, local)) {
        if (session.presence !== undefined) ctx.send(session.presence, session.jid, contact)
      }
    })

    // Sections 3.2.2 and 3.3.3: he who may no longer see them sees the resources leave.
    ctx.on('roster:revoked', ({ host, local, contact }) => {
      for (const session of sessions.ofAccount(host.domain, local)) {
        if (session.isAvailable) ctx.send(unavailable, session.jid, contact)
      }
    })
  },
})
