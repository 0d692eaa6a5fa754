// needs: postgresql openssl
/** What only PostgreSQL has: signing in, TLS, other users of the database, standbys, crashes, full disks. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { Place } from '../../../tools/real/foreign.ts'
import { RealPostgres } from '../../../tools/real/postgres.ts'
import { program } from '../../../tools/real/programs.ts'
import { RealClock } from '../../world/clock.ts'
import { WorldError } from '../../world/error.ts'
import { Turn } from '../../world/turn.ts'
import { codeOf, stateIs, testWorld } from '../contract/harness.test.ts'
import { bytes, defineStore, guarded, integer, many, one, text, write } from '../define.ts'
import { openPostgres, type PostgresStoresOptions } from '../index.ts'
import type { Stores } from '../store.types.ts'
import { Relay } from './bench.testing.ts'

const bricks = defineStore({
  name: 'brick',
  migrations: [{ version: 1, name: 'first', up: ['create table brick (id bigint primary key, body blob not null)'] }],
  operations: {
    put: write({ id: integer, body: bytes }, ['insert into brick (id, body) values (:id, :body)']),
    upsert: write({ id: integer, body: bytes }, [
      'insert into brick (id, body) values (:id, :body) on conflict (id) do update set body = excluded.body',
    ]),
    pair: guarded({ first: integer, second: integer }, [
      { sql: 'update brick set body = body where id = :first', expect: 'some', otherwise: 'absent' },
      { sql: 'update brick set body = body where id = :second', expect: 'some', otherwise: 'absent' },
    ]),
    drop: write({ above: integer }, ['delete from brick where id > :above']),
    count: one({}, { n: integer }, 'select count(*) as n from brick'),
    ids: many({}, { id: integer }, 'select id from brick order by id'),
    slow: one({ ms: integer }, { done: text }, `select 'yes' as done from (select pg_sleep(:ms / 1000.0)) as slept`),
  },
})

const place = new Place('postgres')
const certificate = place.path('server.crt')
spawnSync(
  program('openssl'),
  [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-out', certificate],
    ...['-keyout', place.path('server.key')],
  ],
  { stdio: 'ignore' },
)
const server = await RealPostgres.start(place, [
  'ssl=on',
  `ssl_cert_file=${certificate}`,
  `ssl_key_file=${place.write('own.key', readFileSync(place.path('server.key')))}`,
  'deadlock_timeout=500ms',
])
const opened: Stores[] = []

after(async () => {
  for (const stores of opened) await stores.close()
  await server.stop()
  await place[Symbol.asyncDispose]()
})

const clock = new RealClock(new Turn())
const small = new Uint8Array(10)

async function open(database: string, more: Partial<PostgresStoresOptions> = {}): Promise<Stores> {
  const stores = await openPostgres(testWorld(clock), {
    servers: [server.address(database)],
    password: server.password,
    tls: 'off',
    ...more,
  })
  opened.push(stores)
  return stores
}

/** Code and text of what opening says. */
async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof WorldError, String(error))
  assert.ok(!error.message.includes(server.password))
  return `${error.code}${error.temporary ? ' (temporary)' : ''}: ${error.message}`
}

test('a wrong password, none, no database, no server, a server of something else: each says what it is', async () => {
  const database = await server.database()
  const where = `127.0.0.1:${server.port}, database ${database}`
  assert.match(
    await refusal(open(database, { password: 'wrong' })),
    new RegExp(`^RTK_STORE_PERMISSION: PostgreSQL at ${where}: password authentication failed for user "ratatosk"`),
  )
  assert.match(
    await refusal(open(database, { password: undefined })),
    /^RTK_STORE_PERMISSION: .*store\.password is not set/,
  )
  assert.match(await refusal(open('nowhere')), /^RTK_STORE_PERMISSION: .*database "nowhere" does not exist/)
  const nobody = { ...server.address(database), port: 1 }
  assert.match(await refusal(open(database, { servers: [nobody] })), /^RTK_STORE_FAILED \(temporary\): .*ECONNREFUSED/)
  const both = await open(database, { servers: [nobody, server.address(database)] })
  assert.equal(both.state.name, 'ready', 'of several servers the first that takes us')
  await both.close()
})

