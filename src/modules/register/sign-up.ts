/** XEP-0077 §3.1.1: somebody makes an account of his own before he signs in; off unless `sign_up` says otherwise. */
import type { StrangerRequest } from '../../core/hooks.ts'
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import { countingKey } from '../../core/network.ts'
import { type Jid, makeJid } from '../../jid/jid.ts'
import type { StanzaError } from '../../stanza/error.ts'
import { errorReply, iqResult } from '../../stanza/reply.ts'
import type { Element } from '../../xml/element.types.ts'
import { fields, filledIn, isRemoval, NS_REGISTER, refusalOf, refusals } from './answers.ts'
import { Quota } from './quota.ts'

export interface SignUpOptions {
  readonly sign_up: 'closed' | 'open'
  readonly sign_ups_per_address: number
  readonly sign_ups_max: number
  /** Milliseconds. */
  readonly window: number
}

export interface SignUpCounters {
  readonly signUps: Counter
  readonly perAddress: Counter
  readonly max: Counter
  /** Addresses and hosts whose attempts made room for others. */
  readonly forgotten: Counter
}

export type SignUpContext = Pick<ModuleContext, 'accounts' | 'clock' | 'fold' | 'log'>

export class SignUp {
  readonly #ctx: SignUpContext
  readonly #options: SignUpOptions
  readonly #counters: SignUpCounters
  readonly #byAddress: Quota
  readonly #byHost: Quota
  /** Streams on which an account was made, or is being made. */
  readonly #streams = new WeakMap<object, 'busy' | 'done'>()

  constructor(ctx: SignUpContext, options: SignUpOptions, counters: SignUpCounters) {
    this.#ctx = ctx
    this.#options = options
    this.#counters = counters
    this.#byAddress = new Quota(ctx.clock, counters.forgotten)
    this.#byHost = new Quota(ctx.clock, counters.forgotten)
  }

  isOpen({ host, isSecure }: Pick<StrangerRequest, 'host' | 'isSecure'>): boolean {
    // §11: a password is chosen on a secured channel or not at all.
    return isSecure && this.#options.sign_up === 'open' && this.#ctx.accounts.keeps(host)
  }

  /** False: it is none of ours. */
  requested(request: StrangerRequest): boolean {
    const { el, isSecure } = request
    const query = el.child('query', NS_REGISTER)
    if (query === undefined || !isSecure) return false
    if (el.attr('type') === 'get') {
      if (this.isOpen(request)) request.send(iqResult(el, fields))
      else refuse(request, refusals.closed)
      return true
    }
    const refusal = this.#refusalOf(request, query)
    if (refusal === undefined) this.#begin(request, query)
    else refuse(request, refusal)
    return true
  }

  /** What is wrong with the request itself. */
  #refusalOf(request: StrangerRequest, query: Element): StanzaError | undefined {
    // §3.2: nobody has said yet whose account it is.
    if (isRemoval(query)) return refusals.unauthorized
    if (!this.isOpen(request)) return refusals.closed
    const state = this.#streams.get(request.stream)
    if (state !== undefined) return state === 'busy' ? refusals.busy : refusals.second
    const filled = filledIn(query)
    if (filled === undefined) return refusals.incomplete
    const jid = makeJid(filled.username, request.host.domain)
    return jid === undefined || jid.local === '' ? refusals.name : undefined
  }

  #begin(request: StrangerRequest, query: Element): void {
    const { host, address, stream } = request
    const { sign_ups_per_address: perAddress, sign_ups_max: max, window } = this.#options
    const key = countingKey(address)
    // Attempts count, not accounts: who asks for names that are taken learns which are.
    if (key !== '' && !this.#byAddress.take(`${host.domain} ${key}`, perAddress, window)) {
      this.#counters.perAddress.value++
      refuse(request, refusals.address)
      return
    }
    if (!this.#byHost.take(host.domain, max, window)) {
      this.#counters.max.value++
      refuse(request, refusals.host)
      return
    }
    const { username = '', password = '' } = filledIn(query) ?? {}
    const jid = makeJid(username, host.domain)
    if (jid === undefined) return
    this.#streams.set(stream, 'busy')
    this.#make(request, jid, password).then(
      (refusal) => this.#made(request, jid, refusal),
      (error: unknown) => {
        this.#ctx.log.warn('an account could not be made', { code: 'RTK_REGISTER_FAILED', jid: jid.toString(), error })
        this.#made(request, jid, refusals.failed)
      },
    )
  }

  /** Why it was refused. */
  async #make({ host, address }: StrangerRequest, jid: Jid, password: string): Promise<StanzaError | undefined> {
    const request = { kind: 'sign-up', host, local: jid.local, address, password } as const
    const refusal = await this.#ctx.fold('registration:policy', undefined, request)
    if (refusal !== undefined) return refusal
    try {
      await this.#ctx.accounts.add(jid, password, 'registration')
      return undefined
    } catch (error) {
      const known = refusalOf(error)
      if (known === refusals.failed) throw error
      return known
    }
  }

  #made(request: StrangerRequest, jid: Jid, refusal: StanzaError | undefined): void {
    const { el, stream, address } = request
    if (refusal !== undefined) {
      this.#streams.delete(stream)
      refuse(request, refusal)
      return
    }
    this.#streams.set(stream, 'done')
    this.#counters.signUps.value++
    this.#ctx.log.info('an account was made by its user', { jid: jid.toString(), address })
    request.send(iqResult(el))
  }
}

function refuse({ el, send }: StrangerRequest, error: StanzaError): void {
  const reply = errorReply(el, error)
  if (reply !== undefined) send(reply)
}
