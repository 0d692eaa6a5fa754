/** Copying between engines, here from SQLite to SQLite; `postgres/copy.real.ts` has PostgreSQL on either side. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accounts } from './accounts.ts'
import { codeOf, HandClock, testWorld } from './contract/harness.test.ts'
import { definitions, fill, samples } from './copy.testing.ts'
import { copyStores } from './copy.ts'
import { defineStore, many, nullable, text } from './define.ts'
import { openSqlite } from './index.ts'

const open = () => openSqlite(testWorld(new HandClock()), { path: ':memory:' })

test('every row arrives with every type; the copy has an epoch of its own', async () => {
  const [from, to] = [await open(), await open()]
  await fill(from)
  const before = to.epoch
  assert.deepEqual(await copyStores(from, to, definitions), [
    { store: 'sample', table: 'sample', rows: 250 },
    { store: 'account', table: 'account', rows: 120 },
    { store: 'account', table: 'account_credential', rows: 120 },
  ])
  assert.notEqual(to.epoch, before)
  assert.deepEqual(await (await to.open(samples)).all({}), await (await from.open(samples)).all({}))
  const store = await to.open(accounts)
  assert.deepEqual(await store.credentials({ host: 'example.org', name: 'user7' }), [
    { mechanism: 'PLAIN', parameters: '', value: Uint8Array.of(7) },
  ])
  await Promise.all([from.close(), to.close()])
})

test('nothing is copied over what is there, and nothing is left behind without a word', async () => {
  const [from, to] = [await open(), await open()]
  await fill(from)
  assert.equal(await codeOf(copyStores(from, to, [accounts])), 'RTK_STORE_DEFINITION')
  assert.equal((await copyStores(from, to, [accounts], { without: ['sample'] })).length, 2)
  assert.equal(await codeOf(copyStores(from, to, definitions)), 'RTK_STORE_NOT_EMPTY')
  assert.deepEqual(await (await to.open(samples)).all({}), [], 'it was found out before the first row')
  await Promise.all([from.close(), to.close()])
})

test('a table without a primary key, or with a type that is not of the common ones, is refused', async () => {
  const [from, to] = [await open(), await open()]
  for (const [name, ddl] of [
    ['keyless', 'create table keyless (a text)'],
    ['odd', 'create table odd (a varchar(3) primary key)'],
  ] as const) {
    const definition = defineStore({
      name,
      migrations: [{ version: 1, name: 'first', up: [ddl] }],
      operations: { all: many({}, { a: nullable(text) }, `select a from ${name}`) },
    })
    const without = ['keyless'].filter((other) => other !== name)
    assert.equal(await codeOf(copyStores(from, to, [definition], { without })), 'RTK_STORE_DEFINITION')
  }
  await Promise.all([from.close(), to.close()])
})
