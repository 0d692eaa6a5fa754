/** A connection without a client behind it: bytes are said and heard as they are. For what no good client would do. */
import assert from 'node:assert/strict'
import type { CloseCause, Place, TlsClientOptions, Transport } from '../../src/world/net.types.ts'
import type { World } from '../../src/world/world.types.ts'
import { decode, encode, fromBytes } from '../../src/xml/index.ts'

export const header = (to: string): string =>
  `<stream:stream to='${to}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`

export class Wire {
  readonly #world: World
  readonly #patienceMs: number
  readonly #transport: Transport
  #heard = ''
  /** How the connection ended; undefined while it stands. */
  cause: CloseCause | undefined
  #ended = false
  #check: (() => void) | undefined

  static async open(world: World, place: Place, patienceMs: number): Promise<Wire> {
    const idle = { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }
    return new Wire(world, await world.net.connect(place, idle, patienceMs), patienceMs)
  }

  private constructor(world: World, transport: Transport, patienceMs: number) {
    this.#world = world
    this.#transport = transport
    this.#patienceMs = patienceMs
    const changed = () => this.#check?.()
    transport.handler = {
      data: (bytes, start, end) => {
        this.#heard += fromBytes(bytes.subarray(start, end))
        changed()
      },
      drained() {},
      secured: changed,
      ended: () => {
        this.#ended = true
        changed()
      },
      closed: (cause) => {
        this.cause = cause
        changed()
      },
    }
  }

  get transport(): Transport {
    return this.#transport
  }

  says(text: string): void {
    this.#transport.write(encode(text))
  }

  /** What comes next holds this; everything up to its end is taken. Returns what was taken. */
  async hears(what: RegExp): Promise<string> {
    let match: RegExpExecArray | null = null
    await this.#until(`to hear ${what}`, () => {
      match = what.exec(decode(this.#heard as Parameters<typeof decode>[0]))
      return match !== null
    })
    const text = decode(this.#heard as Parameters<typeof decode>[0])
    const end = match === null ? 0 : (match as RegExpExecArray).index + (match as RegExpExecArray)[0].length
    this.#heard = encode(text.slice(end))
    return text.slice(0, end)
  }

  /** TLS begins, in the client's role. */
  async secures(options: TlsClientOptions): Promise<void> {
    this.#transport.startTlsClient(options)
    await this.#until('TLS', () => this.#transport.tls !== undefined)
  }

  /** Opens a stream, makes it TLS by STARTTLS and opens it anew. Returns the features inside of TLS. */
  async startsTls(
    options: Partial<TlsClientOptions> & Pick<TlsClientOptions, 'ca'>,
    to = 'localhost',
  ): Promise<string> {
    this.says(`${header(to)}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
    await this.hears(/<proceed [^>]*\/>/)
    await this.secures({ servername: to, alpn: [], verify: options.ca !== undefined, ...options })
    this.says(header(to))
    return this.hears(/<\/stream:features>/)
  }

  /** Signed in, opens the stream anew and binds a resource that the server names. Returns the full JID. */
  async binds(to = 'localhost'): Promise<string> {
    this.says(`${header(to)}<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
    return /<jid>([^<]*)</.exec(await this.hears(/<\/jid>.*<\/iq>/))?.[1] ?? ''
  }

  /** The server ends the connection. */
  async isClosed(): Promise<void> {
    await this.#until('the end', () => this.#ended || this.cause !== undefined)
  }

  closes(): void {
    this.#transport.destroy()
  }

  #until(what: string, isSo: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const fail = (why: string) =>
      reject(new assert.AssertionError({ message: `${why}, waiting ${what}; heard: ${this.#heard}` }))
    const timer = this.#world.clock.after(this.#patienceMs, () => fail('in vain'), undefined)
    this.#check = () => {
      if (isSo()) resolve()
      else if (this.cause !== undefined) fail(`the connection was closed (${JSON.stringify(this.cause)})`)
    }
    this.#check()
    return promise.finally(() => {
      this.#check = undefined
      timer.cancel()
    })
  }
}
