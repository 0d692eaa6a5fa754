/** How statements are prepared for SQLite. */
import assert from 'node:assert/strict'
import { constants, DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { defineStore, integer, many } from '../define.ts'
import { storeData } from '../wire.ts'
import { prepare } from './prepared.ts'

const numbers = defineStore({
  name: 'number',
  migrations: [{ version: 1, name: 'first', up: ['create table number (n bigint primary key)'] }],
  operations: {
    page: many(
      { after: integer, limit: integer },
      { n: integer },
      'select n from number where n > :after order by n limit :limit',
    ),
  },
})

test('a page is planned once, whatever its limit', () => {
  const database = new DatabaseSync(':memory:')
  database.exec('create table number (n bigint primary key); insert into number values (1), (2), (3), (4)')
  let plans = 0
  database.setAuthorizer((action) => {
    // The beginning of a plan.
    if (action === constants.SQLITE_SELECT) plans++
    return constants.SQLITE_OK
  })
  const [page] = storeData(numbers, 'sqlite', 0).operations
  assert.ok(page)
  const [statement] = prepare(database, 'number', page).statements
  const read = (limit: bigint) => statement?.statement.all(1n, limit).flat()
  assert.deepEqual([read(2n), read(2n), read(1n), read(0n)], [[2, 3], [2, 3], [2], []])
  assert.equal(plans, 1)
  database.close()
})
