/** Sign-in on the client's side (RFC 6120 section 6.4, XEP-0388), from the chosen mechanism to success. */
import type { StreamError } from '../stanza/error.ts'
import { NS_SASL } from '../stanza/ns.ts'
import type { HashName } from '../world/hashing.types.ts'
import { type Element, x } from '../xml/index.ts'
import type { ClientEnd } from './c2s-client.types.ts'
import { readFailure, refused } from './client-steps.ts'
import { type ClientMechanism, type ClientStep, readPayload, type SaslFailure, writePayload } from './sasl/index.ts'
import { SASL_FAULT } from './sasl-faults.ts'
import { dataElement, NS_SASL2, readData } from './sasl2.ts'

/** What it asks of the machine. */
export interface ClientSignInWhole {
  send(el: Element): void
  /** Asks for the password's key; answered by `stretched`. Input is on hold until then. */
  stretch(hash: HashName, salt: Uint8Array, iterations: number): number
  /** `success` is that of SASL2, undefined in the profile of RFC 6120. */
  signedIn(success: Element | undefined): void
  /** Ends the stream in good order. */
  leave(end: ClientEnd): void
  fail(error: StreamError): void
  readonly errorElement: StreamError
}

export class ClientSignIn {
  readonly #whole: ClientSignInWhole
  readonly #mechanism: ClientMechanism
  /** Children of `<authenticate/>` behind the initial response; undefined: the profile of RFC 6120. */
  readonly #inline: readonly Element[] | undefined
  #ticket: number | undefined
  /** SASL2's, while the mechanism looks at its data. */
  #success: Element | undefined

  constructor(whole: ClientSignInWhole, mechanism: ClientMechanism, inline: readonly Element[] | undefined) {
    this.#whole = whole
    this.#mechanism = mechanism
    this.#inline = inline
  }

  begin(): void {
    const mechanism = this.#mechanism.name
    const step = this.#mechanism.begin()
    if (step.kind !== 'response') this.#step(step)
    else if (this.#inline === undefined) this.#whole.send(x('auth', NS_SASL, { mechanism }, writePayload(step.data)))
    else {
      const first = dataElement('initial-response', step.data)
      this.#whole.send(x('authenticate', NS_SASL2, { mechanism }, first, ...this.#inline))
    }
  }

  receive(el: Element): void {
    if (el.ns !== (this.#inline === undefined ? NS_SASL : NS_SASL2)) this.#whole.fail(this.#whole.errorElement)
    else if (el.name === 'failure') this.#whole.leave(readFailure(el))
    else if (this.#inline === undefined) this.#receiveClassic(el)
    else this.#receive2(el)
  }

  #receiveClassic(el: Element): void {
    const data = readPayload(el.text)
    if (data === 'bad') this.#badData(SASL_FAULT.encoding)
    else if (el.name === 'challenge') this.#step(this.#mechanism.step(data ?? new Uint8Array(0)))
    else if (el.name === 'success') this.#step(this.#mechanism.finish(data))
    else this.#whole.fail(this.#whole.errorElement)
  }

  #receive2(el: Element): void {
    switch (el.name) {
      case 'challenge': {
        const data = readData(el)
        if (data instanceof Uint8Array) this.#step(this.#mechanism.step(data))
        else this.#badData(data)
        return
      }
      case 'success': {
        const additional = el.child('additional-data', NS_SASL2)
        const data = additional === undefined ? undefined : readData(additional)
        this.#success = el
        if (data === undefined || data instanceof Uint8Array) this.#step(this.#mechanism.finish(data))
        else this.#badData(data)
        return
      }
      case 'continue':
        // Section 2.6.3: we know no tasks.
        this.#abort('RTK_CLIENT_TASKS', undefined, 'the server wants more than a sign-in')
        return
      default:
        this.#whole.fail(this.#whole.errorElement)
    }
  }

  /** The answer to `stretch`; undefined when the password cannot be one. */
  stretched(ticket: number, key: Uint8Array | undefined): void {
    if (this.#ticket !== ticket) return
    this.#ticket = undefined
    if (key !== undefined) this.#step(this.#mechanism.resume(key))
    else this.#whole.leave(refused('sign-in', 'RTK_CLIENT_PASSWORD', undefined, 'the password is none'))
  }

  #step(step: ClientStep): void {
    switch (step.kind) {
      case 'response': {
        // RFC 6120 section 6.4.3: nothing in it is written as '=' only in `<auth/>` and `<success/>`.
        const isEmpty = step.data.length === 0
        const classic = () => x('response', NS_SASL, isEmpty ? undefined : writePayload(step.data))
        this.#whole.send(this.#inline === undefined ? classic() : dataElement('response', step.data))
        return
      }
      case 'stretch':
        this.#ticket = this.#whole.stretch(step.hash, step.salt, step.iterations)
        return
      case 'success':
        this.#whole.signedIn(this.#success)
        return
      case 'failure':
        this.#abort(step.code, step.condition, step.text)
        return
    }
  }

  /** RFC 6120 section 6.4.4: a server that did not prove itself, or speaks nonsense, is left. */
  #abort(code: `RTK_${string}`, condition: SaslFailure['condition'] | undefined, text: string): void {
    this.#whole.send(x('abort', this.#inline === undefined ? NS_SASL : NS_SASL2))
    this.#whole.leave(refused('sign-in', code, condition, text))
  }

  #badData({ code, condition, text }: SaslFailure): void {
    this.#whole.leave(refused('sign-in', code, condition, text))
  }
}
