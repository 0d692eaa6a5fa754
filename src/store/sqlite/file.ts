/** The database file: opening it, its own tables (meta data, migrations), its epoch. */
import { closeSync, openSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { storeError } from '../errors.ts'
import { type AppliedMigration, dueMigrations } from '../migrate.ts'
import type { MigrationStep } from '../store.types.ts'
import type { StoreData } from '../wire.ts'
import { sqliteError } from './failure.ts'

export interface SqliteFile {
  /** A path, or ':memory:'. */
  readonly path: string
  /** `normal`: what is kept outlives the process; `full`: it outlives the machine's power (one fsync a commit). */
  readonly synchronous: 'normal' | 'full'
  /** 0: no limit. */
  readonly maxBytes: number
  /** Starts from this instead of the file: the simulator's restored snapshot. Only with ':memory:'. */
  readonly image?: Uint8Array
}

/** Raised when the layout of the house's own tables changes. */
const FORMAT = 1

/** How long another program's lock is waited for, milliseconds; nothing else should hold one, and all wait with it. */
const BUSY_MS = 250

/**
 * A checkpoint each 16 MB of log instead of SQLite's 4 MB: pages that are written again and again are copied once, a
 * fifth less CPU for inserts with a second index; the longest batch grows from 20 to 35 ms, in the worker.
 */
const CHECKPOINT_PAGES = 4000

/** On a disk that is nearly full; some 250 KB. */
const LEAST_CHECKPOINT_PAGES = 64

/** SQLite's default, which is not changed. */
const PAGE_BYTES = 4096

/** Opens the file (made with mode 0600: it holds credentials) and its own tables. Throws `WorldError`. */
export function prepareFile(file: SqliteFile): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    if (file.path !== ':memory:') closeSync(openSync(file.path, 'a', 0o600))
    database = new DatabaseSync(file.path, { timeout: BUSY_MS, enableForeignKeyConstraints: true })
    if (file.image !== undefined) database.deserialize(file.image)
    if (file.path !== ':memory:') database.exec('pragma journal_mode = wal')
    database.exec(`
      pragma synchronous = ${file.synchronous};
      pragma cache_size = -16384;
      pragma temp_store = memory;
      pragma journal_size_limit = 67108864;
      pragma trusted_schema = off;
    `)
    database.exec(`pragma wal_autocheckpoint = ${checkpointPages(file.path)}`)
    const pageSize = Number(database.prepare('pragma page_size').get()?.['page_size'] ?? 4096)
    if (file.maxBytes > 0) database.exec(`pragma max_page_count = ${Math.max(1, Math.floor(file.maxBytes / pageSize))}`)
    database.exec(`
      create table if not exists ratatosk_meta (key text primary key, value text not null) without rowid;
      create table if not exists ratatosk_migration (
        store text not null, version bigint not null, name text not null, checksum text not null, applied bigint not null,
        primary key (store, version)
      ) without rowid;
    `)
    return database
  } catch (error) {
    if (database?.isOpen) database.close()
    if (error instanceof Error && 'syscall' in error) {
      throw storeError('RTK_STORE_PERMISSION', `opening ${file.path}: ${error.message}`, error)
    }
    throw sqliteError(error, `opening ${file.path}`)
  }
}

function meta(database: DatabaseSync, key: string): string {
  return String(database.prepare('select value from ratatosk_meta where key = ?').get(key)?.['value'] ?? '')
}

function setMeta(database: DatabaseSync, key: string, value: string): void {
  database
    .prepare(
      'insert into ratatosk_meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value',
    )
    .run(key, value)
}

/** Which start of the machine this is; '' where the system does not say. */
function bootId(file: SqliteFile): string {
  // A database in memory loses no tail with the power; the simulator says itself what it lost.
  if (file.path === ':memory:') return 'memory'
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    return ''
  }
}

/**
 * The epoch of the database: `fresh` when it is new, and when it was not closed in order, the machine was started since
 * and `synchronous` was normal: then the last commits may be gone with the power. Marks the file as in use.
 */
