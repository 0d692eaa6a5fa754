/** The states of the client's machine (c2s-client.ts has the picture). */
import type { Jid } from '../jid/index.ts'
import type { Element } from '../xml/index.ts'
import type { ClientSignIn } from './client-sign-in.ts'

export type C2sClientState =
  | { readonly kind: 'idle' }
  /** A TLS handshake runs; there is no stream. */
  | { readonly kind: 'tls' }
  /** Our header is out, theirs is awaited. */
  | { readonly kind: 'opening' }
  /** Their header has come, or their success by SASL2: the features are awaited. */
  | { readonly kind: 'offered' }
  | { readonly kind: 'asking-tls' }
  | { readonly kind: 'signing-in'; readonly signIn: ClientSignIn }
  /** A resource is asked for; without `id` a former session (XEP-0198 §5). */
  | { readonly kind: 'binding'; readonly features: Element; readonly id: string | undefined }
  | { readonly kind: 'established'; readonly jid: Jid }
  /** Our closing tag is out, the server's is awaited. */
  | { readonly kind: 'closing' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'gone' }

export const idle: C2sClientState = { kind: 'idle' }
export const handshake: C2sClientState = { kind: 'tls' }
export const opening: C2sClientState = { kind: 'opening' }
export const offered: C2sClientState = { kind: 'offered' }
export const askingTls: C2sClientState = { kind: 'asking-tls' }
export const closing: C2sClientState = { kind: 'closing' }
export const closed: C2sClientState = { kind: 'closed' }
export const gone: C2sClientState = { kind: 'gone' }

/** As `phaseOf` of the server. */
export function phaseOf({ kind }: C2sClientState): 'before' | 'open' | 'closing' | 'over' {
  switch (kind) {
    case 'idle':
    case 'tls':
      return 'before'
    case 'opening':
    case 'offered':
    case 'asking-tls':
    case 'signing-in':
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
