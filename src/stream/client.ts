/**
 * A small XMPP client over a world: it connects, signs in, binds, and then sends and receives stanzas. Plays use it over the simulator
 * and over sockets, tests too; the replication daemon will. It neither reconnects nor keeps a roster.
 */
import { type Jid, toAscii } from '../jid/index.ts'
import type { StreamError } from '../stanza/error.ts'
import { StanzaError } from '../stanza/error.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { NS_SM, smAnswer, smEnable, smRequest } from '../stanza/sm.ts'
import { WorldError } from '../world/error.ts'
import type { HashName } from '../world/hashing.types.ts'
import type { CloseCause, Net, Place, TlsClientOptions, Transport, TransportHandler } from '../world/net.types.ts'
import type { World } from '../world/world.types.ts'
import { type Element, type Octets, x } from '../xml/index.ts'
import { C2sClient } from './c2s-client.ts'
import type { C2sClientConfig, C2sClientDriver, ClientEnd } from './c2s-client.types.ts'
import { ClientAcks, isOfAcks } from './client-acks.ts'
import { clientErrors } from './client-errors.ts'
import { Connection } from './connection.ts'
import { clientFraming } from './framing.ts'
import { defaultClientLimits, type StreamLimits } from './limits.ts'
import type { StanzaSink } from './machine.types.ts'
import { stretch } from './sasl/index.ts'
import { NS_BIND2 } from './sasl2.ts'

export interface ClientOptions {
  /** The account; a resource in it is asked for, without one the server makes it. */
  readonly jid: Jid
  readonly password: string
  readonly place: Place
  /** `direct` is XEP-0368; `starttls` insists on TLS; `if-offered` and `none` are for tests and loopback. */
  readonly tls: 'direct' | 'starttls' | 'if-offered' | 'none'
  /** PEM of trusted roots; undefined: the system's. */
  readonly ca?: string
  /** False: any certificate will do. */
  readonly verify?: boolean
  readonly sasl?: Pick<
    C2sClientConfig,
    | 'agent'
    | 'allowPlainInClear'
    | 'atLeast'
    | 'authzid'
    | 'bearer'
    | 'bindsChannel'
    | 'inline'
    | 'profile'
    | 'session'
    | 'tag'
    | 'token'
  >
  readonly limits?: Partial<StreamLimits>
  readonly connectTimeoutMs?: number
  readonly lang?: string
  /** Every stanza that is no answer to `request`, and no ping of the server, which is answered. */
  readonly onStanza?: (el: Element, client: XmppClient) => void
  /** Once, when the stream is over. */
  readonly onEnd?: (end: ClientEnd) => void
  /** What a former client had counted (`XmppClient.acks`): it is gone on with, if the server lets us; else a resource is bound. */
  readonly resume?: ClientAcks
  /** False: what the server asks to be acknowledged is not. */
  readonly acknowledges?: boolean
}

/** Why there is no client. `code` is asserted on; `end` has the whole story, undefined when there was no connection. */
export class ClientFailure {
  readonly code: string
  readonly end: ClientEnd | undefined
  readonly text: string

  constructor(code: string, text: string, end?: ClientEnd) {
    this.code = code
    this.text = text
    this.end = end
  }

  toString(): string {
    return `${this.code}: ${this.text}`
  }
}

const NS_PING = 'urn:xmpp:ping'

const defaultConnectTimeoutMs = 10_000
const defaultRequestMs = 10_000

/** Waits for nothing: what comes before the connection has its handler. */
const nobody: TransportHandler = {
  data: () => undefined,
  drained: () => undefined,
  secured: () => undefined,
  ended: () => undefined,
  closed: () => undefined,
}

interface OpenRequest {
  readonly settle: (answer: Element | StanzaError) => void
}

const lostAnswer = new StanzaError('RTK_CLIENT_LOST', 'recipient-unavailable')
const lateAnswer = new StanzaError('RTK_CLIENT_TIMEOUT', 'remote-server-timeout')

export class XmppClient implements StanzaSink {
  readonly jid: Jid
  /** The features behind sign-in. */
  readonly features: Element
  /** `<success/>` of SASL2, with what was done in one go; undefined after a sign-in by RFC 6120. */
  readonly success: Element | undefined
  /** Settled when the stream is over, whoever ended it. */
  readonly ended: Promise<ClientEnd>
  /** Settled when the connection is gone too. */
  readonly gone: Promise<CloseCause>
  readonly #world: ClientWorld
  readonly #connection: Connection
  readonly #requests = new Map<string, OpenRequest>()
  onStanza: (el: Element, client: XmppClient) => void
  /** Stream management (XEP-0198), from `enable` on, or resumed. */
  acks: ClientAcks | undefined
  /** The server's `<failed/>`, where a former session was to be resumed and is no more. */
  notResumed: Element | undefined
  acknowledges: boolean
  #enabling: ((answer: Element | undefined) => void) | undefined

