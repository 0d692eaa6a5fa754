/** The contract of every engine: migrations, definitions that are replaced, the epoch. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineStore, integer, type Migration, many, one, text, write } from '../define.ts'
import { codeOf, engines, withBench } from './harness.test.ts'

const first: Migration = { version: 1, name: 'first', up: ['create table plan (name text primary key)'] }
const second: Migration = {
  version: 2,
  name: 'length',
  up: ['alter table plan add column length bigint', 'update plan set length = 7'],
}

function planOf(...migrations: readonly Migration[]) {
  return defineStore({
    name: 'plan',
    migrations,
    operations: {
      add: write({ name: text }, ['insert into plan (name) values (:name)']),
      names: many({}, { name: text }, 'select name from plan order by name'),
    },
  })
}

const withLength = defineStore({
  name: 'plan',
  migrations: [first, second],
  operations: { get: one({ name: text }, { length: integer }, 'select length from plan where name = :name') },
})

for (const engine of engines) {
  describe(`store contract, ${engine.name}: migrations`, () => {
    test(
      'are applied once and in order, with data in place; older handles are refused',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const old = await stores.open(planOf(first))
        await old.add({ name: 'a' })
        assert.deepEqual(await stores.rehearse(withLength), [{ version: 2, name: 'length' }])
        const open = old.names({})
        const [store, same] = await Promise.all([stores.open(withLength), stores.open(withLength)])
        assert.equal(same, store, 'one definition, one store')
        assert.deepEqual(await open, [{ name: 'a' }], 'what was asked before is still answered')
        assert.deepEqual(await store.get({ name: 'a' }), { length: 7 })
        assert.equal(await codeOf(old.names({})), 'RTK_STORE_CLOSED')
        assert.deepEqual(await stores.rehearse(withLength), [])
      }),
    )

    test(
      'a replaced store answers what waits in a long queue',
      withBench(engine, async (bench) => {
        const stores = await bench.open({ batchOperations: 1 })
        const old = await stores.open(planOf(first))
        const asked = Array.from({ length: 50 }, (_, index) => old.add({ name: `n${index}` }))
        await bench.clock.turn()
        for (let i = 0; i < 3; i++) await stores.open(planOf(first))
        assert.equal((await Promise.all(asked)).length, 50)
      }),
    )

    test(
      'indentation is no change, other statements are, and a newer schema is refused',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        await stores.open(planOf(first, second))
        const indented = { ...first, up: ['create table plan\n    (name text primary key)'] }
        await stores.open(planOf(indented, second))
        const edited = { ...first, up: ['create table plan (name text primary key, more text)'] }
        assert.equal(await codeOf(stores.open(planOf(edited, second))), 'RTK_STORE_MIGRATION_EDITED')
        assert.equal(await codeOf(stores.rehearse(planOf(edited, second))), 'RTK_STORE_MIGRATION_EDITED')
        assert.equal(await codeOf(stores.open(planOf(first))), 'RTK_STORE_SCHEMA_NEWER')
      }),
    )

    test(
      'one that fails leaves nothing behind, and the store that was open stays',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(planOf(first))
        const broken: Migration = {
          version: 3,
          name: 'broken',
          up: ['create table plan_extra (a text)', 'insert into nowhere values (1)'],
        }
        const both = planOf(first, second, broken)
        assert.equal(await codeOf(stores.rehearse(both)), 'RTK_STORE_MIGRATION_FAILED')
        assert.equal(await codeOf(stores.open(both)), 'RTK_STORE_MIGRATION_FAILED')
        await store.add({ name: 'still' })
        const mended = planOf(first, second, { ...broken, up: ['create table plan_extra (a text)'] })
        assert.deepEqual(await stores.rehearse(mended), [
          { version: 2, name: 'length' },
          { version: 3, name: 'broken' },
        ])
        assert.deepEqual(await (await stores.open(mended)).names({}), [{ name: 'still' }])
      }),
    )

    test(
      'an operation that cannot be prepared is refused when the store is opened',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const unknown = defineStore({
          name: 'plan',
          migrations: [first],
          operations: { get: one({}, { size: integer }, 'select size from plan') },
        })
        assert.equal(await codeOf(stores.open(unknown)), 'RTK_STORE_DEFINITION')
        const undeclared = defineStore({
          name: 'plan',
          migrations: [first],
          operations: { get: one({}, { name: text }, 'select name, 1 as more from plan') },
        })
        assert.equal(await codeOf(stores.open(undeclared)), 'RTK_STORE_DEFINITION')
        await (await stores.open(planOf(first))).add({ name: 'a' })
      }),
    )

    test(
      'schema, data and epoch outlive the engine; the epoch can be renewed',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const made = stores.epoch
        assert.ok(made.length > 0)
        await (await stores.open(planOf(first))).add({ name: 'a' })
        const renewed = await stores.renewEpoch()
        assert.notEqual(renewed, made)
        assert.equal(stores.epoch, renewed)
        await stores.close()
        const again = await bench.open()
        if (!engine.survives) {
          assert.notEqual(again.epoch, renewed)
          return
        }
        assert.equal(again.epoch, renewed)
        assert.deepEqual(await (await again.open(planOf(first))).names({}), [{ name: 'a' }])
      }),
    )
  })
}
