/** What disco tells of a host is the same array while nothing comes or goes, so that what is made of it can be kept. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { FeatureTable } from './features.ts'

it('features are sorted, and made anew only when one comes or goes', () => {
  const table = new FeatureTable()
  table.add('host', 'b')
  const gone = table.add('host', 'a')
  const again = table.add('host', 'a')
  const before = table.list('host')
  assert.deepEqual(before, ['a', 'b'])
  table.add('account', 'c')
  assert.equal(table.list('host'), before)
  gone()
  assert.deepEqual(table.list('host'), ['a', 'b'])
  again()
  again()
  assert.deepEqual(table.list('host'), ['b'])
  assert.deepEqual(before, ['a', 'b'])
})

it('of two identities that are equal each goes by itself', () => {
  const table = new FeatureTable()
  const identity = { category: 'server', type: 'im' }
  const [first] = [table.addIdentity('host', identity), table.addIdentity('host', identity)]
  const before = table.identities('host')
  assert.equal(table.identities('host'), before)
  first()
  first()
  assert.deepEqual(table.identities('host'), [identity])
  assert.deepEqual(before, [identity, identity])
})
