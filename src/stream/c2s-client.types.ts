/** What the client's machine asks of its driver, and what it needs to know. */
import type { Jid } from '../jid/index.ts'
import type { StanzaCondition } from '../stanza/error.ts'
import type { Hashing, HashName } from '../world/hashing.types.ts'
import type { CloseCause } from '../world/net.types.ts'
import type { Random } from '../world/random.types.ts'
import type { Element } from '../xml/index.ts'
import type { StreamLimits } from './limits.ts'
import type { StanzaSink, StreamEffects, StreamEnd } from './machine.types.ts'
import type { ChoiceLimits, SaslCondition, TokenMechanism } from './sasl/index.ts'
import type { UserAgent } from './sasl2.ts'

export interface C2sClientConfig {
  /** Prepared. */
  readonly domain: string
  /** The localpart, which is the simple user name (RFC 6120 section 6.3.7). */
  readonly username: string
  readonly password: string
  /** A bare JID, only to act for another. */
  readonly authzid?: string
  /** '' lets the server make one. */
  readonly resource: string
  /**
   * Of a connection that is not secured: `required` asks for STARTTLS even where it is not offered (RFC 7590 section 3.1);
   * `optional` takes it where it is; `none` never asks.
   */
  readonly tls: 'required' | 'optional' | 'none'
  /** PLAIN only inside of TLS unless `allowPlainInClear`. */
  readonly allowPlainInClear?: boolean
  readonly atLeast?: ChoiceLimits['atLeast']
  /** False: as a client that cannot bind channels (`n` in SCRAM). */
  readonly bindsChannel?: boolean
  readonly lang?: string
  /** `rfc6120`: SASL2 is not used; by default it is, inside of TLS, where it is offered. */
  readonly profile?: 'rfc6120' | 'sasl2'
  /** For SASL2: who we are. */
  readonly agent?: UserAgent
  /** For FAST (XEP-0484): used in place of the password where the server takes it. `agent` must be who got it. */
  readonly token?: { readonly mechanism: TokenMechanism; readonly token: string; readonly invalidate?: boolean }
  /** A bearer token (RFC 7628): used in place of the password where the server takes it, inside of TLS. */
  readonly bearer?: string
  /** For Bind 2, which is used where it is offered and no resource is asked for. */
  readonly tag?: string
  /** What `<bind/>` of Bind 2 asks for besides. */
  readonly session?: readonly Element[]
  /** What `<authenticate/>` asks for besides. */
  readonly inline?: readonly Element[]
  /** A former session to go on with, where the server lets us (XEP-0198 §5). */
  readonly resume?: { readonly jid: Jid; readonly previd: string; readonly h: number }
}

/** Why a stream did not come to be. Codes are RTK_CLIENT_… and those of SASL. */
export interface ClientRefusal {
  readonly kind: 'refused'
  readonly step: 'tls' | 'sign-in' | 'bind'
  readonly code: `RTK_${string}`
  /** What the server said, if it did. */
  readonly condition: SaslCondition | StanzaCondition | undefined
  readonly text: string
}

export type ClientEnd = StreamEnd | ClientRefusal

export interface C2sClientDriver {
  /** PBKDF2 of the password (`stretch` of sasl/); answered by `stretched`. */
  stretch(ticket: number, hash: HashName, salt: Uint8Array, iterations: number): void
  /**
   * A resource is bound, or a former session goes on, as `resumed` says: where do stanzas go? `success` is that of SASL2,
   * undefined in the profile of RFC 6120.
   */
  established(jid: Jid, features: Element, success: Element | undefined, resumed: Element | undefined): StanzaSink
  /** The former session is no more, as this `<failed/>` says; a resource is bound next. */
  notResumed(failed: Element): void
  /** A first-level element that is no stanza, once established. False: unknown, the stream ends. */
  claim(el: Element): boolean
  ended(end: ClientEnd): void
  disconnected(cause: CloseCause): void
}

export interface C2sClientNeeds {
  readonly effects: StreamEffects
  readonly driver: C2sClientDriver
  readonly config: C2sClientConfig
  readonly limits: StreamLimits
  readonly random: Random
  readonly hashing: Hashing
}
