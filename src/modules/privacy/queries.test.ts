/** XEP-0016 §2.1 to §2.8: what clients may ask of their lists, and what they are told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, House } from '../modules.testing.ts'
import {
  activate,
  active,
  byDefault,
  granted,
  items,
  knows,
  list,
  NS,
  names,
  romeo,
  scene,
  seen,
  told,
} from './privacy.testing.ts'

const query = (content: string) => `<query xmlns='${NS}'>${content}</query>`
const text = (el: Element) => {
  const about = el.attrs.map(({ name, value }) => `${name}=${value}`).join(' ')
  return [el.name, about, ...el.elements.map((child) => child.name)].filter((part) => part !== '').join(' ')
}

async function namesOf(actor: Actor): Promise<string[]> {
  return (await actor.ask('get', names)).elements[0]?.elements.map(text) ?? []
}

async function itemsOf(actor: Actor, name: string): Promise<string[]> {
  const answer = await actor.ask('get', query(`<list name='${name}'/>`))
  const [element] = answer.elements[0]?.elements ?? []
  assert.equal(element?.attr('name'), name, told(answer))
  return element?.elements.map(text) ?? []
}

/** List pushes, by the name in them. */
function pushes(stanzas: readonly Element[]): string[] {
  return stanzas.flatMap((el) => {
    const [payload] = el.elements
    if (el.name !== 'iq' || el.attr('type') !== 'set' || payload?.ns !== NS) return []
    assert.equal(el.attr('from'), romeo)
    assert.deepEqual(
      payload.elements.map((child) => child.elements.length),
      [0],
      'no more than the name',
    )
    return [payload.elements[0]?.attr('name') ?? '']
  })
}

describe('reading (§2.3)', () => {
  it('names come after the active and the default list; a list comes in its order', async () => {
    const { one } = await scene()
    assert.deepEqual(await namesOf(one), [])
    await granted(one, list('public', 'deny jid tybalt@example.com', 'allow'))
    await granted(one, list('private', 'allow subscription both', 'deny'))
    await granted(
      one,
      query(
        `<list name='special'><item action='deny' order='666'/>
        <item type='jid' value='Juliet@Example.com' action='allow' order='6'><iq/><message/></item></list>`.replace(
          /\s*\n\s*/g,
          '',
        ),
      ),
    )
    await granted(one, active('private'))
    await granted(one, byDefault('public'))
    assert.deepEqual(await namesOf(one), [
      'active name=private',
      'default name=public',
      'list name=private',
      'list name=public',
      'list name=special',
    ])
    assert.deepEqual(await itemsOf(one, 'public'), [
      'item type=jid value=tybalt@example.com action=deny order=1',
      'item action=allow order=2',
    ])
    assert.deepEqual(await itemsOf(one, 'special'), [
      'item type=jid value=juliet@example.com action=allow order=6 message iq',
      'item action=deny order=666',
    ])
  })

  const gets: readonly (readonly [string, string, string])[] = [
    ['a list that is not there', `<list name='The Empty Set'/>`, 'item-not-found'],
    ['two lists', `<list name='public'/><list name='private'/>`, 'bad-request'],
    ['a list without a name', '<list/>', 'bad-request'],
    ['the active list', `<active/>`, 'bad-request'],
    ['a list of another namespace', `<list xmlns='urn:x' name='public'/>`, 'bad-request'],
  ]
  for (const [name, content, condition] of gets) {
    it(`${name}: ${condition}`, async () => {
      const { one } = await scene()
      await granted(one, list('public', 'allow'))
      assert.equal(told(await one.ask('get', query(content))), condition)
    })
  }

  it("nobody else's lists, whether the account exists or not", async () => {
    const { house, one } = await scene({ accounts: [romeo, 'juliet@capulet.com'] })
    const juliet = await house.online('juliet@capulet.com/x')
    for (const to of [romeo, 'nobody@montague.net']) {
      for (const payload of [names, list('x', 'allow'), active('x')]) {
        const type = payload === names ? 'get' : 'set'
        assert.equal(told(await juliet.ask(type, payload, to)), 'forbidden', `${to} ${payload}`)
      }
    }
    assert.deepEqual(await namesOf(one), [])
  })
})