test('a database of another encoding, or one that orders text otherwise, is refused with what to do', async () => {
  const latin = await server.database(`encoding 'LATIN1' locale 'C' template template0`)
  assert.match(
    await refusal(open(latin)),
    /^RTK_STORE_DATABASE: .*encoding LATIN1, not UTF8; make it anew: create database/,
  )
  const words = await server.database(
    `encoding 'UTF8' locale_provider icu icu_locale 'en' locale 'C' template template0`,
  )
  assert.match(await refusal(open(words)), /^RTK_STORE_DATABASE: .*does not order text by bytes/)
})

test('TLS: the certificate is checked, unless it is trusted', async () => {
  const database = await server.database()
  const caPem = readFileSync(certificate, 'utf8')
  const tlsOf = async (more: Partial<PostgresStoresOptions>, host = 'localhost') => {
    const stores = await open(database, { servers: [{ ...server.address(database), host }], ...more })
    const asked = defineStore({
      name: 'tls',
      migrations: [],
      operations: {
        version: one({}, { version: text }, 'select version from pg_stat_ssl where pid = pg_backend_pid()'),
      },
    })
    const row = await (await stores.open(asked)).version({})
    await stores.close()
    return row?.version
  }
  assert.equal(await tlsOf({ tls: 'verify', caPem }), 'TLSv1.3')
  assert.equal(await tlsOf({ tls: 'trust' }), 'TLSv1.3')
  assert.match(await refusal(tlsOf({ tls: 'verify' })), /self-signed certificate/)
  assert.match(await refusal(tlsOf({ tls: 'verify', caPem }, '127.0.0.1')), /IP: 127\.0\.0\.1 is not in the cert/)
})

test('a second server is kept out while the first lives, and let in after it', async () => {
  const database = await server.database()
  const first = await open(database)
  assert.match(
    await refusal(open(database)),
    /^RTK_STORE_LOCKED \(temporary\): .*in use by another Ratatosk server, from 127\.0\.0\.1 \(its process in PostgreSQL is \d+\)/,
  )
  const looker = await open(database, { looking: true })
  assert.deepEqual(await looker.rehearse(bricks), [{ version: 1, name: 'first' }])
  await looker.close()
  await first.close()
  await (await open(database)).close()
})

test('only looking makes nothing', async () => {
  const database = await server.database()
  const looker = await open(database, { looking: true })
  assert.deepEqual(await looker.rehearse(bricks), [{ version: 1, name: 'first' }])
  await looker.close()
  const [made] = await server.sql(
    database,
    `select count(*)::int as n from pg_class where relname like 'ratatosk%' or relname = 'brick'`,
  )
  assert.equal(made?.['n'], 0)
})

test('a database of a newer format is refused', async () => {
  const database = await server.database()
  await (await open(database)).close()
  await server.sql(database, `update ratatosk_meta set value = '99' where key = 'format'`)
  assert.match(await refusal(open(database)), /^RTK_STORE_SCHEMA_NEWER: .*has format 99, this program knows 1/)
})

test('an administrator ends the connection: it comes back by itself with all that was kept', async () => {
  const database = await server.database()
  const stores = await open(database)
  const store = await stores.open(bricks)
  await store.put({ id: 1, body: small })
  const { epoch } = stores
  const failed = stateIs(stores, 'failed')
  await server.sql('postgres', `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`)
  assert.match((await failed).text, /terminating connection due to administrator command/)
  await stateIs(stores, 'ready')
  assert.deepEqual([(await store.count({}))?.n, stores.epoch], [1, epoch])
  await stores.close()
})

test('a server that becomes read-only: the state says so, and it comes back when the server does', async () => {
  const database = await server.database()
  const stores = await open(database)
  const store = await stores.open(bricks)
  const failed = stateIs(stores, 'failed')
  await server.sql('postgres', `alter database ${database} set default_transaction_read_only = on`)
  await server.sql('postgres', `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`)
  await failed
  const readOnly = await stateOf(stores, 'RTK_STORE_READ_ONLY')
  assert.match(readOnly.text, /is read-only/)
  assert.equal(await codeOf(store.count({})), 'RTK_STORE_FAILED')
  await server.sql('postgres', `alter database ${database} set default_transaction_read_only = off`)
  await stateIs(stores, 'ready')
  await store.put({ id: 1, body: small })
  await stores.close()
})

