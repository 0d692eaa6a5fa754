/** The database behind a connection: whether it is fit, its own tables (meta data, migrations), its epoch, who uses it. */
import { storeError } from '../errors.ts'
import { type AppliedMigration, dueMigrations } from '../migrate.ts'
import type { MigrationStep } from '../store.types.ts'
import type { StoreData } from '../wire.ts'
import type { PostgresConnection } from './connection.ts'
import { postgresError, sqlState } from './failure.ts'

/** Raised when the layout of the house's own tables changes. */
const FORMAT = 1

/** The first version that has all we use (`pg_terminate_backend` with a time-out). */
const OLDEST = 140_000

/** First key of our advisory locks: 'RTK1'. */
const LOCKS = 0x52544b31
const IN_USE = 1
const MIGRATING = 2

/** How long another server's lock, or its end, is waited for at most, milliseconds. */
export const PATIENCE_MS = 5000

/**
 * Says how this connection shall work. What is acknowledged as kept has to outlive the server, so `synchronous_commit` is
 * never off; a stricter setting (remote_apply) stays.
 */
export async function settle(connection: PostgresConnection): Promise<void> {
  await connection.run(`
    set statement_timeout = 0;
    set lock_timeout = 0;
    set bytea_output = 'hex';
    set jit = off;
    set client_min_messages = warning;
    set standard_conforming_strings = on;
    set idle_in_transaction_session_timeout = '60s';
    set tcp_keepalives_idle = 30;
    set tcp_keepalives_interval = 10;
    set tcp_keepalives_count = 3;
    select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`)
}

/** The server ends a statement after this long: nobody waits for it any more. */
export async function limitStatements(connection: PostgresConnection, timeoutMs: number): Promise<void> {
  await connection.run(`set statement_timeout = ${Math.ceil(timeoutMs)}`)
}

/** Rejects with what makes a server or a database unfit: RTK_STORE_READ_ONLY, RTK_STORE_DATABASE. */
export async function check(connection: PostgresConnection, where: string): Promise<void> {
  const [row] = await connection.rows(`
    select pg_is_in_recovery(), current_setting('transaction_read_only'), current_setting('server_version_num')::int,
      current_setting('server_version'), current_setting('server_encoding'), current_schema()`)
  const [standby, readOnly, number, version, encoding, schema] = row ?? []
  if (standby === 't') throw storeError('RTK_STORE_READ_ONLY', `${where} is a standby: it takes no writes`)
  if (readOnly === 'on') throw storeError('RTK_STORE_READ_ONLY', `${where} is read-only`)
  if (Number(number) < OLDEST) {
    throw storeError('RTK_STORE_DATABASE', `${where} is PostgreSQL ${version}; 14 or a later one is needed`)
  }
  const made = `make it anew: create database NAME encoding 'UTF8' locale 'C' template template0`
  if (encoding !== 'UTF8')
    throw storeError('RTK_STORE_DATABASE', `${where} has the encoding ${encoding}, not UTF8; ${made}`)
  // Asked after the encoding is known: others have no such letters.
  const [order] = await connection.rows(
    `select 'B' < 'a' and 'a-b' < 'aa' and 'z' < U&'\\00E9' and U&'\\FFFD' < U&'\\+010000'`,
  )
  if (order?.[0] !== 't') throw storeError('RTK_STORE_DATABASE', `${where} does not order text by bytes; ${made}`)
  if (schema === null) throw storeError('RTK_STORE_DATABASE', `${where} has no schema that this user may use`)
}

/** Ends what a lost connection of ours left behind: it may still be at work. Rejects while it has not ended. */
export async function endBefore(
  connection: PostgresConnection,
  pid: number,
  name: string,
  patienceMs: number,
): Promise<void> {
  const rows = await connection.rows(
    `select pg_terminate_backend(pid, ${patienceMs}) from pg_stat_activity
     where pid = $1::int and application_name = $2::text and pid <> pg_backend_pid()`,
    [String(pid), name],
  )
  if (rows.some(([ended]) => ended !== 't')) {
    throw storeError('RTK_STORE_LOCKED', 'the connection before this one is still at work in the server')
  }
}

/**
 * Keeps other servers out while this connection lives: their caches and ours would not hear of each other. Rejects with
 * RTK_STORE_LOCKED.
 */
export async function takeForUse(connection: PostgresConnection, where: string, patienceMs: number): Promise<void> {
  await connection.run(`set lock_timeout = ${patienceMs}`)
  try {
    await connection.rows(`select pg_advisory_lock(${LOCKS}, ${IN_USE})`)
  } catch (error) {
    if (sqlState(error) !== '55P03') throw error
    const [holder] = await connection.rows(
      `select a.pid, coalesce(host(a.client_addr), 'a local socket') from pg_locks l join pg_stat_activity a using (pid)
       where l.locktype = 'advisory' and l.granted and l.classid = ${LOCKS} and l.objid = ${IN_USE}
         and l.database = (select oid from pg_database where datname = current_database())`,
    )
    const who = holder === undefined ? '' : `, from ${holder[1]} (its process in PostgreSQL is ${holder[0]})`
    throw storeError('RTK_STORE_LOCKED', `${where} is in use by another Ratatosk server${who}`, error)
  }
  await connection.run('set lock_timeout = 0')
}

/** Makes our own tables where they are missing, and gives the epoch: see `epochOf`. Rejects with `WorldError`. */
export async function open(connection: PostgresConnection, where: string, fresh: string): Promise<string> {
  const identity = await identityOf(connection)
  return connection.transaction(async () => {
    await lockForMigrating(connection)
    await makeTables(connection)
    return epochOf(connection, where, identity, fresh)
  })
}

