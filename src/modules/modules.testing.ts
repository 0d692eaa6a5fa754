/**
 * For tests: a server of default modules without sockets. Time stands still; the store is the simulated engine; a client
 * is what `Player` says, so that another transport can stand behind it.
 */
import type { AccountDirectory } from '../core/accounts.ts'
import { CommandRegistry } from '../core/commands.ts'
import { inputOf, type MapInput } from '../core/config/input.ts'
import { plainReading } from '../core/config/make.ts'
import { Report } from '../core/config/mistake.ts'
import { readFields } from '../core/config/opt-structure.ts'
import { FakeLink, fakeInfo, keepsNone, ListLog, StillClock } from '../core/core.testing.ts'
import { Core } from '../core/core.ts'
import type { Host } from '../core/host.ts'
import { type CoreLimits, defaultCoreLimits } from '../core/limits.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { ModuleSet } from '../core/module-set.ts'
import { type Origin, Packet } from '../core/packet.ts'
import type { Session } from '../core/session.ts'
import { jid } from '../jid/jid.ts'
import { SimVitals } from '../sim/vitals.ts'
import type { StanzaKind } from '../stanza/stanza.ts'
import { openStores } from '../store/front.ts'
import { SimulatedEngine } from '../store/sim-engine.ts'
import type { Stores } from '../store/store.types.ts'
import { RealHashing } from '../world/hashing.ts'
import { microtasksDone } from '../world/microtasks.ts'
import type { World } from '../world/world.types.ts'
import type { Element } from '../xml/element.types.ts'
import type { Octets } from '../xml/octets.ts'
import { parseElement } from '../xml/parse.ts'
import { serialise } from '../xml/serialise.ts'
import access from './access/access.ts'
import anonymous from './anonymous/anonymous.ts'
import caps from './caps/caps.ts'
import carbons from './carbons/carbons.ts'
import contact from './contact/contact.ts'
import csi from './csi/csi.ts'
import disco from './disco/disco.ts'
import last from './last/last.ts'
import offline from './offline/offline.ts'
import ping from './ping/ping.ts'
import presence from './presence/presence.ts'
import privacy from './privacy/privacy.ts'
import privateStorage from './private/private.ts'
import register from './register/register.ts'
import roster from './roster/roster.ts'
import sm from './sm/sm.ts'
import time from './time/time.ts'
import vcard from './vcard/vcard.ts'
import version from './version/version.ts'

export const testedModules = [
  access,
  anonymous,
  caps,
  carbons,
  contact,
  csi,
  disco,
  last,
  offline,
  ping,
  presence,
  privacy,
  register,
  privateStorage,
  roster,
  sm,
  time,
  vcard,
  version,
] as unknown as readonly ModuleDefinition[]

/** One client. */
export interface Player {
  readonly address: string
  /** Hands the server a stanza, as text in `jabber:client`. */
  send(text: string): void
  /** What came since the last call, once nothing is under way any more. */
  drain(): Promise<readonly Element[]>
  /** The next stanza; fails when nothing comes. */
  next(): Promise<Element>
  /** Sends a request and gives the answer; what comes beside it stays for `drain`. */
  ask(type: 'get' | 'set', payload: string, to?: string): Promise<Element>
  /** The connection breaks. */
  drop(): void
}

/** Everybody on other servers. */
export interface Elsewhere {
  /** A stanza from there, with its addresses. */
  send(text: string): void
  drain(): Promise<readonly Element[]>
}

/** A player whose session is in reach. */
export interface Actor extends Player {
  readonly session: Session
  readonly link: FakeLink
}

export interface HouseOptions {
  readonly hosts?: readonly string[]
  /** Bare JIDs that exist; default: all that are asked for. */
  readonly accounts?: readonly string[]
  /** Options of modules by name, as in a configuration file. */
  readonly options?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly modules?: readonly ModuleDefinition[]
  readonly limits?: Partial<CoreLimits>
}

export class House {
  readonly core: Core
  readonly clock = new StillClock(Date.UTC(2026, 0, 1))
  readonly log = new ListLog()
  readonly engine: SimulatedEngine
  readonly modules: ModuleSet
  readonly stores: Stores
  readonly accounts: Set<string> | undefined
  #next = 0

  private constructor(options: HouseOptions, stores: Stores, engine: SimulatedEngine, world: World, clock: StillClock) {
    this.clock = clock
    this.engine = engine
    this.stores = stores
    this.log = world.log as ListLog
    this.accounts = options.accounts === undefined ? undefined : new Set(options.accounts)
    const directory: AccountDirectory = {
      ...keepsNone,
      exists: (host, local) => this.accounts === undefined || this.accounts.has(`${local}@${host.domain}`),
    }
    this.core = new Core(world, directory, { ...defaultCoreLimits, ...options.limits })
    const type = this.core.hostType('default')
    for (const host of options.hosts ?? ['montague.net', 'capulet.com']) this.core.addHost(host, type)
    this.modules = new ModuleSet(this.core, type, stores, new CommandRegistry())
  }

