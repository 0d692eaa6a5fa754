/**
 * The owner of a local host's domain: the delivery rules of RFC 6121 section 8 (and RFC 6120 section 10.5) for the host
 * itself, its accounts and their resources. What is a policy of a XEP comes in through hooks.
 */

import type { Jid } from '../jid/jid.ts'
import { StanzaError } from '../stanza/error.ts'
import { iqResult } from '../stanza/reply.ts'
import { type MessageType, messageType, presenceType } from '../stanza/stanza.ts'
import type { Element } from '../xml/element.types.ts'
import type { AccountDirectory } from './accounts.ts'
import type { Host } from './host.ts'
import type { HostType } from './host-type.ts'
import type { IqAnswer, IqEntry, IqRequest, IqTarget } from './iq.ts'
import type { MessageHolds } from './message-holds.ts'
import { Packet, type Verdict } from './packet.ts'
import type { RouteOwner, Router } from './router.ts'
import type { Session } from './session.ts'
import type { SessionTable } from './session-table.ts'
import { refusalFor } from './temporary.ts'

const errorUnavailable = new StanzaError('RTK_DELIVERY_UNAVAILABLE', 'service-unavailable')
const errorNoAccount = new StanzaError('RTK_DELIVERY_NO_ACCOUNT', 'service-unavailable')
/** Nobody knows whether the account exists. */
const errorUnknown = new StanzaError('RTK_DELIVERY_ACCOUNT_UNKNOWN', 'internal-server-error')
const errorNoHandler = new StanzaError('RTK_IQ_NO_HANDLER', 'service-unavailable')
const errorIqShape = new StanzaError('RTK_IQ_PAYLOAD', 'bad-request')
const errorIqFailed = new StanzaError('RTK_IQ_HANDLER_FAILED', 'internal-server-error')

export interface LocalHostNeeds {
  readonly router: Router
  readonly sessions: SessionTable
  readonly accounts: AccountDirectory
  /** Waits for a handler's promise for at most `hook_timeout`, then rejects with a `StanzaError`. */
  timed<T>(promise: Promise<T>): Promise<T>
  /** A handler threw what is no `StanzaError`. */
  fault(place: string, module: string, error: unknown): void
  /** Answers to requests that the server itself sent. True when it was awaited. */
  answered(packet: Packet): boolean
  readonly unsettled: Unsettled
  readonly holds: Pick<MessageHolds, 'size' | 'mayWait' | 'isBehind' | 'wait'>
}

/** Where what was not delivered is settled, a slice a turn (unsettled.ts). */
interface Unsettled {
  /** Whether something that was sent to the account of this address is not settled. */
  has(to: Jid): boolean
  /** Handles a stanza for such an account behind it. */
  behind(to: Jid, handle: () => Promise<void> | undefined): Promise<void> | undefined
  /** Others for the account wait until a stanza has this answer. */
  asks(to: Jid, answer: Promise<unknown>): void
}

export class LocalHost implements RouteOwner {
  readonly host: Host
  readonly type: HostType
  readonly #needs: LocalHostNeeds

  constructor(host: Host, type: HostType, needs: LocalHostNeeds) {
    this.host = host
    this.type = type
    this.#needs = needs
  }

  get name(): string {
    return this.host.domain
  }

  receive(packet: Packet): Promise<void> | undefined {
    if (packet.to.local === '') return this.#toHost(packet)
    if (this.type.inbound[packet.kind].length > 0) {
      const verdict = this.type.hooks.filter<'stanza:inbound'>(this.type.inbound, packet, this.host)
      if (verdict !== undefined) return this.#continue(packet, verdict, () => this.#toAccount(packet))
    }
    return this.#toAccount(packet)
  }

