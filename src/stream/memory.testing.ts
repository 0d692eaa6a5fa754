/** For tests: a clock that is wound by hand, dice with a seed, and transports in memory. */
import type { Clock, Timer } from '../world/clock.types.ts'
import type {
  ChannelBindingType,
  CloseCause,
  Endpoint,
  TlsClientOptions,
  TlsInfo,
  TlsServerContext,
  Transport,
  TransportHandler,
} from '../world/net.types.ts'
import type { Random } from '../world/random.types.ts'
import type { Octets } from '../xml/index.ts'

/** Time that passes only when told. */
export class HandClock implements Clock {
  #now = 0
  #soon: (() => void)[] = []
  #timers: { readonly at: number; readonly run: () => void; isOff: boolean }[] = []

  now(): Date {
    return new Date(this.#now)
  }

  wallMs(): number {
    return this.#now
  }

  monoMs(): number {
    return this.#now
  }

  after<T>(ms: number, fn: (arg: T) => void, arg: T): Timer {
    const timer = { at: this.#now + ms, run: () => fn(arg), isOff: false }
    this.#timers.push(timer)
    return { cancel: () => (timer.isOff = true) }
  }

  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#soon.push(() => fn(arg))
  }

  /** Turns of the event loop until nothing is left to do; returns how many there were. */
  settle(): number {
    let turns = 0
    while (this.#soon.length > 0) {
      turns++
      const now = this.#soon
      this.#soon = []
      for (const run of now) run()
    }
    return turns
  }

  advance(ms: number): void {
    this.settle()
    const until = this.#now + ms
    for (;;) {
      const due = this.#timers.filter((timer) => !timer.isOff && timer.at <= until).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#now = Math.max(this.#now, due.at)
      due.isOff = true
      due.run()
      this.settle()
    }
    this.#timers = this.#timers.filter((timer) => !timer.isOff)
    this.#now = until
  }

  get pendingTimers(): number {
    return this.#timers.filter((timer) => !timer.isOff).length
  }
}

/** A small generator with a seed (mulberry32). */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  below(limit: number): number {
    return Math.floor(this.#next() * limit)
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256))
  }

  id(): string {
    return Buffer.from(this.bytes(17)).toString('base64url').slice(0, 22)
  }

  uuid(): string {
    const hex = Buffer.from(this.bytes(16)).toString('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
  }
}

export interface FakeTlsOptions {
  readonly servername?: string
  readonly bindings?: Partial<Record<ChannelBindingType, string>>
  readonly peerCertificate?: TlsInfo['peerCertificate']
}

export function fakeTls(options: FakeTlsOptions = {}): TlsInfo {
  const bindings = options.bindings ?? {
    'tls-exporter': 'exported key',
    'tls-server-end-point': 'hash of a certificate',
  }
  return {
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_128_GCM_SHA256',
    alpn: '',
    servername: options.servername ?? '',
    channelBinding(type) {
      const text = bindings[type]
      return text === undefined ? undefined : Buffer.from(text)
    },
    peerCertificate: options.peerCertificate,
  }
}

type Item = { readonly bytes: Octets } | 'fin' | 'reset'

/** One end of a pair in memory. Writes of a turn arrive together, in the next one. TLS is an agreement of both ends. */
export class MemoryTransport implements Transport {
  readonly local: Endpoint = { host: '127.0.0.1', port: 1 }
  readonly remote: Endpoint = { host: '127.0.0.1', port: 2 }
  tls: TlsInfo | undefined = undefined
  handler: TransportHandler
  /** How many bytes a read brings at most. */
  readMax = 65_536
  /** Bytes that the peer does not take. */
  isStuck = false
  queuedBytes = 0
  receivedBytes = 0
  sentBytes = 0
  isPaused = false
  heldBytes = 0
  closedCause: CloseCause | undefined = undefined
  log: string[] = []
  #peer: MemoryTransport = this
  readonly #clock: HandClock
  #inbox: Item[] = []
  #isShaking = false
  #isClosing = false
  #hasFin = false
  #isDraining = false
  tlsOptions: FakeTlsOptions = {}

  constructor(clock: HandClock, handler: TransportHandler) {
    this.#clock = clock
    this.handler = handler
  }

