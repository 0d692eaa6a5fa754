/**
 * RFC 6121 section 4: initial and later presence, unavailable presence, probes, directed presence; and section 8.5.3.1's
 * rule that a request to a resource needs its presence. Nobody sees what he has no subscription to, and everybody who
 * saw a resource available sees it leave, once.
 */
import { opt } from '../../core/config/opt.ts'
import type { FanOutGroup } from '../../core/fan-out.ts'
import type { Host } from '../../core/host.ts'
import { defineModule } from '../../core/module.ts'
import { drop, type Packet, refuse, type Verdict } from '../../core/packet.ts'
import { type RosterItems, sees } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import { delayNote } from '../../stanza/delay.ts'
import { StanzaError } from '../../stanza/error.ts'
import { presenceType } from '../../stanza/stanza.ts'
import { Departures, unavailable } from './departures.ts'
import { DirectedPresence } from './directed.ts'
import { Grants } from './grants.ts'
import { Greeting } from './greeting.ts'
import { Hiding } from './hiding.ts'
import { OwnPresence } from './own.ts'
import { Probes } from './probes.ts'
import { availableOf, seesAt, shownTo, unreached, withItems } from './sight.ts'

const errorDirected = new StanzaError('RTK_PRESENCE_DIRECTED_MAX', 'resource-constraint', {
  text: 'presence was sent to too many addresses',
})
const errorSize = new StanzaError('RTK_PRESENCE_SIZE', 'policy-violation', { text: 'the presence is too large' })
// RFC 6121 section 8.5.3.1: the same answer as for a resource that is not there.
const errorLeak = new StanzaError('RTK_PRESENCE_NOT_SHARED', 'service-unavailable')