describe('what is no list (§2.1)', () => {
  const item = (more: string, children = '') => `<list name='a'><item ${more}>${children}</item></list>`
  const rows: readonly (readonly [string, string, string])[] = [
    ['nothing', '', 'bad-request'],
    ['two lists', `<list name='a'>${items('allow')}</list><list name='b'>${items('allow')}</list>`, 'bad-request'],
    ['active and default', `<active name='a'/><default name='a'/>`, 'bad-request'],
    ['an unknown element', `<passive name='a'/>`, 'bad-request'],
    ['a list without a name', `<list>${items('allow')}</list>`, 'bad-request'],
    ['a list with an empty name', `<list name=''>${items('allow')}</list>`, 'bad-request'],
    ['an active list with an empty name', `<active name=''/>`, 'bad-request'],
    ['an active list with content', `<active name='a'><item/></active>`, 'bad-request'],
    ['no action', item(`order='1'`), 'bad-request'],
    ['an unknown action', item(`action='maybe' order='1'`), 'bad-request'],
    ['no order', item(`action='deny'`), 'bad-request'],
    ['a negative order', item(`action='deny' order='-1'`), 'bad-request'],
    ['an order that is too large', item(`action='deny' order='4294967296'`), 'bad-request'],
    ['an order that is no number', item(`action='deny' order='1e3'`), 'bad-request'],
    ['an endless order', item(`action='deny' order='${'1'.repeat(10_000)}'`), 'bad-request'],
    ['an order twice', `<list name='a'>${items('allow')}${items('deny')}</list>`, 'bad-request'],
    [
      'an order twice, written otherwise',
      `<list name='a'>${items('allow')}<item action='deny' order='01'/></list>`,
      'bad-request',
    ],
    ['a type without a value', item(`action='deny' order='1' type='jid'`), 'bad-request'],
    ['an unknown type', item(`action='deny' order='1' type='age' value='16'`), 'bad-request'],
    ['no address', item(`action='deny' order='1' type='jid' value='@'`), 'jid-malformed'],
    ['an unknown subscription', item(`action='deny' order='1' type='subscription' value='remove'`), 'bad-request'],
    ['a group without a name', item(`action='deny' order='1' type='group' value=''`), 'bad-request'],
    [
      'a group that is not in the roster',
      item(`action='deny' order='1' type='group' value='Enemies'`),
      'item-not-found',
    ],
    ['an unknown kind', item(`action='deny' order='1'`, '<presence/>'), 'bad-request'],
    ['a kind of another namespace', item(`action='deny' order='1'`, `<message xmlns='urn:x'/>`), 'bad-request'],
    ['what is no item', `<list name='a'><rule/></list>`, 'bad-request'],
    [
      'an item of another namespace',
      `<list name='a'><item xmlns='urn:x' action='deny' order='1'/></list>`,
      'bad-request',
    ],
  ]
  for (const [name, content, condition] of rows) {
    it(`${name}: ${condition}, and nothing changes`, async () => {
      const { one } = await scene()
      assert.equal(told(await one.ask('set', query(content))), condition)
      assert.deepEqual(pushes(await one.drain()), [])
      assert.deepEqual(await namesOf(one), [])
    })
  }

  it('orders are from 0 to 4294967295', async () => {
    const { one } = await scene()
    await granted(
      one,
      query(`<list name='a'><item action='deny' order='4294967295'/><item action='allow' order='0'/></list>`),
    )
    assert.deepEqual(await itemsOf(one, 'a'), ['item action=allow order=0', 'item action=deny order=4294967295'])
  })

  it('a group of the roster is one', async () => {
    const { house, one } = await scene()
    await knows(house, romeo, 'tybalt@capulet.lit', { subscription: 'none', groups: ['Enemies'] })
    await granted(one, list('a', 'deny group Enemies'))
  })
})

