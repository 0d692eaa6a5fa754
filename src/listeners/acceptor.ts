/**
 * Accepts connections for any protocol (requirements LST-08, LST-10, LST-13): the rate, the PROXY header, who may connect
 * at all. Acceptor, TLS and protocol are chosen apart (DESIGN.md section 10).
 */
import { prospectOf } from '../core/access.ts'
import type { ListenerConfig } from '../core/config/listener-section.ts'
import type { Counter, Metrics } from '../core/metrics.ts'
import { inNetwork, parseAddress } from '../core/network.ts'
import { Shaper } from '../core/shaper.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Log } from '../world/log.types.ts'
import type { Endpoint, Listening, Net, Place, Transport, TransportHandler } from '../world/net.types.ts'
import type { Admission, Refusal } from './admission.ts'
import { readProxyHeader } from './proxy-header.ts'
import { RefusalLog } from './refusal-log.ts'

/** A connection that was let in, or is to be refused in the protocol's own words. */
export interface Accepted {
  readonly transport: Transport
  readonly listener: ListenerConfig
  /** The client, as the PROXY header says where there is one. */
  readonly client: Endpoint
  readonly refusal: Refusal | undefined
  /** Bytes that a PROXY header brought along with it; the protocol handles them first. */
  readonly early: Uint8Array | undefined
  /** Told once when the connection is gone. */
  left(): void
}

/** A protocol: what a listener does with a connection. Returns what handles its bytes from now on. */
export interface Protocol {
  readonly name: string
  /** Its clients say who they are; where `listener.access` depends on that, the protocol asks it at their sign-in. */
  readonly signsIn?: boolean
  accept(connection: Accepted): TransportHandler
}

export interface AcceptorNeeds {
  readonly net: Net
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly admission: Admission
}

export class Acceptor {
  #config: ListenerConfig
  #protocol: Protocol
  readonly #needs: AcceptorNeeds
  readonly #accepted: Counter
  readonly #throttled: Counter
  readonly #untrusted: Counter
  readonly #headerFaults: Counter
  readonly #refusals: RefusalLog
  /** Connections whose PROXY header has not come: nobody has them yet. */
  readonly #awaiting = new Set<ProxyReader>()
  /** One connection is one "byte" of the accept rate. */
  #rate: Shaper | undefined
  #listening: Listening | undefined
  #place: Place
  readonly #failed: ((code: string) => void) | undefined

