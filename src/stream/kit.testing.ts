/** For the tests of this folder: a clock that is wound by hand, transports in memory, a driver with accounts, a client of raw text. */
import { type Jid, jid } from '../jid/index.ts'
import type { StreamError } from '../stanza/error.ts'
import type { Clock, Timer } from '../world/clock.types.ts'
import { RealHashing } from '../world/hashing.ts'
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
import { type Element, encode, fromBytes, type Octets } from '../xml/index.ts'
import { C2sServer } from './c2s-server.ts'
import type { BindAnswer, C2sDriver, Channel, SignInFailure, StreamHost, Ticket } from './c2s-server.types.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { clientFraming } from './framing.ts'
import { defaultStreamLimits, type StreamLimits } from './limits.ts'
import type { StanzaSink, StreamEnd } from './machine.types.ts'
import {
  Decoys,
  deriveScram,
  HASH_OF,
  MECHANISMS,
  type ScramCredential,
  type ScramName,
  type ServerAnswer,
  type ServerLookup,
  type ServerVerify,
} from './sasl/index.ts'

export const hashing = new RealHashing()

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
    peerCertificate: undefined,
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
  isPaused = false
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
    this.#peer.#arrive({ bytes })
  }

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

/** A client of text: what it sends and reads is bytes, without any idea of XMPP. */
export class RawClient implements TransportHandler {
  readonly transport: MemoryTransport
  readonly #clock: HandClock
  #received = ''
  isSecured = false
  hasEnded = false
  cause: CloseCause | undefined = undefined

  constructor(transport: MemoryTransport, clock: HandClock) {
    this.transport = transport
    this.#clock = clock
    transport.handler = this
  }

  send(text: string): void {
    this.transport.write(encode(text))
  }

  /** Sends, lets everything happen, and returns what came back. */
  ask(text: string): string {
    this.send(text)
    return this.read()
  }

  read(): string {
    this.#clock.settle()
    const text = this.#received
    this.#received = ''
    return text
  }

  startTls(): void {
    this.transport.startTlsClient({ servername: 'localhost', alpn: [], ca: undefined, verify: true })
    this.#clock.settle()
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#received += Buffer.from(fromBytes(bytes, start, end), 'latin1').toString('utf8')
  }

  drained(): void {}

  secured(): void {
    this.isSecured = true
  }

  ended(): void {
    this.hasEnded = true
  }

  closed(cause: CloseCause): void {
    this.cause = cause
  }
}

export interface TestAccount {
  readonly password: string
  readonly credentials: ReadonlyMap<string, ScramCredential>
  readonly refusal?: 'account-disabled' | 'credentials-expired'
}

/** Stretching costs time: one account serves all tests. 4096 iterations are the least that is allowed. */
export async function makeAccount(password: string, refusal?: TestAccount['refusal']): Promise<TestAccount> {
  const credentials = new Map<string, ScramCredential>()
  for (const name of Object.keys(HASH_OF) as ScramName[]) {
    const credential = await deriveScram(hashing, HASH_OF[name], password, Buffer.from('salt of sixteen!'), 4096)
    if (credential !== undefined) credentials.set(name, credential)
  }
  return { password, credentials, ...(refusal === undefined ? {} : { refusal }) }
}

export class Recorder implements StanzaSink {
  readonly stanzas: Element[] = []
  onStanza: ((el: Element) => void) | undefined = undefined

  receive(el: Element): void {
    this.stanzas.push(el)
    this.onStanza?.(el)
  }
}

/** A driver over plain maps; answers at once, or when `later` is on by `answerAll`. */
export class TestDriver implements C2sDriver {
  readonly defaultDomain = 'localhost'
  refusal: StreamError | undefined = undefined
  readonly hosts = new Map<string, StreamHost | 'gone'>([['localhost', { domain: 'localhost', tls: 'required' }]])
  readonly accounts = new Map<string, TestAccount>()
  readonly decoys = new Decoys(hashing, Buffer.from('secret of thirty-two bytes, more'), 4096)
  readonly sink = new Recorder()
  readonly failures: SignInFailure[] = []
  readonly ends: StreamEnd[] = []
  readonly causes: CloseCause[] = []
  readonly claimed: Element[] = []
  readonly binds: string[] = []
  offered: readonly string[] = MECHANISMS
  extra: { readonly sasl: readonly Element[]; readonly bind: readonly Element[] } = { sasl: [], bind: [] }
  claims: (el: Element, stage: string) => boolean = () => false
  isUnavailable = false
  later = false
  onBind: (account: Jid, resource: string) => BindAnswer = (account, resource) => ({
    jid: account.withResource(resource === '' ? 'made' : resource),
    sink: this.sink,
  })
  machine: C2sServer | undefined = undefined
  #waiting: (() => void)[] = []

