import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contactsOf } from './contacts.ts'
import type { Accounts } from './peer.ts'
import { userName } from './scram.ts'

test('rosters are symmetric, of the size that was asked for, and nobody is his own contact', () => {
  for (const [count, contacts] of [
    [1000, 50],
    [120, 50],
    [24, 6],
    [51, 50],
  ] as const) {
    const accounts: Accounts = { prefix: 'u', count, password: '', contacts }
    const rosters = Array.from({ length: count }, (_, index) => new Set(contactsOf(accounts, 'a.b', index)))
    for (const [index, roster] of rosters.entries()) {
      const own = `${userName(accounts, index)}@a.b`
      assert.equal(roster.size, contacts, `${count}: each once`)
      assert.ok(!roster.has(own))
      for (const contact of roster) assert.ok(rosters[Number(contact.slice(1, 6))]?.has(own), `${contact} knows ${own}`)
    }
  }
})

test('an odd number, or more than there are others, is refused', () => {
  const accounts: Accounts = { prefix: 'u', count: 10, password: '' }
  assert.deepEqual(contactsOf(accounts, 'a.b', 0), [])
  assert.throws(() => contactsOf({ ...accounts, contacts: 3 }, 'a.b', 0), /3 contacts among 10/)
  assert.throws(() => contactsOf({ ...accounts, contacts: 10 }, 'a.b', 0), /10 contacts among 10/)
})