  /** `failed` is told when the listening socket is dead; `close` it then. */
  constructor(config: ListenerConfig, protocol: Protocol, needs: AcceptorNeeds, failed?: (code: string) => void) {
    this.#config = config
    this.#protocol = protocol
    this.#needs = needs
    this.#place = config.place
    this.#failed = failed
    this.#refusals = new RefusalLog(needs.clock, needs.log)
    this.#accepted = needs.metrics.counter('ratatosk_connections_accepted_total', 'Connections accepted')
    this.#throttled = needs.metrics.counter(
      'ratatosk_accept_throttled_total',
      'Times a listener stopped accepting connections for a moment; limit listeners[].accept_rate',
    )
    this.#untrusted = needs.metrics.counter(
      'ratatosk_connections_refused_proxy_total',
      'Connections refused because a listener for balancers was reached by somebody else; option listeners[].proxies',
    )
    this.#headerFaults = needs.metrics.counter(
      'ratatosk_proxy_header_faults_total',
      'Connections dropped because their PROXY header was wrong or came too late; limit limits.proxy_header_timeout',
    )
    this.#rate = this.#rateOf(config)
  }

  get config(): ListenerConfig {
    return this.#config
  }

  get isOpen(): boolean {
    return this.#listening !== undefined
  }

  /** Where it really listens, or did last: the port chosen when 0 was asked for. */
  get place(): Place {
    return this.#place
  }

  /** Connections that come from now on get these options; place, backlog and mode are as they were opened with. */
  change(config: ListenerConfig, protocol: Protocol): void {
    if (config.accept_rate !== this.#config.accept_rate) this.#rate = this.#rateOf(config)
    this.#config = config
    this.#protocol = protocol
  }

  #rateOf({ accept_rate: rate }: ListenerConfig): Shaper | undefined {
    if (!Number.isFinite(rate)) return undefined
    return new Shaper(rate, Math.max(1, rate / 20), this.#needs.clock.monoMs())
  }

  /** Rejects with `WorldError` RTK_NET_…. */
  async open(place: Place = this.config.place): Promise<void> {
    const { backlog, mode } = this.config
    const options = { backlog, mode, ...(this.#failed === undefined ? {} : { failed: this.#failed }) }
    this.#listening = await this.#needs.net.listen(place, options, (transport) => this.#accept(transport))
    this.#place = this.#listening.place
  }

  /** Stops listening; connections live on, but for those that have not brought their PROXY header. */
  async close(): Promise<void> {
    const listening = this.#listening
    this.#listening = undefined
    for (const reader of this.#awaiting) reader.drop()
    await listening?.close()
  }

  #accept(transport: Transport): TransportHandler {
    this.#accepted.value++
    this.#throttle()
    // RFC 6120 section 4.6.1: a peer whose network has gone says nothing, and is noticed only by asking.
    if (this.config.tcp_keepalive < Number.POSITIVE_INFINITY) transport.keepAlive(this.config.tcp_keepalive)
    if (!this.config.proxy_protocol) return this.#admit(transport, transport.remote, undefined)
    const from = parseAddress(transport.remote.host)
    const isTrusted = from === undefined || this.config.proxies.some((network) => inNetwork(from, network))
    if (isTrusted) return this.#awaitHeader(transport)
    this.#untrusted.value++
    this.#needs.metrics.refusals.count('RTK_PROXY_UNTRUSTED')
    this.#refusals.write('warn', 'a connection without a balancer was refused', 'RTK_PROXY_UNTRUSTED', {
      listener: this.config.name,
      address: transport.remote.host,
    })
    transport.destroy()
    return gone
  }

  /** One that waits for its PROXY header counts as a connection, of no address yet. */
  #awaitHeader(transport: Transport): TransportHandler {
    const { admission, clock, metrics } = this.#needs
    const refusal = admission.enter('', Number.POSITIVE_INFINITY)
    if (refusal !== undefined) {
      this.#tellRefusal(refusal, transport.remote)
      transport.destroy()
      return gone
    }
    const reader: ProxyReader = new ProxyReader(transport, {
      clock,
      timeoutMs: this.config.limits.proxy_header_timeout,
      left: () => {
        this.#awaiting.delete(reader)
        admission.leave('')
      },
      failed: (text) => {
        this.#headerFaults.value++
        metrics.refusals.count('RTK_PROXY_HEADER')
        const fields = { listener: this.config.name, address: transport.remote.host, text }
        this.#refusals.write(
          'warn',
          'a connection without a proper PROXY header was dropped',
          'RTK_PROXY_HEADER',
          fields,
        )
      },
      next: (client, early) => this.#admit(transport, client, early),
    })
    this.#awaiting.add(reader)
    return reader
  }

  #tellRefusal(code: Refusal, client: Endpoint): void {
    this.#needs.metrics.refusals.count(code)
    const fields = { listener: this.config.name, address: client.host }
    this.#refusals.write('info', 'a connection was refused', code, fields)
  }

  #admit(transport: Transport, client: Endpoint, early: Uint8Array | undefined): TransportHandler {
    const { admission } = this.#needs
    const { access } = this.config
    const isAllowed =
      this.#protocol.signsIn === true
        ? prospectOf(access, client.host) !== 'no'
        : access.allows({ address: client.host })
    const refusal = isAllowed
      ? admission.enter(client.host, this.config.limits.connections_per_address)
      : admission.barred()
    if (refusal !== undefined) this.#tellRefusal(refusal, client)
    let isIn = refusal === undefined
    return this.#protocol.accept({
      transport,
      listener: this.config,
      client,
      refusal,
      early,
      left: () => {
        if (isIn) admission.leave(client.host)
        isIn = false
      },
    })
  }

  /** Beyond the rate the kernel's queue holds the others; nobody is reset. */
  #throttle(): void {
    const waitMs = this.#rate?.take(1, this.#needs.clock.monoMs()) ?? 0
    if (waitMs <= 0 || this.#listening === undefined) return
    this.#throttled.value++
    this.#listening.pauseAccepting()
    this.#needs.clock.after(waitMs, (listening: Listening) => listening.resumeAccepting(), this.#listening)
  }
}

/** Of a connection that was destroyed before anybody spoke. */
const gone: TransportHandler = {
  data: () => undefined,
  drained: () => undefined,
  secured: () => undefined,
  ended: () => undefined,
  closed: () => undefined,
}

interface ProxyReaderNeeds {
  readonly clock: Clock
  /** `proxy_header_timeout`, then RTK_PROXY_HEADER. */
  readonly timeoutMs: number
  /** It waits no more. Once. */
  left(): void
  failed(text: string): void
  next(client: Endpoint, early: Uint8Array | undefined): TransportHandler
}

/** Waits for the PROXY header; then the protocol takes over with what came behind it. */
class ProxyReader implements TransportHandler {
  readonly #transport: Transport
  readonly #needs: ProxyReaderNeeds
  readonly #deadline: { cancel(): void }
  #read = new Uint8Array(0)
  #isOver = false

  constructor(transport: Transport, needs: ProxyReaderNeeds) {
    this.#transport = transport
    this.#needs = needs
    const { clock, timeoutMs } = needs
    this.#deadline = clock.after(timeoutMs, (self: ProxyReader) => self.#fail('no PROXY header came'), this)
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return
    const all = new Uint8Array(this.#read.length + end - start)
    all.set(this.#read)
    all.set(bytes.subarray(start, end), this.#read.length)
    this.#read = all
    const reading = readProxyHeader(all)
    if (reading.kind === 'more') return
    if (reading.kind === 'fault') {
      this.#fail(reading.text)
      return
    }
    this.#leave()
    const early = reading.length < all.length ? all.slice(reading.length) : undefined
    this.#transport.handler = this.#needs.next(reading.source ?? this.#transport.remote, early)
  }

  #leave(): void {
    this.#isOver = true
    this.#deadline.cancel()
    this.#needs.left()
  }

  #fail(text: string): void {
    if (this.#isOver) return
    this.#leave()
    this.#needs.failed(text)
    this.#transport.destroy()
  }

  /** Nobody will have the connection. */
  drop(): void {
    if (this.#isOver) return
    this.#leave()
    this.#transport.destroy()
  }

  drained(): void {}
  secured(): void {}
  ended(): void {
    this.#fail('the connection ended before its PROXY header')
  }
  closed(): void {
    if (!this.#isOver) this.#leave()
  }
}
