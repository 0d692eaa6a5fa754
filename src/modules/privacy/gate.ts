/**
 * Where the lists are applied: to what an account's clients send, and to what comes for it, before anything else is done
 * with it (XEP-0016 §2.2 rule 4).
 */
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import { drop, type Packet, refuse, type Verdict } from '../../core/packet.ts'
import type { Traffic } from '../../core/services/privacy.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import { isFromRoom } from '../../stanza/room.ts'
import { blocks, denies } from './rules.ts'
import { type AccountLists, isExempt, noLists, type Screens } from './screens.ts'

const NS_BLOCKING_ERRORS = 'urn:xmpp:blocking:errors'

// XEP-0191 §3.3
const blocked = refuse(
  new StanzaError('RTK_PRIVACY_BLOCKED', 'not-acceptable', {
    type: 'cancel',
    application: { name: 'blocked', ns: NS_BLOCKING_ERRORS },
  }),
)
// XEP-0016 §2.14; this and the next as if nobody were there.
const notSent = refuse(new StanzaError('RTK_PRIVACY_NOT_SENT', 'not-acceptable', { type: 'cancel' }))
const notTaken = refuse(new StanzaError('RTK_PRIVACY_DENIED', 'service-unavailable'))
const dropped = drop('RTK_PRIVACY_DENIED')
const passedOver = drop('RTK_PRIVACY_PASSED_OVER')
// Better no stanza than one that is blocked.
const unknown = refuse(new StanzaError('RTK_PRIVACY_STORE', 'resource-constraint'))
const unknownDropped = drop('RTK_PRIVACY_STORE')

export interface GateCounters {
  /** Stanzas stopped by a list. */
  readonly stopped: Counter
  /** Stanzas stopped because the lists could not be read. */
  readonly failed: Counter
}

export class Gate {
  readonly #sessions: ModuleContext['sessions']
  readonly #screens: Screens
  readonly #counters: GateCounters

  constructor(sessions: ModuleContext['sessions'], screens: Screens, counters: GateCounters) {
    this.#sessions = sessions
    this.#screens = screens
    this.#counters = counters
  }

  /** A stanza of the account's own client. */
  sent(packet: Packet, session: Session): Verdict | undefined | Promise<Verdict | undefined> {
    const own = session.jid.bare
    const lists = this.#screens.known(own)
    if (lists !== undefined) return this.#judgeSent(packet, session, lists)
    // Broadcast presence waits, so that of everybody who is available it is known what he lets through.
    const isBroadcast = packet.kind === 'presence' && packet.implicitTo
    if (!isBroadcast && isExempt(own, packet.to)) return undefined
    return this.#later(packet, own, (loaded) => this.#judgeSent(packet, session, loaded))
  }

