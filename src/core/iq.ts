/**
 * Requests to the server itself and to accounts (RFC 6120 section 8.2.3, RFC 6121 section 8.5.2.1.3): handlers by
 * payload. A handler returns its answer: an element, nothing for an empty result, a promise of either, or a
 * `StanzaError` (returned or thrown).
 */

import type { StanzaError } from '../stanza/error.ts'
import type { Element } from '../xml/element.types.ts'
import type { HandlerMeter } from './handler-meter.ts'
import type { Host } from './host.ts'
import type { Packet } from './packet.ts'

export interface IqRequest {
  readonly packet: Packet
  /** The one payload element of the request. */
  readonly payload: Element
  readonly host: Host
  /** The account's local part when the request is to a bare JID of an account, '' when it is to the host. */
  readonly account: string
  /**
   * Answers now, for a handler that sends more right behind its answer. What the handler returns does not count then.
   */
  answer(payload?: Element): void
}

export type IqAnswer = Element | StanzaError | undefined | void
export type IqHandler = (request: IqRequest) => IqAnswer | Promise<IqAnswer>

/** Which address a request is to: the host's domain, or an account's bare JID. */
export type IqTarget = 'host' | 'account'

export interface IqOptions {
  /** Default: `host`. */
  readonly on?: IqTarget | readonly IqTarget[]
  /** True: the answer may come out of order, and those behind it do not wait for it. */
  readonly concurrent?: boolean
  /**
   * True: called for accounts that do not exist too, because the handler itself sees to it that nobody can tell them from
   * others. Otherwise such a request is refused before (RFC 6121 section 8.5.1).
   */
  readonly hidesAccounts?: boolean
}

export interface IqEntry {
  readonly module: string
  readonly handler: IqHandler
  readonly concurrent: boolean
  readonly hidesAccounts: boolean
}

/** The payload a handler is for. */
export interface PayloadName {
  readonly name: string
  readonly ns: string
}

export class IqTable {
  readonly #entries = new Map<string, IqEntry>()
  /** What `find` looks into: the entries themselves, or, while somebody watches, those whose time is taken. */
  #found: Map<string, IqEntry> = this.#entries
  #meter: HandlerMeter | undefined

  /** Registers; returns the removal. Throws when the payload has a handler: two modules cannot answer one request. */
  add(type: 'get' | 'set', payload: PayloadName, target: IqTarget, entry: IqEntry): () => void {
    const key = `${target} ${type} ${payload.ns} ${payload.name}`
    const known = this.#entries.get(key)
    if (known !== undefined) {
      throw new Error(
        `iq ${type} ${payload.name} (${payload.ns}) is answered by ${known.module}, so ${entry.module} cannot`,
      )
    }
    this.#entries.set(key, entry)
    this.measure(this.#meter)
    return () => {
      if (this.#entries.get(key) !== entry) return
      this.#entries.delete(key)
      this.#found.delete(key)
    }
  }

  /** Takes the time of the handlers from now on; undefined: no longer. */
  measure(meter: HandlerMeter | undefined): void {
    this.#meter = meter
    this.#found = this.#entries
    if (meter === undefined) return
    this.#found = new Map()
    for (const [key, entry] of this.#entries)
      this.#found.set(key, { ...entry, handler: meter.wrap(entry.module, entry.handler) })
  }

  find(type: 'get' | 'set', name: string, ns: string, target: IqTarget): IqEntry | undefined {
    return this.#found.get(`${target} ${type} ${ns} ${name}`)
  }

  get size(): number {
    return this.#entries.size
  }
}
