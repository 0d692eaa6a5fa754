/**
 * A client's stream, seen by the server (RFC 6120 sections 4 to 7, XEP-0368, XEP-0388, XEP-0440): from the first header to a bound
 * resource, and the closing handshake. A state machine without I/O; `listeners/c2s` drives it, `connection.ts` carries it.
 *
 *   idle ─start─▶ opening ◀──────────── restart ───────────┐
 *     └─────────▶ tls ─secured─▶ opening                    │
 *                                  │ header                 │
 *                    ┌─────────────┴──────────┐             │
 *                 no account              account           │
 *                    ▼                        ▼             │
 *                 features ──starttls─▶ tls   binding       │
 *                    │ auth                   │ iq bind     │
 *                    ▼                        ▼             │
 *             authenticating ─success─────────│─────────────┘
 *                    │ failure                │ bound
 *                    ▼                        ▼
 *                 features               established
 *
 *   authenticating by SASL2 ─success─▶ inlining ─┬─ resumed, or bound ─▶ established
 *                                                └─ neither ─▶ binding
 *
 *   any ─error, closing tag, deadline, end of input─▶ closing ─closing tag, deadline─▶ closed ─disconnected─▶ gone
 *
 * `authenticating`, `inlining` and `binding` have an open question where a ticket is set; the connection is on hold then.
 */
import { type Jid, makeJid } from '../jid/index.ts'
import type { StreamError } from '../stanza/error.ts'
import { NS_STREAM, NS_TLS } from '../stanza/ns.ts'
import { stanzaKind } from '../stanza/stanza.ts'
import { readStreamError, streamErrorElement } from '../stanza/stream-error.ts'
import type { CloseCause, TlsInfo } from '../world/net.types.ts'
import type { Element, StreamHeader, XmlFault } from '../xml/index.ts'
import { Binding } from './c2s-bind.ts'
import { c2sErrors, faultError, unknownElement } from './c2s-errors.ts'
import { Inline } from './c2s-inline.ts'
import { plainHeader, readOpening } from './c2s-opening.ts'
import type {
  Account,
  BindAnswer,
  Bound,
  C2sDriver,
  C2sServerNeeds,
  C2sWhole,
  Channel,
  InlineAnswer,
  MechanismSuccess,
  StreamHost,
  Ticket,
} from './c2s-server.types.ts'
import { isSasl, SignIn } from './c2s-sign-in.ts'
import { type C2sState, closed, closing, gone, handshake, idle, isAsking, phaseOf } from './c2s-state.ts'
import { EarlyStanzas } from './early-stanzas.ts'
import { bindFeatures, boundFeatures, channelOf, signInFeatures, tlsFailure, tlsProceed } from './features.ts'
import type { DeadlineName, StreamEffects, StreamEnd, StreamMachine } from './machine.types.ts'
import type { SaslFailure, ServerAnswer } from './sasl/index.ts'
import { SASL_FAULT } from './sasl-faults.ts'
import type { Authenticate } from './sasl2.ts'
import type { UpgradeTask } from './upgrade.ts'

export class C2sServer implements StreamMachine, C2sWhole {
  readonly needs: C2sServerNeeds
  readonly #effects: StreamEffects
  readonly #driver: C2sDriver
  #state: C2sState = idle
  #channel: Channel = channelOf(undefined)
  /** Our header of the present stream is out. */
  #hasHeader = false
  /** Bare JID of a header's `from` that came inside of TLS: it must turn out to be who signs in (section 6.4.6). */
  #claimed: Jid | undefined
  #elements = 0
  #tickets = 0
  #isHeld = false
  #hasEnded = false

  constructor(needs: C2sServerNeeds) {
    this.needs = needs
    this.#effects = needs.effects
    this.#driver = needs.driver
  }

  get state(): C2sState['kind'] {
    return this.#state.kind
  }

  /** What the connection is like; once bound without the data of channel bindings. */
  get channel(): Channel {
    return this.#channel
  }

  /** Who signed in; undefined before that and after the end. */
  get account(): Account | undefined {
    return 'account' in this.#state ? this.#state.account : undefined
  }

  /** The full JID while the stream is established. */
  get jid(): Jid | undefined {
    return this.#state.kind === 'established' ? this.#state.jid : undefined
  }

  // Inputs of the connection.

