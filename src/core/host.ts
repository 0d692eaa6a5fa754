/**
 * A host is a value, not an instance (DESIGN.md section 6): modules are set up once per host type, and hooks, rows and
 * metrics carry the host. Adding one of 10,000 costs this object.
 */
import type { Jid } from '../jid/jid.ts'

export interface Host {
  /** Canonical domain. */
  readonly domain: string
  /** The domain as an address: what the server itself speaks from. */
  readonly jid: Jid
  /** Name of its host type. */
  readonly type: string
}
