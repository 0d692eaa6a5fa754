/**
 * From authentication by SASL2 to `<success/>`: upgrade tasks (XEP-0480), and what the client asked for in one go (XEP-0388
 * sections 2.6.1 and 2.6.3).
 *
 *   begin ─▶ planning ─▶ offered ─next─▶ tasked ─task-data─▶ keeping ─┐
 *     │                     ▲                                        │
 *     │                     └──────────── one task more ─────────────┤
 *     └────────────────────────────────────▶ finishing ◀─────────────┘
 *                                              └─answer─▶ over to the whole
 *
 *   offered, tasked ─abort, wrong data─▶ failure, back to the features
 */
import type { Element } from '../xml/index.ts'
import { c2sErrors } from './c2s-errors.ts'
import type { Account, C2sWhole, InlineAnswer, StreamHost, Ticket } from './c2s-server.types.ts'
import { readScramName } from './sasl/index.ts'
import { SASL_FAULT } from './sasl-faults.ts'
import { type Authenticate, NS_SASL2, strictSuccess } from './sasl2.ts'
import { continueElement, readHash, saltElement, taskName, type UpgradeTask, wantedUpgrades } from './upgrade.ts'

export interface Authenticated {
  readonly host: StreamHost
  readonly account: Account
  readonly request: Authenticate
  /** What the mechanism says with its success. */
  readonly data: Uint8Array | undefined
}

type State =
  | { readonly kind: 'begin' }
  /** The driver is asked which hashes the account lacks. */
  | { readonly kind: 'planning'; readonly ticket: Ticket }
  /** `<continue/>` is out. */
  | { readonly kind: 'offered'; readonly task: UpgradeTask }
  /** Salt and iterations are out. */
  | { readonly kind: 'tasked'; readonly task: UpgradeTask }
  | { readonly kind: 'keeping'; readonly ticket: Ticket }
  | { readonly kind: 'finishing'; readonly ticket: Ticket }
  | { readonly kind: 'done' }

export class Inline {
  readonly #whole: C2sWhole
  readonly #authenticated: Authenticated
  #state: State = { kind: 'begin' }
  #tasks: readonly UpgradeTask[] = []
  /** Of the mechanism; it leaves once. */
  #data: Uint8Array | undefined

  constructor(whole: C2sWhole, authenticated: Authenticated) {
    this.#whole = whole
    this.#authenticated = authenticated
    this.#data = authenticated.data
  }

  get isAsking(): boolean {
    return 'ticket' in this.#state
  }

  begin(): void {
    const { host, account, request } = this.#authenticated
    const wanted = hasPassword(account) && host.upgrades === true ? wantedUpgrades(request.inline) : []
    if (wanted.length === 0) {
      this.#finish()
      return
    }
    const ticket = this.#whole.ask()
    this.#state = { kind: 'planning', ticket }
    this.#whole.needs.driver.upgrades(ticket, host, account, wanted)
  }

  /** XEP-0388 section 2.4: nothing but what a task wants. */
  receive(el: Element): void {
    const state = this.#state
    const isOurs = el.ns === NS_SASL2
    if (state.kind !== 'offered' && state.kind !== 'tasked') this.#whole.close(c2sErrors.duringSignIn)
    else if (isOurs && el.name === 'abort') this.#whole.failed(SASL_FAULT.aborted)
    else if (isOurs && state.kind === 'offered' && el.name === 'next') this.#next(el, state.task)
    else if (isOurs && state.kind === 'tasked' && el.name === 'task-data') this.#keep(el, state.task)
    else this.#whole.close(c2sErrors.duringSignIn)
  }

  #next(el: Element, task: UpgradeTask): void {
    if (el.attr('task') !== taskName(task.mechanism)) {
      this.#whole.failed(SASL_FAULT.task)
      return
    }
    this.#state = { kind: 'tasked', task }
    this.#whole.needs.effects.send(saltElement(task))
  }

  #keep(el: Element, task: UpgradeTask): void {
    const { driver, hashing } = this.#whole.needs
    const credential = readHash(el, task, hashing)
    if (credential === undefined) {
      this.#whole.failed(SASL_FAULT.task)
      return
    }
    const ticket = this.#whole.ask()
    this.#state = { kind: 'keeping', ticket }
    const { host, account } = this.#authenticated
    driver.keepUpgrade(ticket, host, account, task.mechanism, credential)
  }

  /** The driver's answer to `upgrades`, or with no more tasks to `keepUpgrade`. */
  upgrade(ticket: Ticket, tasks: readonly UpgradeTask[]): void {
    const state = this.#state
    if (!('ticket' in state) || state.ticket !== ticket || state.kind === 'finishing') return
    this.#tasks = state.kind === 'planning' ? tasks : this.#tasks
    const [task, ...rest] = this.#tasks
    this.#tasks = rest
    if (task === undefined) this.#finish()
    else {
      this.#state = { kind: 'offered', task }
      this.#whole.needs.effects.send(continueElement(this.#takeData(), taskName(task.mechanism)))
    }
    this.#whole.answered()
  }

  #finish(): void {
    const { host, account, request } = this.#authenticated
    const { driver, effects } = this.#whole.needs
    driver.signedIn(account)
    const ticket = this.#whole.ask()
    this.#state = { kind: 'finishing', ticket }
    effects.deferWrites()
    driver.inline(ticket, host, account, request)
  }

  #takeData(): Uint8Array | undefined {
    const data = this.#data
    this.#data = undefined
    return data
  }

  /** The driver's answer to `inline`. True when it was awaited. */
  answer(ticket: Ticket, { bound, elements }: InlineAnswer): boolean {
    const state = this.#state
    if (state.kind !== 'finishing' || state.ticket !== ticket) return false
    this.#state = { kind: 'done' }
    const address = bound?.jid ?? this.#authenticated.account.jid
    this.#whole.succeeded(strictSuccess(this.#takeData(), address.toString(), elements), bound)
    this.#whole.answered()
    return true
  }
}

/** XEP-0484 section 4.2: whoever signs in by a token is asked for nothing more; he may not even have the password. */
function hasPassword({ mechanism }: Account): boolean {
  return mechanism === 'PLAIN' || readScramName(mechanism) !== undefined
}