  /** Goes on after a filter: at once for a plain verdict, later for a promised one. */
  #continue(
    packet: Packet,
    verdict: Verdict | Promise<Verdict | undefined>,
    next: () => Promise<void> | undefined,
  ): Promise<void> | undefined {
    if (!(verdict instanceof Promise)) {
      this.#needs.router.conclude(packet, verdict)
      return undefined
    }
    return this.#needs.timed(verdict).then((late) => {
      if (late === undefined) return next()
      this.#needs.router.conclude(packet, late)
      return undefined
    })
  }

  /**
   * A stanza that was handed to a session whose connection ended before it left (RFC 6121 section 8.5.3.2; XEP-0160). A
   * message to the bare JID that went to another resource too (`hadCopy`) was delivered there. `sentMs`: it was sent at that
   * time, in milliseconds since 1970, and never acknowledged.
   */
  unsent(packet: Packet, session: Session, hadCopy: boolean, sentMs?: number): Promise<void> | undefined {
    const type = packet.el.attr('type')
    if (packet.kind === 'message') {
      // All of the account had it, or it was for one resource alone (RFC 6121 section 8.5.3.2.1); it is never kept.
      if (type === 'headline') return this.#drop(packet, 'RTK_DELIVERY_HEADLINE_TO_NOBODY')
      // One for a resource that is no more went to the account too, and so to several.
      const isElsewhere = packet.to.resource !== session.jid.resource && hadCopy
      if (isElsewhere) return this.#drop(packet, 'RTK_UNSENT_ELSEWHERE')
      if (sentMs !== undefined) {
        packet.el = this.type.hooks.fold('message:late', packet.el, { host: this.host, sentMs })
      }
      packet.wasTaken = true
      return this.#astray(packet, session, sentMs)
    }
    if (packet.kind === 'iq' && (type === 'get' || type === 'set')) this.#needs.router.bounce(packet, errorUnavailable)
    else this.#drop(packet, 'RTK_UNSENT')
    return undefined
  }

  /**
   * Whether another resource had what came for the bare JID since `since`, in milliseconds since 1970 at the earliest: one of
   * the same priority that took messages before.
   */
  hadCopy(session: Session, since: number): boolean {
    const { domain, local } = session.jid
    return this.#needs.sessions
      .ofAccount(domain, local)
      .some(
        (other) =>
          other !== session &&
          other.isAvailable &&
          other.takesMessages &&
          other.priority === session.priority &&
          other.createdMs <= since &&
          other.takesSinceMs <= since,
      )
  }

  // The host itself: RFC 6120 section 10.5.1 and 10.5.2.
  #toHost(packet: Packet): Promise<void> | undefined {
    if (packet.kind === 'iq') {
      const type = packet.el.attr('type')
      if (type === 'get' || type === 'set') {
        const found = packet.to.resource === '' ? this.#findHandler(packet, type, 'host') : undefined
        if (found !== undefined) return this.#ask(packet, found, '')
      } else if (this.#needs.answered(packet)) {
        return undefined
      }
    }
    const verdict = this.type.hooks.filter<'stanza:host'>(this.type.toHost, packet, this.host)
    if (verdict !== undefined) return this.#continue(packet, verdict, () => this.#unhandledByHost(packet))
    return this.#unhandledByHost(packet)
  }

  #unhandledByHost(packet: Packet): undefined {
    const router = this.#needs.router
    // Presence to the server itself is nobody's (RFC 6120 section 10.5.1 leaves it to the implementation).
    if (packet.kind === 'presence') router.conclude(packet, { kind: 'drop', reason: 'RTK_HOST_PRESENCE' })
    else router.bounce(packet, packet.kind === 'iq' ? errorNoHandler : errorUnavailable)
  }

  #toAccount(packet: Packet): Promise<void> | undefined {
    switch (packet.kind) {
      case 'message':
        // What was sent before it may be a resource's that is no more; an error is never kept.
        return this.#needs.unsettled.has(packet.to) && packet.el.attr('type') !== 'error'
          ? this.#needs.unsettled.behind(packet.to, () => this.#later(packet, () => this.#message(packet)))
          : this.#message(packet)
      case 'presence':
        return this.#presence(packet)
      case 'iq':
        return this.#iq(packet)
    }
  }

  /** Its sender waits for the answer, and hears of it in a moment: too late for a write of this turn that has what it changed. */
  #later(packet: Packet, handle: () => Promise<void> | undefined): Promise<void> | undefined {
    const wait = handle()
    if (wait === undefined) packet.origin.keeps?.(false)
    return wait
  }

  // RFC 6121 sections 8.5.2.1.1, 8.5.2.2.1, 8.5.3.1 and 8.5.3.2.1.
  #message(packet: Packet): Promise<void> | undefined {
    const to = packet.to
    if (to.resource !== '') {
      const session = this.#needs.sessions.find(to)
      if (session !== undefined) {
        if (this.#deliver(session, packet)) {
          this.#took(packet, session)
          return undefined
        }
        if (packet.isSettledByFilter) return undefined
      }
      const type = messageType(packet.el)
      if (type === 'error') return this.#drop(packet, 'RTK_DELIVERY_ERROR_TO_NOBODY')
      // Only a chat message goes on as if it were to the bare JID; the client chose a resource for the others.
      if (type !== 'chat' && session === undefined) return this.#refuseMessage(packet)
      return this.#astray(packet, undefined)
    }
    return this.#messageToAccount(packet, messageType(packet.el))
  }

  /** One resource did not get it: the account's others may, unless a module says that it was for that one alone. */
  #astray(packet: Packet, session: Session | undefined, sentMs?: number): Promise<void> | undefined {
    const { astray, hooks } = this.type
    if (astray.message.length > 0) {
      const verdict = hooks.filter<'message:astray'>(astray, packet, { host: this.host, session, sentMs })
      if (verdict instanceof Promise) throw new Error('a message:astray handler returned a promise')
      if (verdict !== undefined) {
        this.#needs.router.conclude(packet, verdict)
        return undefined
      }
    }
    return this.#messageToAccount(packet, messageType(packet.el))
  }

  #messageToAccount(packet: Packet, type: MessageType): Promise<void> | undefined {
    if (type === 'error') return this.#drop(packet, 'RTK_DELIVERY_ERROR_TO_NOBODY')
    if (type === 'groupchat') return this.#refuseMessage(packet)
    const { holds } = this.#needs
    if (holds.size > 0 && holds.isBehind(packet)) return this.#wait(packet, type)
    const all = type === 'headline'
    let asked = this.#eligible(packet)
    for (;;) {
      const takers = mostAvailable(asked, all)
      if (takers.length === 0) break
      const took: Session[] = []
      for (const session of takers) if (this.#deliver(session, packet)) took.push(session)
      if (took.length > 0) {
        packet.settle('handed')
        this.#outcome(packet, took, false, undefined)
        return undefined
      }
      if (packet.isSettledByFilter) return undefined
      // All of them ended under the delivery (SM-07), or have no link now; those that are left are asked again.
      if (takers.some((session) => session.takes)) break
      asked = this.#eligible(packet).filter((session) => session.takes)
    }
    if (type === 'headline') return this.#drop(packet, 'RTK_DELIVERY_HEADLINE_TO_NOBODY')
    if (holds.size > 0 && holds.mayWait(packet)) return this.#wait(packet, type)
    return this.#undelivered(packet)
  }

  /** Until somebody may take it again; what a session had taken before, whose connection has gone meanwhile, comes first. */
  #wait(packet: Packet, type: MessageType): Promise<void> | undefined {
    const { holds, unsettled } = this.#needs
    const go = () => this.#later(packet, () => this.#messageToAccount(packet, type))
    return holds.wait(packet, () => (unsettled.has(packet.to) ? unsettled.behind(packet.to, go) : go()))
  }

  /** No session may take it: the offline store's, or refused. */
  #undelivered(packet: Packet): Promise<void> | undefined {
    const { domain, local } = packet.to
    if (this.#needs.sessions.isOnline(domain, local)) return this.#keep(packet)
    const exists = this.#needs.accounts.exists(this.host, local)
    if (exists === true) return this.#keep(packet)
    if (exists === false) return this.#refuseMessage(packet, errorNoAccount)
    const handled = exists.then(
      (found) => (found ? this.#keep(packet) : this.#refuseMessage(packet, errorNoAccount)),
      (error) => {
        this.#needs.fault('account', this.name, error)
        return this.#refuseMessage(packet, refusalFor(error, errorUnknown))
      },
    )
    this.#needs.unsettled.asks(packet.to, exists)
    return handled
  }

  #keep(packet: Packet): Promise<void> | undefined {
    packet.tellsKept = () => this.#outcome(packet, [], true, undefined)
    const verdict = this.type.hooks.filter<'message:undelivered'>(this.type.undelivered, packet, this.host)
    if (verdict === undefined) return this.#refuseMessage(packet)
    if (verdict instanceof Promise) return this.#needs.timed(verdict).then((late) => this.#kept(packet, late))
    this.#kept(packet, verdict)
    return undefined
  }

  #kept(packet: Packet, verdict: Verdict | undefined): void {
    if (verdict === undefined) {
      this.#refuseMessage(packet)
      return
    }
    this.#needs.router.conclude(packet, verdict)
    if (verdict.kind === 'done' && verdict.how === 'kept') packet.isKept()
    else this.#outcome(packet, [], false, verdict.kind === 'error' ? verdict.error.code : undefined)
  }

  #refuseMessage(packet: Packet, error: StanzaError = errorUnavailable): undefined {
    this.#needs.router.bounce(packet, error)
    this.#outcome(packet, [], false, error.code)
  }

  #took(packet: Packet, session: Session): void {
    packet.settle('handed')
    if (this.type.outcome.all.length > 0) this.#outcome(packet, [session], false, undefined)
  }

  #outcome(packet: Packet, sessions: readonly Session[], offline: boolean, refused: string | undefined): void {
    if (this.type.outcome.all.length === 0) return
    this.type.hooks.notice('message:outcome', { packet, host: this.host, sessions, offline, refused })
  }

  #drop(packet: Packet, reason: string): undefined {
    this.#needs.router.conclude(packet, { kind: 'drop', reason })
  }

  // RFC 6121 sections 8.5.2.1.2, 8.5.2.2.2, 8.5.3.1 and 8.5.3.2.2; subscriptions and probes were the inbound filter's.
  #presence(packet: Packet): undefined {
    const type = presenceType(packet.el)
    if (type !== '' && type !== 'unavailable' && type !== 'error') return this.#drop(packet, 'RTK_PRESENCE_UNHANDLED')
    const to = packet.to
    if (to.resource !== '') {
      const session = this.#needs.sessions.find(to)
      if (session === undefined || !this.#deliver(session, packet)) return this.#drop(packet, 'RTK_PRESENCE_TO_NOBODY')
      packet.settle('handed')
      return undefined
    }
    let taken = false
    for (const session of this.#eligible(packet)) {
      if (session.isAvailable && this.#deliver(session, packet)) taken = true
    }
    packet.settle(taken ? 'handed' : 'dropped')
    return undefined
  }

  // RFC 6121 sections 8.5.2.1.3, 8.5.2.2.3, 8.5.3.1 and 8.5.3.2.3.
  #iq(packet: Packet): Promise<void> | undefined {
    const to = packet.to
    if (to.resource !== '') {
      const session = this.#needs.sessions.find(to)
      if (session === undefined || !this.#deliver(session, packet)) {
        if (!packet.isSettledByFilter) this.#needs.router.bounce(packet, errorUnavailable)
        return undefined
      }
      packet.settle('handed')
      return undefined
    }
    const type = packet.el.attr('type')
    if (type === 'get' || type === 'set') {
      const found = this.#findHandler(packet, type, 'account')
      if (found !== undefined) return this.#askAccount(packet, found)
      this.#needs.router.bounce(packet, errorNoHandler)
      return undefined
    }
    if (!this.#needs.answered(packet)) this.#drop(packet, 'RTK_IQ_ANSWER_UNASKED')
    return undefined
  }

  /** RFC 6121 section 8.5.1: nobody answers for an account that does not exist. */
  #askAccount(packet: Packet, entry: IqEntry): Promise<void> | undefined {
    const { domain, local } = packet.to
    const isKnown = packet.implicitTo || entry.hidesAccounts || this.#needs.sessions.isOnline(domain, local)
    const exists = isKnown || this.#needs.accounts.exists(this.host, local)
    if (exists === true) return this.#ask(packet, entry, local)
    if (exists === false) {
      this.#needs.router.bounce(packet, errorNoAccount)
      return undefined
    }
    return exists.then((found) => {
      if (found) return this.#ask(packet, entry, local)
      this.#needs.router.bounce(packet, errorNoAccount)
      return undefined
    })
  }

  #findHandler(packet: Packet, type: 'get' | 'set', target: IqTarget): IqEntry | undefined {
    const names = packet.el.childNames
    const name = names[0]
    return name === undefined ? undefined : this.type.iq.find(type, name.name, name.ns, target)
  }

  /** Calls a handler and sends its answer. The answer keeps the order of the asker unless declared concurrent. */
  #ask(packet: Packet, entry: IqEntry, account: string): Promise<void> | undefined {
    const payload = packet.el.elements[0]
    if (payload === undefined) {
      this.#needs.router.bounce(packet, errorIqShape)
      return undefined
    }
    const request = new Request(packet, payload, this.host, account, this.#needs.router)
    let answer: IqAnswer | Promise<IqAnswer>
    try {
      answer = entry.handler(request)
    } catch (error) {
      answer = this.#handlerFailed(entry, error)
    }
    if (!(answer instanceof Promise)) {
      this.#answer(request, answer)
      return undefined
    }
    const done = this.#needs.timed(answer).then(
      (value) => this.#answer(request, value),
      (error) => this.#answer(request, this.#handlerFailed(entry, error)),
    )
    if (!entry.concurrent) return done
    // What a set changes is kept before the set is acknowledged.
    if (packet.el.attr('type') === 'set') packet.origin.opens?.(done)
    return undefined
  }

  #handlerFailed(entry: IqEntry, error: unknown): StanzaError {
    if (error instanceof StanzaError) return error
    this.#needs.fault('iq', entry.module, error)
    return refusalFor(error, errorIqFailed)
  }

  #answer(request: Request, answer: IqAnswer): void {
    if (request.isAnswered) return
    if (answer instanceof StanzaError) this.#needs.router.bounce(request.packet, answer)
    else request.answer(answer as Element | undefined)
  }

  /** The account's sessions but for those that a filter takes out of the choice. */
  #eligible(packet: Packet): readonly Session[] {
    const sessions = this.#needs.sessions.ofAccount(packet.to.domain, packet.to.local)
    const { eligible, hooks } = this.type
    if (eligible[packet.kind].length === 0) return sessions
    let left: Session[] | undefined
    for (let i = 0; i < sessions.length; i++) {
      const session = sessions[i] as Session
      if (hooks.filter<'session:eligible'>(eligible, packet, session) === undefined) left?.push(session)
      else left ??= sessions.slice(0, i)
    }
    return left ?? sessions
  }

  /** Hands a packet to one session, past the delivery filters. False when it was not taken. */
  #deliver(session: Session, packet: Packet): boolean {
    const point = this.type.deliver
    if (point[packet.kind].length > 0) {
      const verdict = this.type.hooks.filter<'session:deliver'>(point, packet, session)
      if (verdict !== undefined) {
        if (verdict instanceof Promise) throw new Error('a session:deliver handler returned a promise')
        packet.isSettledByFilter = true
        this.#needs.router.conclude(packet, verdict)
        return false
      }
    }
    return session.deliver(packet)
  }
}