  static async build(options: HouseOptions = {}): Promise<House> {
    const clock = new StillClock(Date.UTC(2026, 0, 1))
    let next = 0
    const random = {
      bytes: (count: number) => new Uint8Array(count),
      id: () => `id${String(next++).padStart(20, '0')}`,
      uuid: () => `uuid-${next++}`,
      below: (limit: number) => next++ % limit,
    }
    // Modules read no network and no disk.
    const world = {
      clock,
      random,
      hashing: new RealHashing(),
      log: new ListLog(),
      vitals: new SimVitals(),
    } as unknown as World
    const engine = new SimulatedEngine(clock)
    const stores = await settling(clock, openStores(world, engine))
    const house = new House(options, stores, engine, world, clock)
    const entries = (options.modules ?? testedModules).map((definition) => ({
      definition,
      options: optionsOf(definition, options.options?.[definition.name] ?? {}),
    }))
    await settling(clock, house.modules.load(entries))
    return house
  }

  /** Goes on until nothing is under way that needs no time to pass. */
  settle(): Promise<void> {
    return settled(this.clock)
  }

  /** Time passes. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.settle()
  }

  /** Waits for a promise, carrying on what it waits for. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return settling(this.clock, promise)
  }

  /** Another server: what was routed to any domain that is not here. */
  elsewhere(): Elsewhere {
    const came: Element[] = []
    this.core.router.fallback = {
      name: 'elsewhere',
      receive: (packet) => {
        came.push(packet.el.withAttrs({ from: packet.from.toString(), to: packet.to.toString() }))
        packet.settle('handed')
        return undefined
      },
    }
    const origin: Origin = { kind: 'service', label: 'elsewhere' }
    return {
      send: (text) => {
        const el = parseElement(inClientNs(text))
        const [from, to] = [jid(el.attr('from') ?? ''), jid(el.attr('to') ?? '')]
        this.core.router.submit(new Packet(el.name as StanzaKind, el, from, to, origin))
      },
      drain: async () => {
        await this.settle()
        return came.splice(0)
      },
    }
  }

  host(domain: string): Host {
    const host = this.core.host(domain)
    if (host === undefined) throw new Error(`no host ${domain}`)
    return host
  }

  /** Binds a session. One that has the address is replaced, as the binder would do it. */
  actor(address: string): Actor {
    const full = jid(address)
    this.core.sessions.find(full)?.close({ reason: 'replaced', detail: '' })
    const link = new FakeLink()
    const session = this.core.bind(link, full, this.host(full.domain), fakeInfo)
    link.gone = (heldBack) => session.linkGone({ bytes: '' as Octets, taken: 0, since: 0, heldBack })
    link.drained = () => this.clock.soon((one: Session) => one.drained(), session)
    const kept: Element[] = []
    const send = (text: string) => {
      link.receivedBytes += text.length
      session.receive(parseElement(inClientNs(text)))
    }
    const drain = async () => {
      await this.settle()
      return [...kept.splice(0), ...link.take()]
    }
    return {
      address,
      session,
      link,
      send,
      drain,
      next: async () => {
        kept.push(...(await drain()))
        const first = kept.shift()
        if (first === undefined) throw new Error(`nothing came for ${address}`)
        return first
      },
      ask: async (type, payload, to) => {
        const id = `ask${this.#next++}`
        send(`<iq type='${type}' id='${id}'${to === undefined ? '' : ` to='${to}'`}>${payload}</iq>`)
        const came = await drain()
        const answer = came.find((el) => el.name === 'iq' && el.attr('id') === id)
        if (answer === undefined) throw new Error(`no answer came for ${address}`)
        kept.push(...came.filter((el) => el !== answer))
        return answer
      },
      drop: () => {
        session.linkEnded({ reason: 'lost', detail: '' })
        session.linkGone({ bytes: '' as Octets, taken: 0, since: 0, heldBack: '' as Octets })
      },
    }
  }

  /** An actor who has asked for his roster and is available; what came of that is drained. */
  async online(address: string, priority = 0): Promise<Actor> {
    const actor = this.actor(address)
    await actor.ask('get', `<query xmlns='jabber:iq:roster'/>`)
    actor.send(`<presence><priority>${priority}</priority></presence>`)
    await actor.drain()
    return actor
  }
}

/** Options as the configuration would check and complete them. */
export function optionsOf(definition: ModuleDefinition, given: Readonly<Record<string, unknown>>): unknown {
  const report = new Report('')
  const options = readFields(definition.options ?? {}, inputOf(given) as MapInput, plainReading(report))
  if (options === undefined) throw new Error(`the options of ${definition.name} are wrong`)
  return options
}

async function settled(clock: StillClock): Promise<void> {
  do await microtasksDone()
  while (clock.turn())
}

async function settling<T>(clock: StillClock, promise: Promise<T>): Promise<T> {
  let isDone = false
  const done = () => {
    isDone = true
  }
  promise.then(done, done)
  for (let turns = 0; turns < 10_000 && !isDone; turns++) await settled(clock)
  if (!isDone) throw new Error('the promise waits for something that does not come')
  return promise
}

function inClientNs(text: string): string {
  const end = /[\s/>]/.exec(text)?.index ?? text.length
  return `${text.slice(0, end)} xmlns='jabber:client'${text.slice(end)}`
}

/** The text of an element, for messages and comparisons. */
export function show(el: Element): string {
  return String(serialise(el, 'jabber:client'))
}

/** `name/type from to` of a stanza, short: what most tests compare. */
export function brief(el: Element): string {
  const type = el.attr('type')
  return `${el.name}${type === undefined ? '' : `/${type}`} ${el.attr('from') ?? ''}`
}
