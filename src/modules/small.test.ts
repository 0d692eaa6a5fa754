/** disco (XEP-0030), version (0092), ping (0199) and time (0202): who asks whom, and what comes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RosterService, Subscription } from '../core/services/roster.ts'
import { softwareName, softwareVersion } from '../core/software.ts'
import { jid } from '../jid/jid.ts'
import { x } from '../xml/build.ts'
import type { Element } from '../xml/element.types.ts'
import { House } from './modules.testing.ts'

const me = 'romeo@montague.net'
const INFO = 'http://jabber.org/protocol/disco#info'
const ITEMS = 'http://jabber.org/protocol/disco#items'
const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name

/** What the asker is told, apart from who answered. */
function told(answer: Element): string {
  if (answer.attr('type') === 'error') return conditionOf(answer) ?? 'error'
  const query = answer.elements[0]
  return query === undefined ? 'empty' : `${query.name} ${query.elements.length}`
}

describe('disco: access to accounts (XEP-0030 §8)', () => {
  const askers: readonly (readonly [string, Subscription | undefined, boolean])[] = [
    ['nobody special', undefined, false],
    ['a contact without subscription', 'none', false],
    ['a contact who is only seen', 'to', false],
    ['a subscriber', 'from', true],
    ['a mutual subscriber', 'both', true],
  ]

  async function scene(subscription: Subscription | undefined) {
    const house = await House.build({ accounts: [me, 'juliet@capulet.com'] })
    if (subscription !== undefined) {
      const service = house.core.hostType('default').services.find('roster') as RosterService
      const item = {
        jid: jid('juliet@capulet.com'),
        name: '',
        subscription,
        pendingOut: false,
        pendingIn: false,
        listed: true,
        approved: false,
        groups: [],
      }
      await house.wait(service.set(house.host('montague.net'), 'romeo', item))
    }
    await house.online(`${me}/one`)
    house.actor(`${me}/silent`)
    return { house, juliet: house.actor('juliet@capulet.com/b') }
  }

  for (const [name, subscription, maySee] of askers) {
    it(`${name} ${maySee ? 'sees' : 'cannot tell the account from one that is not there'}`, async () => {
      const { juliet } = await scene(subscription)
      for (const node of ['', ` node='urn:n'`]) {
        const info = (to: string) => juliet.ask('get', `<query xmlns='${INFO}'${node}/>`, to)
        const items = (to: string) => juliet.ask('get', `<query xmlns='${ITEMS}'${node}/>`, to)
        const nobody = 'nobody@montague.net'
        assert.equal(told(await info(nobody)), 'service-unavailable')
        assert.equal(told(await items(nobody)), 'query 0')
        if (!maySee) {
          assert.equal(told(await info(me)), 'service-unavailable')
          assert.equal(told(await items(me)), 'query 0')
          assert.equal((await info(me)).child('error')?.payload, (await info(nobody)).child('error')?.payload)
          assert.equal((await items(me)).elements[0]?.attr('node'), (await items(nobody)).elements[0]?.attr('node'))
        } else if (node === '') {
          const query = (await info(me)).elements[0]
          assert.deepEqual(
            query?.childrenNamed('identity', INFO).map((one) => `${one.attr('category')}/${one.attr('type')}`),
            ['account/registered'],
          )
          assert.deepEqual(
            (await items(me)).elements[0]?.elements.map((item) => item.attr('jid')),
            [`${me}/one`],
            'available resources',
          )
        } else {
          assert.equal(told(await info(me)), 'item-not-found')
          assert.equal(told(await items(me)), 'item-not-found')
        }
      }
    })
  }

  it('the account’s own clients see it, with an address or without', async () => {
    const { house } = await scene(undefined)
    const two = house.actor(`${me}/two`)
    for (const to of [undefined, me]) {
      assert.match(told(await two.ask('get', `<query xmlns='${INFO}'/>`, to)), /^query [1-9]/)
      assert.equal(told(await two.ask('get', `<query xmlns='${ITEMS}'/>`, to)), 'query 1')
    }
  })
})

