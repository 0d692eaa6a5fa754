/**
 * The router (requirements RTR-01 to 08): domain → owner. It runs in the sender's context, without a queue of its own;
 * only what handlers send while a stanza is handled waits for the end of that turn (run to completion).
 */
import type { Jid } from '../jid/jid.ts'
import { StanzaError } from '../stanza/error.ts'
import { errorReply } from '../stanza/reply.ts'
import type { Counter } from './metrics.ts'
import { hopsMax, type Origin, Packet, type Verdict } from './packet.ts'
import { refusalFor } from './temporary.ts'

/** Whoever takes the stanzas of a domain: a local host, a service in the process, a component, a link. */
export interface RouteOwner {
  readonly name: string
  /** Takes the packet and answers for it. A promise suspends the sender's order until it is settled. */
  receive(packet: Packet): Promise<void> | undefined
}

/** Which owner of several a stanza goes to (RTR-08); `sender`, `recipient` and their bare forms are sticky. */
export type Balance = 'recipient' | 'recipient-bare' | 'sender' | 'sender-bare'

export interface RouteOptions {
  /** True: also all subdomains that have no route of their own. */
  readonly subdomains?: boolean
  /** Allows several owners of one domain. Without it a second owner is refused. */
  readonly balance?: Balance
}

interface Route {
  readonly domain: string
  readonly subdomains: boolean
  readonly balance: Balance | undefined
  owners: readonly RouteOwner[]
}

/** A domain has an owner, and it is not shared. */
export class RouteConflict extends Error {
  readonly code = 'RTK_ROUTE_CONFLICT'
}

export interface RouterEvents {
  /** Runs the route hook; a verdict ends the packet's way. */
  filter(packet: Packet): Verdict | undefined
  /** An owner threw. */
  fault(owner: string, packet: Packet, error: unknown): void
  /** A packet was refused with this error. */
  refused(packet: Packet, error: StanzaError): void
  /** A packet was dropped. */
  dropped(packet: Packet, reason: string): void
}

const errorNotFound = new StanzaError('RTK_ROUTE_NONE', 'remote-server-not-found')
const errorInternal = new StanzaError('RTK_ROUTE_OWNER_FAILED', 'internal-server-error')

export class Router {
  /** What the server itself sends. */
  readonly serverOrigin: Origin = { kind: 'server', label: 'server' }
  readonly #routes = new Map<string, Route>()
  readonly #events: RouterEvents
  readonly #routed: Counter
  /** Owner of all domains without a route: server-to-server. */
  fallback: RouteOwner | undefined = undefined
  #withSubdomains = 0
  /** What handlers sent in the running turn; the array is kept from turn to turn. */
  readonly #queue: Packet[] = []
  #running = false
  #hops = 0

  constructor(events: RouterEvents, routed: Counter) {
    this.#events = events
    this.#routed = routed
  }

  /**
   * Gives a domain (canonical form) to an owner; returns the removal. Throws `RouteConflict` when the domain has an
   * owner and no balancing was asked for on both sides.
   */
  add(domain: string, owner: RouteOwner, options: RouteOptions = {}): () => void {
    const known = this.#routes.get(domain)
    if (known !== undefined) {
      if (known.balance === undefined || known.balance !== options.balance) {
        throw new RouteConflict(`${domain} belongs to ${known.owners.map((other) => other.name).join(', ')}`)
      }
      known.owners = [...known.owners, owner]
    } else {
      const subdomains = options.subdomains === true
      this.#routes.set(domain, { domain, subdomains, balance: options.balance, owners: [owner] })
      if (subdomains) this.#withSubdomains++
    }
    return () => this.remove(domain, owner)
  }

  /** Takes a domain from an owner; nothing when it is not his. */
  remove(domain: string, owner: RouteOwner): void {
    const route = this.#routes.get(domain)
    if (route === undefined || !route.owners.includes(owner)) return
    route.owners = route.owners.filter((other) => other !== owner)
    if (route.owners.length > 0) return
    this.#routes.delete(domain)
    if (route.subdomains) this.#withSubdomains--
  }

  /** Whether the domain has an owner of its own. */
  has(domain: string): boolean {
    return this.#routes.has(domain)
  }

  /** Domains with a route, for `status`. */
  get domains(): readonly string[] {
    return [...this.#routes.keys()]
  }

  /** The owner of a stanza: exact domain, else the longest parent that takes subdomains, else the fallback. */
  ownerOf(from: Jid, to: Jid): RouteOwner | undefined {
    const route = this.#routes.get(to.domain) ?? (this.#withSubdomains > 0 ? this.#parentOf(to.domain) : undefined)
    if (route === undefined) return this.fallback
    const owners = route.owners
    return owners.length === 1 ? owners[0] : owners[pick(route.balance, owners.length, from, to)]
  }

  #parentOf(domain: string): Route | undefined {
    for (let dot = domain.indexOf('.'); dot >= 0; dot = domain.indexOf('.', dot + 1)) {
      const route = this.#routes.get(domain.slice(dot + 1))
      if (route?.subdomains) return route
    }
    return undefined
  }

