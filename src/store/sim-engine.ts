/**
 * The simulated engine (DESIGN.md section 5): SQLite in memory on the same thread, driven by the clock of the world it is
 * handed. A batch is carried out at one moment and answered at a later one; a crash falls before, between or after.
 */
import type { Clock } from '../world/clock.types.ts'
import type { WorldError } from '../world/error.ts'
import { storeError } from './errors.ts'
import type { Engine, Link, LinkEvents } from './link.types.ts'
import { SqliteDatabase } from './sqlite/database.ts'
import { sqliteError } from './sqlite/failure.ts'
import type { MigrationStep } from './store.types.ts'
import { Reply, type StoreData, type WireValue } from './wire.ts'

export interface SimulatedOptions {
  /** From a batch's arrival until it is carried out, and again until it is answered. Default 0: at the turn's end. */
  readonly latencyMs?: number
  /** Every so many commits is a sync point. Default 1: what is committed outlives a crash. */
  readonly syncEvery?: number
  /** `databaseBytes`; 0: no limit. */
  readonly databaseBytes?: number
}

export class SimulatedEngine implements Engine {
  readonly dialect = 'sqlite'
  readonly survives = true
  readonly #clock: Clock
  readonly #syncEvery: number
  readonly #databaseBytes: number
  #database: SqliteDatabase | undefined
  /** The last sync point; undefined while the database itself is it. */
  #snapshot: Uint8Array | undefined
  #unsynced = 0
  #link: SimulatedLink | undefined
  /** Milliseconds of each of the two steps of a batch; may be changed at any time. */
  latencyMs: number
  /** While set, writes are answered with it: a full disk, a failing one. */
  failing: WorldError | undefined
  #hung = false
  /** Steps until it hangs by itself. */
  #stepsLeft = Number.POSITIVE_INFINITY

  constructor(clock: Clock, options: SimulatedOptions = {}) {
    this.#clock = clock
    this.latencyMs = options.latencyMs ?? 0
    this.#syncEvery = options.syncEvery ?? 1
    this.#databaseBytes = options.databaseBytes ?? 0
  }

  get hung(): boolean {
    return this.#hung
  }

  /** Operations that are prepared: reloading a module must not add to them. */
  get preparedOperations(): number {
    return this.#database?.size ?? 0
  }

  async connect(events: LinkEvents, freshEpoch: string): Promise<Link> {
    const database = this.#open(freshEpoch)
    this.#link = new SimulatedLink(this, database, this.#clock, events)
    return this.#link
  }

  #open(freshEpoch: string): SqliteDatabase {
    if (this.#database !== undefined) return this.#database
    const image = this.#snapshot
    const file = { path: ':memory:', synchronous: 'normal', maxBytes: this.#databaseBytes } as const
    const database = new SqliteDatabase(image === undefined ? file : { ...file, image }, freshEpoch, () =>
      this.#clock.monoMs(),
    )
    if (image !== undefined) database.renewEpoch(freshEpoch)
    this.#database = database
    this.#sync()
    return database
  }

  #sync(): void {
    this.#unsynced = 0
    // With every commit a sync point, the database is its own snapshot: a crash between commits changes nothing in it.
    if (this.#syncEvery > 1) this.#snapshot = this.#database?.snapshot()
  }

  /** Called by the link after each batch. */
  committed(): void {
    if (++this.#unsynced >= this.#syncEvery) this.#sync()
  }

  /** Stops carrying out and answering, until `resume`: a stopped database server, a dead disk. */
  hang(): void {
    this.#hung = true
  }

  /** Hangs once this many steps are taken: a step carries a batch out, or answers it. */
  hangAfter(steps: number): void {
    this.#stepsLeft = steps
  }

  /** Called by the link before each step. False: it hangs. */
  takesStep(): boolean {
    if (this.#stepsLeft-- <= 0) this.#hung = true
    return !this.#hung
  }

  resume(): void {
    this.#hung = false
    this.#stepsLeft = Number.POSITIVE_INFINITY
    this.#link?.step()
  }

  /**
   * The process and its machine die: what waits is lost unanswered, and so is everything after the last sync point. Open
   * the stores anew; the old ones never hear again.
   */
  crash(): void {
    this.#link?.cut()
    this.#link = undefined
    this.#hung = false
    this.#stepsLeft = Number.POSITIVE_INFINITY
    if (this.#unsynced === 0) return
    this.#unsynced = 0
    this.#database = undefined
  }

  /** The engine dies under a living server: what waits is lost, the database is not. */
  die(): void {
    const link = this.#link
    this.#link = undefined
    link?.kill()
  }

  /** The link was closed in order; the database can be opened again. */
  closed(link: SimulatedLink): void {
    if (this.#link === link) this.#link = undefined
  }
}

class SimulatedLink implements Link {
  readonly #engine: SimulatedEngine
  readonly #database: SqliteDatabase
  readonly #clock: Clock
  readonly #events: LinkEvents
  readonly #waiting: (readonly WireValue[])[] = []
  #reply: readonly WireValue[] | undefined
  #scheduled = false
  #cut = false

  constructor(engine: SimulatedEngine, database: SqliteDatabase, clock: Clock, events: LinkEvents) {
    this.#engine = engine
    this.#database = database
    this.#clock = clock
    this.#events = events
  }

  get epoch(): string {
    return this.#database.epoch
  }

  submit(batch: readonly WireValue[]): void {
    this.#waiting.push(batch)
    this.step()
  }

  /** Schedules the next step: carrying a batch out, or answering the one that was. */
  step(): void {
    if (this.#scheduled || this.#cut || this.#engine.hung) return
    if (this.#reply === undefined && this.#waiting.length === 0) return
    this.#scheduled = true
    const ms = this.#engine.latencyMs
    const next = (link: SimulatedLink): void => link.#next()
    if (ms > 0) this.#clock.after(ms, next, this)
    else this.#clock.soon(next, this)
  }

  #next(): void {
    this.#scheduled = false
    if (this.#cut || this.#engine.hung || !this.#engine.takesStep()) return
    const reply = this.#reply
    if (reply !== undefined) {
      this.#reply = undefined
      this.#events.answered(reply)
    } else {
      const batch = this.#waiting.shift()
      if (batch === undefined) return
      const made = this.#database.run(batch, this.#engine.failing)
      this.#reply = made
      if (made[Reply.commits] === 1) this.#engine.committed()
    }
    this.step()
  }

  /** Nothing more is carried out or answered. */
  cut(): void {
    this.#cut = true
    this.#waiting.length = 0
  }

  kill(): void {
    if (this.#cut) return
    this.cut()
    this.#events.died(storeError('RTK_STORE_FAILED', 'the simulated engine died'))
  }

  async define(store: StoreData): Promise<void> {
    this.#do('defining', () => this.#database.define(store, this.#clock.wallMs()))
    this.#engine.committed()
  }

  release(slots: readonly number[]): void {
    this.#database.release(slots)
  }

  async rehearse(store: StoreData): Promise<readonly MigrationStep[]> {
    return this.#do('rehearsing', () => this.#database.rehearse(store))
  }

  async renewEpoch(epoch: string): Promise<void> {
    this.#do('renewing the epoch', () => this.#database.renewEpoch(epoch))
    this.#engine.committed()
  }

  #do<T>(what: string, work: () => T): T {
    if (this.#cut) throw storeError('RTK_STORE_FAILED', 'the simulated engine died')
    try {
      return work()
    } catch (error) {
      throw sqliteError(error, what)
    }
  }

  async close(): Promise<void> {
    this.cut()
    this.#engine.closed(this)
  }
}
