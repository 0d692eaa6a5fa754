/**
 * SQLite in one worker thread. Never on the event loop: a checkpoint can hold a commit for 8 to 71 ms
 * (design/node-feasibility.md section 5).
 */
import { Worker, type WorkerOptions } from 'node:worker_threads'
import type { Clock } from '../../world/clock.types.ts'
import type { WorldError } from '../../world/error.ts'
import { workerEntry } from '../../world/worker-entry.ts'
import { storeError } from '../errors.ts'
import type { Engine, Link, LinkEvents } from '../link.types.ts'
import type { MigrationStep } from '../store.types.ts'
import type { StoreData, WireValue } from '../wire.ts'
import type { Failure, Request, Response, WorkerStart } from './messages.types.ts'

export interface SqliteOptions {
  /** A path, or ':memory:' for a database that lives and dies with its engine. */
  readonly path: string
  /**
   * Against which failure *kept* things are kept. `normal` (default): the process, whatever ends it; after a power cut
   * the last commits may be gone, and the epoch is renewed. `full`: the power too, at the cost of an fsync a commit.
   */
  readonly synchronous?: 'normal' | 'full'
  /** `databaseBytes`; 0 (default): the disk is the limit. */
  readonly databaseBytes?: number
  /** Makes the thread; tests hand in one of their own. */
  readonly thread?: (url: URL, options: WorkerOptions) => Worker
}

export function sqliteEngine(clock: Pick<Clock, 'wallMs'>, options: SqliteOptions): Engine {
  const thread = options.thread ?? ((url: URL, how: WorkerOptions) => new Worker(url, how))
  return {
    dialect: 'sqlite',
    survives: options.path !== ':memory:',
    connect(events: LinkEvents, freshEpoch: string): Promise<Link> {
      const start: WorkerStart = {
        file: {
          path: options.path,
          synchronous: options.synchronous ?? 'normal',
          maxBytes: options.databaseBytes ?? 0,
        },
        freshEpoch,
      }
      const worker = thread(workerEntry(import.meta.url, './worker.ts'), {
        workerData: start,
        name: 'store',
        // The flags of the program that embeds us are not for this thread: with --input-type it could not even start.
        execArgv: [],
      })
      return new Promise((resolve, reject) => new WorkerLink(worker, clock, events, resolve, reject))
    },
  }
}

interface Asked {
  readonly resolve: (steps: readonly MigrationStep[]) => void
  readonly reject: (error: WorldError) => void
}

type RequestBody = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never

class WorkerLink implements Link {
  epoch = ''
  readonly #worker: Worker
  readonly #clock: Pick<Clock, 'wallMs'>
  readonly #events: LinkEvents
  readonly #asked = new Map<number, Asked>()
  #nextId = 0
  #phase: 'opening' | 'open' | 'closing' | 'gone' = 'opening'
  #opened: ((link: Link) => void) | undefined
  #notOpened: ((error: WorldError) => void) | undefined
  #cause: unknown

  constructor(
    worker: Worker,
    clock: Pick<Clock, 'wallMs'>,
    events: LinkEvents,
    opened: (link: Link) => void,
    notOpened: (error: WorldError) => void,
  ) {
    this.#worker = worker
    this.#clock = clock
    this.#events = events
    this.#opened = opened
    this.#notOpened = notOpened
    worker.on('message', (message: readonly WireValue[] | Response) => this.#heard(message))
    worker.on('error', (error) => {
      this.#cause = error
    })
    worker.on('messageerror', (error) => {
      this.#cause = error
      void worker.terminate()
    })
    worker.on('exit', () => this.#exited())
  }

  submit(batch: readonly WireValue[]): void {
    this.#worker.postMessage(batch)
  }

  async define(store: StoreData): Promise<void> {
    await this.#ask({ ask: 'define', store, wallMs: this.#clock.wallMs() })
  }

  release(slots: readonly number[]): void {
    void this.#ask({ ask: 'release', slots }).catch(() => undefined)
  }

  rehearse(store: StoreData): Promise<readonly MigrationStep[]> {
    return this.#ask({ ask: 'rehearse', store })
  }

  async renewEpoch(epoch: string): Promise<void> {
    await this.#ask({ ask: 'renewEpoch', epoch })
    this.epoch = epoch
  }

  #ask(body: RequestBody): Promise<readonly MigrationStep[]> {
    if (this.#phase === 'gone') return Promise.reject(this.#death())
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject })
      this.#worker.postMessage({ ...body, id } satisfies Request)
    })
  }

  #heard(message: readonly WireValue[] | Response): void {
    if (this.#phase === 'gone') return
    if (Array.isArray(message)) {
      this.#events.answered(message as readonly WireValue[])
      return
    }
    const response = message as Response
    if ('opened' in response) {
      this.#phase = 'open'
      this.epoch = response.opened
      this.#opened?.(this)
      return
    }
    if ('notOpened' in response) {
      this.#phase = 'gone'
      this.#notOpened?.(errorOf(response.notOpened))
      return
    }
    const asked = this.#asked.get(response.id)
    this.#asked.delete(response.id)
    if (response.failure === undefined) asked?.resolve(response.steps)
    else asked?.reject(errorOf(response.failure))
  }

  #death(): WorldError {
    return storeError('RTK_STORE_FAILED', 'the thread of the database ended', this.#cause)
  }

  #exited(): void {
    const phase = this.#phase
    if (phase === 'gone') return
    this.#phase = 'gone'
    const death = this.#death()
    for (const asked of this.#asked.values()) asked.reject(death)
    this.#asked.clear()
    if (phase === 'opening') this.#notOpened?.(death)
    else if (phase === 'open') this.#events.died(death)
  }

  async close(force: boolean): Promise<void> {
    if (this.#phase !== 'open') return
    this.#phase = 'closing'
    if (force) {
      // A thread inside SQLite ends only when SQLite returns: nobody waits for that.
      this.#worker.unref()
      void this.#worker.terminate()
      return
    }
    const exited = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()))
    // A database that cannot be closed in order was as good as killed: what is kept is in its file.
    await this.#ask({ ask: 'close' }).catch(() => this.#worker.terminate())
    await exited
  }
}

function errorOf({ code, text }: Failure): WorldError {
  return storeError(code, text)
}