export function epochOf(database: DatabaseSync, file: SqliteFile, fresh: string): string {
  const format = Number(meta(database, 'format') || FORMAT)
  if (format > FORMAT) {
    throw storeError('RTK_STORE_SCHEMA_NEWER', `${file.path} has format ${format}, this program knows ${FORMAT}`)
  }
  const [usedHow, usedBoot] = meta(database, 'in_use').split(' ')
  const boot = bootId(file)
  const tailLost = usedHow === 'normal' && (usedBoot === '' || usedBoot !== boot)
  const known = meta(database, 'epoch')
  const epoch = known === '' || tailLost ? fresh : known
  durably(database, file, () => {
    setMeta(database, 'format', String(FORMAT))
    setMeta(database, 'epoch', epoch)
    setMeta(database, 'in_use', `${file.synchronous} ${boot}`)
  })
  return epoch
}

export function setEpoch(database: DatabaseSync, epoch: string): void {
  setMeta(database, 'epoch', epoch)
}

export function settleFile(database: DatabaseSync, file: SqliteFile): void {
  try {
    durably(database, file, () => setMeta(database, 'in_use', ''))
  } catch (error) {
    throw sqliteError(error, `closing ${file.path}`)
  }
}

/** The marks are only worth something when they are on the disk, with all that was written before them. */
function durably(database: DatabaseSync, file: SqliteFile, write: () => void): void {
  database.exec('pragma synchronous = full')
  inTransaction(database, write)
  database.exec(`pragma synchronous = ${file.synchronous}`)
}

/**
 * On a disk with little room the log is worked off more often, as long as there is room for that: one that had filled it
 * could not be worked off any more. Not with a database in memory. Does not throw.
 */
export function boundLog(database: DatabaseSync, file: SqliteFile): void {
  if (file.path === ':memory:') return
  try {
    database.exec(`pragma wal_autocheckpoint = ${checkpointPages(file.path)}`)
  } catch {
    // Then the log is worked off as often as before; what was committed is committed.
  }
}

/** A quarter of the room that is left, for the log, and as much as that for what is worked off. */
function checkpointPages(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path)
    return Math.min(CHECKPOINT_PAGES, Math.max(LEAST_CHECKPOINT_PAGES, Math.floor((bavail * bsize) / 4 / PAGE_BYTES)))
  } catch {
    return CHECKPOINT_PAGES
  }
}

/** Moves what is in the write-ahead log into the database, and gives its space back. False when there is nothing to give. */
export function emptyLog(database: DatabaseSync, file: SqliteFile): boolean {
  try {
    if (file.path === ':memory:' || statSync(`${file.path}-wal`).size === 0) return false
    return database.prepare('pragma wal_checkpoint(truncate)').get()?.['busy'] === 0
  } catch {
    // No room for that either.
    return false
  }
}

function inTransaction(database: DatabaseSync, write: () => void): void {
  database.exec('begin immediate')
  try {
    write()
    database.exec('commit')
  } finally {
    if (database.isTransaction) database.exec('rollback')
  }
}

function applied(database: DatabaseSync, store: string): readonly AppliedMigration[] {
  return database
    .prepare('select version, name, checksum from ratatosk_migration where store = ? order by version')
    .all(store)
    .map((row) => ({ version: Number(row['version']), name: String(row['name']), checksum: String(row['checksum']) }))
}

/** Applies what is due, all or nothing. Throws `WorldError`. */
export function migrate(database: DatabaseSync, store: StoreData, wallMs: number): void {
  const due = dueMigrations(store, applied(database, store.name))
  if (due instanceof Error) throw due
  if (due.length > 0) inTransaction(database, () => apply(database, store, wallMs))
}

/** Applies what is due and undoes it. Throws `WorldError`. */
export function rehearse(database: DatabaseSync, store: StoreData): readonly MigrationStep[] {
  database.exec('begin immediate')
  try {
    return apply(database, store, 0)
  } finally {
    if (database.isTransaction) database.exec('rollback')
  }
}

function apply(database: DatabaseSync, store: StoreData, wallMs: number): readonly MigrationStep[] {
  const due = dueMigrations(store, applied(database, store.name))
  if (due instanceof Error) throw due
  const record = database.prepare(
    'insert into ratatosk_migration (store, version, name, checksum, applied) values (?, ?, ?, ?, ?)',
  )
  for (const { version, name, checksum, up } of due) {
    try {
      for (const sql of up) database.exec(sql)
      record.run(store.name, version, name, checksum, BigInt(Math.trunc(wallMs)))
    } catch (error) {
      const known = sqliteError(error, `migration ${version} (${name}) of store ${store.name}`)
      throw known.temporary ? known : storeError('RTK_STORE_MIGRATION_FAILED', known.message, error)
    }
  }
  return due.map(({ version, name }) => ({ version, name }))
}
