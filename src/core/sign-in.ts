/** Sign-in in one go (XEP-0388, XEP-0386), as modules see it: the events of its hooks. */
import type { Jid } from '../jid/jid.ts'
import type { Element } from '../xml/element.types.ts'
import type { Host } from './host.ts'
import type { Session } from './session.ts'

/** What a client says of itself (XEP-0388 section 2.3). It must not be told to anybody but its user and the operator. */
export interface ClientAgent {
  /** A UUID of the installation; '' when it gave none. */
  readonly id: string
  readonly software: string
  readonly device: string
}

/** A stream whose client has signed in, and hears what it may still ask for. */
export interface SignedInStream {
  readonly host: Host
  /** Undefined: a resource is bound next. */
  readonly session: Session | undefined
}

/** Somebody has authenticated by SASL2; `<success/>` is not out yet. */
export interface SignInRequest {
  readonly host: Host
  /** Bare. */
  readonly account: Jid
  readonly mechanism: string
  readonly agent: ClientAgent | undefined
  /** What was asked for in one go, `<bind/>` excepted. */
  readonly inline: readonly Element[]
}

/** A resource was bound by Bind 2, in this very turn. */
export interface Bind2Request {
  readonly session: Session
  readonly request: SignInRequest
  /** `<bind/>` with what the client wants of its session. */
  readonly bind: Element
}

/** All of it is done but for `<success/>`. */
export interface SignInDone {
  readonly request: SignInRequest
  /** Undefined: no resource is bound yet. */
  readonly session: Session | undefined
}
