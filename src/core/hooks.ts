/**
 * Hooks (DESIGN.md section 6). Three kinds and no fourth: a notice is told, a filter may object, a fold adds to a
 * result. Every hook of the core is named here; a module adds its own by declaration merging. Whether a handler may
 * wait (return a promise) is in the hook's type.
 */
import type { StreamError } from '../stanza/error.ts'
import type { Element } from '../xml/element.types.ts'
import type { Resumable } from './client-stream.ts'
import type { Batch } from './hand-over.ts'
import type { Host } from './host.ts'
import type { Packet, Verdict } from './packet.ts'
import type { Session } from './session.ts'
import type { SessionEnd } from './session-owner.ts'
import type { Bind2Request, SignedInStream, SignInDone, SignInRequest } from './sign-in.ts'

declare const kind: unique symbol

export interface Notice<Event> {
  readonly [kind]: 'notice'
  readonly event: Event
}
/** A notice whose handlers may wait; whoever tells it waits for all. */
export interface WaitingNotice<Event> {
  readonly [kind]: 'waiting-notice'
  readonly event: Event
}
/** A filter over packets, at a place: the session or host where the packet passes. */
export interface Filter<At> {
  readonly [kind]: 'filter'
  readonly at: At
}
export interface WaitingFilter<At> {
  readonly [kind]: 'waiting-filter'
  readonly at: At
}
export interface Fold<Value, Event> {
  readonly [kind]: 'fold'
  readonly value: Value
  readonly event: Event
}
export interface WaitingFold<Value, Event> {
  readonly [kind]: 'waiting-fold'
  readonly value: Value
  readonly event: Event
}

/**
 * How a message to a local account ended; told after routing, and once more when a session had taken it and its connection ended
 * before it left: then `packet.wasTaken` is true.
 */
export interface MessageOutcome {
  readonly packet: Packet
  readonly host: Host
  /** Sessions that took it. */
  readonly sessions: readonly Session[]
  /** True when it waits in the offline store. */
  readonly offline: boolean
  /** The error's code when it was refused. */
  readonly refused: string | undefined
}

/** A message that the resource did not get which it was for, or which had taken it. */
export interface Astray {
  readonly host: Host
  /** Whose connection ended before it left, or who ended before he acknowledged it; undefined: nobody had taken it. */
  readonly session: Session | undefined
  /** When it was sent to him, in milliseconds since 1970, or a second later; undefined: just before his connection ended. */
  readonly sentMs: number | undefined
}

/** Who has connected to a host and not signed in. */
export interface Stranger {
  readonly host: Host
  /** Client address, the true one behind a PROXY header; '' for a Unix socket. */
  readonly address: string
  /** Inside of TLS. */
  readonly isSecure: boolean
}

/** An iq request to the host from somebody who has not signed in. */
export interface StrangerRequest extends Stranger {
  readonly el: Element
  /** One object a stream. */
  readonly stream: object
  /** Sends a stanza to him, now or later; it goes nowhere once he has signed in. */
  send(el: Element): void
}

/** An account, by host and local part. */
export interface AccountRef {
  readonly host: Host
  readonly local: string
}

/** One store's rows of an account, for export and import. */
export interface AccountData {
  readonly store: string
  readonly rows: readonly Readonly<Record<string, string | number | boolean | null>>[]
}