  constructor(
    world: ClientWorld,
    connection: Connection,
    jid: Jid,
    features: Element,
    success: Element | undefined,
    options: ClientOptions,
    life: { readonly ended: Promise<ClientEnd>; readonly gone: Promise<CloseCause> },
  ) {
    this.success = success
    this.#world = world
    this.#connection = connection
    this.jid = jid
    this.features = features
    this.ended = life.ended
    this.gone = life.gone
    this.onStanza = options.onStanza ?? (() => undefined)
    this.acknowledges = options.acknowledges ?? true
  }

  get transport(): Transport {
    return this.#connection.transport
  }

  /** True once the server's closing tag has come: it closed in good order, or answered our closing in kind. */
  get isPeerClosed(): boolean {
    return this.#connection.isPeerClosed
  }

  send(el: Element): void {
    this.acks?.sent(el)
    this.#connection.send(el)
  }

  /**
   * Asks the server to count stanzas, and to let us resume; `max` in seconds. Resolves with its `<enabled/>` or `<failed/>`;
   * undefined when the stream ends before that.
   */
  enable(resume = true, max?: number): Promise<Element | undefined> {
    const { promise, resolve } = Promise.withResolvers<Element | undefined>()
    this.#enabling = resolve
    this.#connection.send(smEnable(resume, max))
    this.counts()
    return promise
  }

  /** For the driver: stanzas count from here on. */
  counts(): ClientAcks {
    this.acks ??= new ClientAcks(this.jid)
    return this.acks
  }

  /** Tells the server what we have handled. */
  acknowledge(): void {
    if (this.acks !== undefined) this.#connection.write(smAnswer(this.acks.handled))
  }

  /** Asks the server what it has handled. */
  askAcknowledgement(): void {
    this.#connection.write(smRequest)
  }

  /** For the driver: the former session goes on, and what the server does not have is sent again. False: its count is wrong. */
  resumed(acks: ClientAcks, el: Element): boolean {
    this.acks = acks
    if (!acks.acknowledged(el)) return false
    for (const stanza of acks.unacknowledged) this.#connection.send(stanza)
    return true
  }

