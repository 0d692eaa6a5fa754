/** What modules may say of accounts that their users make or change themselves (XEP-0077). */
import type { StanzaError } from '../../stanza/error.ts'
import type { Host } from '../host.ts'

export interface RegistrationRequest {
  readonly kind: 'password' | 'removal' | 'sign-up'
  readonly host: Host
  readonly local: string
  /** Client address; '' for a Unix socket. */
  readonly address: string
  /** The new one; '' for a removal. It must not be kept, logged or shown. */
  readonly password: string
}

declare module '../hooks.ts' {
  interface Hooks {
    /** Why it is refused; undefined at first. What has a refusal keeps it. */
    'registration:policy': WaitingFold<StanzaError | undefined, RegistrationRequest>
  }
}
