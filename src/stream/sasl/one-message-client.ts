/** The client's side of mechanisms that are one message of the client, to which the server answers nothing but yes or no; hashed tokens want more. */
import { toUtf8 } from './encoding.ts'
import { FAILURE } from './fault.ts'
import type { ClientMechanism, ClientStep } from './sasl.types.ts'

export abstract class OneMessageClient implements ClientMechanism {
  abstract readonly name: ClientMechanism['name']
  readonly #message: Uint8Array
  #state: 'start' | 'sent' | 'done' = 'start'

  constructor(message: string | Uint8Array) {
    this.#message = typeof message === 'string' ? toUtf8(message) : message
  }

  begin(): ClientStep {
    const isFirst = this.#state === 'start'
    this.#state = isFirst ? 'sent' : 'done'
    return isFirst ? { kind: 'response', data: this.#message } : FAILURE.outOfOrder
  }

  step(): ClientStep {
    this.#state = 'done'
    return FAILURE.outOfOrder
  }

  resume(): ClientStep {
    return this.step()
  }

  finish(data: Uint8Array | undefined): ClientStep {
    const isExpected = this.#state === 'sent'
    this.#state = 'done'
    return isExpected ? this.confirmed(data) : FAILURE.outOfOrder
  }

  /** What came with the yes. */
  protected confirmed(data: Uint8Array | undefined): ClientStep {
    return data === undefined || data.length === 0 ? { kind: 'success' } : FAILURE.outOfOrder
  }
}
