/**
 * The doors to the network (DESIGN.md sections 4, 5 and 10). A `Transport` is one byte stream: TCP, Unix socket, TLS over
 * either, or a simulated link. It reads into one buffer shared by all transports and writes once a tick.
 */
import type { Octets } from '../xml/octets.ts'

/** Where to listen or connect. */
export type Place =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** One end of a connection, as reported. For a Unix socket `host` is '' and `port` 0. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

export type ChannelBindingType = 'tls-exporter' | 'tls-server-end-point'

/** What is known of an established TLS layer. */
export interface TlsInfo {
  readonly protocol: string
  readonly cipher: string
  /** '' when none was negotiated. */
  readonly alpn: string
  /** SNI that the client asked for, '' for none. */
  readonly servername: string
  /** RFC 9266 / RFC 5929 data, undefined when the type is not to be had on this connection. */
  channelBinding(type: ChannelBindingType): Uint8Array | undefined
  /** DER of the peer's certificate and whether its chain verified; undefined when it presented none. */
  readonly peerCertificate: { readonly der: Uint8Array; readonly verified: boolean; readonly error: string } | undefined
}

/** A key pair with its chain, PEM. */
export interface Certificate {
  readonly certPem: string
  readonly keyPem: string
}

/** Server side: which certificate for which SNI name. Asked at each handshake, so certificates are swapped while running. */
export interface TlsServerContext {
  readonly alpn: readonly string[]
  /**
   * True: a client that offers ALPN without one of ours is refused (RFC 7301 section 3.2); one that offers none is not.
   * False: ALPN is not answered at all, which is right where the protocol is known (STARTTLS).
   */
  readonly strictAlpn: boolean
  readonly requestPeerCertificate: boolean
  /** PEM of the roots a peer's certificate is verified against; undefined: the system's. */
  readonly peerCa?: string
  /** Lists of certificates that the roots have taken back; left out: nobody asks. */
  readonly peerRevocations?: PeerRevocations
  /** The lowest version of TLS that is spoken; left out: 1.2. */
  readonly minVersion?: '1.2' | '1.3'
  /** True: the answer is one and the same for every name, so a handshake need not wait for it. */
  readonly isSameForAll?: boolean
  certificateFor(servername: string): TlsCertificate | undefined
}

/**
 * What certificates of peers are looked up in. Each authority of a chain, the root too, must have a list that is in force, or none of its
 * certificates is believed.
 */
export interface PeerRevocations {
  /** The same for the same lists. */
  readonly id: string
  readonly lists: readonly RevocationList[]
}

export interface RevocationList {
  readonly pem: string
  /** The authority, for people. */
  readonly issuer: string
  /** The same for the same name as written. */
  readonly issuerKey: string
  readonly thisUpdate: Date
  /** From then on it counts no more, and its authority has none; undefined: it never says so. */
  readonly nextUpdate: Date | undefined
}

/** An opaque, prepared certificate: made once by `Tls.prepare`, shared by all connections. */
export interface TlsCertificate {
  readonly fingerprint: string
  readonly notAfter: Date
  /** Domain names in it, in lower case, to look it up by; empty where it has none, as one for addresses. */
  readonly names: readonly string[]
  /** Whether it is for this domain name (ASCII form) or address; wildcards count (RFC 6125 section 6.4). */
  isFor(name: string): boolean
}

export interface TlsClientOptions {
  readonly servername: string
  readonly alpn: readonly string[]
  /** PEM of trusted roots; undefined: the system's. */
  readonly ca: string | undefined
  /** False only where another proof follows (dialback, pinning). */
  readonly verify: boolean
  readonly certificate?: TlsCertificate
}

/** The TLS engine (DESIGN.md section 10): an interface so that a leaner record layer may come later. */
export interface Tls {
  /** Throws `WorldError` 'RTK_TLS_BAD_CERTIFICATE' when key and certificate cannot be used together. */
  prepare(certificate: Certificate): TlsCertificate
  /** The revocation lists of a file, PEM or DER. Throws `WorldError` RTK_TLS_BAD_CRL. */
  revocations(file: Uint8Array): readonly RevocationList[]
  /** Authorities among these roots, PEM, that have none of the lists. */
  withoutList(lists: readonly RevocationList[], rootsPem: string): readonly string[]
}

export type CloseCause =
  | { readonly kind: 'local' }
  | { readonly kind: 'peer' }
  | { readonly kind: 'error'; readonly code: string; readonly text: string }
  | { readonly kind: 'tls'; readonly code: string; readonly text: string }