class Request implements IqRequest {
  readonly packet: Packet
  readonly payload: Element
  readonly host: Host
  readonly account: string
  isAnswered = false
  readonly #router: Router

  constructor(packet: Packet, payload: Element, host: Host, account: string, router: Router) {
    this.packet = packet
    this.payload = payload
    this.host = host
    this.account = account
    this.#router = router
  }

  answer(payload?: Element): void {
    const { packet } = this
    this.isAnswered = true
    packet.settle('handed')
    const reply = iqResult(packet.el, payload)
    this.#router.submit(new Packet('iq', reply, packet.to, packet.from, this.#router.serverOrigin))
  }
}

/**
 * The sessions that a message to a bare JID goes to: those of the highest non-negative priority ("most available"), or
 * for headlines all with a non-negative priority (RFC 6121 section 8.5.2.1.1).
 */
export function mostAvailable(sessions: readonly Session[], all: boolean): readonly Session[] {
  if (sessions.length === 1) {
    const only = sessions[0] as Session
    return takes(only, 0, all) ? sessions : []
  }
  let highest = 0
  for (const session of sessions) if (session.isAvailable && session.priority > highest) highest = session.priority
  const least = all ? 0 : highest
  return sessions.filter((session) => takes(session, least, all))
}

/** A headline is never kept, so it waits for no hand-over of what was. */
function takes(session: Session, least: number, all: boolean): boolean {
  return session.isAvailable && session.priority >= least && (all || session.takesMessages)
}
