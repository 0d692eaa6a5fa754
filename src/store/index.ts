/** Stores: definitions, engines, the cache. */
import { openStores, type StoreWorld } from './front.ts'
import { type PostgresOptions, postgresEngine } from './postgres/engine.ts'
import { type SqliteOptions, sqliteEngine } from './sqlite/engine.ts'
import { defaultStoreLimits, type StoreLimits, type Stores } from './store.types.ts'

export * from './define.ts'
export { StoreDefinitionError, type StoreErrorCode, storeError } from './errors.ts'
export { openStores, type StoreWorld } from './front.ts'
export type { Engine } from './link.types.ts'
export type { PostgresOptions, PostgresServer } from './postgres/engine.ts'
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

export interface PostgresStoresOptions extends Omit<PostgresOptions, 'operationTimeoutMs'> {
  readonly limits?: Partial<StoreLimits>
}

/**
 * Opens a store in PostgreSQL. Rejects with `WorldError`: RTK_STORE_FAILED (nobody answers), _READ_ONLY, _LOCKED (another
 * server uses it), _PERMISSION, _DATABASE, _SCHEMA_NEWER.
 */
export function openPostgres(world: StoreWorld, options: PostgresStoresOptions): Promise<Stores> {
  const { limits = {}, ...engine } = options
  const operationTimeoutMs = limits.operationTimeoutMs ?? defaultStoreLimits.operationTimeoutMs
  return openStores(world, postgresEngine(world.clock, { ...engine, operationTimeoutMs }), limits)
}
