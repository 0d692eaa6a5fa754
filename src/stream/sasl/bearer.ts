/**
 * OAUTHBEARER (RFC 7628): the client shows a bearer token of OAuth 2.0 (RFC 6750), and a back end judges whose it is. Both roles. Only
 * inside of TLS (section 3): whoever offers it sees to that.
 */
import { escapeName, readUtf8, toUtf8, unescapeName } from './encoding.ts'
import { FAILURE, MAX_MESSAGE } from './fault.ts'
import { isOwnAuthzid } from './identity.ts'
import { OneMessageServer, type ServerQuestion } from './one-message-server.ts'
import type { BearerHelp, ClientMechanism, ClientStep, SaslFailure, ServerAnswer, ServerStep } from './sasl.types.ts'

export const BEARER = 'OAUTHBEARER'

/** Longest token, in bytes (`bearer_token_bytes`): room for the groups that issuers write into theirs. */
export const MAX_TOKEN = 8192

/** Section 3.1: separates and ends; alone it is the client's answer to an error. */
const SEPARATOR = '\x01'

/** RFC 5801 section 4, without the flag for other mechanisms than GS2's: channel binding, authorization identity. */
const HEADER = /^(?:[ny]|(p)=[A-Za-z0-9.-]+),(?:a=([^,\0]+))?,$/
const PAIR = /^([A-Za-z]+)=([\t\n\r\x20-\x7e]*)$/
/** RFC 6750 section 2.1; the name of the scheme in any case (RFC 7628 section 4). Nothing at all asks what token is wanted (section 4.3). */
const AUTH = /^(?:bearer +([A-Za-z0-9._~+/-]+=*))?$/i

interface First {
  readonly authzid: string | undefined
  /** '' when the client has none, and asks what it needs. */
  readonly token: string
}

/**
 * Section 3.1. `host` and `port` say where the client has connected, by the name that it found in DNS: there is nothing here to
 * compare them with. Other pairs are to be ignored.
 */
function readFirst(text: string): First | SaslFailure {
  const end = text.indexOf(SEPARATOR)
  const header = HEADER.exec(text.slice(0, Math.max(0, end)))
  if (header === null || text.length < end + 2 || !text.endsWith(SEPARATOR)) return FAILURE.malformed
  const [, binds, escaped] = header
  if (binds !== undefined) return FAILURE.bindingMissing
  const authzid = escaped === undefined ? undefined : unescapeName(escaped)
  if (escaped !== undefined && authzid === undefined) return FAILURE.malformed
  const pairs = text.slice(end + 1, -1)
  // Each ends with a separator, and the last is followed by one more.
  if (pairs !== '' && !pairs.endsWith(SEPARATOR)) return FAILURE.malformed
  let auth: string | undefined
  for (const pair of pairs.split(SEPARATOR).slice(0, -1)) {
    const [, key, value] = PAIR.exec(pair) ?? []
    if (key === undefined || (key === 'auth' && auth !== undefined)) return FAILURE.malformed
    if (key === 'auth') auth = value ?? ''
  }
  const token = AUTH.exec(auth ?? '-')
  if (token === null) return FAILURE.malformed
  const [, shown = ''] = token
  return shown.length > MAX_TOKEN ? FAILURE.bearerTooLong : { authzid, token: shown }
}

/** Section 3.2.2: `status` is of the registry of OAuth errors (RFC 6750 section 3.1). */
function errorMessage(status: 'invalid_token' | 'insufficient_scope', { scope, openidConfiguration }: BearerHelp) {
  return toUtf8(JSON.stringify({ status, scope, 'openid-configuration': openidConfiguration }))
}

/** As `OneMessageServer`, and: asked ─bad token─▶ failed ─whatever the client says─▶ done. Its name is the token's, once that has proved good. */
export class BearerServer extends OneMessageServer {
  readonly #domain: string
  #first: First = { authzid: undefined, token: '' }
  #failure: SaslFailure | undefined

  /** The prepared domain of the accounts. */
  constructor(domain: string) {
    super()
    this.#domain = domain
  }

  override step(input: Uint8Array | undefined): ServerStep {
    const failure = this.#failure
    if (failure === undefined) return super.step(input)
    this.#failure = undefined
    // Section 3.2.3 wants one separator; what comes instead saves nobody.
    return failure
  }

  protected message(input: Uint8Array | undefined): ServerQuestion {
    if (input === undefined) return FAILURE.outOfOrder
    if (input.length > MAX_TOKEN + MAX_MESSAGE) return FAILURE.bearerTooLong
    const text = readUtf8(input)
    if (text === undefined) return FAILURE.utf8
    const first = readFirst(text)
    if ('kind' in first) return first
    this.#first = first
    return { kind: 'bearer', token: first.token }
  }

  protected answered(answer: ServerAnswer): ServerStep {
    if (answer.kind !== 'bearer') return FAILURE.outOfOrder
    const { authzid, token } = this.#first
    this.#first = { authzid, token: '' }
    const { result, username, help } = answer
    this.isOf(username)
    switch (result) {
      case 'right': {
        const isOwn = authzid === undefined || isOwnAuthzid(authzid, username, this.#domain)
        return isOwn ? { kind: 'success', username } : FAILURE.authzid
      }
      case 'account-disabled':
        // Another token of his would do no better.
        return FAILURE.disabled
      case 'wrong':
        return this.#fail(token === '' ? FAILURE.bearerMissing : FAILURE.bearer, errorMessage('invalid_token', help))
      case 'credentials-expired':
        return this.#fail(FAILURE.bearerExpired, errorMessage('invalid_token', help))
      case 'insufficient-scope':
        return this.#fail(FAILURE.bearerScope, errorMessage('insufficient_scope', help))
    }
  }

  #fail(failure: SaslFailure, data: Uint8Array): ServerStep {
    this.#failure = failure
    return { kind: 'challenge', data, failure }
  }
}

export interface BearerClientNeeds {
  readonly token: string
  /** A bare JID: who the client takes itself for. */
  readonly authzid?: string
}

export class BearerClient implements ClientMechanism {
  readonly name = BEARER
  readonly #message: Uint8Array
  #state: 'start' | 'sent' | 'refused' | 'done' = 'start'
  #error = ''

  constructor({ token, authzid }: BearerClientNeeds) {
    const identity = authzid === undefined ? '' : `a=${escapeName(authzid)}`
    this.#message = toUtf8(`n,${identity},${SEPARATOR}auth=Bearer ${token}${SEPARATOR}${SEPARATOR}`)
  }

  /** What the server said of a token that does not do (section 3.2.2): JSON, or '' while it said nothing. */
  get error(): string {
    return this.#error
  }

  begin(): ClientStep {
    const isFirst = this.#state === 'start'
    this.#state = isFirst ? 'sent' : 'done'
    return isFirst ? { kind: 'response', data: this.#message } : FAILURE.outOfOrder
  }

  /** Section 3.2.3. */
  step(challenge: Uint8Array): ClientStep {
    const isExpected = this.#state === 'sent'
    this.#state = isExpected ? 'refused' : 'done'
    if (!isExpected) return FAILURE.outOfOrder
    this.#error = readUtf8(challenge) ?? ''
    return { kind: 'response', data: toUtf8(SEPARATOR) }
  }

  resume(): ClientStep {
    this.#state = 'done'
    return FAILURE.outOfOrder
  }

  finish(data: Uint8Array | undefined): ClientStep {
    const isExpected = this.#state === 'sent' && (data === undefined || data.length === 0)
    this.#state = 'done'
    return isExpected ? { kind: 'success' } : FAILURE.outOfOrder
  }
}
