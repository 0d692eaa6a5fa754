/**
 * The real network: TCP and Unix sockets. Which door the connections come through is settled once, before the first
 * listener or connection, by a self-test over loopback.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, connect as openSocket, type Server, type Socket } from 'node:net'
import { queuesOf } from './behind.ts'
import type { Clock } from './clock.types.ts'
import { type Accepted, type Door, type DoorSurroundings, READ_BUFFER_BYTES } from './door.ts'
import { WorldError } from './error.ts'
import { Handshakes } from './handshakes.ts'
import type { Log } from './log.types.ts'
import type { Listening, ListenOptions, Net, NetQueues, Place, Transport, TransportHandler } from './net.types.ts'
import { netError, placeText, UNIX_PATH_LIMIT } from './net-error.ts'
import { selfTest } from './self-test.ts'
import { FastDoor } from './socket.ts'
import { PlainDoor } from './socket-plain.ts'
import { RealTls } from './tls.ts'
import type { Turn } from './turn.ts'

/** `auto`: the fast door where it passes its self-test. The others are for tests and for trouble. */
export type SocketChoice = 'auto' | 'fast' | 'plain'

/** Accept failures (no descriptor left) are told at most once in this time. */
const ACCEPT_WARNING_INTERVAL_MS = 10_000

/** How long a Unix socket that is in the way may take to show whether anybody listens on it. */
const STALE_PROBE_MS = 1_000

const unheard: TransportHandler = {
  data() {},
  drained() {},
  secured() {},
  ended() {},
  closed() {},
}

/** Connections that may wait while a listener does not accept; more are reset. Each costs a descriptor and about 1 KB. */
const WAITING_UNREAD_LIMIT = 16_384

