/**
 * What the server does with a client's stanza before it is routed: RFC 6120 section 8.1 (addresses) and 8.2 (shape),
 * then the filters of the modules.
 */

import type { JidCache } from '../jid/cache.ts'
import type { Jid } from '../jid/jid.ts'
import { StanzaError, StreamError } from '../stanza/error.ts'
import { iqType, isSubscription, presencePriority, presenceType, type StanzaKind } from '../stanza/stanza.ts'
import type { Element } from '../xml/element.types.ts'
import type { Octets } from '../xml/octets.ts'
import type { HostType } from './host-type.ts'
import { Packet, type Verdict } from './packet.ts'
import type { Router } from './router.ts'
import type { Session } from './session.ts'
import { refusalFor } from './temporary.ts'

const errorJid = new StanzaError('RTK_STANZA_TO_MALFORMED', 'jid-malformed')
const errorHookFailed = new StanzaError('RTK_HOOK_FAILED', 'internal-server-error')
const errorIqType = new StanzaError('RTK_IQ_TYPE', 'bad-request', {
  text: 'an iq needs a type of get, set, result or error',
})
const errorIqId = new StanzaError('RTK_IQ_ID', 'bad-request', { text: 'an iq needs an id' })
const errorIqShape = new StanzaError('RTK_IQ_PAYLOAD', 'bad-request', { text: 'a request has exactly one payload' })
const errorPresenceType = new StanzaError('RTK_PRESENCE_TYPE', 'bad-request', { text: 'unknown presence type' })
const errorPriority = new StanzaError('RTK_PRESENCE_PRIORITY', 'bad-request', {
  text: 'a priority is from -128 to 127',
})

export interface InboundNeeds {
  readonly router: Router
  readonly jids: JidCache
  typeOf(session: Session): HostType
  /** Waits for a handler's promise for at most `hook_timeout`, then rejects with a `StanzaError`. */
  timed<T>(promise: Promise<T>): Promise<T>
}

export class Inbound {
  readonly #needs: InboundNeeds

  constructor(needs: InboundNeeds) {
    this.#needs = needs
  }

  /** Processes one stanza; a promise suspends the session's order. */
  process(session: Session, el: Element): Promise<void> | undefined {
    const router = this.#needs.router
    // A turn that runs already is ended by who began it, as in `#later`.
    const isOwner = router.enter()
    let wait: Promise<void> | undefined
    try {
      wait = this.#accept(session, el)
    } finally {
      if (isOwner) wait = router.leave(wait)
    }
    return wait
  }

