/**
 * The stores as everybody sees them, over any engine. Operations asked for in one turn of the event loop leave in one
 * batch; while batches are at work the next ones are joined, so that load makes commits larger, not more numerous.
 */
import { WorldError } from '../world/error.ts'
import type { World } from '../world/world.types.ts'
import { BatchQueue, type Owner } from './batch.ts'
import type { Value } from './columns.ts'
import type { Operation, Store, StoreDefinition } from './define.ts'
import { storeError } from './errors.ts'
import type { Engine, Link, LinkEvents } from './link.types.ts'
import {
  defaultStoreLimits,
  type MigrationStep,
  type StoreChange,
  type StoreLimits,
  type StoreMetrics,
  type StoreState,
  type Stores,
} from './store.types.ts'
import { type StoreData, storeData, type WireValue } from './wire.ts'

/** The part of the world that stores use. */
export type StoreWorld = Pick<World, 'clock' | 'random' | 'log'>

/** The pause before an engine that died is started again: doubled each time up to the longest. */
const RESTART_MS = 100
const LONGEST_RESTART_MS = 10_000

interface OpenStore {
  readonly definition: StoreDefinition
  readonly data: StoreData
  readonly owner: Owner
  readonly handle: Readonly<Record<string, unknown>>
}

/** Opens the database. Rejects with `WorldError`: locked, corrupt, not permitted, of a newer format. */
export async function openStores(
  world: StoreWorld,
  engine: Engine,
  limits: Partial<StoreLimits> = {},
): Promise<Stores> {
  const front = new StoreFront(world, engine, { ...defaultStoreLimits, ...limits })
  await front.start()
  return front
}

function closedError(): WorldError {
  return storeError('RTK_STORE_CLOSED', 'the store is closed')
}

const ready: StoreState = Object.freeze({ name: 'ready', code: '', text: '' })

