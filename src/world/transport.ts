/**
 * What all real transports share: joining the writes of a tick, the queue behind a slow peer, and the order of closing.
 * The sockets themselves are `socket.ts` (fast) and `socket-plain.ts` (plain); both only send, read and shut.
 */
import { type Octets, own } from '../xml/octets.ts'
import type { Behind } from './behind.ts'
import type { Clock, Timer } from './clock.types.ts'
import type { Handshakes } from './handshakes.ts'
import type {
  CloseCause,
  Endpoint,
  TlsClientOptions,
  TlsInfo,
  TlsServerContext,
  Transport,
  TransportHandler,
  Unsent,
} from './net.types.ts'
import { tlsCause } from './net-error.ts'
import type { Flushable, TurnEnd } from './turn.ts'

/** How long `close` waits for the peer when its caller names no time, in milliseconds. */
export const DEFAULT_LINGER_MS = 5_000

/**
 * Node reports a TLS write complete a turn late, whether the kernel was quick or not. One up to this size counts as taken
 * at once, a larger one as queued until it is reported.
 */
export const TLS_WRITE_UNNOTICED_BYTES = 65_536

/** What waited behind a slow peer goes to the kernel in pieces of this size, so that little of it is past recall. */
export const SEND_BYTES = 131_072

/** What a transport needs of its world. One object serves all transports of a world. */
export interface TransportSurroundings {
  readonly clock: Clock
  readonly turn: TurnEnd
  readonly handshakes: Handshakes
  readonly behind: Behind
}

const OPEN = 0
/** `close` was called; what is queued is on its way. */
const CLOSING = 1
/** Everything is sent and our FIN is being sent. */
const SHUTTING = 2
/** Our FIN was sent; the peer's is awaited. */
const SHUT = 3
/** Given up: nothing is read or written any more, `closed` follows. */
const GONE = 4

const NOTHING_UNSENT: Unsent = { bytes: '' as Octets, taken: 0, since: 0 }
const LOCAL: CloseCause = { kind: 'local' }
const PEER: CloseCause = { kind: 'peer' }

export abstract class BaseTransport implements Transport, Flushable {
  handler: TransportHandler
  tls: TlsInfo | undefined = undefined
  readonly remote: Endpoint
  protected readonly around: TransportSurroundings
  protected paused = false
  /** A handshake is under way: what is written waits for its end. */
  protected shaking = false
  #state = OPEN
  #rope = ''
  #dirty = false
  /** A write was handed to the system and is not complete. */
  #busy = false
  /** What is on its way to the kernel, in pieces: whole calls of `write`. And where the piece under way ends. */
  #flying = ''
  #flyingTo = 0
  #unsent: Unsent = NOTHING_UNSENT
  /** `closed` was told. */
  #isOver = false
  /** The kernel left bytes behind, so that `drained` is owed. */
  #owesDrained = false
  #peerEnded = false
  /** What was written while a write was under way: one flat string a tick. */
  #backlog: string[] | undefined = undefined
  #backlogBytes = 0
  /** When the peer fell behind, in milliseconds since 1970; 0 while he is not. */
  #since = 0
  /** What was written before TLS was started and must leave in the clear first. */
  #clear = ''
  #begin: (() => void) | undefined = undefined
  /** Given back for the handshake. */
  #unread: Buffer | undefined = undefined
  #linger: Timer | undefined = undefined
  #cause: CloseCause | undefined = undefined

  constructor(around: TransportSurroundings, handler: TransportHandler, remote: Endpoint) {
    this.around = around
    this.handler = handler
    this.remote = remote
  }

  abstract get local(): Endpoint
  abstract get receivedBytes(): number
  abstract get sentBytes(): number
  abstract get heldBytes(): number
  abstract keepAlive(idleMs: number): void
  /** Hands bytes to the system: true when it took them all at once, else `sent` follows. */
  protected abstract send(bytes: string): boolean
  /** Bytes of the write under way that the kernel has not taken; 0 when it has them and only the report is missing. */
  protected abstract sending(): number
  /** As `sending`, but never too few: what is not known to have been taken counts as not taken. */
  protected untaken(): number {
    return this.sending()
  }
  protected abstract reading(on: boolean): void
  /** Shuts our direction; `shutDone` follows. */
  protected abstract shut(): void
  /** Lets the socket go, with a reset when `abrupt`; `released` follows, never within this call. */
  protected abstract release(abrupt: boolean): void
  protected abstract secureServer(context: TlsServerContext): void
  protected abstract secureClient(options: TlsClientOptions): void

