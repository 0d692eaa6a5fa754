/** Resource binding (RFC 6120 section 7) and the session request of RFC 3921 section 3, as elements. */
import { type Jid, prepResource } from '../jid/index.ts'
import { StanzaError } from '../stanza/error.ts'
import { NS_BIND, NS_SESSION } from '../stanza/ns.ts'
import { errorReply, iqResult } from '../stanza/reply.ts'
import { type Element, x } from '../xml/index.ts'
import { c2sErrors } from './c2s-errors.ts'
import type { BindAnswer, C2sWhole, StreamHost, Ticket } from './c2s-server.types.ts'

export const bindFeature = x('bind', NS_BIND)
/** Old clients ask for a session when they see this; `<optional/>` tells the others that nothing depends on it. */
export const sessionFeature = x('session', NS_SESSION, x('optional', NS_SESSION))

const badResource = new StanzaError('RTK_STREAM_BIND_RESOURCE', 'bad-request', {
  text: 'no such resource can be in a JID',
})
const notYet = new StanzaError('RTK_STREAM_BIND_FIRST', 'unexpected-request', { text: 'bind a resource first' })
const badBind = new StanzaError('RTK_STREAM_BIND_REQUEST', 'bad-request', { text: 'binding is an iq set with an id' })

/** What a stanza before binding means. */
export type BindRequest =
  | { readonly kind: 'bind'; readonly resource: string }
  /** Answer with this and wait on; `counts`: it was an attempt to bind. */
  | { readonly kind: 'refuse'; readonly error: StanzaError; readonly counts: boolean }
  /** Section 7.1: a stanza to others before binding ends the stream. */
  | { readonly kind: 'not-authorized' }

export function readBindRequest(el: Element, account: Jid): BindRequest {
  const bind = el.name === 'iq' ? el.child('bind', NS_BIND) : undefined
  if (bind === undefined) {
    if (el.name !== 'iq' || !isToSelf(el, account)) return { kind: 'not-authorized' }
    return { kind: 'refuse', error: notYet, counts: false }
  }
  if (el.attr('type') !== 'set' || el.attr('id') === undefined) return { kind: 'refuse', error: badBind, counts: true }
  const asked = bind.childText('resource', NS_BIND) ?? ''
  // Section 7.7.2.1: rather make a resource than refuse an empty one.
  if (asked === '') return { kind: 'bind', resource: '' }
  const resource = prepResource(asked)
  if (resource === undefined || resource === '') return { kind: 'refuse', error: badResource, counts: true }
  return { kind: 'bind', resource }
}

/** To the server itself or the client's own account: harmless before binding (section 7.1). */
function isToSelf(el: Element, account: Jid): boolean {
  const to = el.attr('to')
  return to === undefined || to === account.domain || to === account.toString()
}

export function bindResult(request: Element, jid: Jid): Element {
  return iqResult(request, x('bind', NS_BIND, x('jid', NS_BIND, jid.toString())))
}

type State =
  | { readonly kind: 'waiting' }
  /** The driver was asked; input is on hold. */
  | { readonly kind: 'asking'; readonly ticket: Ticket; readonly request: Element }

const waiting: State = { kind: 'waiting' }

/**
 * Binding on a client's stream, from the features to a full JID.
 *
 *   waiting ─iq bind─▶ asking ─address─▶ over to the whole
 *      ▲                  │
 *      └──── refusal ◀────┘
 */
export class Binding {
  readonly #whole: C2sWhole
  readonly #host: StreamHost
  readonly #account: Jid
  #state: State = waiting
  #failures = 0

  constructor(whole: C2sWhole, host: StreamHost, account: Jid) {
    this.#whole = whole
    this.#host = host
    this.#account = account
  }

  get isAsking(): boolean {
    return this.#state.kind === 'asking'
  }

  /** A stanza. */
  receive(el: Element): void {
    const asked = readBindRequest(el, this.#account)
    if (asked.kind === 'not-authorized' || this.#state.kind === 'asking') this.#whole.close(c2sErrors.beforeBind)
    else if (asked.kind === 'refuse') this.#refuse(el, asked.error, asked.counts)
    else {
      const { effects, driver } = this.#whole.needs
      const ticket = this.#whole.ask()
      this.#state = { kind: 'asking', ticket, request: el }
      effects.deferWrites()
      driver.bind(ticket, this.#host, this.#account, asked.resource)
    }
  }

  /** The driver's answer. True when it was awaited. */
  answer(ticket: Ticket, answer: BindAnswer): boolean {
    const state = this.#state
    if (state.kind !== 'asking' || state.ticket !== ticket) return false
    this.#state = waiting
    if (answer instanceof StanzaError) {
      this.#whole.needs.effects.flushWrites()
      this.#refuse(state.request, answer, true)
    } else this.#whole.establish(answer, bindResult(state.request, answer.jid))
    this.#whole.answered()
    return true
  }

  #refuse(request: Element, error: StanzaError, counts: boolean): void {
    const { effects, limits } = this.#whole.needs
    const reply = errorReply(request, error)
    if (reply !== undefined) effects.send(reply)
    if (!counts) return
    this.#failures++
    // Section 7.7.3.
    if (this.#failures > limits.bindRetries) this.#whole.close(c2sErrors.bindRetries)
  }
}