export default defineModule({
  name: 'presence',
  needs: { roster: 'hard', privacy: 'soft' },
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
    const { roster } = services
    const privacy = () => services.privacy
    const directed = new DirectedPresence(ctx)
    const grants = new Grants()
    /** The host itself, another one here, or a service of this one. */
    function isOfHost(domain: string, host: Host): boolean {
      return ctx.host(domain) !== undefined || domain.endsWith(`.${host.domain}`)
    }
    /** A server hears what its users are told. */
    function isToldAt(session: Session | undefined, domain: string): boolean {
      return session !== undefined && directed.isSharedAt(session, domain)
    }
    const departures = new Departures(
      ctx,
      roster,
      directed,
      grants,
      privacy,
      ctx.counter(
        'departures_delayed',
        'Attempts to tell contacts that a session has ended which failed because the store did; they are repeated',
      ),
    )
    const greeting = new Greeting(
      ctx,
      roster,
      privacy,
      ctx.counter(
        'greetings_incomplete',
        'New sessions that were not told of all contacts that are online because the store failed',
      ),
    )
    const tooLarge = ctx.counter(
      'size_max',
      'Presences refused because they were too large; limit modules.presence.size_max',
    )
    const tooManyDirected = ctx.counter(
      'directed_max',
      'Directed presences refused because a session had sent too many; limit modules.presence.directed_max',
    )
    const own = new OwnPresence(ctx, roster, departures, greeting, grants, privacy)
    const probes = new Probes(ctx, roster, directed, privacy)
    const hiding = new Hiding(ctx, roster, directed, greeting, departures)
    ctx.gauge(
      'departures_waiting',
      'Accounts with a session that has ended of which contacts have not been told yet',
      () => departures.size,
    )
    ctx.underWay(() => departures.size)
    ctx.onStop(() => departures.stop())

    ctx.on('presence:self', (packet, session): Promise<Verdict> | Verdict => {
      if (packet.el.size > options.size_max) {
        tooLarge.value++
        return refuse(errorSize)
      }
      const type = presenceType(packet.el)
      if (type === '') return own.available(packet, session)
      if (type === 'unavailable') return own.unavailable(packet, session)
      return drop('RTK_PRESENCE_TO_NOBODY')
    })

    function direct(packet: Packet, session: Session): Verdict | undefined {
      // A session that is gone could never take it back.
      if (session.hasEnded) return drop('RTK_PRESENCE_SESSION_ENDED')
      if (directed.note(session, packet.to, options.directed_max)) return undefined
      tooManyDirected.value++
      return refuse(errorDirected)
    }

    // Section 4.6.3
    ctx.on(
      'stanza:sent',
      (packet, session): Promise<Verdict | undefined> | Verdict | undefined => {
        if (packet.implicitTo) return undefined
        if (packet.el.attr('type') === 'unavailable') {
          directed.takeBack(session, packet.to)
          return undefined
        }
        const account = session.jid.bare
        if (!departures.has(account)) return direct(packet, session)
        // A predecessor under this address must have left before the successor shows himself.
        return withItems(roster, session.host, account.local, (items): Verdict | undefined => {
          departures.complete(account, items)
          return direct(packet, session)
        })
      },
      { kinds: ['presence'], types: ['', 'unavailable'], phase: 'late' },
    )

    ctx.on('session:ended', ({ session }) => {
      if (session.isAvailable) departures.ended(session)
      else if (directed.hasAny(session)) void departures.leaveDirected(session, unavailable)
    })

    ctx.on('session:resumed', (session) => own.resumed(session))

    ctx.on('stanza:inbound', (packet, host) => probes.received(packet, host), { kinds: ['presence'], types: ['probe'] })

    // Section 8.5.3.1: a request to a resource of somebody who does not share presence with the asker.
    ctx.on(
      'stanza:inbound',
      (packet, host): Verdict | undefined | Promise<Verdict | undefined> => {
        const { from, to } = packet
        if (!options.iq_needs_presence || to.isBare || from.bare.equals(to.bare)) return undefined
        const isServer = from.local === ''
        if (isServer && isOfHost(from.domain, host)) return undefined
        const session = sessions.find(to)
        if (session !== undefined && directed.isSharedWith(session, from.bare)) return undefined
        return withItems(roster, host, to.local, (items: RosterItems): Verdict | undefined => {
          const isHeard =
            sees(items, from) || (isServer && (seesAt(items, from.domain) || isToldAt(session, from.domain)))
          return isHeard ? undefined : refuse(errorLeak)
        })
      },
      { kinds: ['iq'], types: ['get', 'set'] },
    )

    // Section 3.1.5: the new subscriber gets the presence of each resource.
    ctx.on('roster:granted', ({ host, local, contact, sent }) => {
      const account = ctx.accountJid(host, local)
      departures.sightChanged(account, contact, false)
      const there = () => availableOf(sessions, host.domain, local)
      grants.granted(account, there(), contact, sent, () => {
        const groups: FanOutGroup[] = []
        for (const session of there()) {
          const recipients = shownTo(privacy()?.screen(session), sessions, [contact])
          if (session.presence !== undefined && recipients.length > 0) {
            const note = delayNote(session.jid, session.presenceMs)
            groups.push({ el: session.presence, from: session.jid, recipients, note })
          }
        }
        if (groups.length > 0) ctx.fanOut(groups)
      })
    })

    // Sections 3.2.2 and 3.3.3: he who may no longer see them sees the resources leave; so does who was told directly.
    ctx.on('roster:revoked', ({ host, local, contact, before }) => {
      const account = ctx.accountJid(host, local)
      departures.sightChanged(account, contact, true)
      const unseen = grants.revoked(account, contact)
      const groups: FanOutGroup[] = []
      for (const session of sessions.ofAccount(host.domain, local)) {
        if (!session.isAvailable) continue
        const told = directed.takeOf(session, contact)
        // What counts is what he has seen as the contact that he was.
        const screen = privacy()?.screen(session)
        const all = unseen.has(session.id)
          ? unreached(sessions, told, [])
          : [contact, ...unreached(sessions, told, [contact])]
        const recipients = shownTo(screen, sessions, all, before ?? null)
        if (recipients.length > 0) groups.push({ el: unavailable, from: session.jid, recipients })
      }
      if (groups.length > 0) ctx.fanOut(groups)
    })

    ctx.on('privacy:changed', (change) => hiding.changed(change))
  },
})