/** The epoch for somebody who only looks: nothing is made, nothing renewed. Rejects with RTK_STORE_SCHEMA_NEWER. */
export async function look(connection: PostgresConnection, where: string): Promise<string> {
  if (!(await hasTables(connection))) return ''
  const meta = await metaOf(connection, where)
  return meta.get('epoch') ?? ''
}

async function hasTables(connection: PostgresConnection): Promise<boolean> {
  const [row] = await connection.rows(`select to_regclass('ratatosk_migration') is not null`)
  return row?.[0] === 't'
}

function makeTables(connection: PostgresConnection): Promise<void> {
  return connection.run(`
    do $do$ begin
      if to_regtype('blob') is null then create domain blob as bytea; end if;
    end $do$;
    create table if not exists ratatosk_meta (key text primary key, value text not null);
    create table if not exists ratatosk_migration (
      store text not null, version bigint not null, name text not null, checksum text not null, applied bigint not null,
      primary key (store, version))`)
}

/** A lock until the end of the transaction, so that two programs do not migrate at once. */
function lockForMigrating(connection: PostgresConnection): Promise<void> {
  return connection.run(`select pg_advisory_xact_lock(${LOCKS}, ${MIGRATING})`)
}

/**
 * Which cluster, which database in it, which timeline. A standby that was promoted and a restored backup have another
 * timeline: then the tail of what was committed may be lost.
 */
async function identityOf(connection: PostgresConnection): Promise<string> {
  const [row] = await connection.rows(`
    select (select system_identifier from pg_control_system()),
      (select oid from pg_database where datname = current_database()),
      substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`)
  return (row ?? []).join('/')
}

async function metaOf(connection: PostgresConnection, where: string): Promise<ReadonlyMap<string, string>> {
  const rows = await connection.rows('select key, value from ratatosk_meta')
  const meta = new Map(rows.map(([key, value]) => [key ?? '', value ?? '']))
  const format = Number(meta.get('format') ?? FORMAT)
  if (format > FORMAT) {
    throw storeError('RTK_STORE_SCHEMA_NEWER', `${where} has format ${format}, this program knows ${FORMAT}`)
  }
  return meta
}

/** `fresh` when the database is new, or not the one that it was: see `identityOf`. */
async function epochOf(
  connection: PostgresConnection,
  where: string,
  identity: string,
  fresh: string,
): Promise<string> {
  const meta = await metaOf(connection, where)
  const known = meta.get('epoch')
  if (known !== undefined && meta.get('identity') === identity) return known
  await setMeta(connection, 'format', String(FORMAT))
  await setMeta(connection, 'identity', identity)
  await setMeta(connection, 'epoch', fresh)
  return fresh
}

async function setMeta(connection: PostgresConnection, key: string, value: string): Promise<void> {
  await connection.rows(
    `insert into ratatosk_meta (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value`,
    [key, value],
  )
}

export function setEpoch(connection: PostgresConnection, epoch: string): Promise<void> {
  return setMeta(connection, 'epoch', epoch)
}

/** Applies what is due, all or nothing. Rejects with `WorldError`. */
export async function migrate(connection: PostgresConnection, store: StoreData, wallMs: number): Promise<void> {
  if ((await dueNow(connection, store)).length === 0) return
  await connection.transaction(() => apply(connection, store, wallMs))
}

/** Applies what is due and undoes it. Rejects with `WorldError`. */
export async function rehearse(connection: PostgresConnection, store: StoreData): Promise<readonly MigrationStep[]> {
  if ((await dueNow(connection, store)).length === 0) return []
  return connection.transaction(async () => {
    // A running server's tables may be locked for a moment, and then it waits for us.
    await connection.run(`set local lock_timeout = ${PATIENCE_MS}`)
    await makeTables(connection)
    return apply(connection, store, 0)
  }, 'rollback')
}

async function dueNow(connection: PostgresConnection, store: StoreData) {
  const rows = (await hasTables(connection))
    ? await connection.rows(
        'select version, name, checksum from ratatosk_migration where store = $1 order by version',
        [store.name],
      )
    : []
  const applied = rows.map(
    ([version, name, checksum]): AppliedMigration => ({
      version: Number(version),
      name: name ?? '',
      checksum: checksum ?? '',
    }),
  )
  const due = dueMigrations(store, applied)
  if (due instanceof Error) throw due
  return due
}

async function apply(
  connection: PostgresConnection,
  store: StoreData,
  wallMs: number,
): Promise<readonly MigrationStep[]> {
  await lockForMigrating(connection)
  // Another program may have done it while we waited.
  const due = await dueNow(connection, store)
  // A long migration is no hung operation.
  await connection.run('set local statement_timeout = 0')
  for (const { version, name, checksum, up } of due) {
    try {
      for (const sql of up) await connection.run(ddl(sql))
      await connection.rows(
        `insert into ratatosk_migration (store, version, name, checksum, applied)
         values ($1, $2::bigint, $3, $4, $5::bigint)`,
        [store.name, String(version), name, checksum, String(Math.trunc(wallMs))],
      )
    } catch (error) {
      const known = postgresError(error, `migration ${version} (${name}) of store ${store.name}`)
      throw known.temporary ? known : storeError('RTK_STORE_MIGRATION_FAILED', known.message, error)
    }
  }
  return due.map(({ version, name }) => ({ version, name }))
}

/** `without rowid` is for SQLite. */
export function ddl(sql: string): string {
  return sql.replace(/\)\s*without\s+rowid\b/gi, ')')
}
