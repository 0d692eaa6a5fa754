/** What a session needs of its transport. A session is not its socket: it attaches to and detaches from links. */
import type { StreamError } from '../stanza/error.ts'
import type { Unsent } from '../world/net.types.ts'
import type { ChildName } from '../xml/element.types.ts'
import type { Octets } from '../xml/octets.ts'

export interface SessionLink {
  /** Sends one serialised stanza in the stream's default namespace `jabber:client`. */
  write(bytes: Octets): void
  /** Bytes written that the kernel has not taken. */
  readonly queuedBytes: number
  /** Bytes from its client so far, inside of TLS: more of them, and he has said something. */
  readonly receivedBytes: number
  /** What came and went over its connection so far. */
  readonly traffic: Traffic
  /** Stops and resumes the reading of this client: back-pressure. Calls nest. */
  hold(): void
  release(): void
  /** Asks for `Session.drained` once everything written so far was taken by the kernel. */
  askDrained(): void
  /** Ends the stream, with a stream error when one is given. */
  close(error?: StreamError): void
  /** As `close`; but what is not yet on its way, and what is written from now on, is kept for `Session.linkGone`. */
  cut(error: StreamError): void
  /** Lets the connection go at once; what the kernel has taken still goes out. */
  drop(): void
}

/** Bytes as on the wire, by the system's own counters: for whoever looks, at no cost for whoever sends. */
export interface Traffic {
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** What was written to a link that is gone and may not have left. */
export interface LinkRest extends Unsent {
  /** What was held back from the link since it was cut: newer than the rest. */
  readonly heldBack: Octets
  /** From this first-level element on all is kept elsewhere; if it has left, nothing else is here. */
  readonly until?: ChildName
  /** When each was sent, where that is known (`Unacknowledged`, ledger.ts). */
  readonly times?: readonly number[]
}

/** What a session kept, and never left. */
export function unsentOf(kept: { readonly bytes: Octets; readonly times: readonly number[] }): LinkRest {
  return { bytes: kept.bytes, taken: 0, since: 0, heldBack: '' as Octets, times: kept.times }
}

/** What the session table shows of a connection (requirements SM-02). */
export interface LinkInfo {
  /** Client address, the true one behind a PROXY header; '' for a Unix socket. */
  readonly address: string
  readonly port: number
  /** tcp, unix, websocket, bosh. */
  readonly transport: string
  /** TLS version, '' for none. */
  readonly tls: string
  /** SASL mechanism that was used. */
  readonly auth: string
  /** Name of the listener. */
  readonly listener: string
  /** The installation of the client, a UUID that it gave (XEP-0388 section 2.3); left out without. Not for other entities. */
  readonly agent?: string
  /** Where the client was before, as `address:port` or `unix`, when the session went on over this link; left out on its first. */
  readonly resumedFrom?: string
}
