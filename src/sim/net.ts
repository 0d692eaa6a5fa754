/** The network as one simulated host sees it. */

import { queuesOf } from '../world/behind.ts'
import type {
  Endpoint,
  Listening,
  ListenOptions,
  Net,
  NetQueues,
  Place,
  Transport,
  TransportHandler,
} from '../world/net.types.ts'
import { netError, UNIX_PATH_LIMIT } from '../world/net-error.ts'
import type { NetworkEnd, NetworkListener } from './network.ts'
import type { Life } from './scheduler.ts'
import { SimTls } from './tls.ts'
import { type SimSurroundings, SimTransport } from './transport.ts'

const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '::1']
const ANY: readonly string[] = ['0.0.0.0', '::', '']

const unheard: TransportHandler = { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }

function key(host: string, place: Place): string {
  return place.kind === 'unix' ? `unix ${host} ${place.path}` : `tcp ${host} ${place.port}`
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

export class SimNet implements Net {
  readonly tls = new SimTls()
  readonly #around: SimSurroundings

  constructor(around: SimSurroundings) {
    this.#around = around
  }

  get queues(): NetQueues {
    return queuesOf(this.#around)
  }

  listen(place: Place, options: ListenOptions, accept: (transport: Transport) => TransportHandler): Promise<Listening> {
    const { network, host, life } = this.#around
    return new Promise((resolve, reject) => {
      // Addresses of a host are not told apart: a port is free or taken.
      if (place.kind === 'tcp' && ![host, ...LOOPBACK, ...ANY].includes(place.host)) {
        reject(netError('listen on', place, systemError('EADDRNOTAVAIL')))
        return
      }
      if (place.kind === 'unix' && Buffer.byteLength(place.path) > UNIX_PATH_LIMIT) {
        reject(netError('listen on', place, systemError('ENAMETOOLONG')))
        return
      }
      const real: Place = place.kind === 'tcp' && place.port === 0 ? { ...place, port: network.freePort() } : place
      const listening = new SimListening(this.#around, real, key(host, real), options.backlog, accept)
      if (!network.claim(key(host, real), listening)) {
        reject(netError('listen on', place, systemError('EADDRINUSE')))
        return
      }
      network.scheduler.after(0, 'work', life, (found: Listening) => resolve(found), listening)
    })
  }

  connect(place: Place, handler: TransportHandler, timeoutMs: number): Promise<Transport> {
    const { network, host, life, clock } = this.#around
    const target = place.kind === 'unix' || LOOPBACK.includes(place.host) ? host : place.host
    const { promise, resolve, reject } = Promise.withResolvers<Transport>()
    const timer = clock.after(
      timeoutMs,
      () => reject(netError('connect to', place, systemError('ETIMEDOUT'))),
      undefined,
    )
    const fail = (code: string): void => {
      timer.cancel()
      reject(netError('connect to', place, systemError(code)))
    }
    let waiting = true
    promise.then(
      () => {},
      () => {
        waiting = false
      },
    )
    const latency = (): number => network.random.between(...network.profile(host, target).latencyMs)
    const knock = (): void => {
      if (!waiting) return
      // Nobody answers over a parted link: the knock is repeated until the caller's patience ends.
      if (network.parted(host, target)) {
        network.scheduler.after(KNOCK_AGAIN_MS, 'timer', life, knock, undefined)
        return
      }
      const listening = network.listener(key(target, place))
      if (listening === undefined) {
        network.scheduler.after(latency(), 'work', life, fail, place.kind === 'unix' ? 'ENOENT' : 'ECONNREFUSED')
        return
      }
      const local: Endpoint =
        place.kind === 'unix' ? { host: '', port: 0 } : { host: endHost(place, host), port: network.freePort() }
      const remote: Endpoint = place.kind === 'unix' ? local : { host: place.host, port: place.port }
      const transport = new SimTransport(this.#around, network.number(), handler, local, remote)
      if (!listening.knocked(transport, host, target, local, remote)) {
        network.scheduler.after(latency(), 'work', life, fail, 'ECONNREFUSED')
        return
      }
      network.scheduler.after(latency(), 'work', life, connected, undefined)
      function connected(): void {
        timer.cancel()
        if (!waiting) {
          transport.destroy()
          return
        }
        resolve(transport)
        transport.begin()
      }
    }
    network.scheduler.after(latency(), 'work', life, knock, undefined)
    return promise
  }
}

const KNOCK_AGAIN_MS = 1_000

function endHost(place: Place & { kind: 'tcp' }, host: string): string {
  return LOOPBACK.includes(place.host) ? '127.0.0.1' : host
}

export class SimListening implements Listening, NetworkListener {
  readonly place: Place
  readonly life: Life
  readonly #around: SimSurroundings
  readonly #key: string
  readonly #backlog: number
  readonly #accept: (transport: Transport) => TransportHandler
  #paused = false
  #waiting: SimTransport[] = []

  constructor(
    around: SimSurroundings,
    place: Place,
    claimed: string,
    backlog: number,
    accept: (transport: Transport) => TransportHandler,
  ) {
    this.#around = around
    this.life = around.life
    this.place = place
    this.#key = claimed
    this.#backlog = backlog
    this.#accept = accept
  }

  pauseAccepting(): void {
    this.#paused = true
  }

  resumeAccepting(): void {
    this.#paused = false
    while (!this.#paused) {
      const transport = this.#waiting.shift()
      if (transport === undefined) return
      this.#take(transport)
    }
  }

  close(): Promise<void> {
    const { network, life } = this.#around
    network.unclaim(this.#key, this)
    for (const transport of this.#waiting) transport.destroy()
    this.#waiting = []
    return new Promise((resolve) => network.scheduler.after(0, 'work', life, resolve, undefined))
  }

  /** Somebody connects: false when the queue is full. */
  knocked(peer: NetworkEnd, from: string, to: string, peerLocal: Endpoint, peerRemote: Endpoint): boolean {
    if (this.#paused && this.#waiting.length >= this.#backlog) return false
    const transport = new SimTransport(this.#around, peer.number, unheard, peerRemote, peerLocal)
    this.#around.network.link(peer, from, transport, to)
    if (this.#paused) this.#waiting.push(transport)
    else this.#around.network.scheduler.after(0, 'work', this.life, take, { listening: this, transport })
    return true
  }

  take(transport: SimTransport): void {
    if (this.#paused) this.#waiting.push(transport)
    else this.#take(transport)
  }

  #take(transport: SimTransport): void {
    transport.handler = this.#accept(transport)
    transport.begin()
  }
}

function take(arrival: { listening: SimListening; transport: SimTransport }): void {
  arrival.listening.take(arrival.transport)
}
