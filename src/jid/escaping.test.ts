import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { escapeLocal, prepLocal, unescapeLocal } from './index.ts'

// XEP-0106 sections 3 to 5: what a person sees, and the localpart on the wire.
const ROWS: readonly [string, string][] = [
  ['space cadet', 'space\\20cadet'],
  ['call me "ishmael"', 'call\\20me\\20\\22ishmael\\22'],
  ['at&t guy', 'at\\26t\\20guy'],
  ["d'artagnan", 'd\\27artagnan'],
  ['/.fanboy', '\\2f.fanboy'],
  ['::foo::', '\\3a\\3afoo\\3a\\3a'],
  ['<foo>', '\\3cfoo\\3e'],
  ['user@host', 'user\\40host'],
  ['c:\\net', 'c\\3a\\net'],
  ['c:\\\\net', 'c\\3a\\\\net'],
  ['c:\\cool stuff', 'c\\3a\\cool\\20stuff'],
  ['c:\\5commas', 'c\\3a\\5c5commas'],
  ['\\3and\\2is\\5cool', '\\5c3and\\2is\\5c5cool'],
  ['\\2plus\\2is\\4', '\\2plus\\2is\\4'],
  ['foo\\bar', 'foo\\bar'],
  ['foob\\41r', 'foob\\41r'],
]

test('the examples of XEP-0106, both ways', () => {
  for (const [shown, wire] of ROWS) {
    assert.equal(escapeLocal(shown), wire)
    assert.equal(unescapeLocal(wire), shown)
    assert.equal(prepLocal(wire), wire, 'the escaped form is a localpart')
  }
})

test('a space at either end has no escaped form and is not unescaped (section 4.1, rule 6)', () => {
  for (const text of [' a', 'a ', ' ']) assert.equal(escapeLocal(text), undefined)
  for (const wire of ['\\20a', 'a\\20', '\\20']) assert.equal(unescapeLocal(wire), wire)
})

test('case is significant', () => {
  assert.equal(unescapeLocal('a\\2Fb'), 'a\\2Fb')
})

test('property: unescaping undoes escaping', () => {
  const text = fc.string({ unit: fc.constantFrom(...'a25c07fe\\ "&\'/:<>@'), maxLength: 20 })
  fc.assert(
    fc.property(text, (shown) => {
      const wire = escapeLocal(shown)
      if (wire === undefined) return
      assert.ok(!/[ "&'/:<>@]/.test(wire))
      assert.equal(unescapeLocal(wire), shown)
    }),
    { numRuns: 3000 },
  )
})