class StoreFront implements Stores {
  readonly metrics: StoreMetrics
  readonly #world: StoreWorld
  readonly #engine: Engine
  readonly #queue: BatchQueue
  readonly #stores = new Map<string, OpenStore>()
  readonly #retired = new Map<Owner, StoreData>()
  readonly #changeListeners = new Set<(change: StoreChange) => void>()
  readonly #stateListeners = new Set<(state: StoreState) => void>()
  #link: Link | undefined
  #epoch = ''
  #state: StoreState = ready
  #nextSlot = 0
  #restartMs = RESTART_MS
  /** Definitions are made one after the other: two of one name must not overtake each other. */
  #opening: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(world: StoreWorld, engine: Engine, limits: StoreLimits) {
    this.#world = world
    this.#engine = engine
    this.#queue = new BatchQueue(world, limits, {
      changed: (change) => this.#changed(change),
      heard: (code, text, committed) => this.#heard(code, text, committed),
      idle: (owner) => this.#release(owner),
      stalled: (text) => {
        if (this.#state.name === 'ready') this.#setState('stalled', 'RTK_STORE_TIMEOUT', text)
      },
    })
    this.metrics = this.#queue.metrics
  }

  get epoch(): string {
    return this.#epoch
  }

  get state(): StoreState {
    return this.#state
  }

  async start(): Promise<void> {
    const link = await this.#engine.connect(this.#events(), this.#world.random.id())
    this.#adopt(link)
  }

  #events(): LinkEvents {
    return {
      answered: (reply: readonly WireValue[]) => this.#queue.answered(reply),
      died: (cause: WorldError) => this.#died(cause),
    }
  }

  #adopt(link: Link): void {
    this.#link = link
    this.#epoch = link.epoch
    this.#queue.connect(link)
  }

  async open<const D extends StoreDefinition>(definition: D): Promise<Store<D>> {
    const opened = this.#opening.then(() => this.#open(definition))
    this.#opening = opened.catch(() => undefined)
    return (await opened) as Store<D>
  }

  async #open(definition: StoreDefinition): Promise<OpenStore['handle']> {
    if (this.#closing !== undefined) throw closedError()
    const known = this.#stores.get(definition.name)
    if (known?.definition === definition) return known.handle
    const data = storeData(definition, this.#engine.dialect, this.#nextSlot)
    this.#nextSlot += data.operations.length
    await this.#usableLink().define(data)
    const owner: Owner = { name: definition.name, open: 0, retired: false }
    const handle = this.#handle(definition, data, owner)
    this.#stores.set(definition.name, { definition, data, owner, handle })
    if (known !== undefined) this.#retire(known)
    return handle
  }

  #retire(store: OpenStore): void {
    this.#retired.set(store.owner, store.data)
    this.#queue.retire(store.owner)
  }

  /** An operation of it that timed out may still be on its way, but is so before this. */
  #release(owner: Owner): void {
    const data = this.#retired.get(owner)
    this.#retired.delete(owner)
    if (data !== undefined) this.#link?.release(data.operations.map(({ slot }) => slot))
  }

  #handle(definition: StoreDefinition, data: StoreData, owner: Owner): OpenStore['handle'] {
    const queue = this.#queue
    const handle: Record<string, unknown> = {}
    for (const operation of data.operations) {
      const call = queue.callable(owner, definition.operations[operation.name] as Operation, operation)
      handle[operation.name] = (params: Readonly<Record<string, Value>>, items?: readonly Record<string, Value>[]) =>
        queue.submit(call, params, items)
    }
    return Object.freeze(handle)
  }

  async rehearse(definition: StoreDefinition): Promise<readonly MigrationStep[]> {
    return this.#usableLink().rehearse(storeData(definition, this.#engine.dialect, this.#nextSlot))
  }

  async renewEpoch(): Promise<string> {
    const epoch = this.#world.random.id()
    await this.#usableLink().renewEpoch(epoch)
    this.#epoch = epoch
    return epoch
  }

  #usableLink(): Link {
    if (this.#closing !== undefined) throw closedError()
    if (this.#link === undefined) throw storeError('RTK_STORE_FAILED', this.#state.text)
    return this.#link
  }

  onChange(listener: (change: StoreChange) => void): () => void {
    this.#changeListeners.add(listener)
    return () => this.#changeListeners.delete(listener)
  }

  onState(listener: (state: StoreState) => void): () => void {
    this.#stateListeners.add(listener)
    return () => this.#stateListeners.delete(listener)
  }

  #changed(change: StoreChange): void {
    for (const listener of this.#changeListeners) this.#guard('a change listener', listener, change)
  }

  #guard<T>(whose: string, listener: (arg: T) => void, arg: T): void {
    try {
      listener(arg)
    } catch (error) {
      this.metrics.listenerFaults++
      this.#world.log.error(`store: ${whose} failed`, { error })
    }
  }

  /** After each answer: what the engine says of itself. */
  #heard(code: string, text: string, committed: boolean): void {
    if (code === '') {
      if (this.#state.name === 'stalled' || (this.#state.name === 'full' && committed)) this.#setState('ready', '', '')
    } else if (code === 'RTK_STORE_DISK_FULL') this.#setState('full', code, text)
    else if (code === 'RTK_STORE_CORRUPT') this.#setState('failed', code, text)
  }

  #setState(name: StoreState['name'], code: string, text: string): void {
    if (this.#state.name === name && this.#state.code === code) return
    this.#state = Object.freeze({ name, code, text })
    if (name === 'ready' || name === 'closed') this.#world.log.info(`store: ${name}`)
    else this.#world.log.error(`store: ${name}`, { code, text })
    for (const listener of this.#stateListeners) this.#guard('a state listener', listener, this.#state)
  }

  #died(cause: WorldError): void {
    // A link that dies before it is adopted fails its `define`, and `#restart` sees to it.
    if (this.#link === undefined) return
    this.#link = undefined
    const text = this.#engine.survives
      ? cause.message
      : `${cause.message}; a database in memory is lost with its engine`
    this.#queue.disconnect(storeError('RTK_STORE_FAILED', text, cause))
    if (this.#closing !== undefined) return
    this.#setState('failed', cause.code, text)
    if (this.#engine.survives) this.#restartLater()
  }

  /** Still failed, and why it is so now: the server that was lost may be back as a standby. */
  #stillFailed(error: unknown): void {
    const { code, message } = error instanceof WorldError ? error : storeError('RTK_STORE_FAILED', String(error))
    if (this.#closing !== undefined || (this.#state.code === code && this.#state.text === message)) return
    this.#state = Object.freeze({ name: 'failed', code, text: message })
    for (const listener of this.#stateListeners) this.#guard('a state listener', listener, this.#state)
  }

  #restartLater(): void {
    this.#world.clock.after(this.#restartMs, (front: StoreFront) => void front.#restart(), this)
    this.#restartMs = Math.min(this.#restartMs * 2, LONGEST_RESTART_MS)
  }

  async #restart(): Promise<void> {
    if (this.#closing !== undefined) return
    let link: Link | undefined
    try {
      link = await this.#engine.connect(this.#events(), this.#world.random.id())
      for (const { data } of this.#stores.values()) await link.define(data)
    } catch (error) {
      this.#world.log.error('store: restarting failed', { error })
      this.#stillFailed(error)
      await link?.close(true)
      this.#restartLater()
      return
    }
    if (this.#closing !== undefined) return link.close(true)
    this.metrics.restarts++
    this.#restartMs = RESTART_MS
    this.#adopt(link)
    this.#setState('ready', '', '')
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const answered = await this.#queue.drain()
    const link = this.#link
    this.#link = undefined
    if (link !== undefined) await link.close(!answered)
    this.#setState('closed', '', '')
    this.#changeListeners.clear()
    this.#stateListeners.clear()
  }
}
