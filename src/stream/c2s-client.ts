/**
 * A client's stream, seen by the client (RFC 6120 sections 4 to 7, RFC 7590, XEP-0368, XEP-0388, XEP-0440): from the header to a bound
 * resource, and the closing handshake. A state machine without I/O; `client.ts` drives it, `connection.ts` carries it.
 *
 *   idle ─start─▶ opening ─header─▶ offered ─features─┬─▶ asking-tls ─proceed─▶ tls ─secured─▶ opening
 *     └─▶ tls ─secured─▶ opening                      ├─▶ signing-in ─success─▶ opening
 *                                                     └─▶ binding ─result, resumed─▶ established
 *
 *   signing-in by SASL2 ─success─▶ offered ─features─┬─▶ established, with a resource already
 *                                                    └─▶ binding
 *
 *   any ─error, refusal, closing tag, deadline─▶ closing ─closing tag, deadline─▶ closed ─disconnected─▶ gone
 */
import { Jid, parseJid } from '../jid/index.ts'
import type { StreamError } from '../stanza/error.ts'
import { NS_BIND, NS_CLIENT, NS_SASL, NS_STREAM, NS_TLS } from '../stanza/ns.ts'
import { NS_SM, smResume } from '../stanza/sm.ts'
import { readStreamError, streamErrorElement } from '../stanza/stream-error.ts'
import type { HashName } from '../world/hashing.types.ts'
import type { CloseCause, TlsInfo } from '../world/net.types.ts'
import type { Element, StreamHeader, XmlFault } from '../xml/index.ts'
import type { C2sClientConfig, C2sClientDriver, C2sClientNeeds, ClientEnd } from './c2s-client.types.ts'
import {
  askingTls,
  type C2sClientState,
  closed,
  closing,
  gone,
  handshake,
  idle,
  offered,
  opening,
  phaseOf,
} from './c2s-client-state.ts'
import { faultError } from './c2s-errors.ts'
import type { Channel } from './c2s-server.types.ts'
import { isOfAcks } from './client-acks.ts'
import { clientErrors } from './client-errors.ts'
import { ClientSignIn, type ClientSignInWhole } from './client-sign-in.ts'
import { beginSignIn, bindRequest, readBound, refused, unsupported } from './client-steps.ts'
import { channelOf, tlsRequest } from './features.ts'
import { headerFault, majorVersion } from './header.ts'
import type { DeadlineName, StreamEffects, StreamMachine } from './machine.types.ts'
import { NS_SASL2 } from './sasl2.ts'

export class C2sClient implements StreamMachine, ClientSignInWhole {
  readonly errorElement = clientErrors.element
  readonly #needs: C2sClientNeeds
  readonly #effects: StreamEffects
  readonly #driver: C2sClientDriver
  readonly #config: C2sClientConfig
  #state: C2sClientState = idle
  #channel: Channel = channelOf(undefined)
  #isSignedIn = false
  /** Of SASL2; the identity is bare while no resource is bound. */
  #success: { readonly element: Element; readonly identity: Jid } | undefined
  #hasHeader = false
  #elements = 0
  #tickets = 0
  #isHeld = false
  #hasEnded = false

  constructor(needs: C2sClientNeeds) {
    this.#needs = needs
    this.#effects = needs.effects
    this.#driver = needs.driver
    this.#config = needs.config
  }

  get state(): C2sClientState['kind'] {
    return this.#state.kind
  }

