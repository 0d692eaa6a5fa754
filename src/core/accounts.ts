/** Accounts as the core sees them; the auth back ends stand behind (DESIGN.md section 10). */
import type { Host } from './host.ts'

export type AccountState = 'active' | 'disabled' | 'leaving' | 'quarantined'

export interface AccountDirectory {
  /** Whether the account exists. A plain value when it is known in memory. Rejects with `WorldError`. */
  exists(host: Host, local: string): boolean | Promise<boolean>
}
