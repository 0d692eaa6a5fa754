/**
 * The hashed-token mechanisms (draft-schmaus-kitten-sasl-ht-09), for XEP-0484: one message each way, both proofs of having the
 * token. Both roles. Names end with what they are bound to; HT-SHA-256-UNIQ is not made, because TLS 1.3 has no tls-unique.
 */
import { prepUsernameForSasl } from '../../jid/index.ts'
import type { Hashing } from '../../world/hashing.types.ts'
import { readUtf8, toUtf8 } from './encoding.ts'
import { FAILURE, MAX_MESSAGE } from './fault.ts'
import { OneMessageClient } from './one-message-client.ts'
import { OneMessageServer, type ServerQuestion } from './one-message-server.ts'
import type { ChannelBindings, ClientStep, ServerAnswer, ServerStep, TokenCandidate } from './sasl.types.ts'

/** The type of channel binding behind each name; '' for none. The strongest first. */
const BINDING = {
  'HT-SHA-256-EXPR': 'tls-exporter',
  'HT-SHA-256-ENDP': 'tls-server-end-point',
  'HT-SHA-256-NONE': '',
} as const

export type TokenMechanism = keyof typeof BINDING

export function isTokenMechanism(name: string): name is TokenMechanism {
  return Object.hasOwn(BINDING, name)
}

/** Those that a connection with these bindings can do. */
export function tokenMechanisms(bindings: ChannelBindings): readonly TokenMechanism[] {
  const all = Object.keys(BINDING) as TokenMechanism[]
  return all.filter((name) => BINDING[name] === '' || bindings.has(BINDING[name]))
}

const INITIATOR = toUtf8('Initiator')
const RESPONDER = toUtf8('Responder')

/** The length of a proof: that of SHA-256. */
const PROOF_LENGTH = 32

function prove(hashing: Hashing, token: string, who: Uint8Array, binding: Uint8Array): Uint8Array {
  return hashing.hmac('sha256', toUtf8(token), Buffer.concat([who, binding]))
}

function bindingData(name: TokenMechanism, bindings: ChannelBindings): Uint8Array {
  return bindings.get(BINDING[name]) ?? new Uint8Array(0)
}

export interface HtServerNeeds {
  readonly hashing: Hashing
  readonly mechanism: TokenMechanism
  readonly bindings: ChannelBindings
  /** Prepared. */
  readonly domain: string
}

export class HtServer extends OneMessageServer {
  readonly #needs: HtServerNeeds
  #proof: Uint8Array = new Uint8Array(0)

  constructor(needs: HtServerNeeds) {
    super()
    this.#needs = needs
  }

  protected message(input: Uint8Array | undefined): ServerQuestion {
    if (input === undefined) return FAILURE.outOfOrder
    if (input.length > MAX_MESSAGE) return FAILURE.tooLong
    // initiator-msg = authcid NUL initiator-hashed-token; the token's octets may be NUL too.
    const end = input.indexOf(0)
    if (end < 1 || input.length - end - 1 !== PROOF_LENGTH) return FAILURE.malformed
    const name = readUtf8(input.subarray(0, end))
    if (name === undefined) return FAILURE.utf8
    const username = prepUsernameForSasl(name)
    if (username === undefined) return FAILURE.username
    this.isOf(username)
    this.#proof = input.slice(end + 1)
    const { domain, mechanism } = this.#needs
    return { kind: 'tokens', username, domain, mechanism }
  }

  protected answered(answer: ServerAnswer): ServerStep {
    if (answer.kind !== 'tokens') return FAILURE.outOfOrder
    const { hashing, mechanism, bindings } = this.#needs
    const data = bindingData(mechanism, bindings)
    let found: TokenCandidate | undefined
    // All of them, whichever is right: time must tell nothing.
    for (const candidate of answer.candidates) {
      const isRight = hashing.equal(prove(hashing, candidate.token, INITIATOR, data), this.#proof)
      if (isRight) found ??= candidate
    }
    if (found?.use === undefined) return FAILURE.token
    if (found.refusal !== undefined)
      return found.refusal === 'account-disabled' ? FAILURE.disabled : FAILURE.tokenExpired
    const proof = prove(hashing, found.token, RESPONDER, data)
    return { kind: 'success', data: proof, username: this.username, token: found.use }
  }
}

export interface HtClientNeeds {
  readonly hashing: Hashing
  readonly mechanism: TokenMechanism
  readonly bindings: ChannelBindings
  readonly username: string
  readonly token: string
}

export class HtClient extends OneMessageClient {
  readonly name: TokenMechanism
  readonly #needs: HtClientNeeds

  constructor(needs: HtClientNeeds) {
    super(Buffer.concat([toUtf8(`${needs.username}\0`), proofOf(needs, INITIATOR)]))
    this.name = needs.mechanism
    this.#needs = needs
  }

  protected override confirmed(data: Uint8Array | undefined): ClientStep {
    const { hashing } = this.#needs
    const isRight = data !== undefined && hashing.equal(proofOf(this.#needs, RESPONDER), data)
    return isRight ? { kind: 'success' } : FAILURE.serverProof
  }
}

function proofOf({ hashing, mechanism, bindings, token }: HtClientNeeds, who: Uint8Array): Uint8Array {
  return prove(hashing, token, who, bindingData(mechanism, bindings))
}
