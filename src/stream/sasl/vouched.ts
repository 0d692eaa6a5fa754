/**
 * Mechanisms without a secret of their own: ANONYMOUS (RFC 4505, XEP-0175) and EXTERNAL (RFC 4422 appendix A, XEP-0178), where a
 * client certificate vouches. Both roles.
 */
import { type Jid, parseJid } from '../../jid/index.ts'
import { readUtf8 } from './encoding.ts'
import { FAILURE, MAX_MESSAGE } from './fault.ts'
import { OneMessageClient } from './one-message-client.ts'
import { OneMessageServer, type ServerQuestion, type ServerTold } from './one-message-server.ts'
import type { SaslFailure, ServerStep } from './sasl.types.ts'

/** What both have in common: one message, and then the question whether this account may come in. */
abstract class Vouched extends OneMessageServer {
  /** The prepared localpart, or a failure. */
  protected abstract identify(text: string): string | SaslFailure

  protected message(input: Uint8Array | undefined): ServerQuestion {
    if (input !== undefined && input.length > MAX_MESSAGE) return FAILURE.tooLong
    const text = input === undefined ? '' : readUtf8(input)
    if (text === undefined) return FAILURE.utf8
    const found = this.identify(text)
    if (typeof found !== 'string') return found
    this.isOf(found)
    return { kind: 'vouch', username: found }
  }

  protected answered(answer: ServerTold): ServerStep {
    return this.verified(answer)
  }
}

/** Most characters of trace information (RFC 4505 section 2). It is checked and thrown away: a trace must not identify. */
const traceMax = 255

export class AnonymousServer extends Vouched {
  readonly #name: string

  /** The localpart that the server has made (XEP-0175 section 3: a UUID). */
  constructor(name: string) {
    super()
    this.#name = name
  }

  /** XEP-0175 section 4: an empty `<auth/>` is enough. */
  protected override get asksFirst(): boolean {
    return false
  }

  protected identify(trace: string): string | typeof FAILURE.malformed {
    return trace.includes('\0') || [...trace].length > traceMax ? FAILURE.malformed : this.#name
  }
}

export class ExternalServer extends Vouched {
  readonly #addresses: readonly Jid[]
  readonly #domain: string

  /** The addresses in the certificate, all of them, and the prepared domain of the stream. */
  constructor(addresses: readonly Jid[], domain: string) {
    super()
    this.#addresses = addresses
    this.#domain = domain
  }

  /** XEP-0178 section 2, step 11. */
  protected identify(authzid: string) {
    const [only, ...more] = this.#addresses
    // c: nobody maps other names to accounts.
    if (only === undefined) return FAILURE.credentials
    // b: with more than one the client has to say which.
    if (authzid === '') return more.length > 0 ? FAILURE.authzidMissing : this.#local(only)
    const asked = parseJid(authzid)
    const found = asked === undefined ? undefined : this.#addresses.find((jid) => jid.equals(asked))
    return found === undefined ? FAILURE.authzid : this.#local(found)
  }

  #local(jid: Jid) {
    return jid.domain === this.#domain ? jid.local : FAILURE.authzid
  }
}

/** The client's side of both: `message` is the trace, or the authorization identity, '' for none. */
export class VouchedClient extends OneMessageClient {
  readonly name: 'ANONYMOUS' | 'EXTERNAL'

  constructor(name: 'ANONYMOUS' | 'EXTERNAL', message: string) {
    super(message)
    this.name = name
  }
}