  host(domain: string): StreamHost | 'gone' | undefined {
    return this.hosts.get(domain)
  }

  mechanisms(_host: StreamHost, channel: Channel): readonly string[] {
    return this.offered.filter((name) =>
      name.endsWith('-PLUS') ? channel.bindings.size > 0 : name !== 'PLAIN' || channel.isSecure,
    )
  }

  features(_host: StreamHost, stage: 'sasl' | 'bind'): readonly Element[] {
    return this.extra[stage]
  }

  lookUp(ticket: Ticket, _host: StreamHost, request: ServerLookup): void {
    this.#reply(() => {
      const account = this.accounts.get(request.username)
      const answer: ServerAnswer = this.isUnavailable
        ? { kind: 'unavailable' }
        : this.decoys.answer(request, account?.credentials.get(request.mechanism), account?.refusal)
      this.machine?.answer(ticket, answer)
    })
  }

  verify(ticket: Ticket, _host: StreamHost, username: string, password: string): void {
    this.#reply(() => {
      const account = this.accounts.get(username)
      if (this.isUnavailable) this.machine?.answer(ticket, { kind: 'unavailable' })
      else if (account?.password !== password) this.machine?.answer(ticket, { kind: 'verified', result: 'wrong' })
      else this.machine?.answer(ticket, { kind: 'verified', result: account.refusal ?? 'right' })
    })
  }

  signInFailed(failure: SignInFailure): void {
    this.failures.push(failure)
  }

  bind(ticket: Ticket, _host: StreamHost, account: Jid, resource: string): void {
    this.binds.push(resource)
    this.#reply(() => this.machine?.bound(ticket, this.onBind(account, resource)))
  }

  claim(el: Element, stage: 'features' | 'bind' | 'established'): boolean {
    if (!this.claims(el, stage)) return false
    this.claimed.push(el)
    return true
  }

  ended(end: StreamEnd): void {
    this.ends.push(end)
  }

  disconnected(cause: CloseCause): void {
    this.causes.push(cause)
  }

  get isAsked(): boolean {
    return this.#waiting.length > 0
  }

  answerAll(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const answer of waiting) answer()
  }

  #reply(answer: () => void): void {
    if (this.later) this.#waiting.push(answer)
    else answer()
  }
}

export interface Server {
  readonly clock: HandClock
  readonly driver: TestDriver
  readonly machine: C2sServer
  readonly connection: Connection
  readonly transport: MemoryTransport
}

export interface ServerOptions {
  readonly limits?: Partial<StreamLimits>
  readonly connection?: Partial<ConnectionOptions>
  readonly directTls?: boolean
  /** Secured before the stream, by somebody else. */
  readonly tls?: TlsInfo
  readonly seed?: number
}

const tlsContext: TlsServerContext = {
  alpn: ['xmpp-client'],
  strictAlpn: true,
  requestPeerCertificate: false,
  certificateFor: () => undefined,
}

/** The server's end on a transport. */
export function serve(
  transport: MemoryTransport,
  clock: HandClock,
  driver: TestDriver,
  options: ServerOptions = {},
): Server {
  const limits: StreamLimits = { ...defaultStreamLimits, ...options.limits }
  if (options.tls !== undefined) transport.tls = options.tls
  const connection = new Connection(transport, {
    clock,
    framing: clientFraming,
    limits: limits.before,
    startTls: (end) => end.startTlsServer(tlsContext),
    ...options.connection,
  })
  const random = new SeededRandom(options.seed ?? 1)
  const machine = new C2sServer({ effects: connection, driver, limits, random, hashing })
  driver.machine = machine
  connection.run(machine, options.directTls === true ? { domain: '' } : undefined)
  return { clock, driver, machine, connection, transport }
}

/** A server with one account, and a raw client that is connected to it. */
export function rawPair(account: TestAccount, options: ServerOptions = {}): Server & { readonly client: RawClient } {
  const clock = new HandClock()
  const driver = new TestDriver()
  driver.accounts.set('juliet', account)
  const [far, near] = MemoryTransport.pair(clock, idleHandler)
  const client = new RawClient(far, clock)
  return { ...serve(near, clock, driver, options), client }
}

export const header =
  "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

export function plain(user: string, password: string, authzid = ''): string {
  return Buffer.from(`${authzid}\0${user}\0${password}`, 'utf8').toString('base64')
}

export function auth(mechanism: string, content = ''): string {
  return `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${content}</auth>`
}

export const starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
export const bindRequest = "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"

/** As `juliet@localhost/made`, inside of TLS. */
export function signIn(client: RawClient, password = 'r0m30'): void {
  client.ask(header)
  client.ask(auth('PLAIN', plain('juliet', password)))
  client.ask(header)
  client.ask(bindRequest)
}

export const juliet = jid('juliet@localhost/made')