  static pair(clock: HandClock, handler: TransportHandler): [MemoryTransport, MemoryTransport] {
    const a = new MemoryTransport(clock, handler)
    const b = new MemoryTransport(clock, handler)
    a.#peer = b
    b.#peer = a
    return [a, b]
  }

  get isClosed(): boolean {
    return this.closedCause !== undefined
  }

  write(bytes: Octets): void {
    if (this.#isClosing || this.isClosed) return
    this.log.push(bytes)
    this.sentBytes += bytes.length
    this.#peer.#arrive({ bytes })
  }

  keepAlive(): void {}

  askDrained(): void {
    this.#clock.soon(() => this.handler.drained(), undefined)
  }

  withdraw(): Octets {
    return '' as Octets
  }

  readonly unsent = { bytes: '' as Octets, taken: 0, since: 0 }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    this.#drainLater()
  }

  unread(): void {}

  startTlsServer(_context: TlsServerContext): void {
    this.#shake()
  }

  startTlsClient(_options: TlsClientOptions): void {
    this.#shake()
  }

  close(lingerMs = 2_000): void {
    if (this.#isClosing || this.isClosed) return
    this.#isClosing = true
    this.#peer.#arrive('fin')
    this.#clock.after(lingerMs, () => this.#closed({ kind: 'local' }), undefined)
    if (this.#hasFin) this.#clock.soon(() => this.#closed({ kind: 'local' }), undefined)
  }

  abandon(): void {
    this.destroy()
  }

  destroy(): void {
    this.#peer.#arrive('reset')
    this.#clock.soon(() => this.#closed({ kind: 'local' }), undefined)
  }

  #shake(): void {
    this.#isShaking = true
    const peer = this.#peer
    if (!peer.#isShaking) return
    this.#clock.soon(() => {
      for (const end of [this, peer]) {
        end.#isShaking = false
        end.tls = fakeTls(this.tlsOptions)
        end.handler.secured(end.tls)
      }
      this.#drainLater()
      peer.#drainLater()
    }, undefined)
  }

  #arrive(item: Item): void {
    this.#inbox.push(item)
    this.#drainLater()
  }

  #drainLater(): void {
    if (this.#isDraining) return
    this.#isDraining = true
    this.#clock.soon(() => {
      this.#isDraining = false
      this.#drain()
    }, undefined)
  }

  #drain(): void {
    while (this.#inbox.length > 0 && !this.isPaused && !this.isClosed && !this.isStuck) {
      const item = this.#inbox[0]
      if (item === 'fin') {
        this.#inbox.shift()
        this.#hasFin = true
        if (this.#isShaking) this.#closed({ kind: 'tls', code: 'RTK_TLS', text: 'closed in the handshake' })
        else if (this.#isClosing) this.#closed({ kind: 'local' })
        else this.handler.ended()
      } else if (item === 'reset') {
        this.#inbox.shift()
        this.#closed({ kind: 'error', code: 'RTK_NET_RESET', text: 'reset' })
      } else if (this.#isShaking) {
        this.#closed({ kind: 'tls', code: 'RTK_TLS', text: 'plain bytes in the handshake' })
      } else this.#read()
    }
  }

  /** Joins what has arrived, as a kernel does, and cuts it to reads. */
  #read(): void {
    let joined = ''
    while (this.#inbox.length > 0 && joined.length < this.readMax) {
      const item = this.#inbox[0]
      if (item === undefined || typeof item === 'string') break
      joined += item.bytes
      this.#inbox.shift()
    }
    const now = joined.slice(0, this.readMax)
    const rest = joined.slice(this.readMax)
    if (rest !== '') this.#inbox.unshift({ bytes: rest as Octets })
    // A buffer that is overwritten afterwards, as the shared one of the real door is.
    const bytes = Buffer.from(` ${now}`, 'latin1')
    this.receivedBytes += now.length
    if (!this.#isClosing) this.handler.data(bytes, 1, bytes.length)
    bytes.fill(0x21)
  }

  #closed(cause: CloseCause): void {
    if (this.isClosed) return
    this.closedCause = cause
    this.handler.closed(cause)
  }
}

/** Does nothing; for an end whose handler comes later. */
export const idleHandler: TransportHandler = {
  data: () => undefined,
  drained: () => undefined,
  secured: () => undefined,
  ended: () => undefined,
  closed: () => undefined,
}
