/**
 * The engines under test. The files beside this one are the contract that every engine keeps; a new engine is a new row
 * here.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../world/clock.types.ts'
import type { Log } from '../../world/log.types.ts'
import type { Random } from '../../world/random.types.ts'
import { Turn } from '../../world/turn.ts'
import { openStores } from '../front.ts'
import type { Engine } from '../link.types.ts'
import { SimulatedEngine } from '../sim-engine.ts'
import { sqliteEngine } from '../sqlite/engine.ts'
import type { StoreLimits, StoreState, Stores } from '../store.types.ts'

/** Time moves when the test says so; a turn ends as it does in production. */
export class HandClock implements Clock {
  readonly #turn = new Turn()
  #ms = 1000
  #timers: { at: number; fire: () => void }[] = []

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
    const timer = { at: this.#ms + ms, fire: () => fn(arg) }
    this.#timers.push(timer)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer)
      },
    }
  }

  soon<T>(fn: (arg: T) => void, arg: T): void {
    this.#turn.soon(fn, arg)
  }

  get timers(): number {
    return this.#timers.length
  }

  advance(ms: number): void {
    const until = this.#ms + ms
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#ms = Math.max(this.#ms, next.at)
      next.fire()
    }
    this.#ms = until
  }

  /** The end of the present turn of the event loop. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.soon(resolve, undefined))
  }
}

/** One database under test, with its faults. */
export interface Bench {
  readonly clock: HandClock
  /** What was logged as an error. */
  readonly errors: string[]
  /** Opens the database; after a `close`, opens the same one again if it survives. */
  open(limits?: Partial<StoreLimits>): Promise<Stores>
  /** The engine takes and answers nothing, until `resume`. */
  hang(): void
  resume(): void
  /** The engine dies under the living server. */
  die(): void
  /** Closes what is open and removes the database. */
  dispose(): Promise<void>
}

export interface EngineUnderTest {
  readonly name: string
  readonly survives: boolean
  make(): Bench
}

/** A worker that can be stopped in the middle: what it is sent waits. */
class HeldWorker extends Worker {
  #held: unknown[] | undefined

  override postMessage(message: unknown): void {
    if (this.#held === undefined) super.postMessage(message)
    else this.#held.push(message)
  }

  hold(): void {
    this.#held ??= []
  }

  letGo(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const message of held) super.postMessage(message)
  }
}

let seed = 0

export function testWorld(clock: Clock, errors: string[] = []) {
  const nothing = (): void => undefined
  const log: Log = {
    enabled: () => true,
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (message) => void errors.push(message),
    with: () => log,
  }
  const random: Random = {
    bytes: (count) => new Uint8Array(count),
    id: () => `epoch-${++seed}`,
    uuid: () => `${++seed}`,
    below: () => 0,
  }
  return { clock, log, random }
}

export abstract class BaseBench implements Bench {
  readonly clock = new HandClock()
  readonly errors: string[] = []
  #open: Stores | undefined

  abstract engine(limits: Partial<StoreLimits>): Engine
  abstract hang(): void
  abstract resume(): void
  abstract die(): void

  async open(limits: Partial<StoreLimits> = {}): Promise<Stores> {
    this.#open = await openStores(testWorld(this.clock, this.errors), this.engine(limits), limits)
    return this.#open
  }

  async dispose(): Promise<void> {
    this.resume()
    await this.#open?.close()
  }
}

class WorkerBench extends BaseBench {
  readonly #folder: string | undefined
  #worker: HeldWorker | undefined

  constructor(inMemory: boolean) {
    super()
    this.#folder = inMemory ? undefined : temporaryFolder()
  }

  engine(limits: Partial<StoreLimits>): Engine {
    return sqliteEngine(this.clock, {
      path: this.#folder === undefined ? ':memory:' : join(this.#folder, 'test.db'),
      databaseBytes: limits.databaseBytes ?? 0,
      thread: (url, options) => {
        this.#worker = new HeldWorker(url, options)
        return this.#worker
      },
    })
  }

  hang(): void {
    this.#worker?.hold()
  }

  resume(): void {
    this.#worker?.letGo()
  }

  die(): void {
    void this.#worker?.terminate()
  }

  override async dispose(): Promise<void> {
    await super.dispose()
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true })
  }
}

class SimulatedBench extends BaseBench {
  #engine: SimulatedEngine | undefined

  engine(limits: Partial<StoreLimits>): Engine {
    this.#engine ??= new SimulatedEngine(this.clock, { databaseBytes: limits.databaseBytes ?? 0 })
    return this.#engine
  }

  hang(): void {
    this.#engine?.hang()
  }

  resume(): void {
    this.#engine?.resume()
  }

  die(): void {
    this.#engine?.die()
  }
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'ratatosk-store-'))
}

/** `postgres/contract.real.ts` puts its own engine in their place, and then reads the files of the contract. */
export const engines: EngineUnderTest[] = [
  { name: 'SQLite file in a worker', survives: true, make: () => new WorkerBench(false) },
  { name: 'SQLite memory in a worker', survives: false, make: () => new WorkerBench(true) },
  { name: 'simulated', survives: true, make: () => new SimulatedBench() },
]

/** Runs a test body with a bench of its own and cleans up after it. */
export function withBench(engine: EngineUnderTest, body: (bench: Bench) => Promise<void>): () => Promise<void> {
  return async () => {
    const bench = engine.make()
    try {
      await body(bench)
    } finally {
      await bench.dispose()
    }
  }
}

/** Resolves when the state has this name. */
export function stateIs(stores: Stores, name: StoreState['name']): Promise<StoreState> {
  if (stores.state.name === name) return Promise.resolve(stores.state)
  return new Promise((resolve) => {
    const off = stores.onState((state) => {
      if (state.name !== name) return
      off()
      resolve(state)
    })
  })
}

/** The code that a promise rejects with; '' when it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return ''
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : `no code: ${String(error)}`
  }
}