  /**
   * Begins a turn: what is sent until `leave` is queued. False when a turn is running; then `leave` is not called.
   * Two methods instead of a callback, because a turn is made for every stanza.
   */
  enter(): boolean {
    if (this.#running) return false
    this.#running = true
    this.#hops = 0
    return true
  }

  /**
   * Ends a turn: routes what handlers sent, in order. `wait` is what the turn's own stanza waits for; the promise
   * returned suspends the source until all of it is done.
   */
  leave(wait: Promise<void> | undefined): Promise<void> | undefined {
    const queue = this.#queue
    for (let i = 0; i < queue.length; i++) {
      const packet = queue[i] as Packet
      this.#hops = packet.hops
      const later = this.route(packet)
      if (later !== undefined) {
        this.#running = false
        return this.#finish(wait, later, queue.splice(0).slice(i + 1))
      }
    }
    if (queue.length > 0) queue.length = 0
    this.#running = false
    return wait
  }

  async #finish(wait: Promise<void> | undefined, later: Promise<void>, rest: readonly Packet[]): Promise<void> {
    await later
    for (const packet of rest) await this.submit(packet)
    await wait
  }

  /** How many packets wait for the end of the turn. */
  get queued(): number {
    return this.#queue.length
  }

  /**
   * Sends a packet: at the end of the turn when one is running, at once otherwise. The promise, where there is one,
   * is for a source that keeps an order.
   */
  submit(packet: Packet): Promise<void> | undefined {
    if (this.#running) {
      packet.hops = this.#hops + 1
      if (packet.hops > hopsMax) this.#events.dropped(packet, 'RTK_ROUTE_LOOP')
      else this.#queue.push(packet)
      return undefined
    }
    this.enter()
    let wait: Promise<void> | undefined
    try {
      wait = this.route(packet)
    } finally {
      wait = this.leave(wait)
    }
    return wait
  }

  /** Routes a packet now. Only for a source that has entered a turn. */
  route(packet: Packet): Promise<void> | undefined {
    this.#routed.value++
    const verdict = this.#events.filter(packet)
    if (verdict !== undefined) {
      this.conclude(packet, verdict)
      return undefined
    }
    const owner = this.ownerOf(packet.from, packet.to)
    if (owner === undefined) {
      this.bounce(packet, errorNotFound)
      return undefined
    }
    try {
      const wait = owner.receive(packet)
      return wait === undefined ? undefined : this.#guard(owner, packet, wait)
    } catch (error) {
      this.#failed(owner, packet, error)
      return undefined
    }
  }

  /** Handles a packet past its route, with the same care for what fails. A promise, which never rejects, where it takes time. */
  guard(owner: RouteOwner, packet: Packet, handle: () => Promise<void> | undefined): Promise<void> | undefined {
    try {
      const wait = handle()
      return wait === undefined ? undefined : this.#guard(owner, packet, wait)
    } catch (error) {
      this.#failed(owner, packet, error)
      return undefined
    }
  }

  async #guard(owner: RouteOwner, packet: Packet, wait: Promise<void>): Promise<void> {
    try {
      await wait
    } catch (error) {
      this.#failed(owner, packet, error)
    }
  }

  #failed(owner: RouteOwner, packet: Packet, error: unknown): void {
    if (error instanceof StanzaError) {
      this.bounce(packet, error)
      return
    }
    this.#events.fault(owner.name, packet, error)
    this.bounce(packet, refusalFor(error, errorInternal))
  }

  /** Carries out a filter's verdict that ends a packet's way. */
  conclude(packet: Packet, verdict: Verdict): void {
    switch (verdict.kind) {
      case 'drop':
        this.#events.dropped(packet, verdict.reason)
        packet.settle('dropped')
        return
      case 'error':
        this.bounce(packet, verdict.error)
        return
      case 'done':
        packet.settle(verdict.how)
        return
      case 'replace':
        packet.el = verdict.el
    }
  }

  /** Counts and logs a refusal that was answered elsewhere. */
  refused(packet: Packet, error: StanzaError): void {
    this.#events.refused(packet, error)
  }

  /** Refuses a packet: the sender gets the error where RFC 6120 section 8.3.1 allows one. */
  bounce(packet: Packet, error: StanzaError): void {
    this.#events.refused(packet, error)
    const reply = errorReply(packet.el, error)
    if (reply !== undefined) this.submit(new Packet(packet.kind, reply, packet.to, senderOf(packet), this.serverOrigin))
    packet.settle('bounced')
  }
}

/**
 * Whose stanza it was. A subscription goes out in the name of the account (RFC 6121 section 3.1.2); its refusal is for the client that
 * sent it: the others did not ask, and one without presence is not found by the bare JID (section 8.5.2.1.2).
 */
function senderOf({ from, origin }: Packet): Jid {
  const { jid } = origin
  return jid !== undefined && from.resource === '' && jid.bare.equals(from) ? jid : from
}

/** A small stable hash (FNV-1a), so that the same address finds the same owner on every node. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

function pick(balance: Balance | undefined, count: number, from: Jid, to: Jid): number {
  switch (balance) {
    case 'sender':
      return hashOf(from.toString()) % count
    case 'sender-bare':
      return hashOf(from.bare.toString()) % count
    case 'recipient':
      return hashOf(to.toString()) % count
    default:
      return hashOf(to.bare.toString()) % count
  }
}
