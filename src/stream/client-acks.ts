/**
 * A client's side of stream management (XEP-0198): what it has handled, what it has sent and the server has not
 * acknowledged. It outlives its stream: the next one goes on with it (`ClientOptions.resume`).
 */
import type { Jid } from '../jid/index.ts'
import { NS_SM, readCount, readFlag } from '../stanza/sm.ts'
import type { Element } from '../xml/index.ts'

export class ClientAcks {
  /** The full JID that was bound. */
  readonly jid: Jid
  /** SM-ID of a stream that may be resumed; undefined: it may not. */
  id: string | undefined
  /** Seconds within which it may be resumed, as the server said; undefined: it did not say. */
  seconds: number | undefined
  /** Stanzas of the server that were handled, modulo 2^32. */
  handled = 0
  #sent = 0
  #isCounting = false
  #unacknowledged: Element[] = []

  constructor(jid: Jid) {
    this.jid = jid
  }

  /** Stanzas that the server has not acknowledged, in order. */
  get unacknowledged(): readonly Element[] {
    return this.#unacknowledged
  }

  /** `<enabled/>` has come: from here on what the server sends counts. */
  enabled(el: Element): void {
    this.#isCounting = true
    this.id = readFlag(el.attr('resume')) ? el.attr('id') : undefined
    this.seconds = readCount(el.attr('max'))
  }

  received(): void {
    if (this.#isCounting) this.handled = (this.handled + 1) >>> 0
  }

  sent(stanza: Element): void {
    this.#sent = (this.#sent + 1) >>> 0
    this.#unacknowledged.push(stanza)
  }

  /** An `<a/>`, or the `<resumed/>` or `<failed/>` that says `h`. False: it is wrong. */
  acknowledged(el: Element): boolean {
    const h = readCount(el.attr('h'))
    if (h === undefined) return false
    const count = (h - (this.#sent - this.#unacknowledged.length)) >>> 0
    if (count > this.#unacknowledged.length) return false
    this.#unacknowledged = this.#unacknowledged.slice(count)
    return true
  }
}

export function isOfAcks(el: Element, name: string): boolean {
  return el.ns === NS_SM && el.name === name
}
