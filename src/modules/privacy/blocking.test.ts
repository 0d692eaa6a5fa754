/** XEP-0191 §3: the blocklist and its pushes; §5: the blocklist and the default privacy list are one. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Element } from '../../xml/element.types.ts'
import type { Actor } from '../modules.testing.ts'
import {
  active,
  block,
  blocklist,
  byDefault,
  granted,
  list,
  names,
  romeo,
  scene,
  seen,
  told,
  unblock,
} from './privacy.testing.ts'

const NS = 'urn:xmpp:blocking'
const PRIVACY = 'jabber:iq:privacy'

const addresses = (el: Element | undefined) => el?.elements.map((item) => item.attr('jid') ?? '') ?? []

async function blocked(actor: Actor): Promise<string[]> {
  const answer = await actor.ask('get', blocklist)
  const payload = answer.child('blocklist', NS)
  assert.ok(payload !== undefined, told(answer))
  return addresses(payload)
}

/** Block pushes: `block a b`, `unblock`. */
function pushes(stanzas: readonly Element[]): string[] {
  return stanzas.flatMap((el) => {
    const [payload] = el.elements
    if (el.name !== 'iq' || el.attr('type') !== 'set' || payload?.ns !== NS) return []
    assert.equal(el.attr('from'), romeo)
    return [[payload.name, ...addresses(payload)].join(' ')]
  })
}

async function rules(actor: Actor, name: string): Promise<string[]> {
  const answer = await actor.ask('get', `<query xmlns='${PRIVACY}'><list name='${name}'/></query>`)
  const [element] = answer.elements[0]?.elements ?? []
  return (element?.elements ?? []).map((item) =>
    [item.attr('order'), item.attr('action'), item.attr('value'), ...item.elements.map((kind) => kind.name)].join(' '),
  )
}

async function listNames(actor: Actor): Promise<string[]> {
  const answer = await actor.ask('get', names)
  return (answer.elements[0]?.elements ?? []).map((el) => `${el.name} ${el.attr('name')}`)
}

