/** What the core commands need of a running server. */
import type { AccountService } from '../../core/account-service.ts'
import type { Core } from '../../core/core.ts'
import type { Place } from '../../world/net.types.ts'

export interface CommandServices {
  readonly accounts: Pick<
    AccountService,
    'add' | 'count' | 'list' | 'remove' | 'revokeTokens' | 'setPassword' | 'setState' | 'tokens'
  >
  readonly core: Pick<Core, 'handlers' | 'host' | 'hosts' | 'hostTypes' | 'metrics' | 'sessions'> & {
    readonly world: Pick<Core['world'], 'clock' | 'log' | 'vitals'>
  }
  readonly stores: { readonly state: { readonly name: string; readonly code: string; readonly text: string } }
  readonly listening: readonly ListenerInfo[]
  /** Milliseconds since the start. */
  readonly upMs: number
  /** Ends the server; resolves when it has ended. */
  close(): Promise<void>
}

export interface ListenerInfo {
  readonly name: string
  readonly protocol: string
  readonly tls: string
  readonly place: Place
}
