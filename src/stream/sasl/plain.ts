/** PLAIN (RFC 4616). Only for channels that nobody listens on: whoever offers it sees to that. */
import { prepPassword, prepUsernameForSasl } from '../../jid/index.ts'
import { readUtf8 } from './encoding.ts'
import { FAILURE, MAX_MESSAGE } from './fault.ts'
import { isOwnAuthzid } from './identity.ts'
import { OneMessageClient } from './one-message-client.ts'
import type { ServerAnswer, ServerMechanism, ServerStep } from './sasl.types.ts'

export class PlainServer implements ServerMechanism {
  readonly #domain: string
  #state: 'start' | 'first' | 'verify' | 'done' = 'start'
  #username = ''

  /** The prepared domain of the accounts. */
  constructor(domain: string) {
    this.#domain = domain
  }

  get username(): string {
    return this.#username
  }

  step(input: Uint8Array | undefined): ServerStep {
    const state = this.#state
    if (state === 'start' && input === undefined) {
      this.#state = 'first'
      return { kind: 'challenge', data: new Uint8Array(0) }
    }
    this.#state = 'done'
    if (input === undefined || (state !== 'start' && state !== 'first')) return FAILURE.outOfOrder
    if (input.length > MAX_MESSAGE) return FAILURE.tooLong
    const text = readUtf8(input)
    return text === undefined ? FAILURE.utf8 : this.#message(text)
  }

  resume(answer: ServerAnswer): ServerStep {
    const isExpected = this.#state === 'verify'
    this.#state = 'done'
    if (!isExpected) return FAILURE.outOfOrder
    if (answer.kind === 'unavailable') return FAILURE.unavailable
    if (answer.kind === 'held-off') return FAILURE.heldOff
    if (answer.kind !== 'verified') return FAILURE.outOfOrder
    switch (answer.result) {
      case 'right':
        return { kind: 'success', username: this.#username }
      case 'wrong':
        return FAILURE.credentials
      case 'account-disabled':
        return FAILURE.disabled
      case 'credentials-expired':
        return FAILURE.expired
    }
  }

  #message(text: string): ServerStep {
    const [authzid = '', name = '', password = '', ...rest] = text.split('\0', 4)
    if (name === '' || password === '' || rest.length > 0) return FAILURE.malformed
    const username = prepUsernameForSasl(name)
    if (username === undefined) return FAILURE.username
    this.#username = username
    if (authzid !== '' && !isOwnAuthzid(authzid, username, this.#domain)) return FAILURE.authzid
    // Section 2: verification fails when preparation does. No account can have such a password, so nobody is asked.
    const prepared = prepPassword(password)
    if (prepared === undefined) return FAILURE.credentials
    this.#state = 'verify'
    return { kind: 'verify', username, password: prepared }
  }
}

export interface PlainClientNeeds {
  readonly username: string
  readonly password: string
  /** A bare JID, only to act for another. */
  readonly authzid?: string
}

export class PlainClient extends OneMessageClient {
  readonly name = 'PLAIN'

  constructor(needs: PlainClientNeeds) {
    const password = prepPassword(needs.password) ?? needs.password
    super(`${needs.authzid ?? ''}\0${needs.username}\0${password}`)
  }
}
