/**
 * The fast socket door, and with `socket-tls.ts` the one place that uses less public parts of Node: the handle below `net.Socket`
 * (`process.binding('stream_wrap')`, `_handle`, `onconnection`) and `TLSSocket._wrapHandle`. It saves 2 KB and 1 µs a
 * message (docs: bench/net). It is used only on versions it was tried on, and after `selfTest` has passed; else
 * `socket-plain.ts` serves in its place. Nothing outside this file and `socket-tls.ts` knows what a handle is.
 */
import type { Server, Socket } from 'node:net'
import { TLSSocket, type TLSSocketOptions } from 'node:tls'
import { getSystemErrorMap } from 'node:util'
import {
  type Accepted,
  type Door,
  type DoorSurroundings,
  KEEP_ALIVE_PROBES,
  keepAliveInterval,
  plainHost,
} from './door.ts'
import type { Endpoint, TlsClientOptions, TlsServerContext, TransportHandler } from './net.types.ts'
import { errorCause, tlsCause } from './net-error.ts'
import { BareTls, servesBare, type TlsBinding, type TlsHandle, tlsBinding } from './socket-tls.ts'
import { BaseTransport, TLS_WRITE_UNNOTICED_BYTES } from './transport.ts'

/** The majors of Node whose handles behave as this file expects, as the tests have shown. */
const TRIED_MAJORS: readonly number[] = [24, 25, 26]

interface Request {
  oncomplete: (this: Request, status: number) => void
  transport?: FastTransport
}

interface Handle {
  onread: (this: Handle) => void
  transport?: FastTransport
  readonly writeQueueSize: number
  /** So far; undefined once it is closed. */
  readonly bytesRead: number | undefined
  readonly bytesWritten: number | undefined
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeLatin1String(request: Request, bytes: string): number
  shutdown(request: Request): number
  close(done: () => void): void
  /** TCP only. */
  reset?(done: () => void): number
  setNoDelay?(on: boolean): number
  /** Seconds. */
  setKeepAlive?(on: boolean, idle: number, interval: number, probes: number): number
  getpeername?(out: Address): number
  getsockname?(out: Address): number
}

interface Address {
  address?: string
  port?: number
}

interface StreamBinding {
  readonly WriteWrap: new () => Request
  readonly ShutdownWrap: new () => Request
  readonly streamBaseState: Record<number, number>
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

interface ServerHandle {
  onconnection: (status: number, handle: Handle | undefined) => void
}

function streamBinding(): StreamBinding | undefined {
  if (!TRIED_MAJORS.includes(Number.parseInt(process.versions.node, 10))) return undefined
  try {
    const binding = (process as unknown as { binding(name: string): StreamBinding }).binding('stream_wrap')
    const complete =
      typeof binding.WriteWrap === 'function' &&
      typeof binding.ShutdownWrap === 'function' &&
      typeof binding.streamBaseState === 'object' &&
      typeof binding.kReadBytesOrError === 'number' &&
      typeof binding.kLastWriteWasAsync === 'number'
    return complete ? binding : undefined
  } catch {
    // The permission model forbids the binding: the plain door serves.
    return undefined
  }
}

/** The most that a TLS record carries (RFC 8446 section 5.1). */
const TLS_RECORD_BYTES = 16_384

/** Node's TLS layer hands ten buffers of 16 KiB to the connection in one go, of which the first may be small. */
const TLS_ONE_GO_BYTES = 131_072

/**
 * Bytes of a write of `writing` that a peer cannot have when `left` bytes of its records are not taken: the first of them may be
 * the end of a record, which is of no use to him without it, and no other is longer than what it carries.
 */
export function untakenOfRecords(writing: number, left: number): number {
  return left === 0 ? 0 : Math.min(writing, left + TLS_RECORD_BYTES)
}

function errorName(status: number): string {
  return getSystemErrorMap().get(status)?.[0] ?? `error ${status}`
}

function endOfStream(): number {
  for (const [status, [name]] of getSystemErrorMap()) if (name === 'EOF') return status
  throw new Error('this Node has no EOF status')
}

function nothing(): void {}

/** What all fast transports of a world share. */
interface Shared extends DoorSurroundings {
  readonly binding: StreamBinding
  /** Undefined: `TLSSocket` serves in its place. */
  tlsBinding: TlsBinding | undefined
  readonly eof: number
  readonly onread: (this: Handle) => void
  /** A write request that was not needed, because its write was complete at once. */
  spare: Request | undefined
}

export class FastDoor implements Door {
  readonly name = 'fast'
  readonly #shared: Shared