  start(secured: TlsInfo | 'handshake' | undefined): void {
    if (this.#state.kind !== 'idle') return
    const { limits } = this.needs
    this.#effects.limit(limits.before, limits.negotiationBytes)
    this.#effects.deadline('negotiation', limits.negotiationMs)
    if (secured === 'handshake') {
      this.#state = handshake
      return
    }
    this.#channel = channelOf(secured)
    this.#open(undefined, undefined)
  }

  secured(info: TlsInfo): void {
    if (this.#state.kind !== 'tls') return
    this.#channel = channelOf(info)
    // Section 5.4.3.3: what was learnt in the clear is forgotten.
    this.#open(undefined, undefined)
  }

  streamOpened(header: StreamHeader): void {
    const state = this.#state
    if (state.kind === 'opening') this.#opened(header, state)
    else if (phaseOf(state) === 'open') this.#fail(c2sErrors.reopened)
  }

  element(el: Element): void {
    const state = this.#state
    switch (state.kind) {
      case 'features':
        if (!this.#isPeerError(el) && !this.#isTooMany()) this.#beforeSignIn(el, state)
        return
      case 'inlining':
        if (!this.#isPeerError(el) && !this.#isTooMany()) state.inline.receive(el)
        return
      case 'binding':
        if (!this.#isPeerError(el) && !this.#isTooMany()) this.#beforeBinding(el, state)
        return
      case 'established':
        if (!this.#isPeerError(el)) this.#unknown(el, 'established')
        return
      case 'closing':
        // Section 4.4: what still comes may be processed; the session has ended, so it is not.
        return
      case 'idle':
      case 'tls':
      case 'opening':
      case 'closed':
      case 'gone':
        return
    }
  }

  streamClosed(): void {
    const phase = phaseOf(this.#state)
    if (phase === 'open') this.#shut({ kind: 'peer-closed' })
    else if (phase === 'closing') this.#finish()
  }

  fault(fault: XmlFault): void {
    if (phaseOf(this.#state) !== 'before') this.#fail(faultError(fault))
  }

  exhausted(): void {
    this.#fail(c2sErrors.bytes)
  }

  peerEnded(): void {
    switch (phaseOf(this.#state)) {
      case 'before':
      case 'open':
        // Half-closed without a closing tag: not in good order, but ours can still be sent.
        this.#shut({ kind: 'lost', cause: { kind: 'peer' } })
        return
      case 'closing':
        this.#finish()
        return
      case 'over':
        return
    }
  }

  expired(name: DeadlineName): void {
    switch (name) {
      case 'negotiation':
        if (this.#state.kind !== 'established') this.#fail(c2sErrors.timeout)
        return
      case 'closing':
        if (this.#state.kind === 'closing') this.#finish()
        return
    }
  }

  disconnected(cause: CloseCause): void {
    if (this.#state.kind === 'gone') return
    this.#state = gone
    this.#ended({ kind: 'lost', cause })
    this.#driver.disconnected(cause)
  }

  /** The session or the server ends the stream, with an error or in good order. */
  close(error?: StreamError): void {
    if (error !== undefined) {
      this.#fail(error)
      return
    }
    const phase = phaseOf(this.#state)
    if (phase === 'closing' || phase === 'over') return
    if (phase === 'before' || this.#state.kind === 'opening') {
      this.#shut({ kind: 'local' })
      return
    }
    this.#state = closing
    this.#leave()
    this.#effects.sendClose()
    this.#effects.deadline('closing', this.needs.limits.closingMs)
    this.#ended({ kind: 'local' })
    this.answered()
  }

  // Answers of the driver; one that nobody waits for any more is ignored.

  /** The answer to `lookUp` or `verify`. */
  answer(ticket: Ticket, answer: ServerAnswer): void {
    if (this.#state.kind === 'features') this.#state.signIn.answer(ticket, answer)
  }

  /** The answer to `bind`. False: nobody waits for it, and a session that was made for it must be ended. */
  bound(ticket: Ticket, answer: BindAnswer): boolean {
    return this.#state.kind === 'binding' && this.#state.binding.answer(ticket, answer)
  }

  /** The answer to `upgrades` and `keepUpgrade`. */
  upgrade(ticket: Ticket, tasks: readonly UpgradeTask[]): void {
    if (this.#state.kind === 'inlining') this.#state.inline.upgrade(ticket, tasks)
  }

  /** The answer to `inline`. False as in `bound`. */
  inlined(ticket: Ticket, answer: InlineAnswer): boolean {
    return this.#state.kind === 'inlining' && this.#state.inline.answer(ticket, answer)
  }

  // What the parts ask, and a driver that signs in or binds by other means (XEP-0198 resumption).

  ask(): Ticket {
    if (!this.#isHeld) this.#effects.hold()
    this.#isHeld = true
    return ++this.#tickets
  }

  answered(): void {
    if (!this.#isHeld || isAsking(this.#state)) return
    this.#isHeld = false
    this.#effects.release()
  }

  signedIn(username: string, mechanism: string, success: Element): void {
    const state = this.#state
    if (state.kind !== 'features') return
    const jid = makeJid(username, state.host.domain)
    // Mechanisms give prepared localparts; anything else is a fault of ours.
    if (jid === undefined || jid.local === '') this.#fail(c2sErrors.username)
    // Section 6.4.6: the `from` under TLS and the authenticated identity must agree.
    else if (this.#claimed !== undefined && !this.#claimed.equals(jid)) this.#fail(c2sErrors.fromOther)
    else {
      const account = { jid, mechanism }
      this.#driver.signedIn(account)
      this.#effects.send(success)
      this.#effects.restart()
      this.#open(account, state.host)
    }
  }

  authenticated(success: MechanismSuccess, request: Authenticate): SaslFailure | undefined {
    const state = this.#state
    if (state.kind !== 'features') return undefined
    const { host } = state
    const { username, mechanism, data, token } = success
    const jid = makeJid(username, host.domain)
    if (jid === undefined || jid.local === '') this.#fail(c2sErrors.username)
    else if (this.#claimed !== undefined && !this.#claimed.equals(jid)) return SASL_FAULT.otherIdentity
    else {
      const account = { jid, mechanism, ...(token === undefined ? {} : { token }) }
      const inline = new Inline(this, { host, account, request, data })
      this.#state = { kind: 'inlining', host, account, inline, signIn: state.signIn }
      inline.begin()
    }
    return undefined
  }

  failed(failure: SaslFailure): void {
    const state = this.#state
    if (state.kind !== 'inlining') return
    const { host, account, signIn } = state
    this.#state = { kind: 'features', host, signIn }
    signIn.taskFailed(account.jid.local, account.mechanism, failure)
  }

  /** XEP-0388 section 2.6.1: there is no new stream, the features follow at once; behind a resumption none (XEP-0198 section 9.2). */
  succeeded(success: Element, { bound, isResumed }: InlineAnswer): void {
    const state = this.#state
    if (state.kind !== 'inlining') return
    const { host, account } = state
    const others = this.#driver.features(host, 'bind')
    this.#effects.send(success)
    this.#state = { kind: 'binding', host, account, binding: new Binding(this, host, account.jid) }
    if (bound !== undefined) {
      this.establish(bound, isResumed === true ? undefined : boundFeatures(others))
      return
    }
    this.#effects.flushWrites()
    this.#effects.send(bindFeatures(others))
  }

  /** Hands the stream over to its session. `result` is sent before anything that the session writes. */
  establish(bound: Bound, result: Element | undefined): void {
    const state = this.#state
    if (state.kind !== 'binding') return
    const effects = this.#effects
    this.#state = { kind: 'established', account: state.account, jid: bound.jid }
    this.#claimed = undefined
    this.#channel = { isSecure: this.#channel.isSecure, bindings: new Map(), tls: this.#channel.tls }
    if (result !== undefined) effects.send(result)
    effects.flushWrites()
    effects.deadline('negotiation', 0)
    effects.limit(this.needs.limits.after, Number.POSITIVE_INFINITY)
    const answer = (el: Element) => effects.send(el)
    effects.stanzasTo(new EarlyStanzas(bound.sink, answer, (inner) => effects.stanzasTo(inner)))
  }

  // The stream header: sections 4.7 to 4.9.

  #open(account: Account | undefined, host: StreamHost | undefined): void {
    this.#hasHeader = false
    this.#claimed = undefined
    this.#state = { kind: 'opening', account, host }
  }

  #opened(header: StreamHeader, state: C2sState & { kind: 'opening' }): void {
    const { account } = state
    const before = { account: account?.jid, host: state.host }
    const { ours, result } = readOpening(header, before, this.#driver, this.needs.random.id())
    // Section 4.9.1.2: an error needs our header before it, whatever theirs was like.
    this.#hasHeader = true
    this.#effects.sendHeader(ours)
    if (!('host' in result)) {
      this.#fail(result)
      return
    }
    const { host } = result
    if (account !== undefined) {
      this.#state = { kind: 'binding', host, account, binding: new Binding(this, host, account.jid) }
      this.#effects.send(bindFeatures(this.#driver.features(host, 'bind')))
      return
    }
    if (this.#channel.isSecure) this.#claimed = result.from
    // XEP-0388 section 2.1. In the clear it means nothing yet.
    if (this.#claimed !== undefined && this.#claimed.domain !== host.domain) {
      this.#fail(c2sErrors.fromElsewhere)
      return
    }
    this.#state = { kind: 'features', host, signIn: new SignIn(this, host) }
    this.#effects.send(signInFeatures(host, this.#channel, this.#driver))
  }

  // Elements by state.

  #beforeSignIn(el: Element, state: C2sState & { kind: 'features' }): void {
    if (isStartTls(el)) this.#startTls(state)
    else if (isSasl(el)) state.signIn.receive(el)
    else this.#unknown(el, 'features')
  }

  #beforeBinding(el: Element, state: C2sState & { kind: 'binding' }): void {
    if (stanzaKind(el) === undefined) this.#unknown(el, 'bind')
    else state.binding.receive(el)
  }

  #startTls({ host, signIn }: C2sState & { kind: 'features' }): void {
    if (this.#channel.isSecure || host.tls === 'none' || signIn.isMidway) {
      this.#refuseTls()
      return
    }
    this.#state = handshake
    this.#effects.send(tlsProceed)
    this.#effects.startTls(host.domain)
  }

  /** Section 5.4.2.2: STARTTLS that was not offered, or comes out of order. */
  #refuseTls(): void {
    this.#effects.send(tlsFailure)
    this.#shut({ kind: 'error', error: c2sErrors.tlsRefused })
  }

  /** What this state has no place for: a module's, or an error. */
  #unknown(el: Element, stage: 'features' | 'bind' | 'established'): void {
    const state = this.#state
    // XEP-0388 section 2.4: amid its exchange nothing is anybody's.
    const isStrict = state.kind === 'features' && state.signIn.isStrict
    if (!isStrict && this.#driver.claim(el, stage)) return
    if (isStartTls(el)) this.#refuseTls()
    else if (isSasl(el)) this.#fail(c2sErrors.signedIn)
    else if (stanzaKind(el) !== undefined) this.#fail(c2sErrors.beforeSignIn)
    else this.#fail(unknownElement(el))
  }

  #isPeerError(el: Element): boolean {
    if (el.ns !== NS_STREAM || el.name !== 'error') return false
    this.#shut({ kind: 'peer-error', error: readStreamError(el, 'RTK_STREAM_PEER_ERROR') })
    return true
  }

  #isTooMany(): boolean {
    this.#elements++
    if (this.#elements <= this.needs.limits.negotiationElements) return false
    this.#fail(c2sErrors.elements)
    return true
  }

  // Ends.

  /** Ends the stream with an error (section 4.9.1.1), a header of ours before it if there was none. */
  #fail(error: StreamError): void {
    switch (phaseOf(this.#state)) {
      case 'before':
        // Section 5.4.3.2: there is no stream to send it on.
        this.#shut({ kind: 'error', error })
        return
      case 'open':
        if (!this.#hasHeader) this.#effects.sendHeader(plainHeader(this.#driver, this.needs.random.id()))
        this.#hasHeader = true
        try {
          this.#effects.send(streamErrorElement(error))
        } finally {
          this.#shut({ kind: 'error', error })
        }
        return
      case 'closing':
        this.#finish()
        return
      case 'over':
        return
    }
  }

  /** Closes both directions now. */
  #shut(end: StreamEnd): void {
    const hasStream = this.#hasHeader && phaseOf(this.#state) !== 'before'
    this.#state = closed
    this.#leave()
    if (hasStream) this.#effects.sendClose()
    this.#effects.finish()
    this.#ended(end)
  }

  #finish(): void {
    this.#state = closed
    this.#effects.finish()
  }

  /** Stanzas of this client are of no more use, and those for a session that he has not heard of are undeliverable. */
  #leave(): void {
    this.#effects.stanzasTo(undefined)
    this.#effects.deadline('negotiation', 0)
  }

  #ended(end: StreamEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#driver.ended(end)
  }
}

function isStartTls(el: Element): boolean {
  return el.ns === NS_TLS && el.name === 'starttls'
}