  start(secured: TlsInfo | 'handshake' | undefined): void {
    if (this.#state.kind !== 'idle') return
    const { limits } = this.#needs
    this.#effects.limit(limits.before, limits.negotiationBytes)
    this.#effects.deadline('negotiation', limits.negotiationMs)
    if (secured === 'handshake') {
      this.#state = handshake
      return
    }
    this.#channel = channelOf(secured)
    this.#open()
  }

  secured(tls: TlsInfo): void {
    if (this.#state.kind !== 'tls') return
    this.#channel = channelOf(tls)
    this.#open()
  }

  streamOpened(header: StreamHeader): void {
    if (this.#state.kind === 'opening') {
      const fault = headerFault(header) ?? (majorVersion(header) >= 1 ? undefined : clientErrors.version)
      if (fault === undefined) this.#state = offered
      else this.#fail(fault)
    } else if (phaseOf(this.#state) === 'open') this.#fail(clientErrors.reopened)
  }

  element(el: Element): void {
    const state = this.#state
    switch (state.kind) {
      case 'offered':
      case 'asking-tls':
      case 'signing-in':
      case 'binding':
        if (!this.#isPeerError(el) && !this.#isTooMany()) this.#negotiate(el, state)
        return
      case 'established':
        // Section 4.3.5: more features may only be none; other things are for whoever uses the stream.
        if (this.#isPeerError(el) || isFeatures(el) || this.#driver.claim(el)) return
        this.#fail(clientErrors.element)
        return
      case 'idle':
      case 'tls':
      case 'opening':
      case 'closing':
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
    this.#fail(faultError(fault))
  }

  exhausted(): void {
    this.#fail(clientErrors.bytes)
  }

  peerEnded(): void {
    const phase = phaseOf(this.#state)
    if (phase === 'closing') this.#finish()
    else if (phase !== 'over') this.#shut({ kind: 'lost', cause: { kind: 'peer' } })
  }

  expired(name: DeadlineName): void {
    switch (name) {
      case 'negotiation':
        if (this.#state.kind !== 'established') this.#fail(clientErrors.timeout)
        return
      case 'closing':
        if (this.#state.kind === 'closing') this.#finish()
        return
    }
  }

  disconnected(cause: CloseCause): void {
    if (this.#state.kind === 'gone') return
    const isTlsFailure = this.#state.kind === 'tls' && cause.kind === 'tls'
    this.#state = gone
    this.#ended(
      isTlsFailure ? refused('tls', cause.code as `RTK_${string}`, undefined, cause.text) : { kind: 'lost', cause },
    )
    this.#driver.disconnected(cause)
  }

  /** Ends the stream, with an error or in good order: the server's closing tag is waited for. */
  close(error?: StreamError): void {
    if (error !== undefined) {
      this.#fail(error)
      return
    }
    const phase = phaseOf(this.#state)
    if (phase === 'open') this.leave({ kind: 'local' })
    else if (phase === 'before') this.#shut({ kind: 'local' })
  }

  /** The answer to the driver's `stretch`; undefined when the password cannot be one. */
  stretched(ticket: number, key: Uint8Array | undefined): void {
    const state = this.#state
    if (state.kind === 'signing-in' && ticket === this.#tickets) {
      state.signIn.stretched(ticket, key)
      this.#release()
    }
  }

  // What the sign-in asks.

  send(el: Element): void {
    this.#effects.send(el)
  }

  stretch(hash: HashName, salt: Uint8Array, iterations: number): number {
    const ticket = ++this.#tickets
    this.#isHeld = true
    this.#effects.hold()
    this.#driver.stretch(ticket, hash, salt, iterations)
    return ticket
  }

  signedIn(success: Element | undefined): void {
    this.#isSignedIn = true
    if (success === undefined) {
      this.#effects.restart()
      this.#open()
      return
    }
    const identity = parseJid(success.childText('authorization-identifier', NS_SASL2)?.trim() ?? '')
    if (identity === undefined) {
      this.leave(refused('sign-in', 'RTK_CLIENT_JID', undefined, 'the server did not say who we are'))
      return
    }
    // XEP-0388 section 2.6.1: features follow at once, without a new stream.
    this.#success = { element: success, identity }
    this.#state = offered
  }

  fail(error: StreamError): void {
    this.#fail(error)
  }

  // Negotiation.

  #open(): void {
    const { domain, username, lang } = this.#config
    this.#state = opening
    this.#hasHeader = true
    this.#effects.sendHeader({
      // Section 4.7.1: who we are is told only where nobody listens.
      from: this.#channel.isSecure ? `${username}@${domain}` : undefined,
      to: domain,
      id: undefined,
      version: '1.0',
      lang: lang ?? 'en',
    })
  }

  #negotiate(el: Element, state: C2sClientState & { kind: 'offered' | 'asking-tls' | 'signing-in' | 'binding' }): void {
    switch (state.kind) {
      case 'offered':
        if (isFeatures(el)) this.#features(el)
        else this.#fail(clientErrors.element)
        return
      case 'asking-tls':
        this.#tlsAnswer(el)
        return
      case 'signing-in':
        state.signIn.receive(el)
        return
      case 'binding':
        if (state.id === undefined) this.#resumeAnswer(el, state.features)
        else this.#bindAnswer(el, state.features, state.id)
        return
    }
  }

  #features(features: Element): void {
    const { tls } = this.#config
    const offersTls = features.child('starttls', NS_TLS) !== undefined
    if (!this.#channel.isSecure && !this.#isSignedIn && (tls === 'required' || (tls === 'optional' && offersTls))) {
      this.#state = askingTls
      this.#effects.send(tlsRequest)
    } else if (this.#isSignedIn) this.#goOn(features)
    else this.#signIn(features)
  }

  // Section 5.4.2.
  #tlsAnswer(el: Element): void {
    if (el.ns === NS_TLS && el.name === 'proceed') {
      this.#state = handshake
      this.#hasHeader = false
      this.#effects.startTls(this.#config.domain)
    } else if (el.ns === NS_TLS && el.name === 'failure') {
      this.leave(refused('tls', 'RTK_CLIENT_TLS_REFUSED', undefined, 'the server does not start TLS'))
    } else this.#fail(clientErrors.element)
  }

  #signIn(features: Element): void {
    const begun = beginSignIn(features, this.#channel, this.#config, this.#needs)
    if ('kind' in begun) {
      if (unsupported(features, NS_SASL) && unsupported(features, NS_SASL2)) this.#fail(clientErrors.unsupported)
      else this.leave(begun)
      return
    }
    const signIn = new ClientSignIn(this, begun.mechanism, begun.inline)
    this.#state = { kind: 'signing-in', signIn }
    signIn.begin()
  }

  // XEP-0198 §5
  #goOn(features: Element): void {
    const { resume } = this.#config
    if (resume === undefined || features.child('sm', NS_SM) === undefined) this.#bind(features)
    else {
      this.#state = { kind: 'binding', features, id: undefined }
      this.#effects.send(smResume(resume.previd, resume.h))
    }
  }

  #resumeAnswer(el: Element, features: Element): void {
    const { resume } = this.#config
    if (resume !== undefined && isOfAcks(el, 'resumed')) this.#establish(resume.jid, features, el)
    else if (isOfAcks(el, 'failed')) {
      this.#driver.notResumed(el)
      this.#bind(features)
    } else this.#fail(clientErrors.element)
  }

  // Section 7.
  #bind(features: Element): void {
    const identity = this.#success?.identity
    if (identity !== undefined && !identity.isBare) {
      this.#establish(identity, features)
      return
    }
    if (features.child('bind', NS_BIND) === undefined) {
      if (unsupported(features, NS_BIND)) this.#fail(clientErrors.unsupported)
      else this.leave(refused('bind', 'RTK_CLIENT_NO_BIND', undefined, 'the server offers no resource'))
      return
    }
    const id = this.#needs.random.id()
    this.#state = { kind: 'binding', features, id }
    this.#effects.send(bindRequest(id, this.#config.resource))
  }

  #bindAnswer(el: Element, features: Element, id: string): void {
    if (el.ns !== NS_CLIENT || el.name !== 'iq' || el.attr('id') !== id) {
      this.#fail(clientErrors.element)
      return
    }
    const bound = readBound(el)
    if (bound instanceof Jid) this.#establish(bound, features)
    else this.leave(bound)
  }

  #establish(jid: Jid, features: Element, resumed?: Element): void {
    this.#state = { kind: 'established', jid }
    this.#effects.deadline('negotiation', 0)
    this.#effects.limit(this.#needs.limits.after, Number.POSITIVE_INFINITY)
    this.#effects.stanzasTo(this.#driver.established(jid, features, this.#success?.element, resumed))
  }

  // Ends.

  #isTooMany(): boolean {
    this.#elements++
    if (this.#elements <= this.#needs.limits.negotiationElements) return false
    this.#fail(clientErrors.elements)
    return true
  }

  #isPeerError(el: Element): boolean {
    if (el.ns !== NS_STREAM || el.name !== 'error') return false
    this.#shut({ kind: 'peer-error', error: readStreamError(el, 'RTK_CLIENT_PEER_ERROR') })
    return true
  }