  /** Called once by the net, when the connection has its handler: the first bytes may come. */
  begin(): void {
    if (this.#state < SHUTTING && !this.paused && !this.shaking) this.reading(true)
  }

  get queuedBytes(): number {
    const flying = this.#busy ? this.sending() + this.#flying.length - this.#flyingTo : 0
    return this.#rope.length + this.#backlogBytes + this.#clear.length + flying
  }

  write(bytes: Octets): void {
    if (this.#state !== OPEN || bytes.length === 0) {
      if (this.#state === GONE && !this.#isOver) this.#tooLate(bytes)
      return
    }
    this.#rope += bytes
    this.#flushLater()
  }

  /** The connection is gone, and nobody has been told so far. */
  #tooLate(bytes: Octets): void {
    const { bytes: before, taken, since } = this.#unsent
    const clock = this.around.clock
    this.#unsent = { bytes: (before + bytes) as Octets, taken, since: since === 0 ? clock.wallMs() : since }
  }

  askDrained(): void {
    this.#owesDrained = true
    this.#flushLater()
  }

  withdraw(): Octets {
    const bytes = this.#takeBacklog(Number.POSITIVE_INFINITY) + this.#rope
    this.#rope = ''
    if (bytes.length > 0) this.#unsent = { ...this.#unsent, since: this.#firstUnsentMs() }
    return bytes as Octets
  }

  /** When the first of what has not left was written, or earlier. */
  #firstUnsentMs(): number {
    if (this.#unsent.since > 0) return this.#unsent.since
    return this.#since === 0 ? this.around.clock.wallMs() : this.#since
  }

  #fallsBehind(): void {
    this.#owesDrained = true
    if (this.#since === 0) this.#since = this.around.clock.wallMs()
    if (this.#state !== GONE) this.around.behind.add(this)
  }

  get unsent(): Unsent {
    return this.#unsent
  }

  flush(): void {
    this.#dirty = false
    if (this.#state >= SHUTTING) return
    const rope = this.#rope
    if (rope.length > 0) {
      this.#rope = ''
      if (this.#busy || this.shaking) this.#keep(rope)
      else this.#send(rope)
    }
    this.#settle()
  }

  pause(): void {
    if (this.paused || this.#state !== OPEN) return
    this.paused = true
    if (!this.shaking) this.reading(false)
  }

  resume(): void {
    if (!this.paused || this.#state !== OPEN) return
    this.paused = false
    if (!this.shaking) this.reading(true)
  }

  unread(bytes: Uint8Array): void {
    this.#unread = this.#unread === undefined ? Buffer.from(bytes) : Buffer.concat([this.#unread, bytes])
  }

  startTlsServer(context: TlsServerContext): void {
    this.#startTls(() => this.secureServer(context))
  }

  startTlsClient(options: TlsClientOptions): void {
    this.#startTls(() => this.secureClient(options))
  }

  close(lingerMs: number = DEFAULT_LINGER_MS): void {
    if (this.#state !== OPEN) return
    if (this.shaking) {
      this.destroy()
      return
    }
    this.#state = CLOSING
    this.#cause = this.#peerEnded ? PEER : LOCAL
    this.#linger = this.around.clock.after(lingerMs, lingered, this)
    // What still comes is dropped, but read: unread bytes would turn our FIN into a reset.
    if (this.paused) this.reading(true)
    this.#flushLater()
  }

  abandon(): void {
    this.#drop(this.#cause ?? (this.#peerEnded ? PEER : LOCAL), false)
  }

  destroy(): void {
    this.#drop(this.#cause ?? (this.#peerEnded ? PEER : LOCAL), true)
  }

  /** What was given back, once. */
  protected takeUnread(): Buffer | undefined {
    const bytes = this.#unread
    this.#unread = undefined
    return bytes
  }

  protected get open(): boolean {
    return this.#state === OPEN
  }

  protected get gone(): boolean {
    return this.#state === GONE
  }

  /** The write under way is complete. */
  protected sent(): void {
    if (!this.#busy || this.#state === GONE) return
    this.#busy = false
    if (this.#flyingTo < this.#flying.length) {
      this.#sendPieces()
      if (this.#busy || this.#isGone) return
    } else this.#flying = ''
    if (this.shaking) this.#beginTls()
    else this.#settle()
  }

  /** The peer's FIN or close_notify. */
  protected peerEnded(): void {
    if (this.#peerEnded || this.#state === GONE) return
    if (this.shaking) {
      this.failed(tlsCause(new Error('the peer closed during the TLS handshake')))
      return
    }
    this.#peerEnded = true
    if (this.#state === OPEN) this.handler.ended()
    else if (this.#state === SHUT) this.#drop(LOCAL, false)
  }

  protected shutDone(): void {
    if (this.#state !== SHUTTING) return
    this.#state = SHUT
    if (this.#peerEnded) this.#drop(LOCAL, false)
  }

  /** The connection broke, or its TLS layer did. */
  protected failed(cause: CloseCause, abrupt = true): void {
    this.#drop(cause, abrupt)
  }

  /** The handshake is complete. */
  protected secureDone(info: TlsInfo): void {
    if (this.#state !== OPEN) return
    this.tls = info
    this.shaking = false
    if (this.paused) this.reading(false)
    this.handler.secured(info)
    if (this.#backlog !== undefined || this.#rope.length > 0) this.#flushLater()
  }

  /** The socket is gone for good. */
  protected released(cause: CloseCause): void {
    if (this.#state !== GONE) {
      this.#state = GONE
      this.#cause ??= cause
      this.#forget()
    }
    this.#isOver = true
    const handler = this.handler
    handler.closed(this.#cause ?? cause)
  }

  #flushLater(): void {
    if (this.#dirty) return
    this.#dirty = true
    this.around.turn.flushAtEnd(this)
  }

  #send(bytes: string): void {
    if (bytes.length > SEND_BYTES) {
      this.#flying = bytes
      this.#flyingTo = 0
      this.#sendPieces()
      return
    }
    this.#busy = true
    if (this.send(bytes)) {
      this.#busy = false
      // The write failed, and nothing of it has left.
      if (this.#isGone) this.#failedWith(bytes)
    } else {
      this.#flying = bytes
      this.#flyingTo = bytes.length
      if (this.sending() > 0) this.#fallsBehind()
    }
  }

  /** The rest of what is on its way, up to the first piece that the kernel does not take at once. */
  #sendPieces(): void {
    while (this.#flyingTo < this.#flying.length) {
      const from = this.#flyingTo
      this.#flyingTo = Math.min(from + SEND_BYTES, this.#flying.length)
      this.#busy = true
      if (!this.send(this.#flying.slice(from, this.#flyingTo))) {
        this.#fallsBehind()
        return
      }
      this.#busy = false
      if (this.#isGone) return
    }
    this.#flying = ''
  }

  #failedWith(bytes: string): void {
    this.#unsent = { bytes: (bytes + this.#unsent.bytes) as Octets, taken: 0, since: this.#firstUnsentMs() }
  }

  get #isGone(): boolean {
    return this.#state === GONE
  }

  #keep(rope: string): void {
    this.#backlog ??= []
    this.#backlog.push(own(rope as Octets))
    this.#backlogBytes += rope.length
    this.#fallsBehind()
  }

  /** Sends what waited, and when nothing waits any more, does what was to follow. */
  #settle(): void {
    if (this.#busy || this.shaking || this.#state >= SHUTTING) return
    while (this.#backlog !== undefined) {
      this.#send(this.#takeBacklog(SEND_BYTES))
      if (this.#busy || this.#state >= SHUTTING) return
    }
    if (this.#rope.length > 0) return
    if (this.#owesDrained) {
      this.#owesDrained = false
      this.#since = 0
      this.around.behind.delete(this)
      if (this.#state === OPEN) this.handler.drained()
    }
    // In its call the handler may have written, closed or started TLS; all of that settles in its own turn.
    if (this.#state === CLOSING && !this.#busy && this.#rope.length === 0) {
      this.#state = SHUTTING
      this.shut()
    }
  }

  /** Whole calls of `write`, as many as `most` bytes hold, but one tick's at least. */
  #takeBacklog(most: number): string {
    const backlog = this.#backlog
    if (backlog === undefined) return ''
    let count = 1
    let size = (backlog[0] as string).length
    while (count < backlog.length && size + (backlog[count] as string).length <= most) {
      size += (backlog[count] as string).length
      count++
    }
    this.#backlogBytes -= size
    if (count === backlog.length) this.#backlog = undefined
    const taken = count === backlog.length ? backlog : backlog.splice(0, count)
    return taken.length === 1 ? (taken[0] as string) : taken.join('')
  }

  #startTls(begin: () => void): void {
    if (this.#state !== OPEN) return
    if (this.shaking || this.tls !== undefined) throw new Error('TLS was started on this connection already')
    // Nothing may be read as clear text from here on, and what is written from here on waits for the handshake.
    this.reading(false)
    this.shaking = true
    this.#clear = this.#takeBacklog(Number.POSITIVE_INFINITY) + this.#rope
    this.#rope = ''
    this.#begin = begin
    if (!this.#busy) this.#beginTls()
  }

  #beginTls(): void {
    const clear = this.#clear
    if (clear.length > 0) {
      this.#clear = ''
      this.#send(clear)
      if (this.#busy) return
    }
    const begin = this.#begin
    if (begin === undefined || this.#state !== OPEN) return
    this.#begin = undefined
    this.around.handshakes.begin(() => {
      if (this.#state === OPEN) begin()
    })
  }

  #drop(cause: CloseCause, abrupt: boolean): void {
    if (this.#state === GONE) return
    this.#state = GONE
    this.#cause ??= cause
    this.#forget()
    this.release(abrupt)
  }

  #forget(): void {
    const flying = this.#flying
    const behind = this.withdraw()
    if (flying.length > 0 || behind.length > 0)
      this.#unsent = {
        bytes: (flying + behind) as Octets,
        taken: flying.length > 0 ? Math.max(0, this.#flyingTo - this.untaken()) : 0,
        since: this.#firstUnsentMs(),
      }
    this.around.behind.delete(this)
    this.#flying = ''
    this.#rope = ''
    this.#clear = ''
    this.#backlog = undefined
    this.#backlogBytes = 0
    this.#busy = false
    this.#begin = undefined
    this.#unread = undefined
    if (this.#linger !== undefined) this.#linger.cancel()
    this.#linger = undefined
  }
}

function lingered(transport: BaseTransport): void {
  transport.abandon()
}