  #accept(session: Session, el: Element): Promise<void> | undefined {
    const kind = el.name as StanzaKind
    const from = el.rawAttr('from')
    if (from !== undefined && !this.#isOwn(session, from)) {
      // RFC 6120 section 8.1.2.1: a client that speaks for others is cut off.
      const error = new StreamError('RTK_STANZA_FROM_FOREIGN', 'invalid-from')
      session.close({ reason: 'error', detail: error.code }, error)
      return undefined
    }
    const rawTo = el.rawAttr('to')
    let to: Jid = session.jid.bare
    if (rawTo !== undefined) {
      const last = session.lastTo
      if (last !== undefined && last.octets === rawTo) to = last
      else {
        const parsed = this.#needs.jids.parse(rawTo)
        if (parsed === undefined) return this.#refuse(session, el, kind, session.jid.bare, errorJid)
        to = parsed
        session.lastTo = parsed
      }
    }
    const fault = shapeFault(kind, el)
    if (fault !== undefined) return this.#refuse(session, el, kind, to, fault)
    return this.#pass(session, new Packet(kind, el, senderOf(session, kind, el), to, session, rawTo === undefined))
  }

  #isOwn(session: Session, raw: Octets): boolean {
    if (raw === session.jid.octets) return true
    const from = this.#needs.jids.parse(raw)
    return from !== undefined && (from.equals(session.jid) || from.equals(session.jid.bare))
  }

  #pass(session: Session, packet: Packet): Promise<void> | undefined {
    const type = this.#needs.typeOf(session)
    if (type.sent[packet.kind].length === 0) return this.#go(session, type, packet)
    const verdict = type.hooks.filter<'stanza:sent'>(type.sent, packet, session)
    if (verdict === undefined) return this.#go(session, type, packet)
    if (!(verdict instanceof Promise)) {
      this.#needs.router.conclude(packet, verdict)
      return undefined
    }
    return this.#later(packet, verdict, () => this.#go(session, type, packet))
  }

  #go(session: Session, type: HostType, packet: Packet): Promise<void> | undefined {
    if (packet.kind === 'presence' && packet.implicitTo) return this.#ownPresence(session, type, packet)
    return this.#needs.router.route(packet)
  }

  /** Presence without `to`: the presence module's; without one the session just keeps it. */
  #ownPresence(session: Session, type: HostType, packet: Packet): Promise<void> | undefined {
    const verdict = type.hooks.filter<'presence:self'>(type.presenceSelf, packet, session)
    if (verdict instanceof Promise) return this.#later(packet, verdict, () => keepPresence(session, packet.el))
    if (verdict === undefined) keepPresence(session, packet.el)
    else this.#needs.router.conclude(packet, verdict)
    return undefined
  }

  async #later(
    packet: Packet,
    waiting: Promise<Verdict | undefined>,
    next: () => Promise<void> | undefined,
  ): Promise<void> {
    let verdict: Verdict | undefined
    try {
      verdict = await this.#needs.timed(waiting)
    } catch (error) {
      this.#needs.router.bounce(packet, refusalFor(error, errorHookFailed))
      return
    }
    const router = this.#needs.router
    if (verdict !== undefined) {
      router.conclude(packet, verdict)
      return
    }
    // The client's stanza goes on in a turn of its own; while another runs it is that turn's guest.
    const isOwner = router.enter()
    let wait: Promise<void> | undefined
    try {
      wait = next()
    } finally {
      if (isOwner) wait = router.leave(wait)
    }
    await wait
  }

  /**
   * Answers a stanza that never became a packet. The error comes from where the client sent it (RFC 6120 section 8.3.1,
   * rule 2), from the account where that address is malformed and cannot be repeated (section 8.3.3.8).
   */
  #refuse(session: Session, el: Element, kind: StanzaKind, to: Jid, error: StanzaError): undefined {
    this.#needs.router.bounce(new Packet(kind, el, session.jid, to, session), error)
  }
}

/** Subscription stanzas go out under the bare JID (RFC 6121 section 3.1.2), everything else under the full one. */
function senderOf(session: Session, kind: StanzaKind, el: Element): Jid {
  if (kind !== 'presence') return session.jid
  const type = presenceType(el)
  return type !== undefined && isSubscription(type) ? session.jid.bare : session.jid
}

function shapeFault(kind: StanzaKind, el: Element): StanzaError | undefined {
  if (kind === 'message') return undefined
  if (kind === 'presence') {
    const type = presenceType(el)
    if (type === undefined) return errorPresenceType
    return type === '' && presencePriority(el) === undefined ? errorPriority : undefined
  }
  const type = iqType(el)
  if (type === undefined) return errorIqType
  if (el.rawAttr('id') === undefined) return errorIqId
  // RFC 6120 section 8.2.3: exactly one child in a request; a result has none or one; an error at least <error/>.
  if (type === 'get' || type === 'set') return el.childNames.length === 1 ? undefined : errorIqShape
  return type === 'result' && el.childNames.length > 1 ? errorIqShape : undefined
}

/** What a session remembers of its own presence when no module does more. */
function keepPresence(session: Session, el: Element): undefined {
  const type = presenceType(el)
  if (type === '') {
    session.presence = el
    session.priority = presencePriority(el) ?? 0
  } else if (type === 'unavailable') {
    session.presence = undefined
  }
}
