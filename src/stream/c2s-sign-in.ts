/**
 * Sign-in on a client's stream (RFC 6120 section 6.4, XEP-0388), from the features to success.
 *
 *   waiting ─auth─▶ (mechanism) ─challenge─▶ exchanging ─response─▶ (mechanism) ─success─▶ over to the whole
 *      ▲                 │ question               ▲                       │
 *      │                 ▼                        │                       │
 *      │              asking ──answer─────────────┴─▶ …                   │
 *      └────────────── failure, abort; a new auth begins again ◀──────────┘
 *
 * Both profiles share the attempts that a client has. An exchange goes on in the profile in which it began; one of XEP-0388 is
 * strict: nothing but its own elements may come before its end (section 2.4).
 */
import { NS_SASL } from '../stanza/ns.ts'
import type { Element } from '../xml/index.ts'
import { c2sErrors } from './c2s-errors.ts'
import { type AuthOutcome, challengeElement, Exchange, failureElement, successElement } from './c2s-sasl.ts'
import type { C2sWhole, StreamHost, Ticket } from './c2s-server.types.ts'
import { isFast } from './fast.ts'
import { speaksSasl2 } from './features.ts'
import { readPayload, type SaslFailure, type ServerAnswer } from './sasl/index.ts'
import { SASL_FAULT } from './sasl-faults.ts'
import { type Authenticate, dataElement, NS_SASL2, readAuthenticate, readData, strictFailure } from './sasl2.ts'

/** A mechanism under way. */
interface Attempt {
  readonly exchange: Exchange
  /** Undefined in the profile of RFC 6120. */
  readonly request: Authenticate | undefined
  /** It has failed and was counted as such; the client may still say something (RFC 7628 section 3.2.3). */
  readonly isCounted?: boolean
}

type State =
  | { readonly kind: 'waiting' }
  /** A challenge is out, its response is awaited. */
  | { readonly kind: 'exchanging'; readonly attempt: Attempt }
  /** The driver was asked; input is on hold. */
  | { readonly kind: 'asking'; readonly attempt: Attempt; readonly ticket: Ticket }

type Tried = Pick<Exchange, 'mechanism' | 'username'>

const waiting: State = { kind: 'waiting' }

/** Failures before any password was tried. */
const noAttempts: ReadonlySet<string> = new Set([
  // Clients that know other channel bindings than ours, and no XEP-0440, go through all -PLUS mechanisms, then through
  // those without (slixmpp up to 1.8.4 binds to tls-unique even on TLS 1.3), before they come to one that works.
  'RTK_SASL_BINDING_TYPE',
  // RFC 7628 section 4.3: a client without a token asks what it needs.
  'RTK_SASL_BEARER_MISSING',
  'RTK_SASL_DOWNGRADE',
])

/** Whether a failure counts as an attempt at a password. What does not is bounded by `sign_in_elements`. */
export function isAttempt({ condition, code }: Pick<SaslFailure, 'code' | 'condition'>): boolean {
  return condition !== 'aborted' && !noAttempts.has(code)
}

export class SignIn {
  readonly #whole: C2sWhole
  readonly #host: StreamHost
  #state: State = waiting
  #failures = 0
  /** A `<continue/>` was sent. */
  #hasContinued = false

  constructor(whole: C2sWhole, host: StreamHost) {
    this.#whole = whole
    this.#host = host
  }

  /** An exchange is under way. */
  get isMidway(): boolean {
    return this.#state.kind !== 'waiting'
  }

  /** … by XEP-0388. */
  get isStrict(): boolean {
    const state = this.#state
    return state.kind !== 'waiting' && state.attempt.request !== undefined
  }

  get isAsking(): boolean {
    return this.#state.kind === 'asking'
  }

  /** An element of one of the two namespaces. */
  receive(el: Element): void {
    if (el.ns === NS_SASL2) this.#receiveStrict(el)
    else if (this.isStrict) this.#whole.close(c2sErrors.duringSignIn)
    else this.#receiveClassic(el)
  }

