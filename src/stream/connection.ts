/**
 * One connection: a transport's bytes to a stream machine and back, for both roles. It owns what has to do with bytes and turns,
 * and knows nothing of XMPP but what a stanza is.
 *
 *   transport ──data──▶ scanner ──elements──▶ machine            until a resource is bound
 *                              └──stanzas───▶ sink (session)     from then on, one call a stanza
 *
 * Input stops while it is held (a question is open, a session is behind), when a source had its turn, and for good when the stream
 * is finished; what has been read and not handled waits here, and reading is paused.
 */
import { StreamError } from '../stanza/error.ts'
import { stanzaKind } from '../stanza/stanza.ts'
import type { Clock, Timer } from '../world/clock.types.ts'
import type { CloseCause, TlsInfo, Transport, TransportHandler, Unsent } from '../world/net.types.ts'
import {
  type Element,
  type Octets,
  Scanner,
  type ScannerLimits,
  type ScannerSink,
  type StreamHeader,
  type XmlFault,
} from '../xml/index.ts'
import type { StreamFraming } from './framing.ts'
import type { DeadlineName, OutHeader, StanzaSink, StreamEffects, StreamMachine } from './machine.types.ts'

export interface ConnectionOptions {
  readonly clock: Clock
  readonly framing: StreamFraming
  readonly limits: ScannerLimits
  /** Begins the handshake of this role on the transport; `domain` is what the stream is for. */
  startTls(transport: Transport, domain: string): void
  /** How long `finish` lets the peer take what is queued. */
  readonly lingerMs?: number
  /** Stanzas of one source that are handled in one turn of the event loop; the others then come first. */
  readonly turnStanzas?: number
  /** Bytes that end a source's turn, in however many reads they came since the last. */
  readonly turnBytes?: number
  /** Counts the turns that ended although more had been read, or a read was as long as a turn: a flood. */
  readonly fullTurns?: { value: number }
  /** Counts the peers that did not close their stream in time: the limit `close_timeout`. */
  readonly lateClosings?: { value: number }
}

const defaultLingerMs = 2_000
export const defaultTurnStanzas = 64
export const defaultTurnBytes = 65_536

/** What it takes from the peer now. */
type Intake =
  | 'open'
  /** Between `startTls` and `secured`: what comes in the clear is thrown away. */
  | 'handshake'
  /** After `finish`: everything is thrown away. */
  | 'finished'

/**
 * Made for a transport, then given its machine: `connection.run(machine, secured)`. Serves a session as its `SessionLink`
 * (core/session-link.ts).
 */
export class Connection implements TransportHandler, ScannerSink, StreamEffects {
  readonly transport: Transport
  readonly #options: ConnectionOptions
  readonly #scanner: Scanner
  #machine: StreamMachine | undefined
  #sink: StanzaSink | undefined
  #intake: Intake = 'open'
  #holds = 0
  /** Its turn is over; the rest comes in the next. */
  #isYielding = false
  #isPaused = false
  #isFeeding = false
  #turnLeft = 0
  #turnBytes = 0
  /** One read was as long as a turn: the kernel most likely has more. */
  #hasLongRead = false
  /** Read and not handled. */
  #kept: Uint8Array | undefined
  #peerEnded = false
  #isClosed = false
  #bytesLeft = Number.POSITIVE_INFINITY
  #timers: Partial<Record<DeadlineName, Timer>> | undefined
  /** What a session writes before its client was told that it is bound, or after it was cut. */
  #early: Octets[] | undefined
  /** Bytes that were held back since the session was cut. */
  #heldBytes = 0
  /** Bytes that came in the clear behind `<starttls/>` or `<proceed/>` and were thrown away: an attack, or a broken peer. */
  discardedBytes = 0
  /** First-level elements so far: what a shaper charges beside bytes. */
  stanzas = 0
  /** The peer has closed its stream in good order (RFC 6120 section 4.4). */
  isPeerClosed = false

  constructor(transport: Transport, options: ConnectionOptions) {
    this.transport = transport
    this.#options = options
    this.#scanner = new Scanner(options.framing.kind, options.limits, this)
    transport.handler = this
  }

  /**
   * Begins. `directTls`: TLS comes first (XEP-0368); `domain` is then for `startTls`, '' to let SNI decide alone. A transport that is
   * secured already needs neither.
   */
  run(machine: StreamMachine, directTls?: { readonly domain: string }): void {
    this.#machine = machine
    const { tls } = this.transport
    if (directTls === undefined || tls !== undefined) {
      machine.start(tls)
      return
    }
    this.#intake = 'handshake'
    machine.start('handshake')
    this.#options.startTls(this.transport, directTls.domain)
  }

