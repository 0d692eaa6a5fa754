/** Stores: definitions, engines, the cache. */
import { openStores, type StoreWorld } from './front.ts'
import { type SqliteOptions, sqliteEngine } from './sqlite/engine.ts'
import type { StoreLimits, Stores } from './store.types.ts'

export * from './define.ts'
export { StoreDefinitionError, type StoreErrorCode, storeError } from './errors.ts'
export { openStores, type StoreWorld } from './front.ts'
export type { Engine } from './link.types.ts'
export type { SqliteOptions } from './sqlite/engine.ts'
export * from './store.types.ts'

export interface SqliteStoresOptions extends Omit<SqliteOptions, 'databaseBytes' | 'thread'> {
  readonly limits?: Partial<StoreLimits>
}

/** Opens the embedded store. Rejects with `WorldError`: RTK_STORE_LOCKED, _CORRUPT, _PERMISSION, _SCHEMA_NEWER. */
export function openSqlite(world: StoreWorld, options: SqliteStoresOptions): Promise<Stores> {
  const { limits = {}, ...engine } = options
  return openStores(world, sqliteEngine(world.clock, { ...engine, databaseBytes: limits.databaseBytes ?? 0 }), limits)
}
