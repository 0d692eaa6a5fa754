/** XEP-0016 §2.1: which rule decides, against a reading of the XEP as plain as can be; and what is kept of a list. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Traffic } from '../../core/services/privacy.ts'
import type { RosterItem, Subscription } from '../../core/services/roster.ts'
import { type Jid, jid } from '../../jid/jid.ts'
import { blocks, CompiledList, decodeRules, denies, encodeRules, isBlock, type Rule, ruleKinds } from './rules.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'

const addresses = [
  'juliet@capulet.com/balcony',
  'juliet@capulet.com/tomb',
  'juliet@capulet.com',
  'nurse@capulet.com',
  'nurse@capulet.com/balcony',
  'capulet.com/balcony',
  'capulet.com',
  'verona.example',
  'juliet@verona.example',
]
const groups = ['Friends', 'Enemies']
const subscriptions: readonly Subscription[] = ['both', 'from', 'none', 'to']
const traffics: readonly Traffic[] = ['message-in', 'iq-in', 'presence-in', 'presence-out', 'other']

const about = {
  deny: fc.boolean(),
  order: fc.nat(1_000_000),
  kinds: fc.uniqueArray(fc.constantFrom(...ruleKinds), { maxLength: 4 }),
}
const rule: fc.Arbitrary<Rule> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('jid' as const), value: fc.constantFrom(...addresses), ...about }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('group' as const), value: fc.constantFrom(...groups), ...about }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('subscription' as const),
      value: fc.constantFrom(...subscriptions),
      ...about,
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('' as const), value: fc.constant(''), ...about }) },
)
const rules = fc.uniqueArray(rule, { maxLength: 12, selector: (one) => one.order })

/** §2.1, word by word. */
function matches(one: Rule, peer: Jid, item: RosterItem | null): boolean {
  if (one.type === '') return true
  if (one.type === 'subscription') return one.value === (item?.subscription ?? 'none')
  if (one.type === 'group') return item?.groups.includes(one.value) === true
  const value = jid(one.value)
  if (value.local !== '' && value.resource !== '') return peer.equals(value)
  if (value.local !== '') return peer.bare.equals(value)
  if (value.resource !== '')
    return peer.local === '' && peer.domain === value.domain && peer.resource === value.resource
  return peer.domain === value.domain
}

const named: Readonly<Record<Traffic, string>> = {
  'message-in': 'message',
  'iq-in': 'iq',
  'presence-in': 'presence-in',
  'presence-out': 'presence-out',
  other: '',
}

/** §2.2 rules 5 to 7. */
function decides(all: readonly Rule[], traffic: Traffic, peer: Jid, item: RosterItem | null): Rule | undefined {
  return [...all]
    .sort((a, b) => a.order - b.order)
    .find(
      (one) =>
        (one.kinds.length === 0 || (one.kinds as readonly string[]).includes(named[traffic])) &&
        matches(one, peer, item),
    )
}

const itemOf = (peer: Jid, subscription: Subscription, of: readonly string[]): RosterItem => ({
  jid: peer.bare,
  name: '',
  subscription,
  pendingOut: false,
  pendingIn: false,
  listed: true,
  approved: false,
  groups: of,
})

describe('a compiled list (XEP-0016 §2.1, §2.2)', () => {
  it('decides as the XEP does, rule by rule in their order', () => {
    fc.assert(
      fc.property(
        rules,
        fc.constantFrom(...addresses),
        fc.option(fc.record({ subscription: fc.constantFrom(...subscriptions), groups: fc.subarray(groups) })),
        (all, address, known) => {
          const peer = jid(address)
          const item = known === null ? null : itemOf(peer, known.subscription, known.groups)
          const compiled = new CompiledList('test', 1, all)
          for (const traffic of traffics) {
            const expected = decides(all, traffic, peer, item)
            const code = compiled.decide(traffic, peer, item)
            assert.equal(denies(code), expected?.deny === true, traffic)
            assert.equal(blocks(code), expected !== undefined && isBlock(expected), traffic)
          }
        },
      ),
      { numRuns: isLong ? 20_000 : 500 },
    )
  })

  it('finds the one rule among a thousand', () => {
    const many = Array.from(
      { length: 1000 },
      (_, n): Rule => ({ type: 'jid', value: `user${n}@capulet.com`, deny: true, order: n, kinds: [] }),
    )
    const compiled = new CompiledList('test', 1, many)
    assert.ok(denies(compiled.decide('message-in', jid('user999@capulet.com/x'), null)))
    assert.ok(!denies(compiled.decide('message-in', jid('user1000@capulet.com/x'), null)))
    assert.equal(compiled.needsRoster, false)
  })

  it('knows the resources that its rules name', () => {
    const one: Rule = { type: 'jid', value: 'juliet@capulet.com/tomb', deny: true, order: 1, kinds: [] }
    const compiled = new CompiledList('test', 1, [one, { ...one, order: 2, kinds: ['message'] }])
    assert.deepEqual(compiled.resourcesOf(jid('juliet@capulet.com')), ['tomb'])
    assert.deepEqual(compiled.resourcesOf(jid('nurse@capulet.com')), [])
  })
})

describe('a list as it is kept', () => {
  it('comes back as it was', () => {
    fc.assert(
      fc.property(rules, (all) => {
        const back = decodeRules(encodeRules(all))
        const sets = (list: readonly Rule[] | undefined) =>
          list?.map((one) => ({ ...one, kinds: [...one.kinds].sort() })).sort((a, b) => a.order - b.order)
        assert.deepEqual(sets(back), sets(all))
      }),
      { numRuns: 200 },
    )
  })

  for (const text of [
    '',
    '{}',
    'null',
    '[1]',
    '[[]]',
    '[["jid","@",1,1]]',
    '[["jid","a@b.example",2,1]]',
    '[["jid","a@b.example",1,-1]]',
    '[["jid","a@b.example",1,1.5]]',
    '[["jid","a@b.example",1,4294967296]]',
    '[["jid","a@b.example",1,1,"presence"]]',
    '[["jid","a@b.example",1,1,"iq","iq"]]',
    '[["jid","a@b.example",1,1],["jid","b@b.example",1,1]]',
    '[["subscription","sometimes",1,1]]',
    '[["all","",1,1]]',
    '[["group",5,1,1]]',
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => assert.equal(decodeRules(text), undefined))
  }
})
