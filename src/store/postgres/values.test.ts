import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ColumnKind } from '../columns.ts'
import type { FieldData, WireValue } from '../wire.ts'
import { fromPostgres, toArray, toPostgres } from './values.ts'

const field = (kind: ColumnKind, nullable = false): FieldData => ({ name: 'f', kind, nullable })

test('values go in as text, bytes in binary form', () => {
  const sent: [ColumnKind, WireValue, unknown][] = [
    ['text', 'Žluť', 'Žluť'],
    ['integer', -7, '-7'],
    ['bigint', 2n ** 63n - 1n, '9223372036854775807'],
    ['real', Number.POSITIVE_INFINITY, 'Infinity'],
    ['boolean', true, 't'],
    ['boolean', false, 'f'],
    ['octets', 'a\xff', Buffer.of(0x61, 0xff)],
    ['text', null, null],
  ]
  for (const [kind, value, expected] of sent) assert.deepEqual(toPostgres(field(kind), value), expected)
})

test('a column of items becomes an array in binary form (array_recv)', () => {
  // Two fields an item: each second value.
  const batch: WireValue[] = ['a', 1, null, 2, 'ů', 3]
  const header = (isNull: number, oid: number, count: number) =>
    [1, isNull, oid, count, 1].flatMap((word) => [0, 0, word >> 8, word & 0xff])
  assert.deepEqual(
    [...toArray(field('text', true), batch, 0, 2, 3)],
    [...header(1, 25, 3), 0, 0, 0, 1, 0x61, 255, 255, 255, 255, 0, 0, 0, 2, 0xc5, 0xaf],
  )
  const eight = (last: number) => [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, last]
  assert.deepEqual(
    [...toArray(field('integer'), batch, 1, 2, 3)],
    [...header(0, 20, 3), ...eight(1), ...eight(2), ...eight(3)],
  )
  assert.deepEqual([...toArray(field('text'), [], 0, 1, 0)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25])
})

test('values come back as text and are checked against the type that the server names', () => {
  assert.equal(fromPostgres(field('integer'), 1700, '12'), 12)
  assert.equal(fromPostgres(field('bigint'), 20, '9223372036854775807'), 2n ** 63n - 1n)
  assert.equal(fromPostgres(field('real'), 701, '1.5e+300'), 1.5e300)
  assert.equal(fromPostgres(field('boolean'), 16, 'f'), false)
  assert.equal(fromPostgres(field('boolean'), 23, '1'), true)
  assert.equal(fromPostgres(field('octets'), 17, '\\x61ff'), 'a\xff')
  assert.equal(fromPostgres(field('text', true), 25, null), null)
  const wrong: [ColumnKind, number, string | null][] = [
    ['integer', 25, '12'],
    ['integer', 1700, '1.5'],
    ['integer', 20, '9223372036854775807'],
    ['text', 20, '12'],
    ['boolean', 23, '2'],
    ['bytes', 25, '\\x61'],
    ['text', 25, null],
  ]
  for (const [kind, oid, value] of wrong) {
    assert.throws(() => fromPostgres(field(kind), oid, value), { code: 'RTK_STORE_ROW' }, `${kind} ${oid} ${value}`)
  }
})
