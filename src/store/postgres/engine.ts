/**
 * PostgreSQL behind the stores. On the thread that asks: the driver does not block, and costs it 2 to 4 µs an operation
 * (docs/decisions/0014-…). One connection: batches are large under load, and their order is the order of asking.
 */
import type { ClientConfig } from 'pg'
import type { Clock, Timer } from '../../world/clock.types.ts'
import type { WorldError } from '../../world/error.ts'
import { storeError } from '../errors.ts'
import type { Engine, Link, LinkEvents } from '../link.types.ts'
import type { MigrationStep } from '../store.types.ts'
import { Reply, type StoreData, type WireValue } from '../wire.ts'
import { BatchRun } from './batch.ts'
import { PostgresConnection } from './connection.ts'
import {
  check,
  endBefore,
  limitStatements,
  look,
  migrate,
  open,
  PATIENCE_MS,
  rehearse,
  setEpoch,
  settle,
  takeForUse,
} from './database.ts'
import { postgresError } from './failure.ts'
import { functionName } from './function.ts'
import { callsOf, type PreparedOperation, prepareAll } from './prepared.ts'

/** Where one server is. Of several the first that takes writes is used. */
export interface PostgresServer {
  /** A name, an address, or the folder of a Unix socket (it begins with /). */
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
}

export interface PostgresOptions {
  /** One at least. */
  readonly servers: readonly PostgresServer[]
  readonly password?: string | undefined
  /**
   * `verify`: encrypted, and the server's certificate is checked; `trust`: encrypted only; `off`; `auto`: `off` for a
   * server on this machine, else `verify`.
   */
  readonly tls: 'auto' | 'verify' | 'trust' | 'off'
  /** Authorities that may have signed the server's certificate, PEM; without it those that Node knows. */
  readonly caPem?: string | undefined
  /** `store_operation_timeout`, milliseconds: the server ends a statement after it. */
  readonly operationTimeoutMs: number
  /** For connecting and signing in, milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number
  /** A batch without an answer for so long means that the connection is dead, milliseconds. Default 30,000. */
  readonly silenceMs?: number
  /** For tools: others may use the database meanwhile, and opening it writes nothing. Default false. */
  readonly looking?: boolean
}

const DEFAULT_CONNECT_MS = 5000
const DEFAULT_SILENCE_MS = 30_000
/** How long an orderly goodbye may take, milliseconds. */
const GOODBYE_MS = 1000
/** A connection without traffic asks whether the other side lives after this, milliseconds. */
const KEEP_ALIVE_MS = 30_000

/** The connection before, in the server that it was made to. */
interface Before {
  readonly pid: number
  readonly name: string
}

export function postgresEngine(clock: Clock, options: PostgresOptions): Engine {
  let before: Before | undefined
  return {
    dialect: 'postgres',
    survives: true,
    async connect(events: LinkEvents, freshEpoch: string): Promise<Link> {
      const failures: WorldError[] = []
      for (const server of options.servers) {
        const link = new PostgresLink(clock, options, events)
        const name = `ratatosk ${freshEpoch}`
        try {
          await link.open(server, name, freshEpoch, before)
          before = { pid: link.pid, name }
          return link
        } catch (error) {
          await link.close(true)
          failures.push(postgresError(error, `PostgreSQL at ${placeOf(server)}`))
        }
      }
      const [first] = failures
      if (first === undefined) throw storeError('RTK_STORE_FAILED', 'no PostgreSQL server is named')
      if (failures.length === 1) throw first
      throw storeError('RTK_STORE_FAILED', failures.map(({ message }) => message).join('; '), first)
    },
  }
}