/** Resolves when the state has this code. */
function stateOf(stores: Stores, code: string) {
  if (stores.state.code === code) return Promise.resolve(stores.state)
  return new Promise<Stores['state']>((resolve) => {
    const off = stores.onState((state) => {
      if (state.code !== code) return
      off()
      resolve(state)
    })
  })
}

test('a statement that takes too long is ended in the server, and the connection lives on', async () => {
  const database = await server.database()
  const stores = await open(database, { limits: { operationTimeoutMs: 300 } })
  const store = await stores.open(bricks)
  const asked = codeOf(store.slow({ ms: 20_000 }))
  assert.equal(await asked, 'RTK_STORE_TIMEOUT')
  // Asked behind it, answered as soon as the server has ended it.
  for (;;) {
    const code = await codeOf(store.count({}))
    if (code === '') break
    assert.equal(code, 'RTK_STORE_TIMEOUT')
  }
  assert.deepEqual([stores.state.name, stores.metrics.restarts], ['ready', 0])
  await stores.close()
})

test('a network that swallows everything: the connection is given up, its remains are ended, all kept is there', async () => {
  const database = await server.database()
  const relay = await Relay.listen(server.port)
  const stores = await open(database, {
    servers: [{ ...server.address(database), port: relay.port }],
    silenceMs: 500,
    connectTimeoutMs: 300,
    limits: { operationTimeoutMs: 200 },
  })
  const store = await stores.open(bricks)
  await store.put({ id: 1, body: small })
  const failed = stateIs(stores, 'failed')
  relay.hold()
  assert.equal(await codeOf(store.put({ id: 2, body: small })), 'RTK_STORE_TIMEOUT')
  assert.equal(stores.state.name, 'stalled')
  assert.match((await failed).text, /has not answered for 500 ms/)
  relay.cut()
  relay.letGo()
  await stateIs(stores, 'ready')
  assert.deepEqual(await store.ids({}), [{ id: 1 }])
  await stores.close()
  await relay.close()
})

test('what a lost connection left at work is ended before the next one is used', async () => {
  const database = await server.database()
  const stores = await open(database, { silenceMs: 1000, limits: { operationTimeoutMs: 200 } })
  const store = await stores.open(bricks)
  const [row] = await server.sql(
    database,
    `select pid from pg_stat_activity where datname = '${database}' and application_name like 'ratatosk %'`,
  )
  const pid = Number(row?.['pid'])
  const locked = stateOf(stores, 'RTK_STORE_LOCKED')
  process.kill(pid, 'SIGSTOP')
  try {
    assert.equal(await codeOf(store.upsert({ id: 1, body: small })), 'RTK_STORE_TIMEOUT')
    // The new connection waits for the old one's end, which does not come.
    assert.match((await locked).text, /still at work/)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await stateIs(stores, 'ready')
  await store.upsert({ id: 2, body: small })
  await stores.close()
})

test('deadlocks with another program are nobody’s fault: the batch is tried again', async () => {
  const database = await server.database()
  const stores = await open(database)
  const store = await stores.open(bricks)
  for (const id of [1, 2]) await store.put({ id, body: small })
  const { Client } = await import('pg')
  const other = new Client({ ...server.address(database), password: server.password, ssl: false })
  await other.connect()
  await other.query('begin; set local deadlock_timeout = 10000; update brick set body = body where id = 2')
  const ours = store.pair({ first: 1, second: 2 })
  // Ours has row 1 as soon as somebody waits for row 2.
  for (;;) {
    const { rows: waiting } = await other.query('select 1 from pg_locks where not granted')
    if (waiting.length > 0) break
  }
  await other.query('update brick set body = body where id = 1')
  await other.query('commit')
  assert.equal((await ours).outcome, 'kept')
  await other.end()
  await stores.close()
})

test('a full disk: writes are refused for now, reads go on, and it recovers when there is room', async (t) => {
  const folder = place.path('small')
  mkdirSync(folder)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', folder]).status !== 0) {
    t.skip('a disk of its own can only be had as root')
    return
  }
  try {
    chmodSync(folder, 0o700)
    server.own(folder)
    await server.sql('postgres', `create tablespace small location '${folder}'`)
    const database = await server.database('tablespace small')
    const stores = await open(database)
    const store = await stores.open(bricks)
    let id = 0
    let code = ''
    while (code === '') code = await codeOf(store.put({ id: ++id, body: randomBytes(100_000) }))
    assert.equal(code, 'RTK_STORE_DISK_FULL')
    assert.ok(id > 20 && id < 200, `${id} bricks`)
    assert.deepEqual([stores.state.name, stores.state.code], ['full', 'RTK_STORE_DISK_FULL'])
    assert.match(stores.state.text, /No space left on device/)
    assert.equal((await store.count({}))?.n, id - 1)
    await store.drop({ above: 1 })
    assert.equal(stores.state.name, 'ready')
    await stores.close()
    await server.sql('postgres', `drop database ${database} with (force)`)
    await server.sql('postgres', 'drop tablespace small')
  } finally {
    spawnSync('umount', ['-l', folder])
  }
})

