// needs: postgresql
/** Copying from SQLite to PostgreSQL, back, and comparing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Place } from '../../../tools/real/foreign.ts'
import { RealPostgres } from '../../../tools/real/postgres.ts'
import { accounts } from '../accounts.ts'
import { HandClock, testWorld } from '../contract/harness.test.ts'
import { definitions, fill, samples } from '../copy.testing.ts'
import { copyStores } from '../copy.ts'
import { openPostgres, openSqlite } from '../index.ts'

test('SQLite to PostgreSQL and back: the same rows, of every type', async () => {
  await using place = new Place('copy')
  const server = await RealPostgres.start(place)
  const world = testWorld(new HandClock())
  const open = () => openSqlite(world, { path: ':memory:' })
  const [from, back] = [await open(), await open()]
  const middle = await openPostgres(world, {
    servers: [server.address(await server.database())],
    password: server.password,
    tls: 'off',
  })
  await fill(from)
  const there = await copyStores(from, middle, definitions)
  assert.deepEqual(
    there.map(({ table, rows }) => [table, rows]),
    [
      ['sample', 250],
      ['account', 120],
      ['account_credential', 120],
    ],
  )
  assert.deepEqual(await copyStores(middle, back, definitions), there)
  assert.deepEqual(await (await back.open(samples)).all({}), await (await from.open(samples)).all({}))
  assert.deepEqual(
    await (await back.open(accounts)).list({ host: 'example.org', after: '', limit: 1000 }),
    await (await from.open(accounts)).list({ host: 'example.org', after: '', limit: 1000 }),
  )
  for (const stores of [from, middle, back]) await stores.close()
  await server.stop()
})
