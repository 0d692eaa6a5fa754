/**
 * SASL (RFC 4422, RFC 6120 section 6) as state machines without I/O. A machine is stepped with what the peer sent; where it
 * needs something that takes time (an account, a stretched password) it says so, and goes on when it is resumed.
 */
import type { HashName } from '../../world/hashing.types.ts'

/** All conditions of RFC 6120 section 6.5. */
export type SaslCondition =
  | 'aborted'
  | 'account-disabled'
  | 'credentials-expired'
  | 'encryption-required'
  | 'incorrect-encoding'
  | 'invalid-authzid'
  | 'invalid-mechanism'
  | 'malformed-request'
  | 'mechanism-too-weak'
  | 'not-authorized'
  | 'temporary-auth-failure'

/** Channel bindings by the name of their type (RFC 9266, RFC 5929), the strongest first; those that really have data. */
export type ChannelBindings = ReadonlyMap<string, Uint8Array>

/** A SCRAM mechanism without -PLUS, as credentials are stored. */
export type ScramName = 'SCRAM-SHA-1' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

export interface SaslFailure {
  readonly kind: 'failure'
  readonly condition: SaslCondition
  readonly code: `RTK_SASL_${string}` | 'RTK_SIGN_IN_FAILURES_PER_ACCOUNT'
  /** For logs and for people; holds nothing that the peer sent. */
  readonly text: string
}

/** What a server keeps of a password for one hash (RFC 5802 section 3); the password cannot be had back from it. */
export interface ScramCredential {
  readonly hash: HashName
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

/** Look the account up and answer with `Decoys.answer`, whether it exists or not. */
export interface ServerLookup {
  readonly kind: 'lookup'
  /** Prepared localpart. */
  readonly username: string
  readonly domain: string
  readonly mechanism: ScramName
}

/** Check the password and answer `verified`. Both are prepared. */
export interface ServerVerify {
  readonly kind: 'verify'
  readonly username: string
  readonly password: string
}

/** Ask whether this account may come in without a secret (ANONYMOUS, EXTERNAL) and answer `verified`. */
export interface ServerVouch {
  readonly kind: 'vouch'
  readonly username: string
}

/** Ask a back end whose bearer token this is (OAUTHBEARER, RFC 7628) and answer `bearer`. */
export interface ServerBearer {
  readonly kind: 'bearer'
  /** Of the characters that RFC 6750 section 2.1 allows; '' asks for nothing but the help. */
  readonly token: string
}

/** What a client is told whose bearer token does not do (RFC 7628 section 3.2.2). */
export interface BearerHelp {
  /** The scope that a token needs. */
  readonly scope?: string | undefined
  /** URL of the issuer's document (OpenID Connect Discovery section 3). */
  readonly openidConfiguration?: string | undefined
}

/** Look up the tokens of this client (XEP-0484 section 5.1) and answer `tokens`, whether it has any or not. */
export interface ServerTokens {
  readonly kind: 'tokens'
  readonly username: string
  readonly domain: string
  /** A token serves the mechanism that it was asked for with, and no other. */
  readonly mechanism: string
}

/** Which token was used, without the token. */
export interface TokenUse {
  readonly id: string
  /** It was not used before (XEP-0484 section 5.1, the slot 'new'). */
  readonly isNew: boolean
  readonly mechanism: string
  /** Milliseconds since 1970. */
  readonly createdMs: number
  readonly usedMs: number
}

export interface TokenCandidate {
  readonly token: string
  /** Undefined: there is no such token, and this one is here to take its time. */
  readonly use: TokenUse | undefined
  /** Why it does not serve, told to whoever has it. */
  readonly refusal?: AccountRefusal
}

/** Why a client that has proved its password may still not come in. Told to nobody who has not proved it. */
export type AccountRefusal = 'account-disabled' | 'credentials-expired'

export type ServerAnswer =
  /** To `lookup`. For an account that does not exist the credential is a decoy and `isKnown` false. */
  | {
      readonly kind: 'credential'
      readonly credential: ScramCredential
      readonly isKnown: boolean
      readonly refusal?: AccountRefusal
      /** A wrong proof is no reason to say no: somebody else who might know could not be asked. */
      readonly isUncertain?: boolean
    }
  /** To `verify` and `vouch`. A refusal only when the password was right. */
  | { readonly kind: 'verified'; readonly result: 'right' | 'wrong' | AccountRefusal }
  /** To `bearer`. `username` is prepared, '' unless the token proves it. */
  | {
      readonly kind: 'bearer'
      readonly result: 'right' | 'wrong' | 'insufficient-scope' | AccountRefusal
      readonly username: string
      readonly help: BearerHelp
    }
  /** To `tokens`. */
  | { readonly kind: 'tokens'; readonly candidates: readonly TokenCandidate[] }
  /** To either: the store or the back end cannot tell at the moment. */
  | { readonly kind: 'unavailable' }
  /** To either: the account, known or not, was tried too often and is not looked up. */
  | { readonly kind: 'held-off' }

export type ServerStep =
  /**
   * `failure`: the attempt has failed, and this tells the client more than a failure can (RFC 7628 section 3.2.3); what it answers
   * leads to that failure.
   */
  | { readonly kind: 'challenge'; readonly data: Uint8Array; readonly failure?: SaslFailure }
  /** `data` travels with the success (RFC 6120 section 6.3.10); `username` is the prepared localpart. */
  | { readonly kind: 'success'; readonly data?: Uint8Array; readonly username: string; readonly token?: TokenUse }
  | ServerBearer
  | ServerLookup
  | ServerTokens
  | ServerVerify
  | ServerVouch
  | SaslFailure

/** One attempt to sign in, on the server. Neither method throws; a call out of order is a failure. */
export interface ServerMechanism {
  /** The prepared name that the client gave, '' before that. */
  readonly username: string
  /** What the client sent, decoded from base64; undefined for an `<auth/>` without initial response. */
  step(input: Uint8Array | undefined): ServerStep
  /** The answer to a `lookup` or `verify`. */
  resume(answer: ServerAnswer): ServerStep
}

export type ClientStep =
  | { readonly kind: 'response'; readonly data: Uint8Array }
  /** Derive the key from the password by PBKDF2 (`stretch`) and resume with it. It may be kept for the next time. */
  | { readonly kind: 'stretch'; readonly hash: HashName; readonly salt: Uint8Array; readonly iterations: number }
  | { readonly kind: 'success' }
  | SaslFailure

/** One attempt to sign in, on the client. No method throws; a call out of order is a failure. */
export interface ClientMechanism {
  readonly name: string
  /** The initial response. */
  begin(): ClientStep
  /** A challenge. */
  step(challenge: Uint8Array): ClientStep
  /** The key that `stretch` asked for. */
  resume(key: Uint8Array): ClientStep
  /** The server's success with its data; a failure when the server has not proved that it knows the password. */
  finish(data: Uint8Array | undefined): ClientStep
}
