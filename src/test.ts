/**
 * `ratatosk/test`: a server for the tests of clients and plugins, in the process of the test. Over real sockets on free
 * ports of the loopback, or in a simulated network with virtual time, where nothing waits and a seed repeats a run.
 *
 *     await using server = await startTestServer({ accounts: { 'juliet@example.org': 'secret' } })
 *     const juliet = await server.connect('juliet@example.org')
 *     juliet.send('<presence/>')
 *     await juliet.receive((el) => el.name === 'presence')
 */
import type { ModuleDefinition } from './core/module.ts'
import { jid } from './jid/jid.ts'
import { createServer, type ServerOptions } from './server/create.ts'
import type { Server } from './server/server.ts'
import { authorityPem, type Simulation, simulate, symbolicCertificate } from './sim/index.ts'
import { StanzaError } from './stanza/error.ts'
import { NS_CLIENT } from './stanza/ns.ts'
import { openStores } from './store/index.ts'
import { SimulatedEngine } from './store/sim-engine.ts'
import type { ClientEnd } from './stream/c2s-client.types.ts'
import { ClientFailure, type ClientOptions, type ClientWorld, connectClient, type XmppClient } from './stream/client.ts'
import type { Clock } from './world/clock.types.ts'
import { createWorld } from './world/index.ts'
import type { Log } from './world/log.types.ts'
import type { Place } from './world/net.types.ts'
import { decode, type Element, parseElement, serialise } from './xml/index.ts'

export { type Server, simulate }

export interface TestOptions {
  /** Accounts to begin with: bare JIDs and passwords. Their domains are hosts of the server. */
  readonly accounts?: Readonly<Record<string, string>>
  /** Sections of the configuration in place of ours (memory store, free ports, `hosts` from `accounts`). */
  readonly config?: Readonly<Record<string, unknown>>
  readonly plugins?: readonly ModuleDefinition[]
  readonly log?: Log
}

export interface ConnectOptions {
  /** Default: the one given in `accounts`. */
  readonly password?: string
  /** Default: `starttls`. */
  readonly tls?: 'direct' | 'starttls'
  readonly sasl?: ClientOptions['sasl']
}

/** `receive` waits this long, on the client's own clock. */
const patienceMs = 10_000

/** A client with its inbox. */
export class TestClient {
  readonly client: XmppClient
  readonly #clock: Clock
  readonly #inbox: Element[] = []
  #heard: (() => void) | undefined

  constructor(client: XmppClient, clock: Clock, early: readonly Element[]) {
    this.client = client
    this.#clock = clock
    this.#inbox.push(...early)
    client.onStanza = (el) => {
      this.#inbox.push(el)
      this.#heard?.()
    }
    void client.ended.then(() => this.#heard?.())
  }

  /** Full JID that was bound. */
  get jid(): string {
    return this.client.jid.toString()
  }

  /** What came and was not received yet. */
  get unread(): readonly Element[] {
    return this.#inbox
  }

  /** An element, or XML whose default namespace is `jabber:client`. */
  send(stanza: Element | string): void {
    this.client.send(typeof stanza === 'string' ? parseStanza(stanza) : stanza)
  }

  /** Sends an iq get or set; resolves with its answer, an error stanza included. Rejects when none comes. */
  async request(stanza: Element | string): Promise<Element> {
    const answer = await this.client.request(typeof stanza === 'string' ? parseStanza(stanza) : stanza)
    if (answer instanceof StanzaError) throw new Error(`${this.jid}: ${answer}`, { cause: answer })
    return answer
  }

  /** The oldest stanza that is wanted, out of the inbox or as soon as it comes. Rejects after `patienceMs` (10 s). */
  async receive(isWanted: (el: Element) => boolean = () => true, waitMs = patienceMs): Promise<Element> {
    let isLate = false
    const timer = this.#clock.after(
      waitMs,
      () => {
        isLate = true
        this.#heard?.()
      },
      undefined,
    )
    let isOver = false
    void this.client.ended.then(() => {
      isOver = true
    })
    try {
      for (;;) {
        const at = this.#inbox.findIndex(isWanted)
        if (at >= 0) return this.#inbox.splice(at, 1)[0] as Element
        if (isLate || isOver)
          throw new Error(`${this.jid}: ${isOver ? 'the stream ended' : 'nothing came'}${this.#rest()}`)
        await new Promise<void>((resolve) => {
          this.#heard = resolve
        })
      }
    } finally {
      timer.cancel()
    }
  }

  #rest(): string {
    return this.#inbox.length === 0
      ? ''
      : `; unread: ${this.#inbox.map((el) => decode(serialise(el, NS_CLIENT))).join(' ')}`
  }

  close(): Promise<ClientEnd> {
    return this.client.close()
  }
}

function parseStanza(text: string): Element {
  const [first] = parseElement(`<stream xmlns='${NS_CLIENT}'>${text}</stream>`).elements
  if (first === undefined) throw new TypeError(`this is no stanza: ${text}`)
  return first
}

interface Surroundings {
  readonly server: Server
  readonly ca: string
  readonly accounts: ReadonlyMap<string, string>
  /** The world of a client: each its own process in a simulation. */
  world(name: string): ClientWorld
  place(tls: 'direct' | 'starttls'): Place
}

