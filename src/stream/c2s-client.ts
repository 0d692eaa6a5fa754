/**
 * A client's stream, seen by the client (RFC 6120 sections 4 to 7, RFC 7590, XEP-0368, XEP-0440): from the header to a bound resource,
 * and the closing handshake. A state machine without I/O; `client.ts` drives it, `connection.ts` carries it.
 *
 *   idle ─start─▶ opening ─header─▶ offered ─features─┬─▶ asking-tls ─proceed─▶ tls ─secured─▶ opening
 *     └─▶ tls ─secured─▶ opening                      ├─▶ signing-in ─success─▶ opening
 *                                                     └─▶ binding ─result, resumed─▶ established
 *
 *   any ─error, refusal, closing tag, deadline─▶ closing ─closing tag, deadline─▶ closed ─disconnected─▶ gone
 */
import { Jid } from '../jid/index.ts'
import type { StreamError } from '../stanza/error.ts'
import { NS_BIND, NS_CLIENT, NS_SASL, NS_STREAM, NS_TLS } from '../stanza/ns.ts'
import { NS_SM, smResume } from '../stanza/sm.ts'
import { readStreamError, streamErrorElement } from '../stanza/stream-error.ts'
import type { CloseCause, TlsInfo } from '../world/net.types.ts'
import { type Element, type StreamHeader, type XmlFault, x } from '../xml/index.ts'
import type { C2sClientConfig, C2sClientDriver, C2sClientNeeds, ClientEnd } from './c2s-client.types.ts'
import { faultError } from './c2s-errors.ts'
import type { Channel } from './c2s-server.types.ts'
import { isOfAcks } from './client-acks.ts'
import { clientErrors } from './client-errors.ts'
import { beginSignIn, bindRequest, readBound, readFailure, refused, unsupported } from './client-steps.ts'
import { channelOf, tlsRequest } from './features.ts'
import { headerFault, majorVersion } from './header.ts'
import type { DeadlineName, StreamEffects, StreamMachine } from './machine.types.ts'
import { type ClientMechanism, type ClientStep, readPayload, writePayload } from './sasl/index.ts'

type State =
  | { readonly kind: 'idle' }
  /** A TLS handshake runs; there is no stream. */
  | { readonly kind: 'tls' }
  /** Our header is out, theirs is awaited. */
  | { readonly kind: 'opening' }
  /** Their header has come, the features are awaited. */
  | { readonly kind: 'offered' }
  | { readonly kind: 'asking-tls' }
  /** `ticket`: the password is being stretched, input is on hold. */
  | { readonly kind: 'signing-in'; readonly mechanism: ClientMechanism; readonly ticket: number | undefined }
  /** A resource is asked for; without `id` a former session (XEP-0198 §5). */
  | { readonly kind: 'binding'; readonly features: Element; readonly id: string | undefined }
  | { readonly kind: 'established'; readonly jid: Jid }
  /** Our closing tag is out, the server's is awaited. */
  | { readonly kind: 'closing' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'gone' }

const idle: State = { kind: 'idle' }
const handshake: State = { kind: 'tls' }
const opening: State = { kind: 'opening' }
const offered: State = { kind: 'offered' }
const askingTls: State = { kind: 'asking-tls' }
const closing: State = { kind: 'closing' }
const closed: State = { kind: 'closed' }
const gone: State = { kind: 'gone' }

export class C2sClient implements StreamMachine {
  readonly #needs: C2sClientNeeds
  readonly #effects: StreamEffects
  readonly #driver: C2sClientDriver
  readonly #config: C2sClientConfig
  #state: State = idle
  #channel: Channel = channelOf(undefined)
  #isSignedIn = false
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

  get state(): State['kind'] {
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
    switch (this.#state.kind) {
      case 'opening': {
        const fault = headerFault(header) ?? (majorVersion(header) >= 1 ? undefined : clientErrors.version)
        if (fault === undefined) this.#state = offered
        else this.#fail(fault)
        return
      }
      case 'offered':
      case 'asking-tls':
      case 'signing-in':
      case 'binding':
      case 'established':
        this.#fail(clientErrors.reopened)
        return
      case 'idle':
      case 'tls':
      case 'closing':
      case 'closed':
      case 'gone':
        return
    }
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
    switch (this.#state.kind) {
      case 'opening':
      case 'offered':
      case 'asking-tls':
      case 'signing-in':
      case 'binding':
      case 'established':
        this.#shut({ kind: 'peer-closed' })
        return
      case 'closing':
        this.#finish()
        return
      case 'idle':
      case 'tls':
      case 'closed':
      case 'gone':
        return
    }
  }

  fault(fault: XmlFault): void {
    this.#fail(faultError(fault))
  }

  exhausted(): void {
    this.#fail(clientErrors.bytes)
  }