export class RealNet implements Net {
  readonly tls = new RealTls()
  readonly #around: DoorSurroundings
  readonly #log: Log
  readonly #choice: SocketChoice
  #door: Promise<Door> | undefined
  #lastWarning = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, turn: Turn, log: Log, choice: SocketChoice = 'auto') {
    const handshakes = new Handshakes(turn)
    const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
    this.#around = { clock, turn, handshakes, behind: new Set(), tls: this.tls, buffer }
    this.#log = log
    this.#choice = choice
  }

  get queues(): NetQueues {
    return queuesOf(this.#around)
  }

  async listen(
    place: Place,
    options: ListenOptions,
    accept: (transport: Transport) => TransportHandler,
  ): Promise<Listening> {
    const door = await this.doorInUse()
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
    await bind(server, place, options)
    const acceptFailed = (code: string): void => this.#acceptFailed(place, code)
    return new RealListening(server, door, place, options, accept, acceptFailed)
  }

  async connect(place: Place, handler: TransportHandler, timeoutMs: number): Promise<Transport> {
    const door = await this.doorInUse()
    const socket = await open(place, this.#around.clock, timeoutMs)
    const transport = door.transport(door.take(socket), handler)
    transport.begin()
    return transport
  }

  /** The door that was chosen; public for the tests and for the log. */
  doorInUse(): Promise<Door> {
    this.#door ??= this.#choose()
    return this.#door
  }

  async #choose(): Promise<Door> {
    const plain = new PlainDoor(this.#around)
    if (this.#choice === 'plain') return plain
    const fast = FastDoor.open(this.#around)
    const fault =
      fast === undefined ? 'this Node was not tried or lacks a part' : await selfTest(fast, this.#around.clock)
    if (fast !== undefined && fault === undefined) {
      if (!fast.hasBareTls) this.#log.warn('TLS costs more on this Node', { node: process.versions.node })
      return fast
    }
    if (this.#choice === 'fast') {
      throw new WorldError('RTK_NET_NO_FAST_SOCKETS', `fast sockets cannot be used: ${fault}`, { temporary: false })
    }
    this.#log.warn('fast sockets cannot be used, plain ones serve', { reason: fault, node: process.versions.node })
    return plain
  }

  #acceptFailed(place: Place, code: string): void {
    const now = this.#around.clock.monoMs()
    if (now - this.#lastWarning < ACCEPT_WARNING_INTERVAL_MS) return
    this.#lastWarning = now
    this.#log.warn('a connection could not be accepted', { place: placeText(place), error: code })
  }
}

class RealListening implements Listening {
  readonly place: Place
  readonly #server: Server
  readonly #door: Door
  readonly #options: ListenOptions
  readonly #accept: (transport: Transport) => TransportHandler
  readonly #acceptFailed: (code: string) => void
  #waiting: Accepted[] | undefined = undefined
  #closed: Promise<void> | undefined = undefined

  constructor(
    server: Server,
    door: Door,
    place: Place,
    options: ListenOptions,
    accept: (transport: Transport) => TransportHandler,
    acceptFailed: (code: string) => void,
  ) {
    this.#server = server
    this.#door = door
    this.#options = options
    this.#accept = accept
    this.#acceptFailed = acceptFailed
    this.place = place.kind === 'unix' ? place : { ...place, port: portOf(server) }
    const failed = (code: string): void => this.#failed(code)
    door.watch(server, (connection) => this.#arrived(connection), failed)
    // The fast door hears of what the kernel says to `accept`; this is what Node says of the socket.
    if (door.name === 'fast')
      server.on('error', (error) => failed('code' in error ? String(error.code) : error.message))
  }

  pauseAccepting(): void {
    this.#waiting ??= []
  }

  resumeAccepting(): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    this.#waiting = undefined
    for (let i = 0; i < waiting.length; i++) {
      // The listener may have paused again meanwhile.
      if (this.#waiting === undefined) this.#take(waiting[i] as Accepted)
      else (this.#waiting as Accepted[]).push(waiting[i] as Accepted)
    }
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      for (const connection of this.#waiting ?? []) this.#door.refuse(connection)
      this.#waiting = undefined
      // Node would call back when the accepted connections have ended too; the listening socket itself closes now.
      this.#server.close()
      setImmediate(resolve)
    })
    return this.#closed
  }

  /** One connection could not be taken, or none will be any more. */
  #failed(code: string): void {
    if (this.#closed !== undefined) return
    this.#acceptFailed(code)
    if (passingErrors.has(code)) return
    void this.close()
    this.#options.failed?.(code)
  }

  #arrived(connection: Accepted): void {
    const waiting = this.#waiting
    if (this.#closed !== undefined) this.#door.refuse(connection)
    else if (waiting === undefined) this.#take(connection)
    // Node has no way to leave connections in the kernel's queue, so they wait here, unread: nobody is reset for coming
    // while a listener throttles.
    else if (waiting.length < Math.max(this.#options.backlog, WAITING_UNREAD_LIMIT)) waiting.push(connection)
    else this.#door.refuse(connection)
  }

  #take(connection: Accepted): void {
    const transport = this.#door.transport(connection, unheard)
    transport.handler = this.#accept(transport)
    transport.begin()
  }
}

/** accept(2): these are about one connection, or pass; the socket goes on listening. */
const passingErrors: ReadonlySet<string> = new Set([
  ...['EAGAIN', 'ECONNABORTED', 'EINTR', 'EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EPERM', 'EPROTO', 'ETIMEDOUT'],
  ...['EHOSTDOWN', 'EHOSTUNREACH', 'ENETDOWN', 'ENETUNREACH', 'ENONET', 'ENOPROTOOPT', 'EOPNOTSUPP'],
])

function portOf(server: Server): number {
  const address = server.address()
  return address !== null && typeof address === 'object' ? address.port : 0
}

async function bind(server: Server, place: Place, options: ListenOptions): Promise<void> {
  try {
    await listenOnce(server, place, options)
  } catch (error) {
    const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    if (!inUse || place.kind !== 'unix' || !(await stale(place.path))) throw netError('listen on', place, error)
    rmSync(place.path, { force: true })
    await listenOnce(server, place, options).catch((again: unknown) => {
      throw netError('listen on', place, again)
    })
  }
}

function listenOnce(server: Server, place: Place, options: ListenOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  if (place.kind === 'unix' && Buffer.byteLength(place.path) > UNIX_PATH_LIMIT) {
    const text = `the path of a Unix socket has at most ${UNIX_PATH_LIMIT} bytes`
    reject(Object.assign(new Error(text), { code: 'ENAMETOOLONG' }))
    return promise
  }
  const failed = (error: Error): void => reject(error)
  server.once('error', failed)
  server.once('listening', () => {
    server.removeListener('error', failed)
    resolve()
  })
  if (place.kind === 'tcp') server.listen({ host: place.host, port: place.port, backlog: options.backlog })
  else {
    server.listen({ path: place.path, backlog: options.backlog })
    // The socket exists now and nobody was accepted yet, so nobody gets in by the file's first mode.
    if (options.mode !== undefined && server.listening) chmodSync(place.path, options.mode)
  }
  return promise
}

/** True when nobody listens behind the Unix socket: its server has died. */
function stale(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const probe = openSocket({ path, timeout: STALE_PROBE_MS })
  probe.once('connect', () => resolve(false))
  probe.once('timeout', () => resolve(false))
  probe.once('error', (error) => resolve('code' in error && error.code === 'ECONNREFUSED'))
  return promise.finally(() => probe.destroy())
}

/** Connects and hands over the socket unread. */
function open(place: Place, clock: Clock, timeoutMs: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket =
    place.kind === 'unix'
      ? openSocket({ path: place.path, allowHalfOpen: true })
      : openSocket({ host: place.host, port: place.port, allowHalfOpen: true, noDelay: true })
  socket.pause()
  const timer = clock.after(
    timeoutMs,
    (late) => {
      late.destroy()
      reject(netError('connect to', place, Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })))
    },
    socket,
  )
  socket.once('connect', () => {
    timer.cancel()
    resolve(socket)
  })
  socket.on('error', (error) => {
    timer.cancel()
    reject(netError('connect to', place, error))
  })
  return promise
}
