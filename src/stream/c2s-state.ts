/** The states of the server's c2s machine (c2s-server.ts has the picture). */
import type { Jid } from '../jid/index.ts'
import type { Binding } from './c2s-bind.ts'
import type { Inline } from './c2s-inline.ts'
import type { Account, StreamHost } from './c2s-server.types.ts'
import type { SignIn } from './c2s-sign-in.ts'

export type C2sState =
  | { readonly kind: 'idle' }
  /** A TLS handshake runs; there is no stream. */
  | { readonly kind: 'tls' }
  /** A stream header is awaited; with an account it is the one behind `<success/>`. */
  | { readonly kind: 'opening'; readonly account: Account | undefined; readonly host: StreamHost | undefined }
  /** Features are out: STARTTLS or sign-in is awaited, or under way. */
  | { readonly kind: 'features'; readonly host: StreamHost; readonly signIn: SignIn }
  /** Authenticated by SASL2: what was asked for in one go is under way. */
  | {
      readonly kind: 'inlining'
      readonly host: StreamHost
      readonly account: Account
      readonly inline: Inline
      /** Where it goes on from when a task fails. */
      readonly signIn: SignIn
    }
  /** Signed in: a request to bind is awaited, or its answer. */
  | { readonly kind: 'binding'; readonly host: StreamHost; readonly account: Account; readonly binding: Binding }
  | { readonly kind: 'established'; readonly account: Account; readonly jid: Jid }
  /** Our closing tag is out, the client's is awaited. */
  | { readonly kind: 'closing' }
  /** Both directions are closed; the connection still drains. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'gone' }

export const idle: C2sState = { kind: 'idle' }
export const handshake: C2sState = { kind: 'tls' }
export const closing: C2sState = { kind: 'closing' }
export const closed: C2sState = { kind: 'closed' }
export const gone: C2sState = { kind: 'gone' }

/**
 * How far the stream itself is: `before` there is one, `open` in both directions, `closing` when only the client's closing tag is
 * awaited, `over`.
 */
export function phaseOf({ kind }: C2sState): 'before' | 'open' | 'closing' | 'over' {
  switch (kind) {
    case 'idle':
    case 'tls':
      return 'before'
    case 'opening':
    case 'features':
    case 'inlining':
    case 'binding':
    case 'established':
      return 'open'
    case 'closing':
      return 'closing'
    case 'closed':
    case 'gone':
      return 'over'
  }
}

/** A question to the driver is open. */
export function isAsking(state: C2sState): boolean {
  switch (state.kind) {
    case 'features':
      return state.signIn.isAsking
    case 'inlining':
      return state.inline.isAsking
    case 'binding':
      return state.binding.isAsking
    default:
      return false
  }
}
