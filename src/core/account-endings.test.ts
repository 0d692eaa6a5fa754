import assert from 'node:assert/strict'
import { it } from 'node:test'
import { AccountEndings, endingsKept } from './account-endings.ts'
import { bench } from './core.testing.ts'

it('endings of accounts are remembered by account, and what is forgotten counts against everybody from before it', () => {
  const { core } = bench(['montague.net', 'capulet.com'])
  const [host, other] = [core.host('montague.net'), core.host('capulet.com')]
  assert.ok(host !== undefined && other !== undefined)
  const endings = new AccountEndings()
  const before = endings.count
  assert.equal(endings.since(before, host, 'romeo'), false)
  endings.note(host, 'romeo')
  assert.equal(endings.since(before, host, 'romeo'), true)
  assert.equal(endings.since(before, host, 'juliet'), false)
  assert.equal(endings.since(before, other, 'romeo'), false)
  const between = endings.count
  assert.equal(endings.since(between, host, 'romeo'), false, 'who signed in afterwards is another')
  for (let n = 0; n < endingsKept - 1; n++) endings.note(host, `n${n}`)
  assert.equal(endings.since(before, host, 'romeo'), true)
  assert.equal(endings.since(before, host, 'juliet'), false, 'all are remembered still')
  endings.note(host, 'one-more')
  assert.equal(endings.since(before, host, 'romeo'), true)
  assert.equal(endings.since(before, host, 'juliet'), true, 'nobody can tell any more')
  assert.equal(endings.since(between, host, 'juliet'), false)
  assert.equal(endings.since(between, host, 'n0'), true)
})
