/** Hooks by which modules add to what disco answers (XEP-0030). Features and identities without a node are `ctx.features`. */
import type { Jid } from '../../jid/jid.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Identity } from '../features.ts'
import type { Host } from '../host.ts'

export interface DiscoQuery {
  readonly host: Host
  /** Local part of the account asked about, '' for the host. */
  readonly account: string
  /** '' for none. */
  readonly node: string
  readonly from: Jid
}

export interface DiscoItem {
  readonly jid: Jid
  readonly node?: string
  readonly name?: string
}

export interface DiscoInfo {
  readonly identities: readonly Identity[]
  readonly features: readonly string[]
  /** Data forms (XEP-0128). */
  readonly extensions: readonly Element[]
}

declare module '../hooks.ts' {
  interface Hooks {
    /** Undefined at first when the query names a node; a module that knows the node answers. */
    'disco:info': WaitingFold<DiscoInfo | undefined, DiscoQuery>
    /** Undefined at first when the query names a node. */
    'disco:items': WaitingFold<readonly DiscoItem[] | undefined, DiscoQuery>
  }
}
