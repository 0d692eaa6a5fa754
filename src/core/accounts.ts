/** Accounts as the core sees them; the auth back ends stand behind (DESIGN.md section 10). */
import type { Jid } from '../jid/jid.ts'
import type { Host } from './host.ts'

export type AccountState = 'active' | 'disabled' | 'leaving' | 'quarantined'

/** `add`, `setPassword` and `remove` reject with `CommandError` for what cannot be, and with `WorldError`. */
export interface AccountDirectory {
  /** Whether the account exists. A plain value when it is known in memory. Rejects with `WorldError`. */
  exists(host: Host, local: string): boolean | Promise<boolean>
  /** Whether accounts of the host are kept here, with passwords, so that they can be made, changed and removed. */
  keeps(host: Host): boolean
  /** RTK_ACCOUNT_EXISTS, RTK_ACCOUNT_PASSWORD, RTK_ACCOUNT_BACKEND. `origin`: who made it, as in `registration`. */
  add(jid: Jid, password: string, origin?: string): Promise<void>
  /** RTK_ACCOUNT_UNKNOWN, RTK_ACCOUNT_PASSWORD, RTK_ACCOUNT_BACKEND. */
  setPassword(jid: Jid, password: string): Promise<void>
  /**
   * With all that modules keep of it. `left` is called when nobody can sign in any more, before the sessions end.
   * RTK_ACCOUNT_UNKNOWN, RTK_ACCOUNT_BACKEND, RTK_ACCOUNT_DELETE.
   */
  remove(jid: Jid, left?: () => void): Promise<void>
}
