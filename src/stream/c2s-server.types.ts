/** What the server's c2s machine asks of its driver (the listener), and the answers it takes. */
import type { Jid } from '../jid/index.ts'
import type { StanzaError, StreamError } from '../stanza/error.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { CloseCause, TlsInfo } from '../world/net.types.ts'
import type { Random } from '../world/random.types.ts'
import type { Element } from '../xml/index.ts'
import type { StreamLimits } from './limits.ts'
import type { StanzaSink, StreamEffects, StreamEnd } from './machine.types.ts'
import type {
  ChannelBindings,
  SaslCondition,
  SaslFailure,
  ScramCredential,
  ScramName,
  ServerLookup,
  ServerTokens,
  TokenUse,
} from './sasl/index.ts'
import type { Authenticate, Sasl2Offer } from './sasl2.ts'

/** What the machine must know of a host that it serves. */
export interface StreamHost {
  /** Prepared (RFC 7622). */
  readonly domain: string
  /** `required`: nothing but STARTTLS before TLS (RFC 6120 section 5.3.1); `none`: no certificate to offer. */
  readonly tls: 'required' | 'optional' | 'none'
  /** SASL2 is offered inside of TLS (XEP-0388); left out: it is not spoken. */
  readonly hasSasl2?: boolean
  /** Clients may bring hashes of their password that the account lacks (XEP-0480); left out: they are not asked. */
  readonly upgrades?: boolean
  /** The offer of mechanisms is hashed into SCRAM (XEP-0474); left out: it is not. */
  readonly protectsOffer?: boolean
}

/** Who signed in, and how. */
export interface Account {
  /** Bare. */
  readonly jid: Jid
  readonly mechanism: string
  /** The one that was used to sign in (XEP-0484). */
  readonly token?: TokenUse
}

/** What the connection is like, for the choice of mechanisms. */
export interface Channel {
  readonly isSecure: boolean
  /** Those this connection really has data for, the strongest first. */
  readonly bindings: ChannelBindings
  readonly tls: TlsInfo | undefined
}

/** Names an open question; an answer to one that is no longer open is ignored. */
export type Ticket = number

/** An attempt to sign in that failed, for metrics, logs and back-off. */
export interface SignInFailure {
  readonly host: StreamHost
  /** '' when the exchange did not come so far. */
  readonly username: string
  /** '' when none was chosen. */
  readonly mechanism: string
  readonly condition: SaslCondition
  readonly code: SaslFailure['code']
}