  #judgeSent(packet: Packet, session: Session, lists: AccountLists): Verdict | undefined {
    if (packet.implicitTo) return undefined
    const screen = this.#screens.screenIn(lists, session)
    if (screen === undefined) return undefined
    const code = screen.decide(isNotification(packet) ? 'presence-out' : 'other', packet.to)
    if (!denies(code)) return undefined
    this.#counters.stopped.value++
    return blocks(code) && screen.isBlocklist ? blocked : notSent
  }

  /** A stanza for a local account. */
  received(packet: Packet): Verdict | undefined | Promise<Verdict | undefined> {
    const own = packet.to.bare
    if (isExempt(own, packet.from) || isOurError(packet)) return undefined
    const lists = this.#screens.known(own)
    if (lists !== undefined) return this.#judgeReceived(packet, lists)
    // Who comes while it waited would be told what he was told by his greeting, or is older than that.
    if (isNotification(packet) && !this.#reachesSomebody(packet.to)) return undefined
    return this.#later(packet, own, (loaded) => this.#judgeReceived(packet, loaded))
  }

  /** Whether presence to this address reaches a session (RFC 6121 sections 8.5.2.1.2 and 8.5.3.1). */
  #reachesSomebody(to: Jid): boolean {
    if (to.resource !== '') return this.#sessions.find(to) !== undefined
    return this.#sessions.ofAccount(to.domain, to.local).some((session) => session.isAvailable)
  }

  /**
   * A message that one resource was sent and others may have now, or the store: somebody may have blocked its sender since.
   * What nobody's session is there for is looked at when it is handed over.
   */
  astray(packet: Packet): Verdict | undefined {
    const lists = this.#screens.known(packet.to.bare)
    if (!packet.wasTaken || lists === undefined || isExempt(packet.to.bare, packet.from)) return undefined
    return this.#judgeReceived(packet, lists)
  }

  #judgeReceived(packet: Packet, lists: AccountLists): Verdict | undefined {
    if (lists === noLists || !this.#isStopped(packet, lists)) return undefined
    this.#counters.stopped.value++
    return refusal(packet, this.#sessions.find(packet.to) !== undefined)
  }

  #isStopped(packet: Packet, lists: AccountLists): boolean {
    const { from, to } = packet
    const traffic = receivedTraffic(packet)
    const stops = (session: Session) => this.#screens.screenIn(lists, session)?.passes(traffic, from) === false
    // XEP-0016 §2.2 rules 1 and 2: the list of the resource that it is for, else the default list.
    const session = to.resource === '' ? undefined : this.#sessions.find(to)
    if (session !== undefined) return stops(session)
    if (lists.active.size > 0 && (packet.kind === 'message' || isNotification(packet))) {
      const takers = this.#sessions.ofAccount(to.domain, to.local).filter((one) => isTaker(one, packet))
      // Those that do not let it through are passed over (`eligible`).
      if (takers.length > 0) return takers.every(stops)
    }
    return lists.byDefault?.passes(traffic, from) === false
  }

  /** Whether one resource of several lets a stanza to the bare JID through. */
  eligible(packet: Packet, session: Session): Verdict | undefined {
    const lists = this.#screens.known(session.jid.bare)
    if (lists === undefined || isOurError(packet)) return undefined
    const screen = this.#screens.screenIn(lists, session)
    return screen?.passes(receivedTraffic(packet), packet.from) === false ? passedOver : undefined
  }

  async #later(
    packet: Packet,
    own: Jid,
    judge: (lists: AccountLists) => Verdict | undefined,
  ): Promise<Verdict | undefined> {
    let lists: AccountLists
    try {
      lists = await this.#screens.load(own)
    } catch {
      // The store tells why, in its own log.
      this.#counters.failed.value++
      return packet.kind === 'presence' && !packet.implicitTo ? unknownDropped : unknown
    }
    return judge(lists)
  }
}

/** XEP-0016 §2: presence without a type, or unavailable; subscriptions and probes are none. */
function isNotification({ kind, el }: Packet): boolean {
  if (kind !== 'presence') return false
  const type = el.attr('type')
  return type === undefined || type === 'unavailable'
}

function receivedTraffic(packet: Packet): Traffic {
  if (packet.kind === 'message') return 'message-in'
  if (packet.kind === 'iq') return 'iq-in'
  return isNotification(packet) ? 'presence-in' : 'other'
}

/** The server's own refusal of what the account's client sent speaks with the address of somebody else. */
function isOurError({ origin, el }: Packet): boolean {
  return origin.kind === 'server' && el.attr('type') === 'error'
}

/** Whether a stanza to the bare JID may go to this resource (RFC 6121 section 8.5.2.1). */
function isTaker(session: Session, { kind }: Packet): boolean {
  return session.isAvailable && (kind === 'presence' || session.priority >= 0)
}

/**
 * XEP-0016 §2.14, XEP-0191 §3.3. The error for a message is a SHOULD: rooms take one for the end of an occupant (XEP-0045 §18.1.2,
 * many of them `service-unavailable` too) and would throw out who is there for having blocked another.
 */
function refusal({ kind, el }: Packet, isThere: boolean): Verdict {
  const type = el.attr('type')
  if (kind === 'presence' || type === 'error' || (kind === 'iq' && type === 'result')) return dropped
  return kind === 'message' && isThere && isFromRoom(el) ? dropped : notTaken
}
