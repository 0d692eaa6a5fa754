/**
 * The plain socket door: Node's public sockets and nothing else. It serves where `socket.ts` cannot, at some 1.5 µs more
 * a message and 2-4 KB more a connection; the tests run both.
 */
import type { Server, Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import {
  type Accepted,
  type Door,
  type DoorSurroundings,
  KEEP_ALIVE_PROBES,
  keepAliveInterval,
  plainHost,
} from './door.ts'
import type { CloseCause, Endpoint, TlsClientOptions, TlsServerContext, TransportHandler } from './net.types.ts'
import { errorCause, tlsCause } from './net-error.ts'
import { BaseTransport, TLS_WRITE_UNNOTICED_BYTES } from './transport.ts'

export class PlainDoor implements Door {
  readonly name = 'plain'
  readonly #around: DoorSurroundings

  constructor(around: DoorSurroundings) {
    this.#around = around
  }

  watch(server: Server, take: (connection: Accepted) => void, failed: (code: string) => void): void {
    server.on('connection', (socket) => take(socket as unknown as Accepted))
    server.on('error', (error) =>
      failed('code' in error && typeof error.code === 'string' ? error.code : error.message),
    )
  }

  take(socket: Socket): Accepted {
    // By name: removing all at once makes Node ask a tick later whether to read, and a pause until then would be lost.
    for (const name of socket.eventNames()) socket.removeAllListeners(name)
    return socket as unknown as Accepted
  }

  transport(connection: Accepted, handler: TransportHandler): PlainTransport {
    return new PlainTransport(this.#around, connection as unknown as Socket, handler)
  }

  refuse(connection: Accepted): void {
    const socket = connection as unknown as Socket
    socket.on('error', nothing)
    letGo(socket, true)
  }
}

function nothing(): void {}

function letGo(socket: Socket, abrupt: boolean): void {
  // Only TCP can be reset; a Unix socket has no address family.
  if (abrupt && socket.remoteFamily !== undefined && !socket.destroyed) socket.resetAndDestroy()
  else socket.destroy()
}

function systemCause(error: Error): CloseCause {
  return errorCause('code' in error && typeof error.code === 'string' ? error.code : error.message)
}

class PlainTransport extends BaseTransport {
  readonly #around: DoorSurroundings
  /** The connection itself. */
  readonly #socket: Socket
  readonly #local: Endpoint
  /** What is read and written: the connection or the TLS layer over it. */
  #stream: Socket
  /** Writes that were complete at once: Node reports them a little later, in order, when another may be under way. */
  #reports = 0
  /** Bytes of the last write. */
  #writing = 0
  #hasFailed = false
  readonly #written = (error?: Error | null): void => {
    if (error !== undefined && error !== null) this.#writeFailed(error)
    else if (this.#reports > 0) this.#reports--
    else this.sent()
  }
  readonly #data = (bytes: Buffer): void => {
    if (!this.open) return
    const { turn } = this.#around
    turn.readBegins()
    try {
      this.handler.data(bytes, 0, bytes.length)
    } finally {
      turn.readEnds()
    }
  }
  readonly #end = (): void => this.peerEnded()

  constructor(around: DoorSurroundings, socket: Socket, handler: TransportHandler) {
    super(around, handler, { host: plainHost(socket.remoteAddress), port: socket.remotePort ?? 0 })
    this.#around = around
    this.#socket = socket
    this.#stream = socket
    this.#local = { host: plainHost(socket.localAddress), port: socket.localPort ?? 0 }
    socket.pause()
    socket.on('data', this.#data)
    socket.on('end', this.#end)
    socket.on('error', (error) => this.failed(systemCause(error)))
    socket.once('close', () => this.released({ kind: 'peer' }))
    socket.setNoDelay(true)
    socket.pause()
  }

  get local(): Endpoint {
    return this.#local
  }

  get receivedBytes(): number {
    return this.#socket.bytesRead
  }

  get sentBytes(): number {
    return this.#socket.bytesWritten
  }

  get heldBytes(): number {
    return this.#stream.readableLength
  }

  keepAlive(idleMs: number): void {
    // Whole seconds only: a part of one would be 0, which leaves the system's two hours.
    const whole = Math.ceil(idleMs / 1000) * 1000
    this.#socket.setKeepAlive(true, whole, keepAliveInterval(idleMs), KEEP_ALIVE_PROBES)
  }

  protected send(bytes: string): boolean {
    const stream = this.#stream
    this.#writing = bytes.length
    stream.write(bytes, 'latin1', this.#written)
    if (stream.writableLength > 0) return false
    // One that failed at once is no longer counted, and is reported later too.
    if (stream.errored !== null) this.#writeFailed(stream.errored)
    else this.#reports++
    return true
  }

  /** How much of it had left is not told. */
  #writeFailed(error: Error): void {
    this.#hasFailed = true
    this.failed(systemCause(error))
  }

  protected sending(): number {
    const left = this.#stream.writableLength
    return this.#stream === this.#socket || left > TLS_WRITE_UNNOTICED_BYTES ? left : 0
  }

  /** Node tells of a write as a whole. */
  protected override untaken(): number {
    return this.#hasFailed ? this.#writing : this.#stream.writableLength
  }

  protected reading(on: boolean): void {
    if (on) this.#stream.resume()
    else this.#stream.pause()
  }

  protected shut(): void {
    this.#stream.end(() => this.shutDone())
  }

  protected release(abrupt: boolean): void {
    // A TLS layer goes with the socket below it; let go first, it would close the socket without a reset.
    if (!abrupt) this.#stream.destroy()
    letGo(this.#socket, abrupt)
  }

  protected secureServer(context: TlsServerContext): void {
    const { tls } = this.#around
    const early = this.takeUnread()
    if (early !== undefined) this.#socket.unshift(early)
    this.#layer(() => {
      const side = tls.serverSide(context)
      const secure = new TLSSocket(this.#socket, side.options)
      secure.once('secure', () => this.secureDone(tls.serverInfo(secure, side)))
      return secure
    })
  }

  protected secureClient(options: TlsClientOptions): void {
    const { tls } = this.#around
    this.#layer(() => {
      // The name is checked by our own info, so that a refusal is told the same way through both doors.
      const secure = connectTls({
        ...tls.clientOptions(options),
        socket: this.#socket,
        ...tls.sniOf(options),
        checkServerIdentity: () => undefined,
      })
      secure.once('secure', () => {
        const info = tls.clientInfo(secure, options)
        const peer = info.peerCertificate
        if (options.verify && peer?.verified !== true) this.failed(tls.unverified(peer), false)
        else this.secureDone(info)
      })
      return secure
    })
  }

  #layer(make: () => TLSSocket): void {
    const socket = this.#socket
    socket.removeListener('data', this.#data)
    socket.removeListener('end', this.#end)
    let secure: TLSSocket
    try {
      secure = make()
    } catch (error) {
      this.failed(tlsCause(error), false)
      return
    }
    const broken = (error: unknown): void => this.failed(tlsCause(error), false)
    secure.on('error', broken)
    secure.on('_tlsError', broken)
    secure.on('data', this.#data)
    secure.on('end', this.#end)
    this.#stream = secure
  }
}
