/**
 * Authentication back ends as the core sees them (DESIGN.md section 10). A back end declares what it can; the mechanisms
 * that are offered follow from the host's back ends, never from the user.
 */
import type { AccountRefusal, BearerHelp, ScramCredential, ScramName } from '../stream/sasl/sasl.types.ts'
import type { AccountState } from './accounts.ts'
import type { Host } from './host.ts'

/** What SCRAM needs of an account that exists. */
export interface SignInRecord {
  readonly state: AccountState
  /** Undefined when the account has no credential for the mechanism. */
  readonly credential: ScramCredential | undefined
  /** A back end that comes first could not tell: a wrong proof is no reason to say no. */
  readonly isUncertain?: boolean
}

export type PasswordVerdict = 'right' | 'wrong' | AccountRefusal

/** An account in a listing. */
export interface AccountEntry {
  readonly local: string
  readonly state: AccountState
  /** Who made it: `admin`, `registration`, the name of an import. */
  readonly origin: string
  readonly created: Date
}

/** Making and changing accounts, for back ends that keep them. Names are prepared, passwords too. */
export interface AccountKeeper {
  /** False: `create` and `setPassword` reject with `CommandError` RTK_ACCOUNT_BACKEND. Left out: it does. */
  readonly keepsPasswords?: boolean
  /** False when the account exists. */
  create(host: Host, local: string, password: string, origin: string): Promise<boolean>
  /** False when there is no such account. */
  setPassword(host: Host, local: string, password: string): Promise<boolean>
  /** False when there is no such account. */
  setState(host: Host, local: string, state: AccountState): Promise<boolean>
  /** The last step of a removal: the account itself. False when there is no such account. */
  remove(host: Host, local: string): Promise<boolean>
  /** A page of accounts behind `after` (''), in order of their names. */
  list(host: Host, after: string, limit: number): Promise<readonly AccountEntry[]>
  count(host: Host): Promise<number>
}

/** Hashes of passwords that clients bring (XEP-0480), for back ends that take them. */
export interface CredentialKeeper {
  /** Those of the wanted that the account has not. */
  lacking(host: Host, local: string, wanted: readonly ScramName[]): Promise<readonly ScramName[]>
  keep(host: Host, local: string, mechanism: ScramName, credential: ScramCredential): Promise<void>
}

/** What a back end found a bearer token to be (RFC 7628). */
export interface BearerVerdict {
  readonly result: PasswordVerdict | 'insufficient-scope'
  /** The prepared localpart that the token proves; '' for a token that proves none. */
  readonly local: string
}

/** Bearer tokens, for back ends that can judge them. */
export interface BearerJudge {
  /** For clients whose token does not do. */
  readonly help: BearerHelp
  judge(host: Host, token: string): Promise<BearerVerdict>
}

/** A client of an account that may sign in by a token (XEP-0484). */
export interface ClientToken {
  /** UUID of the installation. */
  readonly agent: string
  /** As the client calls itself. */
  readonly software: string
  readonly device: string
  readonly created: Date
  readonly expires: Date
  /** To the hour. */
  readonly used: Date
}

/** The tokens of accounts, for administration. */
export interface TokenKeeper {
  /** A page of clients behind `after` (''), in order of their UUIDs. */
  list(host: Host, local: string, after: string, limit: number): Promise<readonly ClientToken[]>
  /** False when the client has none. */
  revoke(host: Host, local: string, agent: string): Promise<boolean>
  /** How many tokens there were. */
  revokeAll(host: Host, local: string): Promise<number>
}

/** A back end. Its promises reject with `WorldError` when it cannot tell at the moment. */
export interface AuthBackend {
  readonly name: string
  /** SCRAM mechanisms for which it has credentials. */
  readonly scram: readonly ScramName[]
  /** Iterations of credentials made now, so that unknown accounts look like known ones. */
  readonly scramIterations: number
  /** True when it can check a password that it is shown. */
  readonly checksPasswords: boolean
  readonly keeper: AccountKeeper | undefined
  readonly credentials?: CredentialKeeper
  /** Left out: OAUTHBEARER is not offered. */
  readonly bearer?: BearerJudge | undefined
  /** Undefined for an account that it does not know. */
  signIn(host: Host, local: string, mechanism: ScramName): Promise<SignInRecord | undefined>
  verify(host: Host, local: string, password: string): Promise<PasswordVerdict>
  exists(host: Host, local: string): Promise<boolean>
  /** For those who sign in by other means than a password; undefined for an account that it does not know. */
  state(host: Host, local: string): Promise<AccountState | undefined>
}
