/**
 * Sign-in on a client's stream (RFC 6120 section 6.4), from the features to success.
 *
 *   waiting ─auth─▶ (mechanism) ─challenge─▶ exchanging ─response─▶ (mechanism) ─success─▶ over to the whole
 *      ▲                 │ question               ▲                       │
 *      │                 ▼                        │                       │
 *      │              asking ──answer─────────────┴─▶ …                   │
 *      └────────────── failure, abort; a new auth begins again ◀──────────┘
 */
import { NS_SASL } from '../stanza/ns.ts'
import type { Element } from '../xml/index.ts'
import { c2sErrors } from './c2s-errors.ts'
import { type AuthOutcome, aborted, Exchange, failureElement, outOfOrder } from './c2s-sasl.ts'
import type { C2sWhole, StreamHost, Ticket } from './c2s-server.types.ts'
import type { SaslFailure, ServerAnswer } from './sasl/index.ts'

type State =
  | { readonly kind: 'waiting' }
  /** A challenge is out, its response is awaited. */
  | { readonly kind: 'exchanging'; readonly exchange: Exchange }
  /** The driver was asked; input is on hold. */
  | { readonly kind: 'asking'; readonly exchange: Exchange; readonly ticket: Ticket }

const waiting: State = { kind: 'waiting' }

/** Failures before any password was tried. */
const noAttempts: ReadonlySet<string> = new Set([
  // Clients that know other channel bindings than ours, and no XEP-0440, go through all -PLUS mechanisms, then through
  // those without (slixmpp up to 1.8.4 binds to tls-unique even on TLS 1.3), before they come to one that works.
  'RTK_SASL_BINDING_TYPE',
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

  constructor(whole: C2sWhole, host: StreamHost) {
    this.#whole = whole
    this.#host = host
  }

  /** An exchange is under way. */
  get isMidway(): boolean {
    return this.#state.kind !== 'waiting'
  }

  get isAsking(): boolean {
    return this.#state.kind === 'asking'
  }

  /** An element of the SASL namespace. */
  receive(el: Element): void {
    const state = this.#state
    switch (el.name) {
      case 'auth': {
        // Section 6.4.2: a new request throws an exchange under way away.
        this.#drop()
        const exchange = Exchange.choose(el, this.#host, this.#whole.channel, this.#whole.needs)
        if (exchange instanceof Exchange) this.#go(exchange, exchange.receive(el))
        else this.#fail(undefined, exchange)
        return
      }
      case 'response':
        if (state.kind === 'exchanging') {
          this.#go(state.exchange, state.exchange.receive(el))
          return
        }
        this.#drop()
        this.#fail(undefined, outOfOrder)
        return
      case 'abort':
        this.#drop()
        this.#fail(undefined, aborted)
        return
      default:
        this.#whole.close(c2sErrors.unknownElement)
    }
  }

  /** The driver's answer; one to a question that is no longer open is ignored. */
  answer(ticket: Ticket, answer: ServerAnswer): void {
    const state = this.#state
    if (state.kind !== 'asking' || state.ticket !== ticket) return
    this.#state = { kind: 'exchanging', exchange: state.exchange }
    this.#go(state.exchange, state.exchange.answer(answer))
    this.#whole.answered()
  }

  #drop(): void {
    const { kind } = this.#state
    this.#state = waiting
    if (kind === 'asking') this.#whole.answered()
  }

  #go(exchange: Exchange, outcome: AuthOutcome): void {
    switch (outcome.kind) {
      case 'challenge':
        this.#state = { kind: 'exchanging', exchange }
        this.#whole.needs.effects.send(outcome.element)
        return
      case 'ask': {
        const ticket = this.#whole.ask()
        this.#state = { kind: 'asking', exchange, ticket }
        const { driver } = this.#whole.needs
        const { question } = outcome
        if (question.kind === 'lookup') driver.lookUp(ticket, this.#host, question)
        else driver.verify(ticket, this.#host, question.username, question.password)
        return
      }
      case 'success':
        this.#state = waiting
        this.#whole.signedIn(outcome.username, exchange.mechanism, outcome.element)
        return
      case 'failure':
        this.#fail(exchange, outcome)
        return
    }
  }

  #fail(exchange: Exchange | undefined, failure: SaslFailure): void {
    this.#state = waiting
    const { driver, effects, limits } = this.#whole.needs
    const username = exchange?.username ?? ''
    const { condition, code } = failure
    driver.signInFailed({ host: this.#host, username, mechanism: exchange?.mechanism ?? '', condition, code })
    effects.send(failureElement(failure))
    if (!isAttempt(failure)) return
    this.#failures++
    // Section 6.4.5.
    if (this.#failures > limits.saslRetries) this.#whole.close(c2sErrors.saslRetries)
  }
}

/** True for what `SignIn` takes. */
export function isSasl(el: Element): boolean {
  return el.ns === NS_SASL
}