export interface TransportHandler {
  /** Bytes arrived, valid only during the call: the buffer is shared by all transports. */
  data(bytes: Uint8Array, start: number, end: number): void
  /** All written bytes were taken by the kernel after `write` had left some queued. */
  drained(): void
  /** A handshake begun by `startTlsServer` or `startTlsClient` is complete. */
  secured(tls: TlsInfo): void
  /** The peer closed its direction (FIN or close_notify); ours is still open. */
  ended(): void
  /** The last call, exactly once, whoever closed. */
  closed(cause: CloseCause): void
}

/** What was written to a connection that is gone, from the first write that the kernel did not take whole. */
export interface Unsent {
  readonly bytes: Octets
  /** How many of them the kernel has taken at least. */
  readonly taken: number
  /** When the first of them was written, in milliseconds since 1970; or earlier. */
  readonly since: number
}

export interface Transport {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly tls: TlsInfo | undefined
  /**
   * Bytes that came and went so far, as on the wire, TLS and its handshake included. The system's own counters: nobody adds up
   * anything for them.
   */
  readonly receivedBytes: number
  readonly sentBytes: number
  /** Bytes accepted by `write` that the kernel has not taken yet, those of the present tick included. */
  readonly queuedBytes: number
  /** Replaces the handler: a listener hands a connection on this way. */
  handler: TransportHandler
  /** Joins what is written in a tick; it leaves in one write at the tick's end. Ignored after `close`. */
  write(bytes: Octets): void
  /** Asks for `drained` once everything written so far is taken, even if nothing is left behind. */
  askDrained(): void
  /** Takes back what was written and is not on its way to the kernel: whole calls of `write`, oldest first. */
  withdraw(): Octets
  /** Meaningful from `closed` on. */
  readonly unsent: Unsent
  /**
   * From now on a peer that is silent for `idleMs` is asked by the kernel whether it is there; one that does not answer
   * to any of `KEEP_ALIVE_PROBES` questions, which take as long again, and two minutes at most, is gone: `closed`. Whole
   * seconds. TCP only.
   */
  keepAlive(idleMs: number): void
  /** Stops reading, so that back-pressure reaches the peer. */
  pause(): void
  /** Bytes that were read all the same while it is paused, as TLS does with records that came together: `resume` lets them in. */
  readonly heldBytes: number
  resume(): void
  /**
   * Gives back bytes that were read and are for a TLS handshake that `startTlsServer` begins next: what came behind a
   * PROXY header in one read. They are copied.
   */
  unread(bytes: Uint8Array): void
  /** STARTTLS on the live socket, server role. What was written before leaves in the clear first. */
  startTlsServer(context: TlsServerContext): void
  startTlsClient(options: TlsClientOptions): void
  /** Sends what is queued, then FIN (close_notify before it under TLS). `closed` follows; after `lingerMs` it is abandoned. */
  close(lingerMs?: number): void
  /** Lets the connection go at once; what the kernel has taken still goes out, with a FIN behind it. */
  abandon(): void
  /** Drops the connection at once, with a reset. */
  destroy(): void
}

export interface ListenOptions {
  readonly backlog: number
  /** Octal mode of a Unix socket's file. */
  readonly mode?: number
  /**
   * Told at most once, with the system's name of the error, when the socket can accept nothing any more and has been
   * closed. That no descriptor is left for a connection is no such failure.
   */
  readonly failed?: (code: string) => void
}

export interface Listening {
  /** The real place: the port chosen when 0 was asked for. */
  readonly place: Place
  /** Stops and resumes accepting; the kernel queues up to the backlog meanwhile. */
  pauseAccepting(): void
  resumeAccepting(): void
  /** Stops listening; accepted connections live on. */
  close(): Promise<void>
}

/** What waits in a net as a whole. */
export interface NetQueues {
  /** Connections whose peer does not take what is written as fast as it is. */
  readonly behind: number
  /** Bytes that wait for them. */
  readonly behindBytes: number
  /** TLS handshakes that begin in a later turn. */
  readonly handshakes: number
}

export interface Net {
  readonly tls: Tls
  readonly queues: NetQueues
  /** Rejects with `WorldError` (RTK_NET_ADDRESS_IN_USE, RTK_NET_ADDRESS_NOT_AVAILABLE, RTK_NET_PERMISSION …). */
  listen(place: Place, options: ListenOptions, accept: (transport: Transport) => TransportHandler): Promise<Listening>
  /** Resolves when connected. Rejects with `WorldError` (RTK_NET_REFUSED, RTK_NET_TIMEOUT, RTK_NET_UNREACHABLE …). */
  connect(place: Place, handler: TransportHandler, timeoutMs: number): Promise<Transport>
}