  /** For the driver: an element that is no stanza. False: it is unknown, or wrong. */
  claim(el: Element): boolean {
    const { acks } = this
    if (acks === undefined) return false
    if (isOfAcks(el, 'r')) {
      if (this.acknowledges) this.acknowledge()
      return true
    }
    if (isOfAcks(el, 'a')) return acks.acknowledged(el)
    if (this.#enabling === undefined || !(isOfAcks(el, 'enabled') || isOfAcks(el, 'failed'))) return false
    if (el.name === 'enabled') acks.enabled(el)
    else this.acks = undefined
    this.#enabling(el)
    this.#enabling = undefined
    return true
  }

  /** Bytes as they are; for what no element can be. */
  sendBytes(bytes: Octets): void {
    this.#connection.write(bytes)
  }

  /** Sends an iq get or set, with an id of its own when it has none, and waits for its answer, an error stanza included. */
  request(iq: Element, timeoutMs = defaultRequestMs): Promise<Element | StanzaError> {
    const id = iq.attr('id') ?? this.#world.random.id()
    const { promise, resolve } = Promise.withResolvers<Element | StanzaError>()
    const timer = this.#world.clock.after(timeoutMs, (late) => this.#settle(late, lateAnswer), id)
    this.#requests.set(id, {
      settle: (answer) => {
        timer.cancel()
        resolve(answer)
      },
    })
    this.send(iq.withAttrs({ id }))
    return promise
  }

  /** Closes in good order, or with an error; settled when both ends have closed and the connection is gone. */
  async close(error?: StreamError): Promise<ClientEnd> {
    // XEP-0198 §4: so that nothing is kept for us that we have.
    if (this.acknowledges) this.acknowledge()
    this.#connection.close(error)
    await this.gone
    return this.ended
  }

  /** Cuts the connection, without a word. */
  destroy(): void {
    this.#connection.transport.destroy()
  }

  receive(el: Element): void {
    this.acks?.received()
    if (el.name === 'iq') {
      const type = el.attr('type')
      const id = el.attr('id')
      if ((type === 'result' || type === 'error') && id !== undefined && this.#settle(id, el)) return
      // XEP-0199 §4.1: who does not answer his server is taken to be gone.
      if (type === 'get' && el.attr('from') === this.jid.domain && el.hasChild('ping', NS_PING)) {
        this.send(x('iq', NS_CLIENT, { type: 'result', id, to: this.jid.domain }))
        return
      }
    }
    this.onStanza(el, this)
  }

  /** For the driver: no answer will come any more. */
  lost(): void {
    this.#enabling?.(undefined)
    for (const id of [...this.#requests.keys()]) this.#settle(id, lostAnswer)
  }

  #settle(id: string, answer: Element | StanzaError): boolean {
    const open = this.#requests.get(id)
    if (open === undefined) return false
    this.#requests.delete(id)
    open.settle(answer)
    return true
  }
}

export type ClientWorld = Pick<World, 'clock' | 'random' | 'hashing'> & {
  readonly net: Pick<Net, 'connect' | 'listen' | 'tls'>
}

/** What the machine asks: the password's key, and news of its life. */
class Driver implements C2sClientDriver {
  readonly opened = Promise.withResolvers<XmppClient | ClientFailure>()
  readonly #over = Promise.withResolvers<ClientEnd>()
  readonly #gone = Promise.withResolvers<CloseCause>()
  readonly #world: ClientWorld
  readonly #options: ClientOptions
  readonly #connection: Connection
  machine: C2sClient | undefined
  #client: XmppClient | undefined
  #notResumed: Element | undefined

  constructor(world: ClientWorld, options: ClientOptions, connection: Connection) {
    this.#world = world
    this.#options = options
    this.#connection = connection
  }

  stretch(ticket: number, hash: HashName, salt: Uint8Array, iterations: number): void {
    stretch(this.#world.hashing, hash, this.#options.password, salt, iterations).then(
      (key) => this.machine?.stretched(ticket, key),
      () => this.machine?.stretched(ticket, undefined),
    )
  }

  established(jid: Jid, features: Element, success: Element | undefined, resumed: Element | undefined): StanzaSink {
    const life = { ended: this.#over.promise, gone: this.#gone.promise }
    const client = new XmppClient(this.#world, this.#connection, jid, features, success, this.#options, life)
    client.notResumed = this.#notResumed
    const enabled = success?.child('bound', NS_BIND2)?.child('enabled', NS_SM)
    if (enabled !== undefined) client.counts().enabled(enabled)
    this.#client = client
    const { resume } = this.#options
    if (resumed !== undefined && resume !== undefined && !client.resumed(resume, resumed)) {
      this.#world.clock.soon((machine) => machine?.close(clientErrors.element), this.machine)
    }
    this.opened.resolve(client)
    return client
  }

  notResumed(failed: Element): void {
    this.#notResumed = failed
  }

  claim(el: Element): boolean {
    return this.#client?.claim(el) ?? false
  }

  ended(end: ClientEnd): void {
    this.opened.resolve(failureOf(end))
    this.#client?.lost()
    this.#over.resolve(end)
    this.#options.onEnd?.(end)
  }

  disconnected(cause: CloseCause): void {
    this.machine = undefined
    this.#gone.resolve(cause)
  }
}

function failureOf(end: ClientEnd): ClientFailure {
  switch (end.kind) {
    case 'refused':
      return new ClientFailure(end.code, end.condition === undefined ? end.text : `${end.condition}: ${end.text}`, end)
    case 'error':
    case 'peer-error':
      return new ClientFailure(end.error.code, end.error.condition, end)
    case 'peer-closed':
      return new ClientFailure('RTK_CLIENT_CLOSED', 'the server closed the stream', end)
    case 'local':
      return new ClientFailure('RTK_CLIENT_CLOSED', 'closed here', end)
    case 'lost':
      return new ClientFailure(codeOf(end.cause), 'the connection was lost', end)
  }
}

function codeOf(cause: CloseCause): string {
  return cause.kind === 'error' || cause.kind === 'tls' ? cause.code : 'RTK_CLIENT_LOST'
}

function tlsOptions(options: ClientOptions): TlsClientOptions {
  const { domain } = options.jid
  return {
    // RFC 6066 section 3: an address is no server name.
    servername: domain.startsWith('[') ? '' : toAscii(domain),
    alpn: options.tls === 'direct' ? ['xmpp-client'] : [],
    ca: options.ca,
    verify: options.verify ?? true,
  }
}

/** Connects and signs in. Never rejects: what went wrong is a value. */
export async function connectClient(world: ClientWorld, options: ClientOptions): Promise<XmppClient | ClientFailure> {
  let transport: Transport
  try {
    transport = await world.net.connect(options.place, nobody, options.connectTimeoutMs ?? defaultConnectTimeoutMs)
  } catch (error) {
    if (error instanceof WorldError) return new ClientFailure(error.code, error.message)
    throw error
  }
  return runClient(world, transport, options)
}

/** The same over a transport that is connected, secured or not. */
export function runClient(
  world: ClientWorld,
  transport: Transport,
  options: ClientOptions,
): Promise<XmppClient | ClientFailure> {
  const limits: StreamLimits = { ...defaultClientLimits, ...options.limits }
  const secure = tlsOptions(options)
  const connection = new Connection(transport, {
    clock: world.clock,
    framing: clientFraming,
    limits: limits.before,
    startTls: (end) => end.startTlsClient(secure),
  })
  const driver = new Driver(world, options, connection)
  const { jid, tls, password, lang, resume } = options
  const machine = new C2sClient({
    effects: connection,
    driver,
    config: {
      domain: jid.domain,
      username: jid.local,
      password,
      resource: jid.resource,
      tls: tls === 'starttls' || tls === 'direct' ? 'required' : tls === 'if-offered' ? 'optional' : 'none',
      ...(lang === undefined ? {} : { lang }),
      ...(resume?.id === undefined ? {} : { resume: { jid: resume.jid, previd: resume.id, h: resume.handled } }),
      ...options.sasl,
    },
    limits,
    random: world.random,
    hashing: world.hashing,
  })
  driver.machine = machine
  connection.run(machine, tls === 'direct' ? { domain: jid.domain } : undefined)
  return driver.opened.promise
}