test('the server crashes and starts again: what was acknowledged is there, the epoch stays', async () => {
  const own = await RealPostgres.start(place)
  const database = await own.database()
  const stores = await open(database, { servers: [own.address(database)], password: own.password })
  const store = await stores.open(bricks)
  const { epoch } = stores
  const kept: number[] = []
  const writes = Array.from({ length: 2000 }, (_, id) =>
    store.put({ id, body: small }).then(
      () => kept.push(id),
      () => undefined,
    ),
  )
  await writes[500]
  const failed = stateIs(stores, 'failed')
  await own.crash()
  await failed
  await Promise.all(writes)
  await own.run()
  await stateIs(stores, 'ready')
  const there = new Set((await store.ids({})).map(({ id }) => id))
  assert.ok(kept.length >= 500)
  assert.deepEqual(
    kept.filter((id) => !there.has(id)),
    [],
  )
  assert.equal(stores.epoch, epoch)
  await stores.close()
  await own.stop()
})

test('the first server is lost and its standby is promoted: the stores go on there, with a new epoch', async () => {
  const first = await RealPostgres.start(place, ['wal_level=replica', 'max_wal_senders=4', 'hot_standby=on'])
  const database = await first.database()
  const second = await first.standby()
  const servers = [first.address(database), second.address(database)]
  assert.match(
    await refusal(open(database, { servers: [second.address(database)], password: first.password })),
    /^RTK_STORE_READ_ONLY \(temporary\): .*is a standby: it takes no writes/,
  )
  const stores = await open(database, { servers, password: first.password })
  const store = await stores.open(bricks)
  await store.put({ id: 1, body: small })
  const { epoch } = stores
  for (;;) {
    const [row] = await second.sql(database, `select to_regclass('brick') is not null as there`)
    if (row?.['there'] === true && (await second.sql(database, 'select id from brick')).length === 1) break
  }
  const failed = stateIs(stores, 'failed')
  await first.crash()
  await failed
  // Before the promotion: the one is gone, the other takes no writes, and the state names both.
  assert.match((await stateTelling(stores, /takes no writes/)).text, /ECONNREFUSED/)
  await second.promote()
  await stateIs(stores, 'ready')
  assert.deepEqual(await store.ids({}), [{ id: 1 }])
  assert.notEqual(stores.epoch, epoch, 'the tail may be lost')
  await store.put({ id: 2, body: small })
  await stores.close()
  await second.stop()
})

function stateTelling(stores: Stores, text: RegExp) {
  if (text.test(stores.state.text)) return Promise.resolve(stores.state)
  return new Promise<Stores['state']>((resolve) => {
    const off = stores.onState((state) => {
      if (!text.test(state.text)) return
      off()
      resolve(state)
    })
  })
}
