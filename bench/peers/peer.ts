/** What the runner asks of a server under test, ours or a peer. */

/** `fair`: rule 2 of the measuring rules. `stock`: the settings of the Debian package, as far as the rows allow. */
export type Profile = 'fair' | 'stock'

/** The accounts `PREFIX00000` and up on `domain`, all with one password, and with so many contacts in each roster (contacts.ts). */
export interface Accounts {
  readonly prefix: string
  readonly count: number
  readonly password: string
  readonly contacts?: number
}

export interface Setup {
  /** A directory of the run; each peer makes its own below. */
  readonly directory: string
  readonly domain: string
  readonly profile: Profile
  readonly accounts: Accounts
  readonly certificate: Certificate
  /** Files of plugins that our own server is to load beside its defaults. */
  readonly plugins?: readonly string[]
}

export interface Certificate {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export interface Running {
  /** TCP port on 127.0.0.1 that takes streams without TLS. */
  readonly plainPort: number
  /** TCP port for the TLS rows, in the peer's way. */
  readonly tlsPort: number
  /** The root processes: their descendants are counted too. */
  readonly pids: readonly number[]
  /** From the start of the process until it accepted on all ports, in milliseconds. */
  readonly startMs: number
  /** Asks the server to end, and returns when it has. */
  stop(): Promise<void>
}

export interface Peer {
  readonly name: string
  /** The transport the load generator uses for TLS rows: the relay knows no STARTTLS. */
  readonly tls: 'starttls' | 'direct'
  /** True for the yardstick, which speaks no XMPP. */
  readonly relay: boolean
  /** Why it cannot run here, or undefined. */
  missing(): string | undefined
  version(): string
  /** Starts the server with its accounts in place and accepting connections. */
  start(setup: Setup, secured: boolean): Promise<Running>
}