  peerEnded(): void {
    switch (this.#state.kind) {
      case 'closing':
        this.#finish()
        return
      case 'closed':
      case 'gone':
        return
      case 'idle':
      case 'tls':
      case 'opening':
      case 'offered':
      case 'asking-tls':
      case 'signing-in':
      case 'binding':
      case 'established':
        this.#shut({ kind: 'lost', cause: { kind: 'peer' } })
        return
    }
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
    switch (this.#state.kind) {
      case 'opening':
      case 'offered':
      case 'asking-tls':
      case 'signing-in':
      case 'binding':
      case 'established':
        this.#close({ kind: 'local' })
        return
      case 'idle':
      case 'tls':
        this.#shut({ kind: 'local' })
        return
      case 'closing':
      case 'closed':
      case 'gone':
        return
    }
  }

  /** The answer to `stretch`; undefined when the password cannot be one. */
  stretched(ticket: number, key: Uint8Array | undefined): void {
    const state = this.#state
    if (state.kind !== 'signing-in' || state.ticket !== ticket) return
    this.#state = { ...state, ticket: undefined }
    if (key === undefined) this.#close(refused('sign-in', 'RTK_CLIENT_PASSWORD', undefined, 'the password is none'))
    else this.#step(state.mechanism, state.mechanism.resume(key))
    this.#release()
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

  #negotiate(el: Element, state: State & { kind: 'offered' | 'asking-tls' | 'signing-in' | 'binding' }): void {
    switch (state.kind) {
      case 'offered':
        if (isFeatures(el)) this.#features(el)
        else this.#fail(clientErrors.element)
        return
      case 'asking-tls':
        this.#tlsAnswer(el)
        return
      case 'signing-in':
        this.#signInAnswer(el, state.mechanism)
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
      this.#close(refused('tls', 'RTK_CLIENT_TLS_REFUSED', undefined, 'the server does not start TLS'))
    } else this.#fail(clientErrors.element)
  }

  #signIn(features: Element): void {
    const begun = beginSignIn(features, this.#channel, this.#config, this.#needs)
    if ('kind' in begun) {
      if (unsupported(features, NS_SASL)) this.#fail(clientErrors.unsupported)
      else this.#close(begun)
      return
    }
    const step = begun.mechanism.begin()
    this.#state = { kind: 'signing-in', mechanism: begun.mechanism, ticket: undefined }
    if (step.kind !== 'response') this.#step(begun.mechanism, step)
    else this.#effects.send(x('auth', NS_SASL, { mechanism: begun.mechanism.name }, writePayload(step.data)))
  }

  // Section 6.4.
  #signInAnswer(el: Element, mechanism: ClientMechanism): void {
    if (el.ns !== NS_SASL) {
      this.#fail(clientErrors.element)
      return
    }
    if (el.name === 'failure') {
      this.#close(readFailure(el))
      return
    }
    const data = readPayload(el.text)
    if (data === 'bad') this.#close(refused('sign-in', 'RTK_SASL_ENCODING', 'incorrect-encoding', 'not base64'))
    else if (el.name === 'challenge') this.#step(mechanism, mechanism.step(data ?? new Uint8Array(0)))
    else if (el.name === 'success') this.#step(mechanism, mechanism.finish(data))
    else this.#fail(clientErrors.element)
  }

  #step(mechanism: ClientMechanism, step: ClientStep): void {
    switch (step.kind) {
      case 'response':
        // Section 6.4.3: nothing in it is written as '=' only in `<auth/>` and `<success/>`, which differ from their absence.
        this.#effects.send(x('response', NS_SASL, step.data.length === 0 ? undefined : writePayload(step.data)))
        return
      case 'stretch': {
        const ticket = ++this.#tickets
        this.#state = { kind: 'signing-in', mechanism, ticket }
        this.#isHeld = true
        this.#effects.hold()
        this.#driver.stretch(ticket, step.hash, step.salt, step.iterations)
        return
      }
      case 'success':
        this.#isSignedIn = true
        this.#effects.restart()
        this.#open()
        return
      case 'failure':
        // Section 6.4.4: a server that did not prove itself, or speaks nonsense, is left.
        this.#effects.send(x('abort', NS_SASL))
        this.#close(refused('sign-in', step.code, step.condition, step.text))
        return
    }
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
    if (features.child('bind', NS_BIND) === undefined) {
      if (unsupported(features, NS_BIND)) this.#fail(clientErrors.unsupported)
      else this.#close(refused('bind', 'RTK_CLIENT_NO_BIND', undefined, 'the server offers no resource'))
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
    else this.#close(bound)
  }

  #establish(jid: Jid, features: Element, resumed?: Element): void {
    this.#state = { kind: 'established', jid }
    this.#effects.deadline('negotiation', 0)
    this.#effects.limit(this.#needs.limits.after, Number.POSITIVE_INFINITY)
    this.#effects.stanzasTo(this.#driver.established(jid, features, resumed))
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
  #close(end: ClientEnd): void {
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
    switch (this.#state.kind) {
      case 'idle':
      case 'tls':
        this.#shut({ kind: 'error', error })
        return
      case 'opening':
      case 'offered':
      case 'asking-tls':
      case 'signing-in':
      case 'binding':
      case 'established':
        this.#effects.send(streamErrorElement(error))
        this.#shut({ kind: 'error', error })
        return
      case 'closing':
        this.#finish()
        return
      case 'closed':
      case 'gone':
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