export interface Hooks {
  /** A client's stanza, validated and stamped, before it is routed. May wait: the session's order is kept. */
  'stanza:sent': WaitingFilter<Session>
  /** Every routed stanza, once, before its owner is called. `at` is undefined when neither end is a local host. */
  'stanza:route': Filter<Host | undefined>
  /** A stanza for a local account, before its resources are chosen. May wait. */
  'stanza:inbound': WaitingFilter<Host>
  /** A stanza for a local host itself (its domain), iq requests with a handler excepted. */
  'stanza:host': WaitingFilter<Host>
  /**
   * Whether a session may be among those that a stanza to its account's bare JID goes to, before they are chosen. A
   * verdict takes it out of the choice, as if it were not there; nobody is answered.
   */
  'session:eligible': Filter<Session>
  /** A stanza about to be handed to one session. */
  'session:deliver': Filter<Session>
  /** A message to a local account that no session may take and that is not refused yet: the offline store's. */
  'message:undelivered': WaitingFilter<Host>
  'message:outcome': Notice<MessageOutcome>
  /** A message that one resource did not get, before it goes to the account: to others, into the store, or back. */
  'message:astray': Filter<Astray>
  /** A client's presence without `to` (RFC 6121 sections 4.2, 4.4, 4.5). Unhandled, it only sets the session's own. */
  'presence:self': WaitingFilter<Session>
  /**
   * A session became available with a non-negative priority, or became so from a negative one. What waited for the
   * account is handed over now; messages to the bare JID wait until all handlers are done.
   */
  'presence:ready': WaitingNotice<Session>
  'session:bound': Notice<Session>
  /** A session was made of its data (session-codec.ts): slots that are kept are there, all else that a module gave it is not. */
  'session:adopted': Notice<Session>
  /** A session has left the table. Its presence is still readable. */
  'session:ended': Notice<{ readonly session: Session; readonly end: SessionEnd }>
  /** A host came while the server runs. Those of the start are in `hosts()` when a module is set up. */
  'host:added': Notice<Host>
  /**
   * A host is served no more: `host()` does not find it, and what is sent to it is for a stranger. Its sessions end after
   * this, each with its own notice. What is kept of its accounts stays, for the host may come back.
   */
  'host:removed': Notice<Host>
  /**
   * A session outlived the server, and with it what it has of a batch (`Batch.marks`); or nothing of it is left but what is to be
   * removed (`Batch.leftMark`), and the session may have ended. Told before clients come.
   */
  'hand-over:resumed': Notice<{ readonly session: Session; readonly batch: Batch }>
  /** A session that had lost its connection goes on over another. */
  'session:resumed': Notice<Session>
  /** A message that was sent long ago, and not acknowledged, is sent another way: it is to say since when it was held. */
  'message:late': Fold<Element, { readonly host: Host; readonly sentMs: number }>
  /** Stream features after sign-in. */
  'stream:features': Fold<readonly Element[], SignedInStream>
  /** Children of `<inline/>` in SASL2's stream feature (XEP-0388 section 2.1), besides Bind 2. */
  'sasl2:features': Fold<readonly Element[], Host>
  /** Names of what may be asked for inside of `<bind/>` (XEP-0386 section 3.1). */
  'bind2:features': Fold<readonly string[], Host>
  /**
   * Before anything is bound: does the client go on with an older session (XEP-0198 section 9.2)? The first answer stands: that
   * session, an element that says why not, or the error that ends the stream.
   */
  'sasl2:resume': Fold<Resumable | Element | StreamError | undefined, SignInRequest>
  /** Sets up a session in the turn in which it was bound; children of `<bound/>` (XEP-0386 section 3.2). */
  'bind2:bound': Fold<readonly Element[], Bind2Request>
  /** Children of `<bound/>` that a store must be asked for: the state of an archive. */
  'bind2:metadata': WaitingFold<readonly Element[], Bind2Request>
  /** Children of `<success/>` that are neither of resumption nor of Bind 2. */
  'sasl2:success': WaitingFold<readonly Element[], SignInDone>
  /** Stream features before sign-in, beside the mechanisms. */
  'stream:stranger-features': Fold<readonly Element[], Stranger>
  /** True as soon as a module has dealt with it; a request that is nobody's ends the stream (RFC 6120 section 6.4.1). */
  'stream:stranger-request': Fold<boolean, StrangerRequest>
  'account:created': Notice<AccountRef>
  /** Its password is another now; tokens that go with the old one have not ended yet. */
  'account:password': Notice<AccountRef>
  'account:export': WaitingFold<readonly AccountData[], AccountRef>
  'account:import': WaitingNotice<AccountRef & { readonly data: readonly AccountData[] }>
  'account:delete': WaitingNotice<AccountRef>
}

type MaybePromise<T> = T | Promise<T>

/** The function that may be registered for a hook. */
export type Handler<H> =
  H extends Notice<infer E>
    ? (event: E) => void
    : H extends WaitingNotice<infer E>
      ? (event: E) => MaybePromise<void>
      : H extends Filter<infer At>
        ? (packet: Packet, at: At) => Verdict | undefined
        : H extends WaitingFilter<infer At>
          ? (packet: Packet, at: At) => MaybePromise<Verdict | undefined>
          : H extends Fold<infer V, infer E>
            ? (value: V, event: E) => V
            : H extends WaitingFold<infer V, infer E>
              ? (value: V, event: E) => MaybePromise<V>
              : never

/** Names of the hooks of one kind. */
export type HookNames<K> = {
  [Name in keyof Hooks]: Hooks[Name] extends K ? Name : never
}[keyof Hooks]

export type NoticeName = HookNames<{ readonly [kind]: 'notice' }>
export type WaitingNoticeName = HookNames<{ readonly [kind]: 'waiting-notice' }>
export type FilterName = HookNames<{ readonly [kind]: 'filter' }>
export type WaitingFilterName = HookNames<{ readonly [kind]: 'waiting-filter' }>
export type FoldName = HookNames<{ readonly [kind]: 'fold' }>
export type WaitingFoldName = HookNames<{ readonly [kind]: 'waiting-fold' }>

export type EventOf<H> = H extends { readonly event: infer E } ? E : never
export type AtOf<H> = H extends { readonly at: infer At } ? At : never
export type ValueOf<H> = H extends { readonly value: infer V } ? V : never
