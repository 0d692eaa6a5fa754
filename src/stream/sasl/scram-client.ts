/**
 * SCRAM on the client (RFC 5802, RFC 7677), with and without channel binding.
 *
 *   start ─begin─▶ first ─server-first─▶ stretch ─key─▶ final ─server-final─▶ proved ─success─▶ done
 */
import type { Hashing } from '../../world/hashing.types.ts'
import { offerHash } from './downgrade.ts'
import { escapeName, readUtf8, toBase64, toUtf8 } from './encoding.ts'
import { FAILURE, MAX_MESSAGE } from './fault.ts'
import { HASH_OF, keysOf, MIN_ITERATIONS } from './keys.ts'
import { readServerFinal, readServerFirst, type ServerFirst } from './messages.ts'
import type { ClientMechanism, ClientStep, SaslFailure, ScramName } from './sasl.types.ts'

/** A server could keep a client busy with more; some seconds of work. */
export const MAX_ITERATIONS = 10_000_000

/** 'n': we cannot bind channels; 'y': we could, but the server offers nothing; or the type and its data, which makes it -PLUS. */
export type ClientBinding = 'n' | 'y' | { readonly type: string; readonly data: Uint8Array }

export interface ScramClientNeeds {
  readonly hashing: Hashing
  readonly mechanism: ScramName
  readonly binding: ClientBinding
  /** The localpart; sent as it is, because the server maps its case (RFC 8265 section 3.2). */
  readonly username: string
  /** A bare JID, only to act for another (RFC 6120 section 6.3.8). */
  readonly authzid?: string
  /** At least 18 random printable characters without a comma (`Random.id`). */
  readonly nonce: string
  /** What the server showed us (`offerText`); left out: a hash of it is not looked at. */
  readonly offer?: string
  /** Fewer iterations of a server are refused; 4096 unless told otherwise. */
  readonly minIterations?: number
}

type State =
  | { readonly kind: 'start' }
  | { readonly kind: 'first' }
  | { readonly kind: 'stretch'; readonly server: ServerFirst; readonly serverFirst: string }
  | { readonly kind: 'final'; readonly signature: Uint8Array }
  | { readonly kind: 'proved' }
  | { readonly kind: 'done' }

const done: State = { kind: 'done' }

export class ScramClient implements ClientMechanism {
  readonly name: string
  readonly #needs: ScramClientNeeds
  readonly #gs2Header: string
  readonly #bare: string
  #state: State = { kind: 'start' }

  constructor(needs: ScramClientNeeds) {
    this.#needs = needs
    const { binding, username, authzid, nonce } = needs
    this.name = typeof binding === 'string' ? needs.mechanism : `${needs.mechanism}-PLUS`
    const flag = typeof binding === 'string' ? binding : `p=${binding.type}`
    this.#gs2Header = `${flag},${authzid === undefined ? '' : `a=${escapeName(authzid)}`},`
    this.#bare = `n=${escapeName(username)},r=${nonce}`
  }

  begin(): ClientStep {
    const isFirst = this.#state.kind === 'start'
    this.#state = isFirst ? { kind: 'first' } : done
    return isFirst ? { kind: 'response', data: toUtf8(this.#gs2Header + this.#bare) } : FAILURE.outOfOrder
  }

  step(challenge: Uint8Array): ClientStep {
    const state = this.#state
    this.#state = done
    if (state.kind !== 'first' && state.kind !== 'final') return FAILURE.outOfOrder
    const text = readMessage(challenge)
    if (typeof text !== 'string') return text
    if (state.kind === 'first') return this.#first(text)
    const fault = this.#serverFault(text, state.signature)
    if (fault !== undefined) return fault
    // RFC 6120 section 6.3.10: a server may send its last message as a challenge, and the success after an empty response.
    this.#state = { kind: 'proved' }
    return { kind: 'response', data: new Uint8Array(0) }
  }

  resume(key: Uint8Array): ClientStep {
    const state = this.#state
    this.#state = done
    if (state.kind !== 'stretch') return FAILURE.outOfOrder
    const { hashing, mechanism, binding } = this.#needs
    const hash = HASH_OF[mechanism]
    const data = typeof binding === 'string' ? new Uint8Array(0) : binding.data
    const channel = toBase64(Buffer.concat([toUtf8(this.#gs2Header), data]))
    const withoutProof = `c=${channel},r=${state.server.nonce}`
    const signed = toUtf8(`${this.#bare},${state.serverFirst},${withoutProof}`)
    const { clientKey, storedKey, serverKey } = keysOf(hashing, hash, key)
    const clientSignature = hashing.hmac(hash, storedKey, signed)
    const proof = clientKey.map((byte, i) => byte ^ (clientSignature[i] ?? 0))
    this.#state = { kind: 'final', signature: hashing.hmac(hash, serverKey, signed) }
    return { kind: 'response', data: toUtf8(`${withoutProof},p=${toBase64(proof)}`) }
  }

  finish(data: Uint8Array | undefined): ClientStep {
    const state = this.#state
    this.#state = done
    if (state.kind === 'proved')
      return data === undefined || data.length === 0 ? { kind: 'success' } : FAILURE.outOfOrder
    if (state.kind !== 'final' || data === undefined) return FAILURE.serverProof
    const text = readMessage(data)
    if (typeof text !== 'string') return text
    return this.#serverFault(text, state.signature) ?? { kind: 'success' }
  }

  #first(text: string): ClientStep {
    const server = readServerFirst(text)
    if (server === 'mandatory') return FAILURE.extension
    if (server === undefined) return FAILURE.malformed
    const { nonce, minIterations = MIN_ITERATIONS, mechanism, offer, hashing } = this.#needs
    if (!server.nonce.startsWith(nonce) || server.nonce.length === nonce.length) return FAILURE.serverNonce
    if (server.iterations < minIterations || server.iterations > MAX_ITERATIONS) return FAILURE.iterations
    // XEP-0474 section 6.2.
    if (offer !== undefined && server.offerHash !== undefined) {
      if (server.offerHash !== offerHash(hashing, HASH_OF[mechanism], offer)) return FAILURE.offerChanged
    }
    this.#state = { kind: 'stretch', server, serverFirst: text }
    return { kind: 'stretch', hash: HASH_OF[mechanism], salt: server.salt, iterations: server.iterations }
  }

  #serverFault(text: string, signature: Uint8Array): SaslFailure | undefined {
    const final = readServerFinal(text)
    if (final === 'mandatory') return FAILURE.extension
    if (final === undefined) return FAILURE.malformed
    if ('error' in final) return FAILURE.serverError
    return this.#needs.hashing.equal(final.signature, signature) ? undefined : FAILURE.serverProof
  }
}

function readMessage(bytes: Uint8Array): string | SaslFailure {
  if (bytes.length > MAX_MESSAGE) return FAILURE.tooLong
  return readUtf8(bytes) ?? FAILURE.utf8
}