/** A driver's methods are called by the machine, never from outside of one of its inputs. Answers may come at once or later. */
export interface C2sDriver {
  /** The `from` of a response header when the client's `to` is none of ours (section 4.9.1.3). */
  readonly defaultDomain: string
  /** Why this client is turned away as soon as its header has come (too many connections …); undefined to let it in. */
  readonly refusal: StreamError | undefined
  /** `gone`: no longer served (`host-gone`); undefined: never heard of. `domain` is prepared. */
  host(domain: string): StreamHost | 'gone' | undefined
  /** The host's back ends decide, never the user. In order of preference; names as in the SASL registry. */
  mechanisms(host: StreamHost, channel: Channel): readonly string[]
  /**
   * Features of modules for this stage, besides those of the machine: `sasl` stands beside the mechanisms, `bind` beside resource
   * binding (XEP-0170 keeps the order).
   */
  features(host: StreamHost, stage: 'sasl' | 'bind'): readonly Element[]
  /** What SASL2 offers to be done in one go; asked only where the host speaks it. */
  sasl2(host: StreamHost, channel: Channel): Sasl2Offer
  /** Mechanisms of XEP-0484, for this connection; none where the host gives no tokens. */
  tokenMechanisms(host: StreamHost, channel: Channel): readonly string[]
  /** Asks for the tokens of a client, a UUID; answered by `machine.answer`, with as much for those that have none. */
  tokens(ticket: Ticket, host: StreamHost, request: ServerTokens, agent: string): void
  /** Asks for what SCRAM needs of an account; answered by `machine.answer`, for unknown names with a decoy. */
  lookUp(ticket: Ticket, host: StreamHost, request: ServerLookup): void
  /** Asks whether a password is right; answered by `machine.answer`. */
  verify(ticket: Ticket, host: StreamHost, username: string, password: string): void
  /** Asks whose bearer token this is (RFC 7628); answered by `machine.answer`. */
  bearer(ticket: Ticket, host: StreamHost, token: string): void
  /** Asks whether an account may come in without a secret, by ANONYMOUS or EXTERNAL; answered by `machine.answer`. */
  vouch(ticket: Ticket, host: StreamHost, username: string, mechanism: string): void
  /** Told of each failure, before the client is. */
  signInFailed(failure: SignInFailure): void
  /** Somebody has signed in; told before the client is. */
  signedIn(account: Account): void
  /**
   * Asks for a resource; answered by `machine.bound`. `resource` is prepared, '' when the server is to make one. What the
   * new session writes before the answer is kept until the client has read its address.
   */
  bind(ticket: Ticket, host: StreamHost, account: Jid, resource: string): void
  /** Asks which of these hashes the account lacks; answered by `machine.upgrade` with what to make them with. */
  upgrades(ticket: Ticket, host: StreamHost, account: Account, wanted: readonly ScramName[]): void
  /** Keeps a hash that the client has made; answered by `machine.upgrade` with nothing, whether it could be kept or not. */
  keepUpgrade(
    ticket: Ticket,
    host: StreamHost,
    account: Account,
    mechanism: ScramName,
    credential: ScramCredential,
  ): void
  /**
   * Somebody has signed in by SASL2 (told by `signedIn` before), and this is what else he asked for: resumption, a resource and
   * its features (XEP-0388 section 2.6.1, XEP-0386 section 3.2); answered by `machine.inlined`. What a session writes before the
   * answer is kept until the client has read `<success/>`.
   */
  inline(ticket: Ticket, host: StreamHost, account: Account, request: Authenticate): void
  /**
   * A first-level element that the machine does not know (stream management, registration, SASL2 …). False: refuse it. Stanzas come
   * here before sign-in only.
   */
  claim(el: Element, stage: 'features' | 'bind' | 'established'): boolean
  /** The stream is over: end the session. Once, and only after `start`. */
  ended(end: StreamEnd): void
  /** The connection is gone: the machine is of no use any more. Once, after `ended`. */
  disconnected(cause: CloseCause): void
}

/** The address and the session of a client. */
export interface Bound {
  readonly jid: Jid
  readonly sink: StanzaSink
}

export type BindAnswer = Bound | StanzaError

/** What was done of a request of SASL2. */
export interface InlineAnswer {
  /** Undefined: no resource is bound, and the client may ask for one as RFC 6120 section 7 has it. */
  readonly bound: Bound | undefined
  /** The session was there before: no features follow (XEP-0198 section 9.2). Left out: it was not. */
  readonly isResumed?: boolean
  /** Inside of `<success/>`, behind the identity. */
  readonly elements: readonly Element[]
}

/** What the machine is made of. */
export interface C2sServerNeeds {
  readonly effects: StreamEffects
  readonly driver: C2sDriver
  readonly limits: StreamLimits
  readonly random: Random
  readonly hashing: Hashing
}

/** How a mechanism ended well. */
export interface MechanismSuccess {
  /** Prepared localpart. */
  readonly username: string
  readonly mechanism: string
  /** For `<success/>`. */
  readonly data: Uint8Array | undefined
  readonly token: TokenUse | undefined
}

/** What the machine's parts (`SignIn`, `Binding`) ask of the whole. */
export interface C2sWhole {
  readonly needs: C2sServerNeeds
  readonly channel: Channel
  /** Names a new question and holds the input until `answered`. */
  ask(): Ticket
  answered(): void
  /** Ends the stream with an error. */
  close(error: StreamError): void
  /** The exchange succeeded for this prepared localpart; `success` tells the client. */
  signedIn(username: string, mechanism: string, success: Element): void
  /**
   * The same by SASL2. A failure when the client may not be this account after all.
   */
  authenticated(success: MechanismSuccess, request: Authenticate): SaslFailure | undefined
  /** A task behind the authentication failed: the client is not signed in, and may try again. */
  failed(failure: SaslFailure): void
  /** A request of SASL2 is done; `success` tells the client. */
  succeeded(success: Element, answer: InlineAnswer): void
  /** A resource is bound; `result` tells the client. */
  establish(bound: Bound, result: Element | undefined): void
}
