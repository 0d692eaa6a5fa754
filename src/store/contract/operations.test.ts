/** The contract of every engine: values, reads, writes, guards, order, batches, change notices. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fromBytes } from '../../xml/octets.ts'
import {
  bigint,
  boolean,
  bytes,
  change,
  defineStore,
  each,
  guarded,
  integer,
  many,
  nullable,
  octets,
  one,
  real,
  text,
  write,
} from '../define.ts'
import type { StoreChange } from '../store.types.ts'
import { codeOf, engines, withBench } from './harness.test.ts'

const value = {
  t: text,
  i: integer,
  b: bigint,
  r: real,
  f: boolean,
  y: bytes,
  x: octets,
  n: nullable(text),
  m: nullable(bytes),
}

const things = defineStore({
  name: 'thing',
  migrations: [
    {
      version: 1,
      name: 'first',
      up: [
        `create table thing (id bigint primary key, t text not null, i bigint not null, b bigint not null,
           r double precision not null, f boolean not null, y blob not null, x blob not null, n text, m blob)`,
        'create table thing_lease (name text primary key, token bigint not null, body text not null)',
        'create table thing_row (name text primary key, version bigint not null, body text not null)',
        'create table thing_outbox (id bigint primary key, event text not null)',
      ],
    },
  ],
  operations: {
    putValue: write({ id: integer, ...value }, [
      'insert into thing (id, t, i, b, r, f, y, x, n, m) values (:id, :t, :i, :b, :r, :f, :y, :x, :n, :m)',
    ]),
    getValue: one({ id: integer }, value, 'select t, i, b, r, f, y, x, n, m from thing where id = :id'),
    isTrue: one({ id: integer }, { id: integer }, 'select id from thing where id = :id and f and i = 7 - 7'),

    add: guarded({ name: text, body: text }, ['insert into thing_row (name, version, body) values (:name, 1, :body)'], {
      changes: (p) => change('thing_row', p.name),
    }),
    set: write({ name: text, body: text }, [
      `insert into thing_row (name, version, body) values (:name, 1, :body)
       on conflict (name) do update set body = excluded.body, version = thing_row.version + 1`,
    ]),
    setReturning: write(
      { name: text, body: text },
      [
        `insert into thing_row (name, version, body) values (:name, 1, :body)
         on conflict (name) do update set body = excluded.body, version = thing_row.version + 1
         returning version, body`,
      ],
      { returns: { version: integer, body: text }, changes: (p) => change('thing_row', p.name) },
    ),
    joinOne: write({ name: text }, ["insert into thing_row (name, version, body) values (:name, 1, '')"], {
      joins: true,
    }),
    replace: guarded({ name: text, version: integer, body: text, event: integer }, [
      'insert into thing_outbox (id, event) values (:event, :name)',
      {
        sql: 'update thing_row set body = :body, version = version + 1 where name = :name and version = :version',
        expect: 'some',
        otherwise: 'outdated',
      },
    ]),
    addFree: guarded({ name: text }, [
      { sql: 'select 1 from thing_row where name = :name', expect: 'none', otherwise: 'taken' },
      `insert into thing_row (name, version, body) values (:name, 1, '')`,
    ]),
    addTwice: write({ name: text }, [
      `insert into thing_row (name, version, body) values (:name || '-first', 1, '')`,
      `insert into thing_row (name, version, body) values (:name, 1, '')`,
    ]),
    addAll: guarded(
      { body: text },
      [each('insert into thing_row (name, version, body) values (:name, :version, :body)')],
      {
        items: { name: text, version: integer },
        changes: (_p, items) => items.map((item) => change('thing_row', item.name)),
      },
    ),
    get: one(
      { name: text },
      { version: integer, body: text },
      'select version, body from thing_row where name = :name',
    ),
    list: many({}, { name: text }, 'select name from thing_row order by name'),
    few: many({}, { name: text }, 'select name from thing_row order by name', { maxRows: 2 }),
    count: one({}, { n: integer }, 'select count(*) as n from thing_row'),
    outbox: many({}, { id: integer, event: text }, 'select id, event from thing_outbox order by id'),

    /** A write of an owned thing: the row refuses a token older than the newest it has seen. */
    writeOwned: guarded({ name: text, token: integer, body: text }, [
      {
        sql: `insert into thing_lease (name, token, body) values (:name, :token, :body)
              on conflict (name) do update set token = excluded.token, body = excluded.body
              where thing_lease.token <= excluded.token`,
        expect: 'some',
        otherwise: 'fenced',
      },
    ]),
    owned: one({ name: text }, { body: text }, 'select body from thing_lease where name = :name'),
    arithmetic: one({ a: integer }, { half: integer, said: text }, `select :a / 2 as half, 'n' || :a as said`),
    wrongKind: one({}, { n: integer }, `select 'text' as n`),
    wrongNull: one({}, { n: integer }, 'select null as n'),
  },
})

