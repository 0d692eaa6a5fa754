/** The simulated network between the hosts of one simulation: who listens, who is linked, and what goes wrong. */

import type { Endpoint } from '../world/net.types.ts'
import { type LinkEnd, type LinkNetwork, type LinkProfile, SimLink } from './link.ts'
import type { SimRandom } from './random.ts'
import type { Life, Scheduler } from './scheduler.ts'

/** A quick, orderly network. */
export const CALM: LinkProfile = { latencyMs: [1, 1], bytesPerSecond: 0, chop: false, windowBytes: 262_144 }
/** One that delays, splits and joins at random. */
export const ROUGH: LinkProfile = { latencyMs: [0, 40], bytesPerSecond: 0, chop: true, windowBytes: 65_536 }

export interface Connection {
  /** Ends that are not closed. */
  open: number
  readonly a: string
  readonly b: string
  readonly ends: readonly NetworkEnd[]
  readonly links: readonly SimLink[]
}

/** An end of a connection, as the network knows it. */
export interface NetworkEnd extends LinkEnd {
  readonly number: number
  join(out: SimLink, incoming: SimLink, connection: Connection): void
  /** A fault: the connection breaks, with this name of the system for it. */
  cut(code: string): void
  /** Its process has died. */
  die(silently: boolean): void
}

/** Somebody who listens. */
export interface NetworkListener {
  readonly life: Life
  /** Somebody connects: false when the queue is full. */
  knocked(peer: NetworkEnd, from: string, to: string, peerLocal: Endpoint, peerRemote: Endpoint): boolean
}

export class SimNetwork implements LinkNetwork {
  readonly scheduler: Scheduler
  readonly random: SimRandom
  /** The network itself never dies. */
  readonly life: Life = { alive: true }
  /** Between hosts that have no profile of their own. */
  everywhere: LinkProfile = CALM
  readonly #profiles = new Map<string, LinkProfile>()
  readonly #parted = new Set<string>()
  readonly #listening = new Map<string, NetworkListener>()
  readonly #connections = new Set<Connection>()
  #count = 0
  #lastPort = 49_151

  constructor(scheduler: Scheduler, random: SimRandom) {
    this.scheduler = scheduler
    this.random = random
  }

  profile(a: string, b: string): LinkProfile {
    return this.#profiles.get(pair(a, b)) ?? this.everywhere
  }

  /** Sets how bytes travel between two hosts, both ways. */
  setProfile(a: string, b: string, profile: Partial<LinkProfile>): void {
    this.#profiles.set(pair(a, b), { ...this.profile(a, b), ...profile })
  }

  parted(a: string, b: string): boolean {
    return this.#parted.size > 0 && this.#parted.has(pair(a, b))
  }

  /** Nothing passes between the two until `heal`; both think the other is slow. */
  part(a: string, b: string): void {
    this.#parted.add(pair(a, b))
  }

  heal(a: string, b: string): void {
    if (!this.#parted.delete(pair(a, b))) return
    for (const connection of this.#between(a, b)) for (const link of connection.links) link.heal()
  }

  /** Breaks every connection between the two, as a reset does; or, by the code ETIMEDOUT, as the kernel does when nobody answers. */
  cut(a: string, b: string, code = 'ECONNRESET'): void {
    for (const connection of this.#between(a, b)) for (const end of connection.ends) end.cut(code)
  }

  /** Loses every connection between the two silently, as a reboot of a router does: neither end is told. */
  lose(a: string, b: string): void {
    for (const connection of this.#between(a, b)) for (const link of connection.links) link.lose()
  }

  freePort(): number {
    this.#lastPort++
    return this.#lastPort
  }

  /** False when the place is taken. */
  claim(key: string, listening: NetworkListener): boolean {
    const holder = this.#listening.get(key)
    if (holder?.life.alive) return false
    this.#listening.set(key, listening)
    return true
  }

  unclaim(key: string, listening: NetworkListener): void {
    if (this.#listening.get(key) === listening) this.#listening.delete(key)
  }

  listener(key: string): NetworkListener | undefined {
    const listening = this.#listening.get(key)
    return listening?.life.alive === true ? listening : undefined
  }

  /** Numbers connections, so that each has its own. */
  number(): number {
    return ++this.#count
  }

  link(a: NetworkEnd, hostA: string, b: NetworkEnd, hostB: string): void {
    const there = new SimLink(
      this,
      hostA,
      hostB,
      () => a,
      () => b,
    )
    const back = new SimLink(
      this,
      hostB,
      hostA,
      () => b,
      () => a,
    )
    const connection = { open: 2, a: hostA, b: hostB, ends: [a, b], links: [there, back] }
    a.join(there, back, connection)
    b.join(back, there, connection)
    this.#connections.add(connection)
  }

  /** Called when an end is closed; the connection is forgotten with its second end. */
  forget(connection: Connection): void {
    connection.open--
    if (connection.open <= 0) this.#connections.delete(connection)
  }

  /** Connection ends of a process that lives on this host. */
  *endsOf(life: Life): Iterable<NetworkEnd> {
    for (const { ends } of this.#connections) for (const end of ends) if (end.life === life) yield end
  }

  *#between(a: string, b: string): Iterable<Connection> {
    for (const connection of [...this.#connections]) {
      if (pair(connection.a, connection.b) === pair(a, b)) yield connection
    }
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`
}