export class TestServer {
  readonly server: Server
  /** PEM of the authority that clients trust. */
  readonly ca: string
  readonly #around: Surroundings
  readonly #passwords: Map<string, string>

  /** Made by `startTestServer` and `inVirtualTime`. */
  constructor(around: Surroundings) {
    this.server = around.server
    this.ca = around.ca
    this.#around = around
    this.#passwords = new Map(around.accounts)
  }

  /** Where clients connect. */
  place(tls: 'direct' | 'starttls' = 'starttls'): Place {
    return this.#around.place(tls)
  }

  async addAccount(account: string, password: string): Promise<void> {
    await this.server.accounts.add(jid(account), password)
    this.#passwords.set(jid(account).bare.toString(), password)
  }

  /** Signs in and binds, over TLS; sends no presence. Rejects with why not. */
  async connect(address: string, options: ConnectOptions = {}): Promise<TestClient> {
    const { tls = 'starttls', sasl } = options
    const early: Element[] = []
    const world = this.#around.world(address)
    const result = await connectClient(world, {
      jid: jid(address),
      password: options.password ?? this.#passwords.get(jid(address).bare.toString()) ?? '',
      place: this.place(tls),
      tls,
      ca: this.ca,
      ...(sasl === undefined ? {} : { sasl }),
      onStanza: (el) => early.push(el),
    })
    if (result instanceof ClientFailure) throw new Error(`${address} cannot connect: ${result}`, { cause: result })
    return new TestClient(result, world.clock, early)
  }

  close(): Promise<void> {
    return this.server.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function optionsOf(options: TestOptions, more: Readonly<Record<string, unknown>>): ServerOptions {
  const hosts = new Set(Object.keys(options.accounts ?? {}).map((account) => jid(account).domain))
  return {
    ...(options.plugins === undefined ? {} : { plugins: options.plugins }),
    ...(options.log === undefined ? {} : { log: options.log }),
    config: {
      hosts: hosts.size === 0 ? ['localhost'] : [...hosts],
      store: { engine: 'memory' },
      // The least that RFC 7677 section 4 allows: tests sign in often.
      auth: { scram_iterations: 4_096 },
      ...more,
      ...options.config,
    },
  }
}

async function opened(options: TestOptions, around: Omit<Surroundings, 'accounts'>): Promise<TestServer> {
  const server = new TestServer({ ...around, accounts: new Map() })
  for (const [account, password] of Object.entries(options.accounts ?? {})) await server.addAccount(account, password)
  return server
}

/** Over real sockets, in real time; nothing is written to disk. Rejects as `createServer` does. */
export async function startTestServer(options: TestOptions = {}): Promise<TestServer> {
  const address = '127.0.0.1'
  const listeners = [
    { protocol: 'c2s', address, port: 0 },
    { protocol: 'c2s', tls: 'direct', address, port: 0 },
    { protocol: 'http', address, port: 0 },
  ]
  const server = await createServer(optionsOf(options, { listeners }))
  const world = createWorld()
  return opened(options, {
    server,
    ca: server.authority?.certPem ?? '',
    world: () => world,
    place: (tls) => {
      const found = server.listening.find((listener) => listener.protocol === 'c2s' && listener.tls === tls)
      if (found === undefined) throw new Error(`the server does not listen for c2s with ${tls}`)
      return found.place
    },
  })
}

/** What a play in virtual time has beside the server. */
export interface VirtualTime {
  readonly simulation: Simulation
  /** Virtual milliseconds since the beginning. */
  now(): number
  /** Lets time pass, with all that happens in it. */
  advance(ms: number): Promise<void>
}

/**
 * Gives `play` a server in a simulated network. Whatever it awaits, virtual time passes until that has happened; the
 * same seed gives the same run. A promise that is not of this world (a file, a real timer) never gets on in it.
 */
export function inVirtualTime<T>(
  options: TestOptions & { readonly seed?: number },
  play: (server: TestServer, time: VirtualTime) => Promise<T>,
): Promise<T> {
  return simulate(options.seed ?? 1, async (simulation) => {
    const world = simulation.world('server')
    const hosts = new Set(Object.keys(options.accounts ?? {}).map((account) => jid(account).domain))
    const { certPem, keyPem } = symbolicCertificate({ names: ['localhost', ...hosts], issuer: 'test' })
    await world.disk.makeDirectory('/tls', 0o700)
    await world.disk.writeText('/tls/cert.pem', certPem, 0o600)
    await world.disk.writeText('/tls/key.pem', keyPem, 0o600)
    const listeners = [
      { protocol: 'c2s', address: '127.0.0.1' },
      { protocol: 'c2s', tls: 'direct', address: '127.0.0.1' },
    ]
    const tls = { certificates: [{ cert: '/tls/cert.pem', key: '/tls/key.pem' }] }
    const server = await createServer({
      ...optionsOf(options, { listeners, tls }),
      world,
      stores: () => openStores(world, new SimulatedEngine(world.clock)),
    })
    const stage = await opened(options, {
      server,
      ca: authorityPem('test'),
      world: (name) => simulation.world(name),
      place: (kind) => ({ kind: 'tcp', host: 'server', port: kind === 'direct' ? 5223 : 5222 }),
    })
    try {
      return await play(stage, { simulation, now: () => simulation.now, advance: (ms) => simulation.advance(ms) })
    } finally {
      await server.close()
    }
  })
}