/** For messages: never with a password in it. */
export function placeOf({ host, port, database }: PostgresServer): string {
  const place = host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host.includes(':') ? `[${host}]` : host}:${port}`
  return `${place}, database ${database}`
}

function isHere(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function configOf(server: PostgresServer, options: PostgresOptions, name: string): ClientConfig {
  const { caPem, password } = options
  const tls = options.tls === 'auto' ? (isHere(server.host) ? 'off' : 'verify') : options.tls
  const verified = { rejectUnauthorized: true, ...(caPem === undefined ? {} : { ca: caPem }) }
  return {
    host: server.host,
    port: server.port,
    database: server.database,
    user: server.user,
    application_name: name,
    // Asked only when the server wants one; without this the driver looks into the environment and the home folder.
    password: () => {
      if (password !== undefined) return password
      throw storeError('RTK_STORE_PERMISSION', 'the server wants a password, and store.password is not set')
    },
    ssl: tls === 'off' ? false : tls === 'verify' ? verified : { rejectUnauthorized: false },
    enableChannelBinding: tls !== 'off',
    connectionTimeoutMillis: options.connectTimeoutMs ?? DEFAULT_CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  }
}

class PostgresLink implements Link {
  epoch = ''
  readonly #clock: Clock
  readonly #options: PostgresOptions
  readonly #events: LinkEvents
  readonly #operations = new Map<number, PreparedOperation>()
  /** What is to be done, in order; none rejects. */
  readonly #jobs: (() => Promise<void>)[] = []
  #isWorking = false
  #connection: PostgresConnection | undefined
  #phase: 'opening' | 'open' | 'closing' | 'gone' = 'opening'
  #death: WorldError | undefined
  #where = ''

  constructor(clock: Clock, options: PostgresOptions, events: LinkEvents) {
    this.#clock = clock
    this.#options = options
    this.#events = events
  }

  get pid(): number {
    return this.#connection?.pid ?? 0
  }

  async open(server: PostgresServer, name: string, freshEpoch: string, before: Before | undefined): Promise<void> {
    const where = `PostgreSQL at ${placeOf(server)}`
    this.#where = where
    const config = configOf(server, this.#options, name)
    const connection = await PostgresConnection.open(config, (cause) => this.#lost(cause))
    this.#connection = connection
    this.epoch = await this.#watched(async () => {
      await settle(connection)
      await check(connection, where)
      if (before !== undefined) await endBefore(connection, before.pid, before.name, this.#patienceMs)
      const epoch = await this.#take(connection, freshEpoch)
      await limitStatements(connection, this.#options.operationTimeoutMs)
      return epoch
    })
    this.#phase = 'open'
  }

  async #take(connection: PostgresConnection, freshEpoch: string): Promise<string> {
    if (this.#options.looking === true) return look(connection, this.#where)
    await takeForUse(connection, this.#where, this.#patienceMs)
    return open(connection, this.#where, freshEpoch)
  }

  #lost(cause: Error): void {
    this.#die(postgresError(cause, `${this.#where}: the connection is lost`))
  }

  #die(cause: WorldError): void {
    if (this.#phase === 'gone' || this.#phase === 'closing') return
    const wasOpen = this.#phase === 'open'
    this.#phase = 'gone'
    this.#death = cause
    this.#connection?.drop(cause.message)
    if (wasOpen) this.#events.died(cause)
  }

  get #silenceMs(): number {
    return this.#options.silenceMs ?? DEFAULT_SILENCE_MS
  }

  /** What is waited for in the server has to end before the watch does, or nobody would hear what it was. */
  get #patienceMs(): number {
    return Math.min(PATIENCE_MS, Math.ceil(this.#silenceMs / 2))
  }

  /** Does `work` with a watch on it: a server that says nothing for too long is as good as gone. */
  async #watched<T>(work: () => Promise<T>): Promise<T> {
    const silenceMs = this.#silenceMs
    const timer: Timer = this.#clock.after(
      silenceMs,
      (link: PostgresLink) => {
        const text = `${link.#where} has not answered for ${silenceMs} ms`
        // While opening nobody hears of a death: the promise rejects when the connection is dropped.
        if (link.#phase === 'opening') link.#connection?.drop(text)
        else link.#die(storeError('RTK_STORE_FAILED', text))
      },
      this,
    )
    try {
      return await work()
    } finally {
      timer.cancel()
    }
  }

  #enqueue(job: () => Promise<void>): void {
    this.#jobs.push(job)
    if (!this.#isWorking) void this.#work()
  }

  async #work(): Promise<void> {
    this.#isWorking = true
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) await job()
    this.#isWorking = false
  }

  submit(batch: readonly WireValue[]): void {
    this.#enqueue(() => this.#run(batch))
  }

  async #run(batch: readonly WireValue[]): Promise<void> {
    const connection = this.#connection
    if (connection === undefined || this.#phase === 'gone') return
    const began = this.#clock.monoMs()
    try {
      const calls = callsOf(this.#operations, batch)
      const run = new BatchRun((some) => connection.pipeline(some), calls.length)
      const reply = await this.#watched(() => run.run(calls))
      reply[Reply.engineMs] = this.#clock.monoMs() - began
      if (this.#isListening()) this.#events.answered(reply)
    } catch (error) {
      this.#die(postgresError(error, this.#where))
    }
  }

  #isListening(): boolean {
    return this.#phase === 'open' || this.#phase === 'closing'
  }

  /** Does something beside batches, in its turn. */
  #ask<T>(doing: string, work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const asked = Promise.withResolvers<T>()
    this.#enqueue(async () => {
      const connection = this.#connection
      try {
        if (connection === undefined || this.#phase === 'gone') throw this.#dead()
        asked.resolve(await this.#watched(() => work(connection)))
      } catch (error) {
        asked.reject(this.#death ?? postgresError(error, `${this.#where}: ${doing}`))
      }
    })
    return asked.promise
  }

  #dead(): WorldError {
    return this.#death ?? storeError('RTK_STORE_FAILED', `${this.#where}: the connection is closed`)
  }

  define(store: StoreData): Promise<void> {
    return this.#ask(`opening store ${store.name}`, async (connection) => {
      await migrate(connection, store, this.#clock.wallMs())
      const prepared = await prepareAll(connection, store)
      for (const operation of prepared) this.#operations.set(operation.data.slot, operation)
    })
  }

  release(slots: readonly number[]): void {
    const released = this.#ask('releasing operations', async (connection) => {
      for (const slot of slots) {
        const operation = this.#operations.get(slot)
        this.#operations.delete(slot)
        if (operation === undefined) continue
        const name = functionName(operation.data)
        await connection.run(`deallocate ${name}`)
        if (operation.isFunction) await connection.run(`drop function pg_temp.${name}`)
      }
    })
    // They cost some memory in the server until the connection ends, no more.
    released.catch(() => undefined)
  }

  rehearse(store: StoreData): Promise<readonly MigrationStep[]> {
    return this.#ask(`rehearsing store ${store.name}`, (connection) => rehearse(connection, store))
  }

  async renewEpoch(epoch: string): Promise<void> {
    await this.#ask('renewing the epoch', (connection) => setEpoch(connection, epoch))
    this.epoch = epoch
  }

  async close(force: boolean): Promise<void> {
    if (this.#phase === 'gone') return
    const connection = this.#connection
    if (force || this.#phase !== 'open' || connection === undefined) {
      this.#phase = 'gone'
      connection?.drop()
      return
    }
    this.#phase = 'closing'
    const timer = this.#clock.after(GOODBYE_MS, (one: PostgresConnection) => one.drop(), connection)
    await connection.close()
    timer.cancel()
    this.#phase = 'gone'
  }
}
