import assert from 'node:assert/strict'
import { it } from 'node:test'
import { shortened } from './lists.ts'

it('a list that nobody would read is cut, and says of how many', () => {
  const names = Array.from({ length: 10_000 }, (_, n) => `host${n}`)
  assert.deepEqual(shortened(names.slice(0, 100)), names.slice(0, 100))
  assert.deepEqual(shortened(names, 2), ['host0', 'host1', 'and 9,998 more'])
  assert.equal(shortened(names).length, 101)
})
