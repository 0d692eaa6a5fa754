/**
 * What a stream machine and the connection that carries it are to each other. A machine does no I/O and reads no clock: its inputs
 * are the calls of `StreamMachine`, its outputs those it makes on `StreamEffects`. Both roles and all framings share this.
 */
import type { StreamError } from '../stanza/error.ts'
import type { CloseCause, TlsInfo } from '../world/net.types.ts'
import type { Element, ScannerLimits, StreamHeader, XmlFault } from '../xml/index.ts'

/** Where stanzas go once a resource is bound: a session. Called directly by the connection, past the machine. */
export interface StanzaSink {
  /** A `<message/>`, `<presence/>` or `<iq/>` of the content namespace; nothing else comes here. */
  receive(el: Element): void
  /** Everything that was written before `askDrained` has left. */
  drained?(): void
  /** A stanza was answered before it came here: the sink counts it, and sends this answer. */
  answered?(reply: Element): void
}

/** Attributes of a stream header of ours (RFC 6120 section 4.7). */
export interface OutHeader {
  readonly from: string | undefined
  readonly to: string | undefined
  readonly id: string | undefined
  /** Left out towards a peer older than 1.0 (section 4.7.5). */
  readonly version: '1.0' | undefined
  readonly lang: string
}

/** Deadlines of a machine; each runs once, and setting one again moves it. */
export type DeadlineName = 'negotiation' | 'closing'

/** Why a stream is over for whoever uses it. */
export type StreamEnd =
  /** The peer closed its stream in good order. */
  | { readonly kind: 'peer-closed' }
  /** The peer sent a stream error. */
  | { readonly kind: 'peer-error'; readonly error: StreamError }
  /** We sent a stream error. */
  | { readonly kind: 'error'; readonly error: StreamError }
  /** We closed it without an error. */
  | { readonly kind: 'local' }
  /** The connection went away beneath it, or the peer stopped sending without a closing tag. */
  | { readonly kind: 'lost'; readonly cause: CloseCause }

/** What a machine asks of its connection. */
export interface StreamEffects {
  sendHeader(header: OutHeader): void
  send(el: Element): void
  /** The closing tag; nothing is sent after it. */
  sendClose(): void
  /** The next byte from the peer, behind the element being handled, begins a new stream (RFC 6120 section 4.3.3). */
  restart(): void
  /**
   * Starts TLS in the machine's role; `secured` follows, or `disconnected`. Everything the peer sent in the clear and that was not
   * handled yet is thrown away: it must never be taken for secured input (CVE-2011-0411).
   */
  startTls(domain: string): void
  /** No input from the stream until `release`; calls nest. What has arrived is kept, and the peer feels back-pressure. */
  hold(): void
  release(): void
  /** Asks for `expired(name)` in `ms` milliseconds; 0 takes it back. */
  deadline(name: DeadlineName, ms: number): void
  /** Limits of the scanner, and how many more bytes may come before `exhausted` is called (Infinity: any number). */
  limit(limits: ScannerLimits, bytes: number): void
  /** From here on stanzas go to the sink; other elements still come to the machine. Undefined brings them back. */
  stanzasTo(sink: StanzaSink | undefined): void
  /** What the sink writes from now on waits for `flushWrites`: it must not overtake the answer to the bind request. */
  deferWrites(): void
  flushWrites(): void
  /** Sends what is queued and closes the connection; input from now on is thrown away. */
  finish(): void
}

/** What a connection tells its machine. All may come in any state; none throws. */
export interface StreamMachine {
  /** The connection stands: in the clear, inside of TLS, or with a TLS handshake (XEP-0368) under way. */
  start(tls: TlsInfo | 'handshake' | undefined): void
  secured(tls: TlsInfo): void
  streamOpened(header: StreamHeader): void
  /** A first-level element: all before `stanzasTo`, those that are no stanzas after it. */
  element(el: Element): void
  /** The peer's closing tag. */
  streamClosed(): void
  /** What came was not XML, or more than the limits allow. */
  fault(fault: XmlFault): void
  /** More bytes than `limit` allowed. */
  exhausted(): void
  /** The peer will send nothing more, its closing tag included. */
  peerEnded(): void
  expired(name: DeadlineName): void
  /** The last input, exactly once. */
  disconnected(cause: CloseCause): void
  /** Whoever uses the stream ends it, with a stream error or in good order. Harmless when it has ended. */
  close(error?: StreamError): void
}
