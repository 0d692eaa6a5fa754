/** For the tests of this folder: a driver with accounts, a server on a transport in memory, a client of raw text. */
import { type Jid, jid } from '../jid/index.ts'
import { StanzaError, type StreamError } from '../stanza/error.ts'
import { RealHashing } from '../world/hashing.ts'
import type { Hashing } from '../world/hashing.types.ts'
import type { CloseCause, TlsInfo, TlsServerContext, TransportHandler } from '../world/net.types.ts'
import { type Element, encode, fromBytes, x } from '../xml/index.ts'
import { C2sServer } from './c2s-server.ts'
import type {
  Account,
  BindAnswer,
  C2sDriver,
  Channel,
  InlineAnswer,
  SignInFailure,
  StreamHost,
  Ticket,
} from './c2s-server.types.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { fastFeature } from './fast.ts'
import { clientFraming } from './framing.ts'
import { defaultStreamLimits, type StreamLimits } from './limits.ts'
import type { StanzaSink, StreamEnd } from './machine.types.ts'
import { HandClock, idleHandler, MemoryTransport, SeededRandom } from './memory.testing.ts'
import {
  Decoys,
  deriveScram,
  HASH_OF,
  MECHANISMS,
  type ScramCredential,
  type ScramName,
  type ServerAnswer,
  type ServerLookup,
  type ServerTokens,
  type TokenCandidate,
  tokenMechanisms,
} from './sasl/index.ts'
import { type Authenticate, bind2Feature, readTag, type Sasl2Offer } from './sasl2.ts'

export const hashing = new RealHashing()

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
export async function makeAccount(
  password: string,
  refusal?: TestAccount['refusal'],
  by: Hashing = hashing,
): Promise<TestAccount> {
  const credentials = new Map<string, ScramCredential>()
  for (const name of Object.keys(HASH_OF) as ScramName[]) {
    const credential = await deriveScram(by, HASH_OF[name], password, Buffer.from('salt of sixteen!'), 4096)
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

const localhost: StreamHost = { domain: 'localhost', tls: 'required', hasSasl2: true, protectsOffer: true }

/** A driver over plain maps; answers at once, or when `later` is on by `answerAll`. */
export class TestDriver implements C2sDriver {
  readonly defaultDomain = 'localhost'
  refusal: StreamError | undefined = undefined
  readonly hosts = new Map<string, StreamHost | 'gone'>([['localhost', localhost]])
  readonly accounts = new Map<string, TestAccount>()
  readonly decoys = new Decoys(hashing, Buffer.from('secret of thirty-two bytes, more'), 4096)
  readonly sink = new Recorder()
  readonly failures: SignInFailure[] = []
  readonly signIns: Account[] = []
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
  /** By `name agent`; none are offered while it is empty. */
  readonly tokensOf = new Map<string, readonly TokenCandidate[]>()
  /** What a token shows; others are wrong. */
  readonly bearers = new Map<string, Omit<Extract<ServerAnswer, { kind: 'bearer' }>, 'kind' | 'help'>>()
  readonly upgraded = new Map<ScramName, ScramCredential>()
  /** What was asked for beside signing in, by SASL2. */
  readonly requests: Authenticate[] = []
  sasl2Offer: Sasl2Offer = { inline: [bind2Feature([])] }
  /** By default Bind 2 is done as it was asked for, with the tag for a resource. */
  onInline: (account: Account, request: Authenticate) => InlineAnswer = ({ jid }, { bind }) => {
    if (bind === undefined) return { bound: undefined, elements: [] }
    const made = this.onBind(jid, readTag(bind))
    if (made instanceof StanzaError) return { bound: undefined, elements: [] }
    return { bound: made, elements: [x('bound', 'urn:xmpp:bind:0')] }
  }
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

  sasl2(host: StreamHost, channel: Channel): Sasl2Offer {
    const fast = fastFeature(this.tokenMechanisms(host, channel))
    return fast === undefined ? this.sasl2Offer : { inline: [...this.sasl2Offer.inline, fast] }
  }

  tokenMechanisms(_host: StreamHost, channel: Channel): readonly string[] {
    return this.tokensOf.size === 0 ? [] : tokenMechanisms(channel.bindings)
  }

  tokens(ticket: Ticket, _host: StreamHost, { username }: ServerTokens, agent: string): void {
    const decoy = { token: 'decoy', use: undefined }
    this.#reply(() => {
      const candidates = this.tokensOf.get(`${username} ${agent}`) ?? [decoy]
      this.machine?.answer(ticket, this.isUnavailable ? { kind: 'unavailable' } : { kind: 'tokens', candidates })
    })
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

  bearer(ticket: Ticket, _host: StreamHost, token: string): void {
    const found = this.bearers.get(token) ?? { result: 'wrong', username: '' }
    const help = { scope: 'xmpp', openidConfiguration: 'https://id.example/.well-known/openid-configuration' }
    this.#reply(() =>
      this.machine?.answer(ticket, this.isUnavailable ? { kind: 'unavailable' } : { kind: 'bearer', ...found, help }),
    )
  }

  vouch(ticket: Ticket, _host: StreamHost, username: string, mechanism: string): void {
    this.#reply(() => {
      const account = this.accounts.get(username)
      const result = mechanism === 'ANONYMOUS' || account !== undefined ? (account?.refusal ?? 'right') : 'wrong'
      this.machine?.answer(ticket, this.isUnavailable ? { kind: 'unavailable' } : { kind: 'verified', result })
    })
  }

  signInFailed(failure: SignInFailure): void {
    this.failures.push(failure)
  }

  signedIn(account: Account): void {
    this.signIns.push(account)
  }

  bind(ticket: Ticket, _host: StreamHost, account: Jid, resource: string): void {
    this.binds.push(resource)
    this.#reply(() => this.machine?.bound(ticket, this.onBind(account, resource)))
  }

  upgrades(ticket: Ticket, _host: StreamHost, account: Account, wanted: readonly ScramName[]): void {
    const known = this.accounts.get(account.jid.local)?.credentials
    const salt = Buffer.from('salt for upgrade')
    this.#reply(() => {
      const lacking = wanted.filter((mechanism) => known?.has(mechanism) !== true)
      this.machine?.upgrade(
        ticket,
        lacking.map((mechanism) => ({ mechanism, salt, iterations: 4096 })),
      )
    })
  }

  keepUpgrade(ticket: Ticket, _host: StreamHost, _account: Account, mechanism: ScramName, credential: ScramCredential) {
    this.upgraded.set(mechanism, credential)
    this.#reply(() => this.machine?.upgrade(ticket, []))
  }

  inline(ticket: Ticket, _host: StreamHost, account: Account, request: Authenticate): void {
    this.requests.push(request)
    this.#reply(() => this.machine?.inlined(ticket, this.onInline(account, request)))
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

/** Of SASL2; `more` stands behind the initial response. */
export function authenticate(mechanism: string, initial?: string, more = ''): string {
  const first = initial === undefined ? '' : `<initial-response>${initial}</initial-response>`
  return `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='${mechanism}'>${first}${more}</authenticate>`
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
