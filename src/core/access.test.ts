/** What a rule can say of somebody who has not signed in: nothing that it takes back at his sign-in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jid } from '../jid/jid.ts'
import { type AccessLine, AccessRule, type Matcher, prospectOf } from './access.ts'
import { parseNetwork } from './network.ts'

const network = (text: string) => parseNetwork(text) ?? assert.fail(text)
const users = ['a@one.example', 'b@one.example', 'c@two.example'].map((text) => jid(text))
const hosts = ['one.example', 'two.example']
const addresses = ['192.0.2.1', '198.51.100.1', '']

const leaf: fc.Arbitrary<Matcher> = fc.constantFrom<Matcher>(
  { kind: 'all' },
  { kind: 'unix' },
  { kind: 'anonymous' },
  { kind: 'address', networks: [network('192.0.2.0/24')] },
  { kind: 'user', jids: new Set(['a@one.example']) },
  { kind: 'host', hosts: new Set(['one.example']) },
  { kind: 'domain', globs: [], exact: new Set(['two.example']) },
)

function matcher(depth: number): fc.Arbitrary<Matcher> {
  if (depth === 0) return leaf
  const parts = fc.array(matcher(depth - 1), { minLength: 1, maxLength: 3 })
  return fc.oneof(
    leaf,
    fc.record({ kind: fc.constantFrom('every' as const, 'some' as const), of: parts }),
    rule(depth - 1).map((made) => ({ kind: 'rule' as const, rule: made })),
  )
}

function rule(depth: number): fc.Arbitrary<AccessRule> {
  const line: fc.Arbitrary<AccessLine> = fc.record({
    allow: fc.boolean(),
    matcher: matcher(depth),
    source: fc.constant(''),
  })
  return fc.array(line, { maxLength: 4 }).map((lines) => new AccessRule('any', lines))
}

test('a prospect of yes or no is kept for every user and host; rules of one condition tell exactly', () => {
  const seen = { yes: 0, no: 0, maybe: 0 }
  fc.assert(
    fc.property(rule(2), fc.constantFrom(...addresses), (made, address) => {
      const prospect = prospectOf(made, address)
      seen[prospect]++
      if (prospect === 'maybe') return
      for (const one of users) {
        for (const host of hosts) {
          for (const anonymous of [true, false]) {
            assert.equal(made.allows({ jid: one, host, address, anonymous }), prospect === 'yes')
          }
        }
      }
    }),
    { numRuns: 2_000 },
  )
  for (const [prospect, count] of Object.entries(seen)) assert.ok(count > 100, `${prospect}: ${count}`)

  const of = (...lines: readonly (readonly [boolean, Matcher])[]) =>
    new AccessRule(
      'one',
      lines.map(([allow, made]) => ({ allow, matcher: made, source: '' })),
    )
  const a: Matcher = { kind: 'user', jids: new Set(['a@one.example']) }
  const all: Matcher = { kind: 'all' }
  const near: Matcher = { kind: 'address', networks: [network('192.0.2.0/24')] }
  for (const [made, expected] of [
    [of(), 'no'],
    [of([true, all]), 'yes'],
    [of([true, a]), 'maybe'],
    [of([false, a]), 'no'],
    [of([false, a], [true, all]), 'maybe'],
    [of([true, a], [true, all]), 'yes'],
    [of([true, near], [true, a]), 'yes'],
    [of([false, near], [true, a]), 'no'],
    [of([true, { kind: 'every', of: [near, a] }]), 'maybe'],
    [of([true, { kind: 'rule', rule: of([false, a], [true, all]) }]), 'maybe'],
    [of([false, { kind: 'rule', rule: of([true, a]) }], [true, all]), 'maybe'],
  ] as const) {
    assert.equal(prospectOf(made, '192.0.2.1'), expected)
  }
})