describe('disco: the host', () => {
  it('tells its identity and every feature once, sorted; unknown nodes are not found', async () => {
    const house = await House.build()
    const one = house.actor(`${me}/one`)
    const query = (await one.ask('get', `<query xmlns='${INFO}'/>`, 'montague.net')).elements[0]
    const identity = query?.child('identity', INFO)
    assert.equal(`${identity?.attr('category')}/${identity?.attr('type')}`, 'server/im')
    const features = query?.childrenNamed('feature', INFO).map((feature) => feature.attr('var')) ?? []
    assert.deepEqual(features, [...new Set(features)].sort())
    for (const feature of [
      INFO,
      ITEMS,
      'urn:xmpp:ping',
      'urn:xmpp:time',
      'jabber:iq:version',
      'msgoffline',
      'jabber:iq:roster',
    ]) {
      assert.ok(features.includes(feature), feature)
    }
    assert.equal(told(await one.ask('get', `<query xmlns='${ITEMS}'/>`, 'montague.net')), 'query 0')
    for (const ns of [INFO, ITEMS]) {
      assert.equal(told(await one.ask('get', `<query xmlns='${ns}' node='urn:n'/>`, 'montague.net')), 'item-not-found')
      assert.equal(told(await one.ask('set', `<query xmlns='${ns}'/>`, 'montague.net')), 'service-unavailable')
    }
  })

  it('modules add items, features and nodes; the answer mirrors the node', async () => {
    const house = await House.build()
    const { hooks } = house.core.hostType('default')
    hooks.on('disco:items', 'rooms', (items, { node }) =>
      node === '' ? [...(items ?? []), { jid: jid('rooms.montague.net'), name: 'Rooms' }] : items,
    )
    hooks.on('disco:info', 'node', (info, { node }) =>
      node === 'urn:n'
        ? { identities: [{ category: 'x', type: 'y', name: 'z' }], features: ['f'], extensions: [x('e', 'urn:e')] }
        : info,
    )
    const one = house.actor(`${me}/one`)
    const items = (await one.ask('get', `<query xmlns='${ITEMS}'/>`, 'montague.net')).elements[0]?.elements
    assert.deepEqual(
      items?.map((item) => `${item.attr('jid')} ${item.attr('name')}`),
      ['rooms.montague.net Rooms'],
    )
    const info = (await one.ask('get', `<query xmlns='${INFO}' node='urn:n'/>`, 'montague.net')).elements[0]
    assert.equal(info?.attr('node'), 'urn:n')
    assert.deepEqual(
      info?.elements.map((el) => el.name),
      ['identity', 'feature', 'e'],
    )
  })
})

describe('ping, time and version', () => {
  it('ping: the host and the accounts it speaks for answer with an empty result', async () => {
    const house = await House.build()
    const one = house.actor(`${me}/one`)
    for (const to of [undefined, me, 'montague.net', 'capulet.com']) {
      const answer = await one.ask('get', `<ping xmlns='urn:xmpp:ping'/>`, to)
      assert.equal(answer.attr('type'), 'result')
      assert.deepEqual(answer.elements, [])
      assert.equal(answer.attr('from'), to ?? me)
    }
    assert.equal(told(await one.ask('set', `<ping xmlns='urn:xmpp:ping'/>`, 'montague.net')), 'service-unavailable')
    assert.equal(told(await one.ask('get', `<ping xmlns='urn:xmpp:ping'/>`, 'montague.net/x')), 'service-unavailable')
  })

  it('time: UTC of the server’s clock, as XEP-0082 writes it', async () => {
    const house = await House.build()
    const one = house.actor(`${me}/one`)
    await house.pass(1234)
    const time = (await one.ask('get', `<time xmlns='urn:xmpp:time'/>`, 'montague.net')).elements[0]
    assert.equal(time?.childText('tzo'), '+00:00')
    assert.equal(time?.childText('utc'), house.clock.now().toISOString())
    assert.match(time?.childText('utc') ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  it('version: name and version, no operating system; the operator may keep the version to himself', async () => {
    for (const [shown, expected] of [
      [true, softwareVersion],
      [false, 'hidden'],
    ] as const) {
      const house = await House.build({ options: { version: { show_version: shown } } })
      const query = (await house.actor(`${me}/one`).ask('get', `<query xmlns='jabber:iq:version'/>`, 'montague.net'))
        .elements[0]
      assert.equal(query?.childText('name'), softwareName)
      assert.equal(query?.childText('version'), expected)
      assert.equal(query?.hasChild('os', 'jabber:iq:version'), false)
    }
  })
})