describe('the blocklist (§3.2 to §3.5)', () => {
  it('is empty at first; grows and shrinks by commands; unblocked all, it is empty again', async () => {
    const { one } = await scene()
    assert.deepEqual(await blocked(one), [])
    await granted(one, block('Romeo@Montague.Lit'))
    await granted(one, block('iago@shakespeare.lit', 'romeo@montague.lit', 'iago@shakespeare.lit', 'shakespeare.lit/x'))
    assert.deepEqual(await blocked(one), ['romeo@montague.lit', 'iago@shakespeare.lit', 'shakespeare.lit/x'])
    await granted(one, unblock('romeo@montague.lit', 'never@blocked.lit'))
    assert.deepEqual(await blocked(one), ['iago@shakespeare.lit', 'shakespeare.lit/x'])
    await granted(one, unblock())
    assert.deepEqual(await blocked(one), [])
    await granted(one, unblock())
  })

  it('outlives sessions (§3.3)', async () => {
    const { house, one } = await scene()
    await granted(one, block('a@b.lit'))
    one.drop()
    const later = await house.online(`${romeo}/later`)
    assert.deepEqual(await blocked(later), ['a@b.lit'])
  })

  it('each command is pushed to the resources that have asked for the blocklist, the asking one too', async () => {
    const { house, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    const never = await house.online(`${romeo}/never`)
    await blocked(one)
    await blocked(two)
    for (const actor of [one, two, never]) await actor.drain()
    for (const [payload, push] of [
      [block('a@b.lit', 'b@b.lit'), 'block a@b.lit b@b.lit'],
      [block('a@b.lit'), 'block a@b.lit'],
      [unblock('b@b.lit'), 'unblock b@b.lit'],
      [unblock(), 'unblock'],
    ] as const) {
      await granted(never, payload)
      assert.deepEqual(pushes(await one.drain()), [push])
      assert.deepEqual(pushes(await two.drain()), [push])
      assert.deepEqual(pushes(await never.drain()), [])
    }
  })

  const wrong: readonly (readonly [string, string, string])[] = [
    ['a block of nobody', block(), 'bad-request'],
    ['an item without a jid', `<block xmlns='${NS}'><item/></block>`, 'bad-request'],
    ['an item that is no address', block('a@b.lit', '@'), 'jid-malformed'],
    ['an item of another namespace', `<block xmlns='${NS}'><item xmlns='urn:x' jid='a@b.lit'/></block>`, 'bad-request'],
    ['an unblock of an item without a jid', `<unblock xmlns='${NS}'><item/></unblock>`, 'bad-request'],
    ['an unblock of something else, which is none of all', `<unblock xmlns='${NS}'><x/></unblock>`, 'bad-request'],
    ['an unblock of no address', unblock('@'), 'jid-malformed'],
  ]
  for (const [name, payload, condition] of wrong) {
    it(`${name}: ${condition}, and nothing changes`, async () => {
      const { one } = await scene()
      await granted(one, block('before@b.lit'))
      await blocked(one)
      await one.drain()
      assert.equal(told(await one.ask('set', payload)), condition)
      assert.deepEqual(pushes(await one.drain()), [])
      assert.deepEqual(await blocked(one), ['before@b.lit'])
    })
  }

  it("nobody else's, whether the account exists or not", async () => {
    const { house, one } = await scene({ accounts: [romeo, 'juliet@capulet.com'] })
    const juliet = await house.online('juliet@capulet.com/x')
    for (const to of [romeo, 'nobody@montague.net']) {
      assert.equal(told(await juliet.ask('get', blocklist, to)), 'forbidden')
      assert.equal(told(await juliet.ask('set', block('a@b.lit'), to)), 'forbidden')
      assert.equal(told(await juliet.ask('set', unblock(), to)), 'forbidden')
    }
    assert.deepEqual(await blocked(one), [])
  })

  it('unblocked, stanzas come again (§3.4, §3.5)', async () => {
    const { elsewhere, one } = await scene()
    const say = async () => {
      await one.drain()
      elsewhere.send(`<message from='a@b.lit/x' to='${romeo}'><body>x</body></message>`)
      return seen(await one.drain()).length
    }
    for (const payload of [unblock('a@b.lit'), unblock()]) {
      await granted(one, block('a@b.lit'))
      assert.equal(await say(), 0)
      await granted(one, payload)
      assert.equal(await say(), 1)
    }
  })
})

describe('SES-04: the blocklist and the default list (§5)', () => {
  it('1: without another default list a block makes one, which goes with its last rule', async () => {
    const { one } = await scene()
    await granted(one, list('blocklist', 'allow'))
    await granted(one, block('a@b.lit'))
    assert.deepEqual(await listNames(one), ['default blocklist-2', 'list blocklist', 'list blocklist-2'])
    assert.deepEqual(await rules(one, 'blocklist-2'), ['1 deny a@b.lit'])
    await granted(one, unblock('a@b.lit'))
    assert.deepEqual(await listNames(one), ['list blocklist'])
  })

  it('blocked addresses come first, and the others keep their order', async () => {
    const { one } = await scene()
    await granted(
      one,
      list('mine', 'allow jid nurse@b.lit', 'deny jid a@b.lit', 'deny jid b@b.lit message', 'deny subscription none'),
    )
    await granted(one, byDefault('mine'))
    assert.deepEqual(await blocked(one), ['a@b.lit'], 'what blocks a part blocks nobody')
    await granted(one, block('b@b.lit', 'nurse@b.lit'))
    assert.deepEqual(await rules(one, 'mine'), [
      '1 deny b@b.lit',
      '2 deny nurse@b.lit',
      '3 allow nurse@b.lit',
      '4 deny a@b.lit',
      '5 deny b@b.lit message',
      '6 deny none',
    ])
    // One that stands behind another rule is blocked for good.
    await granted(one, block('a@b.lit'))
    assert.deepEqual((await rules(one, 'mine')).slice(0, 4), [
      '1 deny b@b.lit',
      '2 deny nurse@b.lit',
      '3 deny a@b.lit',
      '4 allow nurse@b.lit',
    ])
    await granted(one, unblock())
    assert.deepEqual(
      (await rules(one, 'mine')).map((text) => text.slice(2)),
      ['allow nurse@b.lit', 'deny b@b.lit message', 'deny none'],
    )
    assert.deepEqual(await listNames(one), ['default mine', 'list mine'], 'it is not ours to take away')
  })

  it('places are taken where there is room, and made where there is none', async () => {
    const { one } = await scene()
    const at = (order: number) =>
      `<query xmlns='${PRIVACY}'><list name='mine'><item action='deny' type='jid' value='a@b.lit' order='${order}'/><item action='allow' order='${order + 2}'/></list></query>`
    for (const [order, expected] of [
      [7, ['7 deny a@b.lit', '8 deny b@b.lit', '9 allow ']],
      [4_294_967_293, ['4294967293 deny a@b.lit', '4294967294 deny b@b.lit', '4294967295 allow ']],
    ] as const) {
      await granted(one, at(order))
      await granted(one, byDefault('mine'))
      await granted(one, block('b@b.lit'))
      assert.deepEqual(await rules(one, 'mine'), expected)
    }
    await granted(one, block('c@b.lit'))
    assert.deepEqual(await rules(one, 'mine'), ['1 deny a@b.lit', '2 deny b@b.lit', '3 deny c@b.lit', '4 allow '])
  })

  it('2: what another client changes in the default list is pushed as blocked and unblocked', async () => {
    const { house, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await granted(one, block('a@b.lit', 'b@b.lit'))
    await blocked(one)
    await one.drain()
    await granted(two, list('blocklist', 'deny jid b@b.lit', 'deny jid c@b.lit'))
    assert.deepEqual(pushes(await one.drain()), ['unblock a@b.lit', 'block c@b.lit'])
    assert.deepEqual(await blocked(one), ['b@b.lit', 'c@b.lit'])
  })

  it('3: what is no blocked address is not in the blocklist, and no push tells of it', async () => {
    const { one } = await scene()
    await granted(one, block('a@b.lit'))
    await blocked(one)
    await one.drain()
    await granted(one, list('blocklist', 'deny jid a@b.lit', 'deny jid c@b.lit iq', 'allow jid d@b.lit', 'deny'))
    assert.deepEqual(pushes(await one.drain()), [])
    assert.deepEqual(await blocked(one), ['a@b.lit'])
  })

  it('4: another default list has another blocklist', async () => {
    const { one } = await scene()
    await granted(one, block('a@b.lit'))
    await granted(one, list('other', 'deny jid c@b.lit', 'allow'))
    await blocked(one)
    await one.drain()
    await granted(one, byDefault('other'))
    assert.deepEqual(pushes(await one.drain()), ['unblock a@b.lit', 'block c@b.lit'])
    assert.deepEqual(await blocked(one), ['c@b.lit'])
    await granted(one, byDefault())
    assert.deepEqual(await blocked(one), [])
  })

  it('a block counts for the default list, whatever list is active', async () => {
    const { one } = await scene()
    await granted(one, list('mine', 'allow'))
    await granted(one, active('mine'))
    await granted(one, block('a@b.lit'))
    assert.deepEqual(await rules(one, 'mine'), ['1 allow '])
    assert.deepEqual(await blocked(one), ['a@b.lit'])
  })

  it('a change by command is pushed as one of the list to all connected resources (XEP-0016 §2.2 rule 10)', async () => {
    const { house, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await one.drain()
    const lists = async () =>
      (await two.drain()).flatMap((el) =>
        el.elements[0]?.ns === PRIVACY ? [el.elements[0].elements[0]?.attr('name')] : [],
      )
    await granted(one, block('a@b.lit'))
    assert.deepEqual(await lists(), ['blocklist'])
    await granted(one, block('a@b.lit'))
    assert.deepEqual(await lists(), [], 'nothing has changed')
    await granted(one, unblock())
    assert.deepEqual(await lists(), ['blocklist'])
  })

  it('an emptied default list that a resource has chosen stays', async () => {
    const { one } = await scene()
    await granted(one, block('a@b.lit'))
    await granted(one, active('blocklist'))
    await granted(one, unblock())
    assert.deepEqual(await listNames(one), ['active blocklist', 'default blocklist', 'list blocklist'])
  })
})