  /** Bytes of white space between stanzas so far: keep-alives (RFC 6120 section 4.6.1). */
  get whitespace(): number {
    return this.#scanner.whitespace
  }

  /** Bytes from the peer so far, as text inside of TLS. */
  get receivedBytes(): number {
    return this.#scanner.position
  }

  // What a session's link is.

  write(bytes: Octets): void {
    if (this.#early === undefined) this.transport.write(bytes)
    else {
      this.#early.push(bytes)
      this.#heldBytes += bytes.length
    }
  }

  get traffic(): { readonly receivedBytes: number; readonly sentBytes: number } {
    const { receivedBytes, sentBytes } = this.transport
    return { receivedBytes, sentBytes }
  }

  get queuedBytes(): number {
    return this.transport.queuedBytes + this.#heldBytes
  }

  askDrained(): void {
    this.transport.askDrained()
  }

  /**
   * Ends the stream of a client that reads too slowly: the error comes behind what is on its way to the kernel, and the
   * rest is taken back. That, and what is written from now on, is found in `takeUnsent` when the connection is gone.
   */
  cut(error: StreamError): void {
    const bytes = this.transport.withdraw()
    this.#machine?.close(error)
    this.#early = this.#early === undefined ? [bytes] : [bytes, ...this.#early]
    this.#heldBytes += bytes.length
  }

  drop(): void {
    this.transport.abandon()
  }

  /** Once the connection is gone: what was written to it and may not have left, and how much of that has. */
  takeUnsent(): Unsent & { readonly heldBack: Octets } {
    const { bytes, taken, since } = this.transport.unsent
    const heldBack = (this.#early?.join('') ?? '') as Octets
    this.#early = undefined
    this.#heldBytes = 0
    return { bytes, taken, since, heldBack }
  }

  hold(): void {
    this.#holds++
    this.#scanner.stop()
    this.#regulate()
  }

  /** The last of nested calls lets kept input in at once: let nothing of yours come after it. */
  release(): void {
    this.#holds--
    if (this.#holds === 0) this.#goOn()
  }

  close(error?: StreamError): void {
    this.#machine?.close(error)
  }

  // What a machine asks.

  sendHeader(header: OutHeader): void {
    this.transport.write(this.#options.framing.header(header))
  }

  send(el: Element): void {
    this.transport.write(this.#options.framing.element(el))
  }

  sendClose(): void {
    this.transport.write(this.#options.framing.close())
  }

  restart(): void {
    this.#scanner.reset()
  }

  startTls(domain: string): void {
    this.#intake = 'handshake'
    this.#scanner.stop()
    this.#scanner.reset()
    if (!this.#isFeeding) this.#discard()
    this.#options.startTls(this.transport, domain)
  }

  deadline(name: DeadlineName, ms: number): void {
    this.#timers?.[name]?.cancel()
    if (ms === 0) {
      if (this.#timers !== undefined) delete this.#timers[name]
      return
    }
    this.#timers ??= {}
    this.#timers[name] = this.#options.clock.after(ms, (due) => this.#expired(due), name)
  }

  #expired(name: DeadlineName): void {
    const { lateClosings } = this.#options
    if (name === 'closing' && lateClosings !== undefined) lateClosings.value++
    this.#machine?.expired(name)
  }

  limit(limits: ScannerLimits, bytes: number): void {
    this.#scanner.limits = limits
    this.#bytesLeft = bytes
    // What is left of this read comes under the new limits.
    this.#scanner.stop()
  }

  stanzasTo(sink: StanzaSink | undefined): void {
    this.#sink = sink
  }

  deferWrites(): void {
    this.#early = []
  }

  flushWrites(): void {
    const early = this.#early
    this.#early = undefined
    this.#heldBytes = 0
    if (early !== undefined) for (const bytes of early) this.transport.write(bytes)
  }

  finish(): void {
    if (this.#intake === 'finished') return
    this.#intake = 'finished'
    this.#scanner.stop()
    this.#kept = undefined
    this.#cancelDeadlines()
    // Read on, so that the peer's end is noticed and unread bytes do not make the kernel reset what is queued.
    this.#regulate()
    this.transport.close(this.#options.lingerMs ?? defaultLingerMs)
  }

  // What the scanner finds.

  streamOpen(header: StreamHeader): void {
    this.#machine?.streamOpened(header)
  }

  stanza(el: Element): void {
    this.stanzas++
    const sink = this.#sink
    if (sink !== undefined && stanzaKind(el) !== undefined) sink.receive(el)
    else this.#machine?.element(el)
    if (--this.#turnLeft <= 0) this.#scanner.stop()
  }

  streamClose(): void {
    this.isPeerClosed = true
    this.#machine?.streamClosed()
  }

  fault(fault: XmlFault): void {
    this.#machine?.fault(fault)
  }

  // What the transport tells.

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#intake !== 'open') {
      if (this.#intake === 'handshake') this.discardedBytes += end - start
      return
    }
    this.#bytesLeft -= end - start
    if (this.#bytesLeft < 0) {
      this.#machine?.exhausted()
      return
    }
    if (this.#isBlocked) {
      this.#keep(bytes, start, end)
      this.#regulate()
      return
    }
    this.#feed(bytes, start, end)
    this.#regulate()
    if (this.#peerEnded && !this.#isBlocked) this.#machine?.peerEnded()
  }

  drained(): void {
    this.#sink?.drained?.()
  }

  secured(tls: TlsInfo): void {
    if (this.#intake === 'handshake') this.#intake = 'open'
    this.#machine?.secured(tls)
  }

  ended(): void {
    this.#peerEnded = true
    if (!this.#isFeeding && !this.#isBlocked) this.#machine?.peerEnded()
  }

  closed(cause: CloseCause): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#intake = 'finished'
    this.#kept = undefined
    this.#cancelDeadlines()
    this.#machine?.disconnected(cause)
    this.#early = undefined
  }

  // Turns and back-pressure.

  get #isBlocked(): boolean {
    return this.#holds > 0 || this.#isYielding || this.#intake !== 'open'
  }

  #feed(bytes: Uint8Array, start: number, end: number): void {
    this.#isFeeding = true
    this.#turnLeft = this.#options.turnStanzas ?? defaultTurnStanzas
    let at = start
    try {
      while (at < end && !this.#isBlocked) {
        if (this.#turnLeft <= 0) this.#yield()
        else at += this.#scanner.write(bytes, at, end)
      }
    } catch (error) {
      // Whoever takes stanzas is faulty; how far the scanner came is unknown, so this one stream ends.
      this.#machine?.close(new StreamError('RTK_STREAM_HANDLER_FAILED', 'internal-server-error', undefined, error))
      at = end
    }
    this.#isFeeding = false
    // Since the last turn: TLS tells a record at a time, of 16 KB, and up to 2 MB of them before anybody else is read.
    this.#turnBytes += at - start
    const turnBytes = this.#options.turnBytes ?? defaultTurnBytes
    if (this.#turnBytes >= turnBytes) {
      if (end - start >= turnBytes) this.#hasLongRead = true
      this.#yield()
    }
    if (at === end) return
    if (this.#intake === 'open') this.#keep(bytes, at, end)
    else if (this.#intake === 'handshake') this.discardedBytes += end - at
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const kept = this.#kept
    // Copied: `slice` of a Buffer would share the read buffer.
    if (kept === undefined) this.#kept = new Uint8Array(bytes.subarray(start, end))
    else {
      const joined = new Uint8Array(kept.length + end - start)
      joined.set(kept)
      joined.set(bytes.subarray(start, end), kept.length)
      this.#kept = joined
    }
  }

  #discard(): void {
    this.discardedBytes += this.#kept?.length ?? 0
    this.#kept = undefined
  }

  /** Reads exactly while it may go on with what is read. */
  #regulate(): void {
    if (this.#isFeeding || this.#isClosed) return
    const shouldPause = this.#intake === 'open' && (this.#holds > 0 || this.#isYielding || this.#kept !== undefined)
    if (shouldPause === this.#isPaused) return
    this.#isPaused = shouldPause
    if (shouldPause) this.transport.pause()
    else this.transport.resume()
  }

  #yield(): void {
    if (this.#isYielding) return
    this.#isYielding = true
    this.#turnBytes = 0
    this.#options.clock.soon(nextTurn, this)
  }

  /** For `nextTurn`. */
  turn(): void {
    this.#isYielding = false
    this.#countFull()
    this.#goOn()
  }

  /** Bytes end a turn of everybody now and then: one in which nothing was left to be handled was no flood. */
  #countFull(): void {
    const { fullTurns } = this.#options
    const isFull = this.#hasLongRead || this.#kept !== undefined || this.transport.heldBytes > 0
    this.#hasLongRead = false
    if (isFull && fullTurns !== undefined && this.#intake === 'open') fullTurns.value++
  }

  /** Handles what was kept, then reads on. */
  #goOn(): void {
    if (this.#isFeeding) return
    const kept = this.#kept
    if (kept !== undefined && !this.#isBlocked) {
      this.#kept = undefined
      this.#feed(kept, 0, kept.length)
    }
    this.#regulate()
    if (this.#peerEnded && !this.#isBlocked) this.#machine?.peerEnded()
  }

  #cancelDeadlines(): void {
    const timers = this.#timers
    this.#timers = undefined
    timers?.negotiation?.cancel()
    timers?.closing?.cancel()
  }
}

function nextTurn(connection: Connection): void {
  connection.turn()
}