const sample = {
  t: '',
  i: 0,
  b: 0n,
  r: 0,
  f: false,
  y: new Uint8Array(0),
  x: fromBytes(new Uint8Array(0)),
  n: null,
  m: null,
}

for (const engine of engines) {
  describe(`store contract, ${engine.name}: operations`, () => {
    test(
      'every value comes back as it went in',
      withBench(engine, async (bench) => {
        const store = await (await bench.open()).open(things)
        const allBytes = Uint8Array.from({ length: 256 }, (_, index) => index)
        const values = [
          sample,
          { ...sample, t: 'Žluťoučký kůň 🐿️ \u{10ffff}\ufffe \u0001\n', y: allBytes, x: fromBytes(allBytes), n: '' },
          { ...sample, i: Number.MAX_SAFE_INTEGER, b: 2n ** 63n - 1n, r: 1.5e300, f: true, m: allBytes },
          { ...sample, i: Number.MIN_SAFE_INTEGER, b: -(2n ** 63n), r: -0.1, n: 'null' },
          { ...sample, i: 2 ** 31, b: 2n ** 53n + 1n, r: 3, y: new Uint8Array(300_000).fill(0xff) },
          { ...sample, r: Number.POSITIVE_INFINITY, y: new Uint8Array(allBytes.buffer, 100, 3) },
        ]
        for (const [id, params] of values.entries()) {
          assert.equal((await store.putValue({ id, ...params })).changed, 1)
          const back = await store.getValue({ id })
          assert.deepEqual(back, { ...params, y: new Uint8Array(params.y) })
          assert.equal(Object.getPrototypeOf(back?.y), Uint8Array.prototype)
        }
        assert.equal(await store.getValue({ id: 99 }), undefined)
        assert.equal((await store.isTrue({ id: 0 }))?.id, undefined)
        assert.deepEqual(await store.arithmetic({ a: 7 }), { half: 3, said: 'n7' })
      }),
    )

    test(
      'a parameter that is not what it should be is refused, and what was asked beside it is done',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(things)
        const wrong: readonly object[] = [
          { t: 'lone \ud800' },
          { t: 'nul \0' },
          { t: 5 },
          { t: null },
          { t: undefined },
          { i: 1.5 },
          { i: 2 ** 53 },
          { i: '1' },
          { b: 1 },
          { b: 2n ** 63n },
          { r: Number.NaN },
          { f: 1 },
          { y: 'text' },
          { x: new Uint8Array(1) },
        ]
        const before = store.set({ name: 'before', body: '' })
        const codes = wrong.map((part) => codeOf(store.putValue({ id: 1, ...sample, ...part })))
        const after = store.set({ name: 'after', body: '' })
        assert.deepEqual(
          await Promise.all(codes),
          wrong.map(() => 'RTK_STORE_PARAMETER'),
        )
        assert.deepEqual([(await before).outcome, (await after).outcome], ['kept', 'kept'])
        assert.equal(await store.getValue({ id: 1 }), undefined)
        assert.equal(stores.metrics.errors, wrong.length)
        assert.equal(stores.metrics.queueOperations, 0)
      }),
    )

    test(
      'a guard that is not met undoes the whole operation and nothing beside it',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(things)
        const answers = await Promise.all([
          store.add({ name: 'a', body: 'one' }),
          store.add({ name: 'a', body: 'two' }),
          store.replace({ name: 'a', version: 1, body: 'three', event: 1 }),
          store.replace({ name: 'a', version: 1, body: 'four', event: 2 }),
          store.replace({ name: 'a', version: 2, body: 'five', event: 1 }),
          store.addFree({ name: 'a' }),
          store.addFree({ name: 'b' }),
        ])
        assert.deepEqual(answers, [
          { outcome: 'kept', changed: 1, rows: [] },
          { outcome: 'conflict', statement: 0 },
          { outcome: 'kept', changed: 2, rows: [] },
          { outcome: 'outdated', statement: 1 },
          { outcome: 'conflict', statement: 0 },
          { outcome: 'taken', statement: 0 },
          { outcome: 'kept', changed: 1, rows: [] },
        ])
        assert.deepEqual(await store.get({ name: 'a' }), { version: 2, body: 'three' })
        assert.deepEqual(
          await store.outbox({}),
          [{ id: 1, event: 'a' }],
          'outbox rows commit with their operation only',
        )
        assert.equal(stores.metrics.refused, 4)
        assert.equal(stores.metrics.errors, 0)
      }),
    )

    test(
      'a write that violates a constraint rejects, is undone, and spoils no other of its batch',
      withBench(engine, async (bench) => {
        const store = await (await bench.open()).open(things)
        await store.set({ name: 'x', body: '' })
        const [before, code, after] = await Promise.all([
          store.set({ name: 'before', body: '' }),
          codeOf(store.addTwice({ name: 'x' })),
          store.set({ name: 'after', body: '' }),
        ])
        assert.deepEqual([before.outcome, code, after.outcome], ['kept', 'RTK_STORE_CONSTRAINT', 'kept'])
        assert.deepEqual(
          (await store.list({})).map((row) => row.name),
          ['after', 'before', 'x'],
        )
      }),
    )

    test(
      'a row refuses an older fencing token',
      withBench(engine, async (bench) => {
        const store = await (await bench.open()).open(things)
        const outcomes = [
          await store.writeOwned({ name: 'room', token: 5, body: 'owner 5' }),
          await store.writeOwned({ name: 'room', token: 7, body: 'owner 7' }),
          await store.writeOwned({ name: 'room', token: 6, body: 'owner 6, who lost its lease' }),
          await store.writeOwned({ name: 'room', token: 7, body: 'owner 7 again' }),
        ].map((answer) => answer.outcome)
        assert.deepEqual(outcomes, ['kept', 'kept', 'fenced', 'kept'])
        assert.equal((await store.owned({ name: 'room' }))?.body, 'owner 7 again')
      }),
    )

    test(
      'an operation over items is one whole',
      withBench(engine, async (bench) => {
        const store = await (await bench.open()).open(things)
        const items = Array.from({ length: 500 }, (_, index) => ({ name: `n${index}`, version: index }))
        assert.deepEqual(await store.addAll({ body: 'all' }, items), { outcome: 'kept', changed: 500, rows: [] })
        assert.deepEqual(await store.get({ name: 'n499' }), { version: 499, body: 'all' })
        const again = [
          { name: 'new', version: 1 },
          { name: 'n7', version: 1 },
        ]
        assert.deepEqual(await store.addAll({ body: '' }, again), { outcome: 'conflict', statement: 0 })
        assert.equal(await store.get({ name: 'new' }), undefined)
        assert.deepEqual(await store.addAll({ body: '' }, []), { outcome: 'kept', changed: 0, rows: [] })
      }),
    )

    test(
      'a write returns its rows; a read is bounded and its rows are checked',
      withBench(engine, async (bench) => {
        const store = await (await bench.open()).open(things)
        await store.setReturning({ name: 'a', body: 'one' })
        const kept = await store.setReturning({ name: 'a', body: 'two' })
        assert.deepEqual(kept, { outcome: 'kept', changed: 1, rows: [{ version: 2, body: 'two' }] })
        await store.set({ name: 'b', body: '' })
        assert.equal((await store.few({})).length, 2)
        await store.set({ name: 'c', body: '' })
        assert.equal(await codeOf(store.few({})), 'RTK_STORE_TOO_MANY_ROWS')
        assert.equal(await codeOf(store.wrongKind({})), 'RTK_STORE_ROW')
        assert.equal(await codeOf(store.wrongNull({})), 'RTK_STORE_ROW')
      }),
    )

    test(
      'a turn is one batch and one commit, answered in the order of asking; a read sees what was asked before it',
      withBench(engine, async (bench) => {
        const stores = await bench.open({ batchOperations: 1000 })
        const store = await stores.open(things)
        const order: number[] = []
        const asked: Promise<unknown>[] = []
        for (let i = 0; i < 500; i++) {
          asked.push(store.set({ name: 'same', body: String(i) }).then(() => order.push(i * 2)))
          asked.push(
            store.get({ name: 'same' }).then((row) => {
              order.push(i * 2 + 1)
              assert.deepEqual(row, { version: i + 1, body: String(i) })
            }),
          )
        }
        assert.equal(stores.metrics.queueOperations, 1000)
        await Promise.all(asked)
        assert.deepEqual(
          order,
          Array.from({ length: 1000 }, (_, index) => index),
        )
        const { batches, commits, reads, writes, queueOperations, queueBytes } = stores.metrics
        assert.deepEqual({ batches, commits, reads, writes }, { batches: 1, commits: 1, reads: 500, writes: 500 })
        assert.deepEqual({ queueOperations, queueBytes }, { queueOperations: 0, queueBytes: 0 })
      }),
    )

    test(
      'what joins is committed with what was asked for before it, of any size; a refusal keeps neither back',
      withBench(engine, async (bench) => {
        const stores = await bench.open({ batchOperations: 1 })
        const store = await stores.open(things)
        const asked = [
          store.set({ name: 'a', body: '' }),
          store.joinOne({ name: 'b' }),
          store.set({ name: 'c', body: '' }),
        ]
        await Promise.all(asked)
        assert.equal(stores.metrics.commits, 2)
        const refused = await Promise.all([store.add({ name: 'a', body: '' }), store.joinOne({ name: 'd' })])
        assert.deepEqual(
          refused.map(({ outcome }) => outcome),
          ['conflict', 'kept'],
        )
        assert.equal((await store.count({}))?.n, 4)
      }),
    )

    test(
      'what arrives while batches are at work is joined: 10,000 operations of 100 turns make few commits',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(things)
        bench.hang()
        const asked: Promise<unknown>[] = []
        for (let turn = 0; turn < 100; turn++) {
          for (let i = 0; i < 100; i++) {
            const name = `n${turn * 100 + i}`
            asked.push(i % 10 === 0 ? store.get({ name }) : store.add({ name, body: 'x' }))
          }
          await bench.clock.turn()
        }
        bench.resume()
        await Promise.all(asked)
        assert.equal((await store.count({}))?.n, 9000)
        assert.ok(stores.metrics.commits >= 3 && stores.metrics.commits <= 12, `${stores.metrics.commits} commits`)
      }),
    )

    test(
      'changes are told once kept, in the order of the commits, before the writer learns of it',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(things)
        const heard: (StoreChange | string)[] = []
        const off = stores.onChange((told) => heard.push(told))
        await Promise.all([
          store.add({ name: 'a', body: '' }).then(() => heard.push('a kept')),
          store.add({ name: 'a', body: '' }).then(() => heard.push('a refused')),
          store.addAll({ body: '' }, [
            { name: 'b', version: 1 },
            { name: 'c', version: 1 },
          ]),
          store.setReturning({ name: 'a', body: '' }),
          store.set({ name: 'untold', body: '' }),
        ])
        const told = (key: string) => ({ store: 'thing', table: 'thing_row', key })
        assert.deepEqual(heard, [told('a'), told('b'), told('c'), told('a'), 'a kept', 'a refused'])
        off()
        await store.add({ name: 'd', body: '' })
        assert.equal(heard.length, 6)
      }),
    )

    test(
      'a listener that throws harms nobody',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(things)
        const heard: string[] = []
        stores.onChange(() => {
          throw new Error('on purpose')
        })
        stores.onChange((told) => heard.push(told.key))
        assert.equal((await store.add({ name: 'a', body: '' })).outcome, 'kept')
        assert.deepEqual(heard, ['a'])
        assert.equal(stores.metrics.listenerFaults, 1)
        assert.deepEqual(bench.errors, ['store: a change listener failed'])
      }),
    )
  })
}
