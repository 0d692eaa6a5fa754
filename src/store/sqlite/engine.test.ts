/** What only SQLite has: its file, other programs at it, damage, the marks that tell of a lost tail. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, test } from 'node:test'
import { codeOf, HandClock, stateIs, temporaryFolder, testWorld } from '../contract/harness.test.ts'
import { bytes, defineStore, integer, many, one, write } from '../define.ts'
import { openSqlite, type SqliteStoresOptions } from '../index.ts'
import type { Stores } from '../store.types.ts'

const rows = defineStore({
  name: 'row',
  migrations: [{ version: 1, name: 'first', up: ['create table row (id bigint primary key, body blob not null)'] }],
  operations: {
    put: write({ id: integer, body: bytes }, ['insert into row (id, body) values (:id, :body)']),
    count: one({}, { n: integer }, 'select count(*) as n from row'),
    all: many({}, { body: bytes }, 'select body from row'),
  },
})

let folder = ''
let path = ''
let opened: Stores[] = []

beforeEach(() => {
  folder = temporaryFolder()
  path = join(folder, 'test.db')
  opened = []
})

afterEach(async () => {
  for (const stores of opened) await stores.close()
  rmSync(folder, { recursive: true })
})

async function open(options: Partial<SqliteStoresOptions> = {}): Promise<Stores> {
  const stores = await openSqlite(testWorld(new HandClock()), { path, ...options })
  opened.push(stores)
  return stores
}

function meddle(work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path)
  work(database)
  database.close()
}

test('the file is private, in WAL mode, and whole after a close', async () => {
  const stores = await open()
  await (await stores.open(rows)).put({ id: 1, body: new Uint8Array(9) })
  for (const end of ['', '-wal', '-shm'])
    assert.equal(statSync(path + end).mode & 0o777, 0o600, `mode of ${path}${end}`)
  await stores.close()
  meddle((database) => {
    assert.equal(database.prepare('pragma journal_mode').get()?.['journal_mode'], 'wal')
    assert.equal(database.prepare('pragma integrity_check').get()?.['integrity_check'], 'ok')
  })
})

test('synchronous is what was asked for, also after the marks were written durably', async () => {
  const pragma = defineStore({
    name: 'pragma',
    migrations: [],
    operations: { get: one({}, { synchronous: integer }, 'select synchronous from pragma_synchronous') },
  })
  for (const [synchronous, level] of [
    ['normal', 1],
    ['full', 2],
  ] as const) {
    const stores = await open({ synchronous })
    assert.equal((await (await stores.open(pragma)).get({}))?.synchronous, level)
    await stores.close()
  }
})

test('a file that is no database, a folder that is not there, a file that may not be read: each says what it is', async () => {
  writeFileSync(path, 'this is a letter and no database, and it is longer than a header '.repeat(40))
  assert.equal(await codeOf(open()), 'RTK_STORE_CORRUPT')
  assert.equal(await codeOf(open({ path: join(folder, 'no', 'such.db') })), 'RTK_STORE_PERMISSION')
  mkdirSync(join(folder, 'directory'))
  assert.equal(await codeOf(open({ path: join(folder, 'directory') })), 'RTK_STORE_PERMISSION')
  const locked = join(folder, 'readonly.db')
  writeFileSync(locked, '')
  chmodSync(locked, 0o400)
  // Root may do everything; then there is nothing to refuse.
  if (process.getuid?.() !== 0) assert.equal(await codeOf(open({ path: locked })), 'RTK_STORE_PERMISSION')
})

test('damage that is found while running fails the store, visibly', async () => {
  const stores = await open()
  const store = await stores.open(rows)
  for (let id = 0; id < 200; id++) await store.put({ id, body: new Uint8Array(3000) })
  await stores.close()
  const size = statSync(path).size
  meddle((database) => {
    database.exec('pragma journal_mode = delete')
  })
  const { openSync, writeSync, closeSync } = await import('node:fs')
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(size - 8192, 0xa5), 0, size - 8192 * 4, 8192 * 4)
  closeSync(file)
  const again = await open()
  const damaged = await again.open(rows)
  assert.equal(await codeOf(damaged.all({})), 'RTK_STORE_CORRUPT')
  assert.deepEqual([again.state.name, again.state.code], ['failed', 'RTK_STORE_CORRUPT'])
})

test('a database of a newer format is refused', async () => {
  await (await open()).close()
  meddle((database) => database.exec(`update ratatosk_meta set value = '99' where key = 'format'`))
  assert.equal(await codeOf(open()), 'RTK_STORE_SCHEMA_NEWER')
})

test('another program that holds the database: writes fail temporarily, reads go on', async () => {
  const stores = await open()
  const store = await stores.open(rows)
  await store.put({ id: 1, body: new Uint8Array(1) })
  const other = new DatabaseSync(path)
  other.exec('begin immediate')
  const [code, count] = await Promise.all([codeOf(store.put({ id: 2, body: new Uint8Array(1) })), store.count({})])
  assert.deepEqual([code, count?.n], ['RTK_STORE_LOCKED', 1])
  other.exec('rollback')
  other.close()
  await store.put({ id: 2, body: new Uint8Array(1) })
})

test('the epoch is new when the tail may be lost with the power, and only then', async () => {
  const first = await open()
  const { epoch } = first
  const mark = (value: string) =>
    meddle((database) => database.prepare(`update ratatosk_meta set value = ? where key = 'in_use'`).run(value))
  const reopened = async (value: string | undefined): Promise<string> => {
    await opened.at(-1)?.close()
    if (value !== undefined) mark(value)
    return (await open()).epoch
  }
  assert.equal(await reopened(undefined), epoch, 'closed in order')
  assert.equal(await reopened('full another-boot'), epoch, 'the machine went down, but every commit was synced')
  const renewed = await reopened('normal another-boot')
  assert.notEqual(renewed, epoch, 'the machine went down, and commits were not synced')
  assert.equal(await reopened(undefined), renewed)
})

test('a thread that cannot be started fails the opening; one that dies is replaced', async () => {
  const clock = new HandClock()
  const { sqliteEngine } = await import('./engine.ts')
  const { openStores } = await import('../front.ts')
  const { Worker } = await import('node:worker_threads')
  const broken = sqliteEngine(clock, { path, thread: () => new Worker('process.exit(3)', { eval: true }) })
  assert.equal(await codeOf(openStores(testWorld(clock), broken)), 'RTK_STORE_FAILED')
  let fails = 0
  const workers: InstanceType<typeof Worker>[] = []
  const flaky = sqliteEngine(clock, {
    path,
    thread: (url, options) => {
      const worker = fails-- > 0 ? new Worker('process.exit(3)', { eval: true }) : new Worker(url, options)
      workers.push(worker)
      return worker
    },
  })
  const errors: string[] = []
  const stores = await openStores(testWorld(clock, errors), flaky)
  opened.push(stores)
  const failed = stateIs(stores, 'failed')
  fails = 2
  void workers[0]?.terminate()
  await failed
  const back = stateIs(stores, 'ready')
  while (stores.state.name !== 'ready') {
    clock.advance(10_000)
    await clock.turn()
  }
  await back
  assert.equal(workers.length, 4)
  assert.deepEqual(errors, ['store: failed', 'store: restarting failed', 'store: restarting failed'])
})