  /** RFC 6120 section 6.4. */
  #receiveClassic(el: Element): void {
    const state = this.#state
    switch (el.name) {
      case 'auth':
        // Section 6.4.2: a new request throws an exchange under way away.
        this.#drop()
        this.#begin(el.attr('mechanism') ?? '', undefined, classicData(el))
        return
      case 'response':
        if (state.kind === 'exchanging') {
          // Without content a response is one of no bytes; only an `<auth/>` can be without one (section 6.4.2).
          this.#goOn(state.attempt, classicData(el) ?? noBytes)
          return
        }
        this.#drop()
        this.#fail(undefined, undefined, SASL_FAULT.outOfOrder)
        return
      case 'abort':
        this.#drop()
        this.#fail(undefined, undefined, SASL_FAULT.aborted)
        return
      default:
        this.#whole.close(c2sErrors.unknownElement)
    }
  }

  /** XEP-0388 sections 2.3 to 2.5. */
  #receiveStrict(el: Element): void {
    const state = this.#state
    const attempt = state.kind === 'exchanging' ? state.attempt : undefined
    if (this.#host.hasSasl2 !== true) this.#whole.close(c2sErrors.unknownElement)
    // XEP-0388 section 4.8.
    else if (el.name === 'authenticate' && this.#hasContinued) this.#whole.close(c2sErrors.continued)
    else if (el.name === 'authenticate' && state.kind === 'waiting') this.#authenticate(el)
    else if (attempt?.request !== undefined && el.name === 'response') this.#goOn(attempt, readData(el))
    else if (attempt?.request !== undefined && el.name === 'abort') {
      this.#drop()
      this.#failStrict(SASL_FAULT.aborted)
    } else if (state.kind !== 'waiting') this.#whole.close(c2sErrors.duringSignIn)
    else if (el.name === 'response') this.#failStrict(SASL_FAULT.outOfOrder)
    else if (el.name === 'abort') this.#failStrict(SASL_FAULT.aborted)
    else this.#whole.close(c2sErrors.unknownElement)
  }

  #authenticate(el: Element): void {
    const request = readAuthenticate(el)
    if ('kind' in request) this.#failStrict(request)
    else if (!speaksSasl2(this.#host, this.#whole.channel)) this.#failStrict(SASL_FAULT.needsTls)
    else this.#begin(request.mechanism, request, request.initial)
  }

  /** The driver's answer; one to a question that is no longer open is ignored. */
  answer(ticket: Ticket, answer: ServerAnswer): void {
    const state = this.#state
    if (state.kind !== 'asking' || state.ticket !== ticket) return
    this.#state = { kind: 'exchanging', attempt: state.attempt }
    this.#go(state.attempt, state.attempt.exchange.answer(answer))
    this.#whole.answered()
  }

  #drop(): void {
    const { kind } = this.#state
    this.#state = waiting
    if (kind === 'asking') this.#whole.answered()
  }

  #begin(mechanism: string, request: Authenticate | undefined, data: Uint8Array | SaslFailure | undefined): void {
    const { channel, needs } = this.#whole
    const usesToken = request?.inline.some(isFast) === true
    if (usesToken && (request.agent?.id ?? '') === '') {
      this.#failStrict(SASL_FAULT.noAgent)
      return
    }
    const chosen =
      mechanism === '' ? SASL_FAULT.noMechanism : Exchange.choose(mechanism, this.#host, channel, needs, usesToken)
    if (!(chosen instanceof Exchange)) this.#fail(undefined, request, chosen)
    else this.#goOn({ exchange: chosen, request }, data)
  }

  #goOn(attempt: Attempt, data: Uint8Array | SaslFailure | undefined): void {
    if (data === undefined || data instanceof Uint8Array) this.#go(attempt, attempt.exchange.receive(data))
    else this.#failAttempt(attempt, data)
  }

  #go(attempt: Attempt, outcome: AuthOutcome): void {
    const { exchange, request } = attempt
    const { driver, effects, limits } = this.#whole.needs
    switch (outcome.kind) {
      case 'challenge': {
        const { failure } = outcome
        // The last attempt is over at once: a client need not answer, and might begin again instead.
        if (failure !== undefined && this.#failures >= limits.saslRetries) {
          this.#failAttempt(attempt, failure)
          return
        }
        if (failure !== undefined) this.#count(exchange, failure)
        this.#state = { kind: 'exchanging', attempt: failure === undefined ? attempt : { ...attempt, isCounted: true } }
        const isClassic = request === undefined
        effects.send(isClassic ? challengeElement(outcome.data) : dataElement('challenge', outcome.data))
        return
      }
      case 'ask': {
        const ticket = this.#whole.ask()
        this.#state = { kind: 'asking', attempt, ticket }
        const { question } = outcome
        if (question.kind === 'lookup') driver.lookUp(ticket, this.#host, question)
        else if (question.kind === 'bearer') driver.bearer(ticket, this.#host, question.token)
        else if (question.kind === 'vouch') driver.vouch(ticket, this.#host, question.username, exchange.mechanism)
        else if (question.kind === 'tokens') driver.tokens(ticket, this.#host, question, request?.agent?.id ?? '')
        else driver.verify(ticket, this.#host, question.username, question.password)
        return
      }
      case 'success':
        this.#state = waiting
        this.#succeed(attempt, outcome)
        return
      case 'failure':
        this.#failAttempt(attempt, outcome)
        return
    }
  }

  #succeed({ exchange, request }: Attempt, { username, data, token }: AuthOutcome & { kind: 'success' }): void {
    const { mechanism } = exchange
    if (request === undefined) {
      this.#whole.signedIn(username, mechanism, successElement(data))
      return
    }
    const refusal = this.#whole.authenticated({ username, mechanism, data, token }, request)
    if (refusal !== undefined) this.#fail(exchange, request, refusal)
  }

  /** XEP-0388 section 2.6.3: a task behind the mechanism failed. */
  taskFailed(username: string, mechanism: string, failure: SaslFailure): void {
    this.#hasContinued = true
    this.#refuse({ username, mechanism }, failure, strictFailure(failure))
  }

  #failStrict(failure: SaslFailure): void {
    this.#refuse(undefined, failure, strictFailure(failure))
  }

  #fail(exchange: Exchange | undefined, request: Authenticate | undefined, failure: SaslFailure): void {
    this.#refuse(exchange, failure, request === undefined ? failureElement(failure) : strictFailure(failure))
  }

  #failAttempt({ exchange, request, isCounted = false }: Attempt, failure: SaslFailure): void {
    const element = request === undefined ? failureElement(failure) : strictFailure(failure)
    this.#refuse(exchange, failure, element, isCounted)
  }

  #refuse(exchange: Tried | undefined, failure: SaslFailure, element: Element, isCounted = false): void {
    this.#state = waiting
    const { effects, limits } = this.#whole.needs
    if (!isCounted) this.#count(exchange, failure)
    effects.send(element)
    // RFC 6120 section 6.4.5.
    if (this.#failures > limits.saslRetries) this.#whole.close(c2sErrors.saslRetries)
  }

  #count(exchange: Tried | undefined, failure: SaslFailure): void {
    const { username = '', mechanism = '' } = exchange ?? {}
    const { condition, code } = failure
    this.#whole.needs.driver.signInFailed({ host: this.#host, username, mechanism, condition, code })
    if (isAttempt(failure)) this.#failures++
  }
}

const noBytes = new Uint8Array(0)

function classicData(el: Element): Uint8Array | SaslFailure | undefined {
  if (el.elements.length > 0) return SASL_FAULT.content
  const data = readPayload(el.text)
  return data === 'bad' ? SASL_FAULT.encoding : data
}

/** True for what `SignIn` takes. */
export function isSasl(el: Element): boolean {
  return el.ns === NS_SASL || el.ns === NS_SASL2
}