  /** Our closing tag; the server's is waited for. */
  leave(end: ClientEnd): void {
    this.#state = closing
    this.#effects.stanzasTo(undefined)
    this.#effects.deadline('negotiation', 0)
    this.#effects.sendClose()
    this.#effects.deadline('closing', this.#needs.limits.closingMs)
    this.#ended(end)
    this.#release()
  }

  #release(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#effects.release()
  }

  #fail(error: StreamError): void {
    switch (phaseOf(this.#state)) {
      case 'before':
        this.#shut({ kind: 'error', error })
        return
      case 'open':
        this.#effects.send(streamErrorElement(error))
        this.#shut({ kind: 'error', error })
        return
      case 'closing':
        this.#finish()
        return
      case 'over':
        return
    }
  }

  #shut(end: ClientEnd): void {
    const hasStream = this.#hasHeader
    this.#state = closed
    this.#effects.stanzasTo(undefined)
    this.#effects.deadline('negotiation', 0)
    if (hasStream) this.#effects.sendClose()
    this.#effects.finish()
    this.#ended(end)
  }

  #finish(): void {
    this.#state = closed
    this.#effects.finish()
  }

  #ended(end: ClientEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#driver.ended(end)
  }
}

function isFeatures(el: Element): boolean {
  return el.ns === NS_STREAM && el.name === 'features'
}
