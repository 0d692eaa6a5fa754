/** For tests: a core over a still clock, with clients that are arrays of stanzas. */
import { jid } from '../jid/jid.ts'
import { SimVitals } from '../sim/vitals.ts'
import type { StreamError } from '../stanza/error.ts'
import type { Clock, Timer } from '../world/clock.types.ts'
import type { Log, LogFields } from '../world/log.types.ts'
import type { World } from '../world/world.types.ts'
import type { Element } from '../xml/element.types.ts'
import type { Octets } from '../xml/octets.ts'
import { parseElement, parseOctets } from '../xml/parse.ts'
import type { AccountDirectory } from './accounts.ts'
import { Core } from './core.ts'
import { type CoreLimits, defaultCoreLimits } from './limits.ts'
import type { Session } from './session.ts'
import type { LinkInfo, SessionLink } from './session-link.ts'

interface Due {
  readonly at: number
  readonly run: () => void
}

/** Time stands still until `advance`. `soon` waits for `turn`. */
export class StillClock implements Clock {
  #ms: number
  #due: Due[] = []
  #soon: (() => void)[] = []

  constructor(startMs = 1_000_000) {
    this.#ms = startMs
  }

  now(): Date {
    return new Date(this.#ms)
  }
  wallMs(): number {
    return this.#ms
  }
  monoMs(): number {
    return this.#ms
  }
  after<T>(ms: number, fn: (arg: T) => void, arg: T): Timer {
    const due = { at: this.#ms + ms, run: () => fn(arg) }
    this.#due.push(due)
    return {
      cancel: () => {
        this.#due = this.#due.filter((other) => other !== due)
      },
    }
  }
  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#soon.push(() => fn(arg))
  }
  /** Ends a turn. False when nothing asked for its end. */
  turn(): boolean {
    const due = this.#soon.splice(0)
    for (const run of due) run()
    return due.length > 0
  }
  advance(ms: number): void {
    this.#ms += ms
    const due = this.#due.filter((one) => one.at <= this.#ms).sort((a, b) => a.at - b.at)
    this.#due = this.#due.filter((one) => one.at > this.#ms)
    for (const one of due) one.run()
  }
  /** Timers that wait. */
  get pending(): number {
    return this.#due.length
  }
}

export class ListLog implements Log {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = []

  enabled(): boolean {
    return true
  }
  debug(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'debug', message, fields })
  }
  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', message, fields })
  }
  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', message, fields })
  }
  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', message, fields })
  }
  with(): Log {
    return this
  }
}

export class FakeLink implements SessionLink {
  readonly written: Octets[] = []
  queuedBytes = 0
  receivedBytes = 0
  traffic = { receivedBytes: 0, sentBytes: 0 }
  holds = 0
  closed: StreamError | 'closed' | undefined = undefined
  /** Told, a turn later, that what was written has left; undefined while nothing leaves. */
  drained: (() => void) | undefined = undefined
  /** Told, a turn after it was cut, with what was held back since; undefined while the connection stands. */
  gone: ((heldBack: Octets) => void) | undefined = undefined
  isDropped = false
  #heldBack: Octets[] | undefined

  write(bytes: Octets): void {
    if (this.#heldBack !== undefined && this.gone !== undefined) this.#heldBack.push(bytes)
    else this.written.push(bytes)
  }
  hold(): void {
    this.holds++
  }
  release(): void {
    this.holds--
  }
  close(error?: StreamError): void {
    this.closed = error ?? 'closed'
  }
  askDrained(): void {
    this.drained?.()
  }
  cut(error: StreamError): void {
    this.closed = error
    this.#heldBack = []
  }
  /** The connection of a link that was cut goes. */
  goes(): void {
    if (this.#heldBack !== undefined) this.gone?.(this.#heldBack.join('') as Octets)
  }
  drop(): void {
    this.isDropped = true
  }
  /** What came since the last call. */
  take(): Element[] {
    return this.written.splice(0).map((bytes) => parseOctets(withNs(bytes) as Octets))
  }
}

function withNs(bytes: Octets): string {
  const text: string = bytes
  const end = /[\s/>]/.exec(text)?.index ?? text.length
  return text.slice(0, end).includes('xmlns') ? text : `${text.slice(0, end)} xmlns='jabber:client'${text.slice(end)}`
}

export const fakeInfo: LinkInfo = {
  address: '127.0.0.1',
  port: 50_000,
  transport: 'tcp',
  tls: '',
  auth: 'SCRAM-SHA-256',
  listener: 'test',
}

export interface Bench {
  readonly core: Core
  readonly clock: StillClock
  readonly log: ListLog
  readonly vitals: SimVitals
  client(address: string): Client
}

export interface Client {
  readonly session: Session
  readonly link: FakeLink
  /** Hands the server a stanza, as text in `jabber:client`. */
  send(text: string): void
  take(): Element[]
}

const notKept = () => Promise.reject(new Error('no accounts are kept here'))

/** Of a directory that knows accounts and keeps none. */
export const keepsNone: Omit<AccountDirectory, 'exists'> = {
  keeps: () => false,
  add: notKept,
  setPassword: notKept,
  remove: notKept,
  tokens: () => Promise.resolve([]),
  revokeTokens: notKept,
}

/** A core with these hosts, all of host type `default`. `accounts` that exist: all, or those listed by bare JID. */
export function bench(hosts: readonly string[] = ['montague.net', 'capulet.com'], options: BenchOptions = {}): Bench {
  const clock = new StillClock()
  const log = new ListLog()
  let next = 0
  const random = {
    bytes: (count: number) => new Uint8Array(count),
    id: () => `id${String(next++).padStart(20, '0')}`,
    uuid: () => `uuid-${next++}`,
    below: (limit: number) => next++ % limit,
  }
  // A core reads no network, disk or hashing.
  const vitals = new SimVitals()
  const world = { clock, random, log, vitals } as unknown as World
  const accounts: AccountDirectory = {
    ...keepsNone,
    exists: (host, local) => options.accounts === undefined || options.accounts.includes(`${local}@${host.domain}`),
  }
  const core = new Core(world, accounts, { ...defaultCoreLimits, ...options.limits })
  const type = core.hostType('default')
  for (const host of hosts) core.addHost(host, type)
  return {
    core,
    clock,
    log,
    vitals,
    client(address: string): Client {
      const link = new FakeLink()
      const full = jid(address)
      const host = core.host(full.domain)
      if (host === undefined) throw new Error(`no host ${full.domain}`)
      const session = core.bind(link, full, host, fakeInfo)
      return {
        session,
        link,
        send: (text) => session.receive(parseElement(withNs(text as Octets))),
        take: () => link.take(),
      }
    },
  }
}

export interface BenchOptions {
  readonly accounts?: readonly string[]
  readonly limits?: Partial<CoreLimits>
}
