/**
 * The one cache of the house (DESIGN.md section 9): bounded, loads each key once at a time, remembers what is absent, and
 * forgets what a committed write has changed.
 */
import type { Clock } from '../world/clock.types.ts'
import type { Stores } from './store.types.ts'

export interface CacheOptions<V> {
  /** The least recently used goes when there would be more. */
  readonly maxEntries: number
  /** Milliseconds that an entry is good for; 0 (default): until it is invalidated. */
  readonly ttlMs?: number
  /** Finds the value, or undefined when there is none; both are remembered. What it rejects with is not. */
  readonly load: (key: string) => Promise<V | undefined>
  /** Counts the entries that made room, beside `counters.evictions`: a figure of the metrics. */
  readonly evicted?: { value: number }
}

export interface CacheCounters {
  hits: number
  /** Of the hits, those that knew that there is nothing. */
  absentHits: number
  misses: number
  loads: number
  /** Loads whose result was not kept, because the key was invalidated meanwhile. */
  staleLoads: number
  evictions: number
  invalidations: number
}

interface Entry<V> {
  readonly key: string
  readonly value: V | null
  /** Monotonic milliseconds. */
  readonly until: number
  /** Used before this one, and after it. */
  older: Entry<V> | undefined
  newer: Entry<V> | undefined
}

interface Flight<V> {
  readonly promise: Promise<V | null>
  stale: boolean
}

export class BoundedCache<V extends object | string | number | bigint | boolean> {
  readonly counters: CacheCounters = {
    hits: 0,
    absentHits: 0,
    misses: 0,
    loads: 0,
    staleLoads: 0,
    evictions: 0,
    invalidations: 0,
  }
  readonly #clock: Pick<Clock, 'monoMs'>
  #maxEntries: number
  readonly #ttlMs: number
  readonly #load: CacheOptions<V>['load']
  readonly #evicted: CacheOptions<V>['evicted']
  /**
   * The order of use is a chain of its own. The map's would need a removal and an addition at each hit, from which V8 makes
   * tables anew without end, in the old generation: 55 bytes of garbage a hit, which only a collection of the whole heap frees.
   */
  readonly #entries = new Map<string, Entry<V>>()
  #oldest: Entry<V> | undefined
  #newest: Entry<V> | undefined
  readonly #flights = new Map<string, Flight<V>>()

  constructor(clock: Pick<Clock, 'monoMs'>, options: CacheOptions<V>) {
    this.#clock = clock
    this.#maxEntries = options.maxEntries
    this.#ttlMs = options.ttlMs ?? 0
    this.#load = options.load
    this.#evicted = options.evicted
  }

  get size(): number {
    return this.#entries.size
  }

  /** What is known now, without waiting: the value, null when it is known to be absent, undefined when unknown. */
  get(key: string): V | null | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || (this.#ttlMs > 0 && entry.until <= this.#clock.monoMs())) {
      this.counters.misses++
      return undefined
    }
    if (entry !== this.#newest) {
      this.#unlink(entry)
      this.#link(entry)
    }
    this.counters.hits++
    if (entry.value === null) this.counters.absentHits++
    return entry.value
  }

  /**
   * The value, or null when there is none. Never older than the call: everything that was committed and told before it
   * is in it. Rejects with what `load` rejects with.
   */
  fetch(key: string): Promise<V | null> {
    const known = this.get(key)
    if (known !== undefined) return Promise.resolve(known)
    const flying = this.#flights.get(key)
    if (flying !== undefined) return flying.promise
    this.counters.loads++
    const flight: Flight<V> = { promise: this.#load(key).then((value) => value ?? null), stale: false }
    this.#flights.set(key, flight)
    flight.promise.then(
      (value) => this.#landed(key, flight, value),
      () => this.#lost(key, flight),
    )
    return flight.promise
  }

  #landed(key: string, flight: Flight<V>, value: V | null): void {
    if (flight.stale) {
      this.counters.staleLoads++
      return
    }
    this.#flights.delete(key)
    this.#forget(key)
    const until = this.#ttlMs > 0 ? this.#clock.monoMs() + this.#ttlMs : 0
    const entry: Entry<V> = { key, value, until, older: undefined, newer: undefined }
    this.#entries.set(key, entry)
    this.#link(entry)
    this.#makeRoom()
  }

  /** As the one used last. */
  #link(entry: Entry<V>): void {
    const newest = this.#newest
    entry.older = newest
    if (newest === undefined) this.#oldest = entry
    else newest.newer = entry
    this.#newest = entry
  }

  #unlink(entry: Entry<V>): void {
    const { older, newer } = entry
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
    entry.older = undefined
    entry.newer = undefined
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#unlink(entry)
  }

  #makeRoom(): void {
    while (this.#entries.size > this.#maxEntries) {
      const oldest = this.#oldest
      if (oldest === undefined) return
      this.#forget(oldest.key)
      this.counters.evictions++
      if (this.#evicted !== undefined) this.#evicted.value++
    }
  }

  /** Another `maxEntries` from now on. */
  resize(maxEntries: number): void {
    this.#maxEntries = maxEntries
    this.#makeRoom()
  }

  #lost(key: string, flight: Flight<V>): void {
    if (!flight.stale) this.#flights.delete(key)
  }

  invalidate(key: string): void {
    this.counters.invalidations++
    this.#forget(key)
    const flight = this.#flights.get(key)
    if (flight === undefined) return
    flight.stale = true
    this.#flights.delete(key)
  }

  /** Forgets all that `isMeant`. */
  invalidateAll(isMeant: (key: string) => boolean): void {
    const keys = [...this.#entries.keys(), ...this.#flights.keys()]
    for (const key of keys) if (isMeant(key)) this.invalidate(key)
  }

  clear(): void {
    this.counters.invalidations++
    this.#entries.clear()
    this.#oldest = undefined
    this.#newest = undefined
    for (const flight of this.#flights.values()) flight.stale = true
    this.#flights.clear()
  }

  /**
   * Follows the changes of one table; `keyOf` turns a change's key into a key of this cache, by default the same. When the
   * engine dies, a write whose notice never came may have been kept: everything is forgotten. Returns the way out.
   */
  follow(stores: Stores, store: string, table: string, keyOf: (key: string) => string = (key) => key): () => void {
    const offChange = stores.onChange((change) => {
      if (change.store === store && change.table === table) this.invalidate(keyOf(change.key))
    })
    const offState = stores.onState((state) => {
      if (state.name === 'failed') this.clear()
    })
    return () => {
      offChange()
      offState()
    }
  }
}
