/**
 * SCRAM on the server (RFC 5802, RFC 7677; SCRAM-SHA-512 by the same pattern), with and without channel binding.
 *
 *   start ─no initial response─▶ first ─client-first─▶ lookup ─credential─▶ final ─client-final─▶ done
 *
 * An unknown name is answered as a known one with a wrong password is: see `Decoys`.
 */
import { prepUsernameForSasl } from '../../jid/index.ts'
import type { Hashing } from '../../world/hashing.types.ts'
import { offerHash } from './downgrade.ts'
import { readUtf8, toBase64, toUtf8 } from './encoding.ts'
import { FAILURE, MAX_MESSAGE } from './fault.ts'
import { isOwnAuthzid } from './identity.ts'
import { type ClientFinal, type ClientFirst, readClientFinal, readClientFirst } from './messages.ts'
import type {
  ChannelBindings,
  SaslFailure,
  ScramCredential,
  ScramName,
  ServerAnswer,
  ServerMechanism,
  ServerStep,
} from './sasl.types.ts'

export interface ScramServerNeeds {
  readonly hashing: Hashing
  readonly mechanism: ScramName
  /** Whether the client chose the -PLUS form. */
  readonly plus: boolean
  /** Whether any -PLUS mechanism was offered on this stream. */
  readonly plusOffered: boolean
  /** The types that were offered (XEP-0440), with their data. */
  readonly bindings: ChannelBindings
  /** Prepared; accounts are at this domain. */
  readonly domain: string
  /** Ours, at least 18 random printable characters without a comma (`Random.id`). */
  readonly nonce: string
  /** What was advertised to the client (`offerText`); left out: it is not protected. */
  readonly offer?: string | undefined
}

type State =
  | { readonly kind: 'start' }
  | { readonly kind: 'first' }
  | { readonly kind: 'lookup'; readonly first: ClientFirst }
  | {
      readonly kind: 'final'
      readonly first: ClientFirst
      readonly serverFirst: string
      readonly answer: CredentialAnswer
    }
  | { readonly kind: 'done' }

type CredentialAnswer = ServerAnswer & { kind: 'credential' }

const done: State = { kind: 'done' }

export class ScramServer implements ServerMechanism {
  readonly #needs: ScramServerNeeds
  #state: State = { kind: 'start' }
  #username = ''

  constructor(needs: ScramServerNeeds) {
    this.#needs = needs
  }

  get username(): string {
    return this.#username
  }

  step(input: Uint8Array | undefined): ServerStep {
    const state = this.#state
    if (state.kind === 'start' && input === undefined) {
      // RFC 4422 section 5: the client speaks first; without an initial response it is asked to.
      this.#state = { kind: 'first' }
      return { kind: 'challenge', data: new Uint8Array(0) }
    }
    this.#state = done
    if (input === undefined || state.kind === 'lookup' || state.kind === 'done') return FAILURE.outOfOrder
    if (input.length > MAX_MESSAGE) return FAILURE.tooLong
    const text = readUtf8(input)
    if (text === undefined) return FAILURE.utf8
    return state.kind === 'final' ? this.#final(state, text) : this.#first(text)
  }

  resume(answer: ServerAnswer): ServerStep {
    const state = this.#state
    this.#state = done
    if (state.kind !== 'lookup') return FAILURE.outOfOrder
    if (answer.kind === 'unavailable') return FAILURE.unavailable
    if (answer.kind === 'held-off') return FAILURE.heldOff
    if (answer.kind !== 'credential') return FAILURE.outOfOrder
    const { salt, iterations } = answer.credential
    const { nonce, offer, hashing } = this.#needs
    const protection = offer === undefined ? '' : `,h=${offerHash(hashing, answer.credential.hash, offer)}`
    const serverFirst = `r=${state.first.nonce}${nonce},s=${toBase64(salt)},i=${iterations}${protection}`
    this.#state = { kind: 'final', first: state.first, serverFirst, answer }
    return { kind: 'challenge', data: toUtf8(serverFirst) }
  }

  #first(text: string): ServerStep {
    const first = readClientFirst(text)
    if (first === 'mandatory') return FAILURE.extension
    if (first === undefined) return FAILURE.malformed
    const refused = this.#refuseBinding(first)
    if (refused !== undefined) return refused
    const { domain, mechanism } = this.#needs
    // RFC 8265 section 6.1: UsernameCaseMapped instead of the SASLprep of RFC 5802; what is signed keeps the name as it came.
    const username = prepUsernameForSasl(first.username)
    if (username === undefined) return FAILURE.username
    this.#username = username
    if (first.authzid !== undefined && !isOwnAuthzid(first.authzid, username, domain)) return FAILURE.authzid
    this.#state = { kind: 'lookup', first }
    return { kind: 'lookup', username, domain, mechanism }
  }

  /** RFC 5802 section 6. */
  #refuseBinding(first: ClientFirst): SaslFailure | undefined {
    const { plus, plusOffered, bindings } = this.#needs
    // A 'y' when there was an offer means that somebody took it out of the list.
    if (first.flag === 'y' && plusOffered) return FAILURE.downgrade
    if (plus !== (first.flag === 'p')) return FAILURE.bindingMissing
    return plus && !bindings.has(first.bindingType) ? FAILURE.bindingType : undefined
  }

  #final(state: State & { kind: 'final' }, text: string): ServerStep {
    const final = readClientFinal(text)
    if (final === 'mandatory') return FAILURE.extension
    if (final === undefined) return FAILURE.malformed
    const { first, serverFirst, answer } = state
    if (final.nonce !== first.nonce + this.#needs.nonce) return FAILURE.nonce
    if (!this.#isSameChannel(first, final)) return FAILURE.bindingMismatch
    const signed = toUtf8(`${first.bare},${serverFirst},${final.withoutProof}`)
    const isRight = provesPassword(this.#needs.hashing, answer.credential, signed, final.proof)
    if (!isRight || !answer.isKnown) return answer.isUncertain === true ? FAILURE.unavailable : FAILURE.credentials
    if (answer.refusal !== undefined) return answer.refusal === 'account-disabled' ? FAILURE.disabled : FAILURE.expired
    const { hash, serverKey } = answer.credential
    const signature = toBase64(this.#needs.hashing.hmac(hash, serverKey, signed))
    return { kind: 'success', data: toUtf8(`v=${signature}`), username: this.#username }
  }

  /** RFC 5802 section 6: the value of "c" is made again and compared. */
  #isSameChannel(first: ClientFirst, final: ClientFinal): boolean {
    const data = this.#needs.bindings.get(first.bindingType) ?? new Uint8Array(0)
    const expected = toUtf8(toBase64(Buffer.concat([toUtf8(first.gs2Header), data])))
    return this.#needs.hashing.equal(toUtf8(final.channelBinding), expected)
  }
}

/** RFC 5802 section 3: ClientKey := ClientProof XOR ClientSignature, and StoredKey is its hash. */
function provesPassword(hashing: Hashing, credential: ScramCredential, signed: Uint8Array, proof: Uint8Array): boolean {
  const { hash, storedKey } = credential
  const clientKey = Uint8Array.from(hashing.hmac(hash, storedKey, signed))
  if (proof.length !== clientKey.length) return false
  for (let i = 0; i < clientKey.length; i++) clientKey[i] = (clientKey[i] ?? 0) ^ (proof[i] ?? 0)
  return hashing.equal(hashing.hash(hash, clientKey), storedKey)
}
