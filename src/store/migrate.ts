/** Which migrations are due: the same decision for every engine. */
import type { WorldError } from '../world/error.ts'
import { storeError } from './errors.ts'
import type { MigrationData, StoreData } from './wire.ts'

export interface AppliedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

/** The migrations still to be applied, in order; or why the database cannot be used with this definition. */
export function dueMigrations(
  store: StoreData,
  applied: readonly AppliedMigration[],
): readonly MigrationData[] | WorldError {
  const known = new Map(store.migrations.map((migration) => [migration.version, migration]))
  for (const done of applied) {
    const migration = known.get(done.version)
    if (migration === undefined) {
      return storeError(
        'RTK_STORE_SCHEMA_NEWER',
        `store ${store.name} was migrated to version ${done.version} (${done.name}) by a newer program; this one knows ${store.migrations.length}`,
      )
    }
    if (migration.checksum !== done.checksum) {
      return storeError(
        'RTK_STORE_MIGRATION_EDITED',
        `migration ${done.version} (${done.name}) of store ${store.name} was applied with other statements than it has now; add a new migration instead`,
      )
    }
  }
  const versions = new Set(applied.map((done) => done.version))
  return store.migrations.filter((migration) => !versions.has(migration.version))
}
