/** What may still come of negotiation once a resource is bound (RFC 3921 section 3). */
import { StanzaError } from '../stanza/error.ts'
import { NS_BIND, NS_SESSION } from '../stanza/ns.ts'
import { errorReply, iqResult } from '../stanza/reply.ts'
import type { Element } from '../xml/index.ts'
import type { StanzaSink } from './machine.types.ts'

const twice = new StanzaError('RTK_STREAM_BOUND', 'not-allowed', { text: 'this stream has its resource' })

/** Stanzas in which an old client may still ask for its session. */
const earlyStanzasMax = 16

/**
 * The first stanzas behind the binding: it answers an old client's `<session/>` and refuses a second `<bind/>`, and hands everything
 * else on. After the first presence, or sixteen stanzas, it steps out of the way (`done`), so that it costs nothing later.
 */
export class EarlyStanzas implements StanzaSink {
  readonly #inner: StanzaSink
  readonly #answer: (el: Element) => void
  readonly #done: (inner: StanzaSink) => void
  #left = earlyStanzasMax

  constructor(inner: StanzaSink, answer: (el: Element) => void, done: (inner: StanzaSink) => void) {
    this.#inner = inner
    this.#answer = answer
    this.#done = done
  }

  receive(el: Element): void {
    if (el.name === 'iq' && el.attr('type') === 'set') {
      const reply = this.#reply(el)
      if (reply !== undefined) {
        if (this.#inner.answered !== undefined) this.#inner.answered(reply)
        else this.#answer(reply)
        return
      }
    }
    if (--this.#left === 0 || el.name === 'presence') this.#done(this.#inner)
    this.#inner.receive(el)
  }

  drained(): void {
    this.#inner.drained?.()
  }

  #reply(el: Element): Element | undefined {
    if (el.hasChild('bind', NS_BIND)) return errorReply(el, twice)
    if (el.hasChild('session', NS_SESSION)) return iqResult(el)
    return undefined
  }
}
