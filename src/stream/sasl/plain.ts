/** PLAIN (RFC 4616). Only for channels that nobody listens on: whoever offers it sees to that. */
import { prepPassword, prepUsernameForSasl } from '../../jid/index.ts'
import { readUtf8 } from './encoding.ts'
import { FAILURE, MAX_MESSAGE } from './fault.ts'
import { isOwnAuthzid } from './identity.ts'
import { OneMessageClient } from './one-message-client.ts'
import { OneMessageServer, type ServerQuestion, type ServerTold } from './one-message-server.ts'
import type { ServerStep } from './sasl.types.ts'

export class PlainServer extends OneMessageServer {
  readonly #domain: string

  /** The prepared domain of the accounts. */
  constructor(domain: string) {
    super()
    this.#domain = domain
  }

  protected message(input: Uint8Array | undefined): ServerQuestion {
    if (input === undefined) return FAILURE.outOfOrder
    if (input.length > MAX_MESSAGE) return FAILURE.tooLong
    const text = readUtf8(input)
    return text === undefined ? FAILURE.utf8 : this.#read(text)
  }

  protected answered(answer: ServerTold): ServerStep {
    return this.verified(answer)
  }

  #read(text: string): ServerQuestion {
    const [authzid = '', name = '', password = '', ...rest] = text.split('\0', 4)
    if (name === '' || password === '' || rest.length > 0) return FAILURE.malformed
    const username = prepUsernameForSasl(name)
    if (username === undefined) return FAILURE.username
    this.isOf(username)
    if (authzid !== '' && !isOwnAuthzid(authzid, username, this.#domain)) return FAILURE.authzid
    // Section 2: verification fails when preparation does. No account can have such a password, so nobody is asked.
    const prepared = prepPassword(password)
    if (prepared === undefined) return FAILURE.credentials
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