describe('the active list (§2.4)', () => {
  it('must be there; declined, none is', async () => {
    const { one } = await scene()
    assert.equal(told(await one.ask('set', active('The Empty Set'))), 'item-not-found')
    await granted(one, list('special', 'deny'))
    await granted(one, active('special'))
    assert.deepEqual(await namesOf(one), ['active name=special', 'list name=special'])
    await granted(one, active())
    await granted(one, active())
    assert.deepEqual(await namesOf(one), ['list name=special'])
  })

  it('counts before the result is there, and with each edit by whichever resource (§2.2 rule 8)', async () => {
    const { house, elsewhere, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await granted(one, list('special', 'deny'))
    const say = async () => {
      await one.drain()
      elsewhere.send(`<message from='a@b.example' to='${romeo}/one'><body>x</body></message>`)
      return seen(await one.drain()).length
    }
    assert.equal(await say(), 1)
    await granted(one, active('special'))
    assert.equal(await say(), 0)
    await granted(two, list('special', 'allow jid a@b.example', 'deny'))
    assert.equal(await say(), 1)
    await granted(two, list('special', 'deny * message'))
    assert.equal(await say(), 0)
  })
})

describe('SES-04: the default list (§2.5) and removal (§2.8), while another resource uses it', () => {
  async function three(used: 'active' | 'default' | 'neither') {
    const { house, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await granted(one, list('list', 'allow'))
    await granted(one, list('other', 'allow'))
    if (used === 'active') await granted(two, active('list'))
    if (used === 'default') await granted(one, byDefault('list'))
    await one.drain()
    await two.drain()
    return { house, one, two }
  }

  it('another default list, or none, is a conflict while the default applies to another resource', async () => {
    const { one, two } = await three('default')
    for (const payload of [byDefault('other'), byDefault()]) {
      assert.equal(told(await one.ask('set', payload)), 'conflict')
      assert.deepEqual((await namesOf(one)).slice(0, 1), ['default name=list'])
    }
    assert.equal(told(await one.ask('set', byDefault('list'))), 'result', 'it is already')
    assert.equal(told(await one.ask('set', byDefault('The Empty Set'))), 'item-not-found')
    await granted(two, active('other'))
    await granted(one, byDefault('other'))
    assert.equal(told(await one.ask('set', byDefault())), 'conflict', 'it is active there')
    await granted(two, active('list'))
    await granted(one, byDefault())
    assert.deepEqual(await namesOf(one), ['list name=list', 'list name=other'])
  })

  it('a resource that has gone is none', async () => {
    const { one, two } = await three('default')
    two.drop()
    await granted(one, byDefault('other'))
  })

  it('the removal of a list is a conflict while it applies to another resource, as active or as default', async () => {
    for (const used of ['active', 'default'] as const) {
      const { one, two } = await three(used)
      assert.equal(told(await one.ask('set', list('list'))), 'conflict', used)
      assert.deepEqual(pushes(await one.drain()), [])
      assert.equal((await itemsOf(one, 'list')).length, 1)
      await granted(two, active('other'))
      await granted(one, list('list'))
      assert.deepEqual(await namesOf(one), ['list name=other'])
    }
  })

  it("one's own active or default list can be removed; then none applies", async () => {
    const { house, elsewhere, one } = await scene()
    await activate(one, 'deny')
    await granted(one, byDefault('test'))
    assert.equal(told(await one.ask('set', list('unknown'))), 'item-not-found')
    await granted(one, list('test'))
    assert.deepEqual(await namesOf(one), [])
    await one.drain()
    elsewhere.send(`<message from='a@b.example' to='${romeo}/one'><body>x</body></message>`)
    assert.equal(seen(await one.drain()).length, 1)
    // Nor does it apply again when another list gets its name.
    await granted(one, list('test', 'deny'))
    assert.deepEqual(await namesOf(one), ['list name=test'])
    assert.ok(house.core.sessions.count() > 0)
  })

  it('two resources at once: what one takes the other does not remove', async () => {
    const { house, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await granted(one, list('list', 'allow'))
    await one.drain()
    await two.drain()
    two.send(`<iq type='set' id='take'>${active('list')}</iq>`)
    one.send(`<iq type='set' id='remove'>${list('list')}</iq>`)
    const [taken, removed] = [await two.drain(), await one.drain()]
    assert.deepEqual(
      [...taken, ...removed].filter((el) => ['take', 'remove'].includes(el.attr('id') ?? '')).map(told),
      ['result', 'conflict'],
    )
  })
})

describe('list pushes (§2.2 rule 10)', () => {
  it('go to all connected resources, the asking one too, for each change and removal', async () => {
    const { house, one } = await scene()
    const silent = house.actor(`${romeo}/silent`)
    await silent.drain()
    for (const payload of [list('a', 'allow'), list('a', 'deny jid x@y.example'), list('a')]) {
      await granted(one, payload)
      assert.deepEqual(pushes(await one.drain()), ['a'])
      const came = await silent.drain()
      assert.deepEqual(pushes(came), ['a'])
      silent.send(`<iq type='result' id='${came[0]?.attr('id')}'/>`)
      assert.deepEqual(await silent.drain(), [])
    }
    await granted(one, list('b', 'allow'))
    await one.drain()
    await granted(one, active('b'))
    await granted(one, byDefault('b'))
    assert.deepEqual(pushes(await one.drain()), [], 'a choice changes no rule')
  })
})

describe('the roster decides (§2.2 rule 9)', () => {
  const say = (from: string) => `<message from='${from}' to='${romeo}/one'><body>x</body></message>`

  it('a group or subscription that changes counts at once', async () => {
    const { house, elsewhere, one } = await scene()
    await knows(house, romeo, 'tybalt@capulet.lit', { subscription: 'none', groups: ['Enemies'] })
    await activate(one, 'deny group Enemies', 'allow jid nurse@capulet.lit', 'deny subscription none')
    const takes = async (from: string) => {
      await one.drain()
      elsewhere.send(say(from))
      return seen(await one.drain()).length === 1
    }
    assert.equal(await takes('tybalt@capulet.lit/x'), false)
    await one.ask(
      'set',
      `<query xmlns='jabber:iq:roster'><item jid='tybalt@capulet.lit'><group>Friends</group></item></query>`,
    )
    assert.equal(await takes('tybalt@capulet.lit/x'), false, 'still without a subscription')
    await knows(house, romeo, 'tybalt@capulet.lit', { subscription: 'from', groups: ['Friends'] })
    assert.equal(await takes('tybalt@capulet.lit/x'), true)
    await one.ask(
      'set',
      `<query xmlns='jabber:iq:roster'><item jid='tybalt@capulet.lit'><group>Enemies</group></item></query>`,
    )
    assert.equal(await takes('tybalt@capulet.lit/x'), false)
    await one.ask(
      'set',
      `<query xmlns='jabber:iq:roster'><item jid='tybalt@capulet.lit' subscription='remove'/></query>`,
    )
    assert.equal(await takes('tybalt@capulet.lit/x'), false, 'removed: none again')
    assert.equal(await takes('nurse@capulet.lit/x'), true)
  })

  it('also while the account is away', async () => {
    const { house, elsewhere, one } = await scene()
    await granted(one, list('test', 'deny subscription none'))
    await granted(one, byDefault('test'))
    one.drop()
    const refused = async () => {
      await elsewhere.drain()
      elsewhere.send(say('tybalt@capulet.lit/x').replace('/one', ''))
      return (await elsewhere.drain()).length === 1
    }
    assert.equal(await refused(), true)
    await knows(house, romeo, 'tybalt@capulet.lit', { subscription: 'to' })
    assert.equal(await refused(), false)
    await knows(house, romeo, 'tybalt@capulet.lit', { subscription: 'none' })
    assert.equal(await refused(), true)
  })
})

describe('hosts', () => {
  it('do not mix: the same local part elsewhere has lists of its own', async () => {
    const house = await House.build()
    const one = await house.online(`${romeo}/one`)
    const other = await house.online('romeo@capulet.com/one')
    await granted(one, list('a', 'deny'))
    await granted(one, byDefault('a'))
    assert.deepEqual(await namesOf(other), [])
    const elsewhere = house.elsewhere()
    for (const to of [one, other]) {
      await to.drain()
      elsewhere.send(`<message from='a@b.example' to='${to.address}'><body>x</body></message>`)
    }
    assert.deepEqual([seen(await one.drain()).length, seen(await other.drain()).length], [0, 1])
  })

  it('say in disco what they can (§3; XEP-0191 §3.1)', async () => {
    const { one } = await scene()
    const info = await one.ask('get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`, 'montague.net')
    const features = info.elements[0]?.elements.map((el) => el.attr('var'))
    assert.ok(features?.includes(NS))
    assert.ok(features?.includes('urn:xmpp:blocking'))
  })
})
