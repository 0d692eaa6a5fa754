/**
 * From authentication by SASL2 to `<success/>`: what the client asked for in one go (XEP-0388 section 2.6.1).
 *
 *   begin ─▶ asking ─answer─▶ over to the whole
 */
import type { Element } from '../xml/index.ts'
import { c2sErrors } from './c2s-errors.ts'
import type { Account, C2sWhole, InlineAnswer, StreamHost, Ticket } from './c2s-server.types.ts'
import { type Authenticate, strictSuccess } from './sasl2.ts'

export interface Authenticated {
  readonly host: StreamHost
  readonly account: Account
  readonly request: Authenticate
  /** What the mechanism says with its success. */
  readonly data: Uint8Array | undefined
}

export class Inline {
  readonly #whole: C2sWhole
  readonly #authenticated: Authenticated
  #ticket: Ticket | undefined

  constructor(whole: C2sWhole, authenticated: Authenticated) {
    this.#whole = whole
    this.#authenticated = authenticated
  }

  get isAsking(): boolean {
    return this.#ticket !== undefined
  }

  begin(): void {
    const { host, account, request } = this.#authenticated
    const { driver, effects } = this.#whole.needs
    driver.signedIn(account)
    const ticket = this.#whole.ask()
    this.#ticket = ticket
    effects.deferWrites()
    driver.inline(ticket, host, account, request)
  }

  /** XEP-0388 section 2.4: the client waits for the outcome. */
  receive(_el: Element): void {
    this.#whole.close(c2sErrors.duringSignIn)
  }

  /** The driver's answer. True when it was awaited. */
  answer(ticket: Ticket, { bound, elements }: InlineAnswer): boolean {
    if (this.#ticket !== ticket) return false
    this.#ticket = undefined
    const { account, data } = this.#authenticated
    const address = bound?.jid ?? account.jid
    this.#whole.succeeded(strictSuccess(data, address.toString(), elements), bound)
    this.#whole.answered()
    return true
  }
}