  private constructor(around: DoorSurroundings, binding: StreamBinding) {
    const { streamBaseState, kReadBytesOrError } = binding
    this.#shared = {
      ...around,
      binding,
      tlsBinding: tlsBinding(),
      eof: endOfStream(),
      onread(this: Handle): void {
        const transport = this.transport
        if (transport !== undefined) transport.readable(streamBaseState[kReadBytesOrError] as number)
      },
      spare: undefined,
    }
  }

  /** Undefined where this Node was not tried or lacks a part. */
  static open(around: DoorSurroundings): FastDoor | undefined {
    const binding = streamBinding()
    return binding === undefined ? undefined : new FastDoor(around, binding)
  }

  /** True while TLS of servers is `socket-tls.ts`'s. */
  get hasBareTls(): boolean {
    return this.#shared.tlsBinding !== undefined
  }

  forgoBareTls(): void {
    this.#shared.tlsBinding = undefined
  }

  watch(server: Server, take: (connection: Accepted) => void, failed: (code: string) => void): void {
    const handle = (server as unknown as { _handle: ServerHandle })._handle
    handle.onconnection = (status, connection) => {
      if (status !== 0 || connection === undefined) failed(errorName(status))
      else take(connection as unknown as Accepted)
    }
  }

  take(socket: Socket): Accepted {
    const owner = socket as unknown as { _handle: Handle | null }
    const handle = owner._handle
    if (handle === null) throw new Error('the socket has closed')
    // The socket forgets its handle: neither reads from it nor closes it.
    owner._handle = null
    socket.removeAllListeners()
    return handle as unknown as Accepted
  }

  transport(connection: Accepted, handler: TransportHandler): FastTransport {
    return new FastTransport(this.#shared, connection as unknown as Handle, handler)
  }

  refuse(connection: Accepted): void {
    letGo(connection as unknown as Handle, true, nothing)
  }
}

function letGo(handle: Handle, abrupt: boolean, done: () => void): void {
  // A reset is refused (EINVAL) after a shutdown; closing does as well then.
  if (abrupt && handle.reset !== undefined && handle.reset(done) === 0) return
  handle.close(done)
}

function remoteOf(handle: Handle): Endpoint {
  const out: Address = {}
  if (handle.getpeername === undefined || handle.getpeername(out) !== 0) return { host: '', port: 0 }
  return { host: plainHost(out.address), port: out.port ?? 0 }
}

interface HandleTlsOptions extends TLSSocketOptions {
  handle: Handle
}

/** Node's TLS socket over a handle instead of over a `net.Socket`, which saves the latter. */
class HandleTlsSocket extends TLSSocket {
  constructor(options: HandleTlsOptions) {
    super(undefined as never, options)
    // Without a socket below, Node takes it for a client that still has to connect.
    ;(this as { connecting: boolean }).connecting = false
  }

  /** Called by the super constructor. */
  _wrapHandle(): unknown {
    const base = TLSSocket.prototype as unknown as {
      _wrapHandle(wrap: undefined, handle: Handle, busy: boolean): unknown
    }
    const { handle } = (this as unknown as { _tlsOptions: HandleTlsOptions })._tlsOptions
    return base._wrapHandle.call(this, undefined, handle, false)
  }
}

export class FastTransport extends BaseTransport {
  readonly #shared: Shared
  /** The connection itself. */
  readonly #handle: Handle
  /** What is read and written: the connection or the TLS layer over it. */
  #stream: Handle
  #secure: HandleTlsSocket | BareTls | undefined = undefined
  #writing = 0
  #hasFailed = false
  /** TLS may hand over records that it held already when reading was stopped. */
  #held = ''
  #heldEnd = false

  constructor(shared: Shared, handle: Handle, handler: TransportHandler) {
    super(shared, handler, remoteOf(handle))
    this.#shared = shared
    this.#handle = handle
    this.#stream = handle
    handle.transport = this
    handle.onread = shared.onread
    handle.useUserBuffer(shared.buffer)
    handle.setNoDelay?.(true)
  }

  get local(): Endpoint {
    const out: Address = {}
    if (this.gone || this.#handle.getsockname === undefined || this.#handle.getsockname(out) !== 0)
      return { host: '', port: 0 }
    return { host: plainHost(out.address), port: out.port ?? 0 }
  }

  get receivedBytes(): number {
    return this.#handle.bytesRead ?? 0
  }

  get sentBytes(): number {
    return this.#handle.bytesWritten ?? 0
  }

  keepAlive(idleMs: number): void {
    if (this.gone) return
    this.#handle.setKeepAlive?.(true, Math.ceil(idleMs / 1000), keepAliveInterval(idleMs) / 1000, KEEP_ALIVE_PROBES)
  }

  /** Called by the handle: `count` bytes are in the shared buffer, or a negative status. */
  readable(count: number): void {
    if (count > 0) {
      if (!this.open) return
      if (this.paused) this.#held += this.#shared.buffer.toString('latin1', 0, count)
      else this.#read(this.#shared.buffer, count)
    } else if (count === this.#shared.eof) {
      if (this.#held.length > 0) this.#heldEnd = true
      else this.peerEnded()
    } else if (count < 0) {
      this.failed(errorCause(errorName(count)))
    }
  }

  #read(buffer: Buffer, count: number): void {
    const { turn } = this.#shared
    turn.readBegins()
    try {
      this.handler.data(buffer, 0, count)
    } finally {
      turn.readEnds()
    }
  }

  protected send(bytes: string): boolean {
    const { binding, spare } = this.#shared
    const request = spare ?? new binding.WriteWrap()
    request.oncomplete = written
    const status = this.#stream.writeLatin1String(request, bytes)
    if (status !== 0) {
      this.#shared.spare = undefined
      this.#hasFailed = true
      this.#writing = bytes.length
      this.failed(errorCause(errorName(status)))
      return true
    }
    if (binding.streamBaseState[binding.kLastWriteWasAsync] === 0) {
      this.#shared.spare = request
      return true
    }
    this.#shared.spare = undefined
    request.transport = this
    this.#writing = bytes.length
    return false
  }

  protected sending(): number {
    const left = this.#handle.writeQueueSize
    if (this.#secure === undefined) return left
    return left > 0 || this.#writing > TLS_WRITE_UNNOTICED_BYTES ? this.#writing : 0
  }

  /** A record is of use to the peer only when it is whole, so one that the kernel has in part was not taken. */
  protected override untaken(): number {
    if (this.#hasFailed) return this.#writing
    const left = this.#handle.writeQueueSize
    if (this.#secure === undefined) return left
    // Of a larger one, part may still be within the TLS layer, which tells nobody.
    if (this.#writing > TLS_ONE_GO_BYTES) return this.#writing
    return untakenOfRecords(this.#writing, left)
  }

  wrote(status: number): void {
    if (status < 0) {
      // How much of it had left is not told.
      this.#hasFailed = true
      this.failed(errorCause(errorName(status)))
    } else this.sent()
  }

  protected reading(on: boolean): void {
    if (!on) this.#stream.readStop()
    else if (this.#held.length > 0) this.around.turn.soon(deliverHeld, this)
    else this.#stream.readStart()
  }

  /** Hands over what TLS delivered after reading was stopped, then reads on. */
  deliver(): void {
    const { buffer } = this.#shared
    if (!this.open) this.#held = ''
    while (this.#held.length > 0 && this.open && !this.paused) {
      const size = buffer.write(this.#held, 0, 'latin1')
      this.#held = this.#held.slice(size)
      this.handler.data(buffer, 0, size)
    }
    if (this.gone || this.paused) return
    if (this.#heldEnd) {
      this.#held = ''
      this.#heldEnd = false
      this.peerEnded()
    } else this.#stream.readStart()
  }

  protected shut(): void {
    const request = new this.#shared.binding.ShutdownWrap()
    request.transport = this
    request.oncomplete = finished
    const status = this.#stream.shutdown(request)
    // 1 is "done already"; a peer that has gone needs no FIN.
    if (status !== 0) this.shutDone()
  }

  finished(): void {
    this.shutDone()
  }

  protected release(abrupt: boolean): void {
    const secure = this.#secure
    if (secure === undefined) {
      letGo(this.#handle, abrupt, () => this.#closed())
      return
    }
    if (secure instanceof BareTls) {
      letGo(this.#handle, abrupt, () => {
        secure.end()
        this.#closed()
      })
      return
    }
    if (secure.destroyed) return
    const handle = this.#handle
    const close = handle.close
    // The TLS layer closes the handle below it; ours decides how.
    handle.close = (done) => {
      if (abrupt && handle.reset !== undefined && handle.reset(done) === 0) return
      close.call(handle, done)
    }
    secure.destroy()
  }

  protected secureServer(context: TlsServerContext): void {
    const { tls } = this.#shared
    const side = tls.serverSide(context)
    if (!this.layBare(side.options, (layer) => this.secureDone(tls.serverInfo(layer, side)))) {
      const secure = this.#wrap(side.options)
      if (secure === undefined) return
      secure.once('secure', () => this.secureDone(tls.serverInfo(secure, side)))
      const early = this.takeUnread()
      if (early !== undefined) (this.#stream as Handle & { receive(bytes: Buffer): void }).receive(early)
    }
  }

  /** Puts the leaner layer between the connection and us, and reads on. False: it cannot. Public for the self-test only. */
  layBare(options: TLSSocketOptions, secured: (layer: BareTls) => void): boolean {
    const { tlsBinding: binding, onread, buffer } = this.#shared
    if (binding === undefined || !servesBare(options)) return false
    this.#handle.readStop()
    let layer: BareTls
    try {
      layer = new BareTls(binding, this.#handle, options, {
        secured: () => secured(layer),
        failed: (error) => this.failed(tlsCause(error), false),
      })
    } catch (error) {
      this.failed(tlsCause(error))
      return true
    }
    this.#secure = layer
    const stream = layer.handle as TlsHandle & Handle
    this.#stream = stream
    stream.transport = this
    stream.onread = onread
    stream.useUserBuffer(buffer)
    const early = this.takeUnread()
    if (early !== undefined) stream.receive(early)
    if (!this.gone) stream.readStart()
    return true
  }

  protected secureClient(options: TlsClientOptions): void {
    const { tls } = this.#shared
    const secure = this.#wrap(tls.clientOptions(options))
    if (secure === undefined) return
    secure.once('secure', () => {
      const info = tls.clientInfo(secure, options)
      const peer = info.peerCertificate
      if (options.verify && peer?.verified !== true) this.failed(tls.unverified(peer), false)
      else this.secureDone(info)
    })
    const client = secure as unknown as { setServername(name: string): void; _start(): void }
    const { servername } = tls.sniOf(options)
    if (servername !== undefined) client.setServername(servername)
    client._start()
  }

  /** Puts the TLS layer between the connection and us. Public for the self-test only. */
  wrap(options: TLSSocketOptions): HandleTlsSocket | undefined {
    return this.#wrap(options)
  }

  #wrap(options: TLSSocketOptions): HandleTlsSocket | undefined {
    const handle = this.#handle
    let secure: HandleTlsSocket
    // The TLS socket starts reading itself and takes EALREADY for a failure.
    handle.readStop()
    try {
      secure = new HandleTlsSocket({ ...options, handle })
    } catch (error) {
      this.failed(tlsCause(error))
      return undefined
    }
    this.#secure = secure
    const stream = (secure as unknown as { _handle: Handle })._handle
    this.#stream = stream
    stream.transport = this
    stream.onread = this.#shared.onread
    stream.useUserBuffer(this.#shared.buffer)
    const broken = (error: unknown): void => this.failed(tlsCause(error), false)
    secure.on('error', broken)
    // Errors of an established layer come by this event, because nobody released the socket's control.
    secure.on('_tlsError', broken)
    secure.once('close', () => this.#closed())
    return secure
  }

  #closed(): void {
    this.#held = ''
    this.released({ kind: 'local' })
  }
}

function written(this: Request, status: number): void {
  this.transport?.wrote(status)
}

function finished(this: Request): void {
  this.transport?.finished()
}

function deliverHeld(transport: FastTransport): void {
  transport.deliver()
}
