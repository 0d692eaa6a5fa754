/** RFC 6121 section 2: getting, setting, errors, versions; several sources; the account's data. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RosterItem, RosterService } from '../../core/services/roster.ts'
import { jid } from '../../jid/jid.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, House } from '../modules.testing.ts'

const NS = 'jabber:iq:roster'
const set = (item: string) => `<query xmlns='${NS}'>${item}</query>`
const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name
const typeOf = (el: Element | undefined) => el?.child('error')?.attr('type')
const pushesIn = (list: readonly Element[]) =>
  list
    .filter((el) => el.name === 'iq' && el.attr('type') === 'set')
    .map((el) => {
      const query = el.child('query', NS)
      const item = query?.elements[0]
      return { ver: query?.attr('ver') ?? '', jid: item?.attr('jid'), subscription: item?.attr('subscription'), el }
    })

async function get(actor: Actor, ver?: string): Promise<Element> {
  return actor.ask('get', `<query xmlns='${NS}'${ver === undefined ? '' : ` ver='${ver}'`}/>`)
}

const itemsOf = (answer: Element) => answer.child('query', NS)?.elements ?? []
const verOf = (answer: Element) => answer.child('query', NS)?.attr('ver') ?? ''

describe('roster sets (sections 2.3 to 2.5)', () => {
  it('adds, updates and removes: a result to the asker, a push to all interested resources', async () => {
    const house = await House.build()
    const one = await house.online('romeo@montague.net/one')
    const two = await house.online('romeo@montague.net/two')
    const deaf = house.actor('romeo@montague.net/deaf')
    await one.drain()
    const steps = [
      `<item jid='nurse@capulet.com' name='Nurse'><group>Servants</group></item>`,
      `<item jid='nurse@capulet.com' name=''/>`,
      `<item jid='nurse@capulet.com' name=''/>`,
      `<item jid='nurse@capulet.com' subscription='remove'/>`,
    ]
    const versions = new Set<string>()
    for (const step of steps) {
      const answer = await one.ask('set', set(step))
      assert.equal(answer.attr('type'), 'result')
      const pushes = [pushesIn(await one.drain()), pushesIn(await two.drain())]
      for (const list of pushes) {
        assert.equal(list.length, 1)
        assert.equal(list[0]?.jid, 'nurse@capulet.com')
        assert.equal(list[0]?.el.attr('from'), 'romeo@montague.net')
      }
      assert.equal(pushes[0]?.[0]?.ver, pushes[1]?.[0]?.ver)
      versions.add(pushes[0]?.[0]?.ver ?? '')
      assert.deepEqual(pushesIn(await deaf.drain()), [])
    }
    assert.equal(versions.size, steps.length, 'each push has a version of its own')
    assert.deepEqual(itemsOf(await get(one)), [])
  })

  it('an item is stored exactly as it was set; other subscriptions than remove are ignored', async () => {
    const house = await House.build()
    const one = await house.online('romeo@montague.net/one')
    await one.ask(
      'set',
      set(
        `<item jid='Nurse@capulet.com/kitchen' name='N &amp; M' subscription='both' ask='subscribe'><group>A</group><group>B</group></item>`,
      ),
    )
    const [item] = itemsOf(await get(one))
    assert.equal(item?.attr('jid'), 'nurse@capulet.com')
    assert.equal(item?.attr('name'), 'N & M')
    assert.equal(item?.attr('subscription'), 'none')
    assert.equal(item?.attr('ask'), undefined)
    assert.deepEqual(
      item?.elements.map((group) => group.text),
      ['A', 'B'],
    )
  })

  const long = 'x'.repeat(1024)
  const rows: readonly (readonly [string, string, string, string])[] = [
    ['no item', '', 'bad-request', 'modify'],
    ['two items', `<item jid='a@b.example'/><item jid='c@b.example'/>`, 'bad-request', 'modify'],
    ['no jid', '<item/>', 'bad-request', 'modify'],
    ['a bad jid', `<item jid='@'/>`, 'jid-malformed', 'modify'],
    ['a group twice', `<item jid='a@b.example'><group>A</group><group>A</group></item>`, 'bad-request', 'modify'],
    ['an empty group', `<item jid='a@b.example'><group></group></item>`, 'not-acceptable', 'modify'],
    ['a long group', `<item jid='a@b.example'><group>${long}</group></item>`, 'not-acceptable', 'modify'],
    ['a long name', `<item jid='a@b.example' name='${long}'/>`, 'not-acceptable', 'modify'],
    ['oneself', `<item jid='romeo@montague.net'/>`, 'not-allowed', 'cancel'],
    ['removing what is not there', `<item jid='a@b.example' subscription='remove'/>`, 'item-not-found', 'modify'],
  ]
  for (const [name, item, condition, type] of rows) {
    it(`${name} gives ${condition}, and nothing changes`, async () => {
      const house = await House.build()
      const one = await house.online('romeo@montague.net/one')
      const before = verOf(await get(one))
      const answer = await one.ask('set', set(item))
      assert.equal(conditionOf(answer), condition)
      assert.equal(typeOf(answer), type)
      assert.deepEqual(pushesIn(await one.drain()), [])
      const after = await get(one)
      assert.equal(verOf(after), before)
      assert.deepEqual(itemsOf(after), [])
    })
  }

  it('a foreign roster: forbidden for get and set, whether the account exists or not', async () => {
    const house = await House.build({ accounts: ['romeo@montague.net', 'juliet@capulet.com'] })
    const one = await house.online('romeo@montague.net/one')
    for (const to of ['juliet@capulet.com', 'nobody@capulet.com', 'nobody@montague.net']) {
      for (const type of ['get', 'set'] as const) {
        const answer = await one.ask(type, set(type === 'set' ? `<item jid='a@b.example'/>` : ''), to)
        assert.equal(conditionOf(answer), 'forbidden', `${type} ${to}`)
        assert.equal(typeOf(answer), 'auth')
      }
    }
  })

  it('limits: items_max refuses, requests_max drops and counts, and neither eats the other', async () => {
    const house = await House.build({ options: { roster: { items_max: 2, requests_max: 3 } } })
    const one = await house.online('romeo@montague.net/one')
    const elsewhere = house.elsewhere()
    for (let i = 0; i < 5; i++)
      elsewhere.send(`<presence type='subscribe' from='s${i}@x.example' to='romeo@montague.net'/>`)
    assert.deepEqual(await elsewhere.drain(), [], 'silence')
    assert.equal((await one.drain()).filter((el) => el.attr('type') === 'subscribe').length, 3)
    assert.equal(house.core.metrics.value('ratatosk_roster_requests_max_total'), 2)
    assert.equal((await one.ask('set', set(`<item jid='a@b.example'/>`))).attr('type'), 'result')
    assert.equal((await one.ask('set', set(`<item jid='b@b.example'/>`))).attr('type'), 'result')
    assert.equal(conditionOf(await one.ask('set', set(`<item jid='c@b.example'/>`))), 'not-allowed')
    one.send(`<presence type='subscribe' to='d@b.example' id='s'/>`)
    assert.deepEqual((await one.drain()).filter((el) => el.name === 'presence').map(conditionOf), ['not-allowed'])
  })

  it('a request that waits says since when, and only we say so for us (XEP-0203 §2, §5)', async () => {
    const house = await House.build({ options: { roster: { request_size: '300 B' } } })
    const elsewhere = house.elsewhere()
    const forged = `<delay xmlns='urn:xmpp:delay' from='montague.net' stamp='2001-01-01T00:00:00Z'/>`
    for (const [name, payload] of [
      ['small', forged],
      ['large', 'y'.repeat(400)],
    ] as const) {
      await house.pass(1_000)
      elsewhere.send(
        `<presence type='subscribe' from='${name}@x.example' to='romeo@montague.net'><x xmlns='urn:x'>${payload}</x>${forged}</presence>`,
      )
      await house.settle()
    }
    await house.pass(60_000)
    const one = house.actor('romeo@montague.net/one')
    one.send('<presence/>')
    const requests = (await one.drain()).filter((el) => el.attr('type') === 'subscribe')
    assert.deepEqual(
      requests.map((el) => [
        el.attr('from'),
        ...el.childrenNamed('delay', 'urn:xmpp:delay').map((d) => d.attr('stamp')),
      ]),
      [
        ['large@x.example', '2026-01-01T00:00:02.000Z'],
        ['small@x.example', '2026-01-01T00:00:01.000Z'],
      ],
    )
  })

  it('a request that is too large is kept without its extensions', async () => {
    const house = await House.build({ options: { roster: { request_size: '300 B' } } })
    const elsewhere = house.elsewhere()
    const big = `<presence type='subscribe' id='r' from='s@x.example' to='romeo@montague.net'><status>hello</status><x xmlns='urn:x'>${'y'.repeat(400)}</x></presence>`
    elsewhere.send(big)
    await elsewhere.drain()
    const one = house.actor('romeo@montague.net/one')
    one.send('<presence/>')
    const request = (await one.drain()).find((el) => el.attr('type') === 'subscribe')
    assert.equal(request?.childText('status'), 'hello')
    assert.equal(request?.attr('id'), 'r')
    assert.equal(request?.hasChild('x', 'urn:x'), false)
  })

  it('what is left of such a request is cut between characters', async () => {
    const house = await House.build({ options: { roster: { request_size: '300 B' } } })
    const elsewhere = house.elsewhere()
    const long = `${'h'.repeat(199)}\u{1f43f}${'y'.repeat(400)}`
    elsewhere.send(
      `<presence type='subscribe' id='${long}' from='s@x.example' to='romeo@montague.net'><status>${long}</status></presence>`,
    )
    await elsewhere.drain()
    const one = house.actor('romeo@montague.net/one')
    one.send('<presence/>')
    const request = (await one.drain()).find((el) => el.attr('type') === 'subscribe')
    assert.equal(request?.childText('status'), 'h'.repeat(199))
    assert.equal(request?.attr('id'), 'h'.repeat(199))
  })

  it('removing an item ends both subscriptions and denies a request, at the contact too', async () => {
    const house = await House.build()
    const romeo = await house.online('romeo@montague.net/one')
    const juliet = await house.online('juliet@capulet.com/one')
    await befriend(house, romeo, juliet)
    await romeo.ask('set', set(`<item jid='juliet@capulet.com' subscription='remove'/>`))
    await house.settle()
    const [item] = itemsOf(await get(juliet))
    assert.equal(item?.attr('subscription'), 'none')
    const seen = (await juliet.drain())
      .filter((el) => el.name === 'presence')
      .map((el) => `${el.attr('type')} ${el.attr('from')}`)
    assert.deepEqual(seen, [
      'unavailable romeo@montague.net/one',
      'unsubscribe romeo@montague.net',
      'unsubscribed romeo@montague.net',
    ])
    assert.deepEqual(
      (await romeo.drain()).filter((el) => el.name === 'presence').map((el) => `${el.attr('type')} ${el.attr('from')}`),
      ['unavailable juliet@capulet.com/one'],
    )
  })
})

/** A mutual subscription, as clients make it. */
async function befriend(house: House, one: Actor, other: Actor): Promise<void> {
  const [a, b] = [one.session.jid.bare, other.session.jid.bare]
  one.send(`<presence type='subscribe' to='${b}'/>`)
  await house.settle()
  other.send(`<presence type='subscribed' to='${a}'/>`)
  other.send(`<presence type='subscribe' to='${a}'/>`)
  await house.settle()
  one.send(`<presence type='subscribed' to='${b}'/>`)
  await one.drain()
  await other.drain()
}

describe('the whole handshake between two local accounts', () => {
  it('request, push, approval before push, then presence', async () => {
    const house = await House.build()
    const romeo = await house.online('romeo@montague.net/one')
    const juliet = await house.online('juliet@capulet.com/one')
    const show = (list: readonly Element[]) =>
      list.map((el) =>
        el.name === 'iq'
          ? `push ${pushesIn([el])[0]?.subscription} ${el.child('query', NS)?.elements[0]?.attr('ask') ?? ''}`.trim()
          : `${el.attr('type') ?? 'available'} ${el.attr('from')}`,
      )
    romeo.send(`<presence type='subscribe' to='juliet@capulet.com/balcony'/>`)
    assert.deepEqual(show(await romeo.drain()), ['push none subscribe'])
    assert.deepEqual(show(await juliet.drain()), ['subscribe romeo@montague.net'])
    juliet.send(`<presence type='subscribed' to='romeo@montague.net'/>`)
    assert.deepEqual(show(await romeo.drain()), [
      'subscribed juliet@capulet.com',
      'push to',
      'available juliet@capulet.com/one',
    ])
    assert.deepEqual(show(await juliet.drain()), ['push from'])
    juliet.send(`<presence type='unsubscribed' to='romeo@montague.net'/>`)
    assert.deepEqual(show(await romeo.drain()), [
      'unavailable juliet@capulet.com/one',
      'unsubscribed juliet@capulet.com',
      'push none',
    ])
    assert.deepEqual(show(await juliet.drain()), ['push none'])
  })

  it('stanzas sent in one go are dealt with one after the other', async () => {
    const house = await House.build()
    const romeo = await house.online('romeo@montague.net/one')
    const juliet = await house.online('juliet@capulet.com/one')
    for (const type of ['subscribe', 'unsubscribe', 'subscribe'])
      romeo.send(`<presence type='${type}' to='juliet@capulet.com'/>`)
    const came = (await juliet.drain()).filter((el) => el.name === 'presence').map((el) => el.attr('type'))
    assert.deepEqual(came, ['subscribe', 'unsubscribe', 'subscribe'])
  })

  it('oneself cannot be subscribed to', async () => {
    const house = await House.build()
    const romeo = await house.online('romeo@montague.net/one')
    for (const type of ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed']) {
      romeo.send(`<presence type='${type}' to='romeo@montague.net'/>`)
      romeo.send(`<presence type='${type}'/>`)
    }
    assert.deepEqual(await romeo.drain(), [])
    assert.deepEqual(itemsOf(await get(romeo)), [])
  })

  it('a request waits for its answer: once at each initial presence, however often it was sent', async () => {
    const house = await House.build()
    const elsewhere = house.elsewhere()
    for (let i = 0; i < 3; i++) {
      elsewhere.send(
        `<presence type='subscribe' id='r${i}' from='s@x.example' to='romeo@montague.net'><status>me</status><x xmlns='urn:x'/></presence>`,
      )
      await elsewhere.drain()
    }
    const one = house.actor('romeo@montague.net/one')
    for (let i = 0; i < 2; i++) {
      one.send('<presence/>')
      const requests = (await one.drain()).filter((el) => el.attr('type') === 'subscribe')
      assert.deepEqual(
        requests.map((el) => `${el.attr('id')} ${el.attr('from')} ${el.attr('to')}`),
        ['r0 s@x.example romeo@montague.net'],
      )
      assert.ok(requests[0]?.hasChild('x', 'urn:x'), 'the complete stanza')
      one.send(`<presence type='unavailable'/>`)
      await one.drain()
    }
    one.send('<presence/>')
    one.send('<presence><show>away</show></presence>')
    assert.equal((await one.drain()).filter((el) => el.attr('type') === 'subscribe').length, 1, 'not at later presence')
    assert.deepEqual(itemsOf(await get(one)), [], 'section 3.1.3: no item until approval')
    one.send(`<presence type='unsubscribed' to='s@x.example'/>`)
    await one.drain()
    const two = house.actor('romeo@montague.net/two')
    two.send('<presence/>')
    assert.deepEqual(
      (await two.drain()).filter((el) => el.attr('type') === 'subscribe'),
      [],
    )
  })

  it('an open request to elsewhere is sent again when a resource becomes available', async () => {
    const house = await House.build()
    const elsewhere = house.elsewhere()
    const romeo = await house.online('romeo@montague.net/one')
    romeo.send(`<presence type='subscribe' to='s@x.example'/>`)
    await elsewhere.drain()
    await house.online('romeo@montague.net/two')
    const again = (await elsewhere.drain()).filter((el) => el.attr('type') === 'subscribe')
    assert.deepEqual(
      again.map((el) => el.attr('from')),
      ['romeo@montague.net'],
    )
    assert.ok(again[0]?.attr('id'))
  })
})

describe('versions (section 2.6)', () => {
  async function withItems(count: number) {
    const house = await House.build()
    const one = await house.online('romeo@montague.net/one')
    for (let i = 0; i < count; i++) await one.ask('set', set(`<item jid='c${i}@b.example'/>`))
    await one.drain()
    return { house, one, ver: verOf(await get(one)) }
  }

  it('an empty version and none give the whole roster with a version', async () => {
    const { one, ver } = await withItems(3)
    for (const asked of [undefined, '']) {
      const answer = await get(one, asked)
      assert.equal(itemsOf(answer).length, 3)
      assert.equal(verOf(answer), ver)
    }
  })

  it('the present version gives an empty result and no push', async () => {
    const { one, ver } = await withItems(3)
    const answer = await get(one, ver)
    assert.deepEqual(answer.elements, [])
    assert.deepEqual(await one.drain(), [])
  })

  it('an older one gives an empty result, then one push for each changed item, in order, removals too', async () => {
    const { house, one, ver } = await withItems(4)
    await one.ask('set', set(`<item jid='c1@b.example' name='first'/>`))
    await one.ask('set', set(`<item jid='c2@b.example' subscription='remove'/>`))
    await one.ask('set', set(`<item jid='c0@b.example' name='zero'/>`))
    await one.ask('set', set(`<item jid='c1@b.example' name='last'/>`))
    await one.ask('set', set(`<item jid='c3@b.example' subscription='remove'/>`))
    await one.ask('set', set(`<item jid='c3@b.example' name='again'/>`))
    const two = house.actor('romeo@montague.net/two')
    two.send(`<iq type='get' id='g'><query xmlns='${NS}' ver='${ver}'/></iq>`)
    const came = await two.drain()
    assert.equal(came[0]?.attr('id'), 'g', 'the result comes first')
    assert.deepEqual(came[0]?.elements, [])
    const pushes = pushesIn(came)
    assert.deepEqual(
      pushes.map((push) => `${push.jid} ${push.subscription}`),
      ['c2@b.example remove', 'c0@b.example none', 'c1@b.example none', 'c3@b.example none'],
    )
    assert.equal(new Set(pushes.map((push) => push.ver)).size, 4)
    // Who stopped in the middle goes on from there.
    const three = house.actor('romeo@montague.net/three')
    three.send(`<iq type='get' id='g'><query xmlns='${NS}' ver='${pushes[1]?.ver}'/></iq>`)
    assert.deepEqual(
      pushesIn(await three.drain()).map((push) => push.jid),
      ['c1@b.example', 'c3@b.example'],
    )
    assert.equal(verOf(await get(one)), pushes[3]?.ver)
  })

  it('an unknown, foreign, future or too old version gives the whole roster', async () => {
    const { house, one, ver } = await withItems(2)
    const [epoch, number] = ver.split('.')
    for (const wrong of ['x', `${epoch}.999`, `other.${number}`, `${epoch}.1.5`, `${epoch}.`, `${epoch}.1e0x`]) {
      assert.equal(itemsOf(await get(one, wrong)).length, 2, wrong)
    }
    for (let i = 0; i < 260; i++) {
      for (const end of ['', ` subscription='remove'`])
        one.send(`<iq type='set' id='s'>${set(`<item jid='d@b.example'${end}/>`)}</iq>`)
    }
    await house.settle()
    await one.drain()
    assert.equal(itemsOf(await get(one, ver)).length, 2, 'removals are remembered for 500 versions')
  })

  it('a version of an account that was deleted is unknown to whoever has the name next', async () => {
    const { house, one, ver } = await withItems(3)
    const hooks = house.core.hostType('default').hooks
    const host = house.host('montague.net')
    const remove = () => house.wait(hooks.waitingNotice('account:delete', { host, local: 'romeo' }))
    const known = [`${ver.split('.')[0]}.0`, ver]
    one.drop()
    for (let life = 0; life < 3; life++) {
      assert.equal(await remove(), 0)
      const next = house.actor(`romeo@montague.net/life${life}`)
      assert.deepEqual(itemsOf(await get(next, ver)), [])
      for (let n = 0; n < 4; n++) {
        await next.ask('set', set(`<item jid='new${life}${n}@b.example'/>`))
        const version = verOf(await get(next))
        assert.ok(!known.includes(version), version)
        for (const old of known) {
          const answer = await get(next, old)
          assert.equal(itemsOf(answer).length, n + 1, `version ${old} in life ${life}`)
        }
      }
      for (let n = 0; n < 4; n++) await next.ask('set', set(`<item jid='more${life}${n}@b.example'/>`))
      known.push(verOf(await get(next)))
      next.drop()
    }
  })

  it('what is imported into a roster that clients know is told to them as changes', async () => {
    const { house, one, ver } = await withItems(2)
    const hooks = house.core.hostType('default').hooks
    const rows = [{ contact: 'copy@b.example', subscription: 'none' }]
    const data = [{ store: 'roster', rows }]
    await house.wait(hooks.waitingNotice('account:import', { host: house.host('montague.net'), local: 'romeo', data }))
    one.send(`<iq type='get' id='g'><query xmlns='${NS}' ver='${ver}'/></iq>`)
    assert.deepEqual(
      pushesIn(await one.drain()).map((push) => push.jid),
      ['copy@b.example'],
    )
  })

  it('a mere request changes no version that a client would notice', async () => {
    const { house, one, ver } = await withItems(1)
    house.elsewhere().send(`<presence type='subscribe' from='s@x.example' to='romeo@montague.net'/>`)
    await house.settle()
    assert.equal(verOf(await get(one)), ver)
  })

  it('changes by many at once: pushes in order of modification, and a roster asked in between misses none', async () => {
    const house = await House.build()
    const one = await house.online('romeo@montague.net/one')
    const elsewhere = house.elsewhere()
    for (let i = 0; i < 20; i++) one.send(`<presence type='subscribe' to='c${i}@x.example'/>`)
    await house.settle()
    await one.drain()
    const two = house.actor('romeo@montague.net/two')
    for (let i = 0; i < 20; i++) {
      elsewhere.send(`<presence type='subscribed' from='c${i}@x.example' to='romeo@montague.net'/>`)
      one.send(`<iq type='set' id='s${i}'>${set(`<item jid='n${i}@x.example'/>`)}</iq>`)
      if (i === 10) two.send(`<iq type='get' id='g'><query xmlns='${NS}'/></iq>`)
    }
    const numbers = pushesIn(await one.drain()).map((push) => Number(push.ver.split('.')[1]))
    assert.equal(numbers.length, 40)
    assert.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
    )
    assert.equal(new Set(numbers).size, 40)
    // What two knows: the result, then the pushes on top, is the roster.
    const known = new Map<string | undefined, string | undefined>()
    for (const el of await two.drain()) {
      const items = el.child('query', NS)?.elements ?? []
      if (el.attr('type') === 'result') known.clear()
      for (const item of items) known.set(item.attr('jid'), item.attr('subscription'))
    }
    const now = new Map(itemsOf(await get(one)).map((item) => [item.attr('jid'), item.attr('subscription')]))
    assert.deepEqual(new Map([...known].sort()), new Map([...now].sort()))
  })
})

describe('several sources', () => {
  const shared = (address: string, name = ''): RosterItem => ({
    jid: jid(address),
    name,
    subscription: 'both',
    pendingOut: false,
    pendingIn: false,
    listed: true,
    approved: false,
    groups: ['Staff'],
  })

  async function withSource(items: RosterItem[]) {
    const house = await House.build()
    const service = house.core.hostType('default').services.find('roster') as RosterService
    service.addSource({ name: 'groups', items: async () => items })
    const one = await house.online('romeo@montague.net/one')
    return { house, service, one, host: house.host('montague.net') }
  }

  it('the roster is the union, and what the account says of a contact counts', async () => {
    const items = [shared('a@b.example', 'A'), shared('c@b.example', 'C')]
    const { one } = await withSource(items)
    await one.ask('set', set(`<item jid='c@b.example' name='mine'/>`))
    await one.ask('set', set(`<item jid='d@b.example'/>`))
    const names = itemsOf(await get(one)).map((item) => `${item.attr('jid')} ${item.attr('name') ?? ''}`.trim())
    assert.deepEqual(names.sort(), ['a@b.example A', 'c@b.example mine', 'd@b.example'])
  })

  it('versions cover the union: a change of a source makes a new one, pushes go out', async () => {
    const items = [shared('a@b.example'), shared('c@b.example')]
    const { house, service, one, host } = await withSource(items)
    const ver = verOf(await get(one))
    assert.deepEqual((await get(one, ver)).elements, [])
    items.splice(0, 1)
    items.push(shared('e@b.example'))
    const contacts = [jid('a@b.example'), jid('e@b.example')]
    await house.wait(service.sourceChanged(host, 'romeo', contacts))
    const pushes = pushesIn(await one.drain())
    assert.deepEqual(
      pushes.map((push) => `${push.jid} ${push.subscription}`),
      ['a@b.example remove', 'e@b.example both'],
    )
    assert.equal(new Set(pushes.map((push) => push.ver)).size, 2)
    const whole = await get(one, ver)
    assert.equal(itemsOf(whole).length, 2, 'the old version gives the whole roster')
    assert.equal(verOf(whole), pushes[1]?.ver)
    assert.deepEqual((await get(one, pushes[1]?.ver)).elements, [], 'the last push is up to date')
    assert.equal(itemsOf(await get(one, pushes[0]?.ver)).length, 2, 'who stopped between gets the whole')
  })

  it('a push of a source tells of a contact as he is, not as he was when the roster was asked for', async () => {
    const items = [shared('a@b.example', 'A')]
    const { house, service, one, host } = await withSource(items)
    await get(one)
    items.splice(0, 1, shared('a@b.example', 'B'))
    const told = service.sourceChanged(host, 'romeo', [jid('a@b.example')])
    const mine = one.ask('set', set(`<item jid='a@b.example' name='mine'/>`))
    await house.wait(Promise.all([told, mine]))
    const pushes = pushesIn(await one.drain())
    assert.equal(itemsOf(pushes.at(-1)?.el as Element)[0]?.attr('name'), 'mine')
  })

  it('an own item that goes is shown as the source has it', async () => {
    const { house, one } = await withSource([shared('a@b.example', 'A')])
    await one.ask('set', set(`<item jid='a@b.example' name='mine'/>`))
    const ver = verOf(await get(one))
    await one.ask('set', set(`<item jid='a@b.example' subscription='remove'/>`))
    await one.drain()
    const two = house.actor('romeo@montague.net/two')
    two.send(`<iq type='get' id='g'><query xmlns='${NS}' ver='${ver}'/></iq>`)
    assert.deepEqual(
      pushesIn(await two.drain()).map((push) => push.el.child('query', NS)?.elements[0]?.attr('name')),
      ['A'],
    )
  })
})

describe('when the store fails', () => {
  it('get, set and subscriptions get an error, messages go on, and all is well afterwards', async () => {
    const house = await House.build()
    const one = await house.online('romeo@montague.net/one')
    const other = await house.online('juliet@capulet.com/one')
    const cold = house.actor('nurse@capulet.com/kitchen')
    house.engine.hang()
    one.send(`<iq type='set' id='s'>${set(`<item jid='a@b.example'/>`)}</iq>`)
    cold.send(`<iq type='get' id='g'><query xmlns='${NS}'/></iq>`)
    other.send(`<presence type='subscribe' to='romeo@montague.net' id='p'/>`)
    await house.settle()
    const third = await House.build()
    assert.ok(third)
    for (const [from, to] of [[one, other]] as const) {
      // The sender's own order waits; another session of his does not.
      const second = house.actor(`${from.session.jid.bare}/second`)
      second.send(`<message to='${to.address}' type='chat'><body>still here</body></message>`)
      assert.equal((await to.drain()).at(-1)?.childText('body'), 'still here')
    }
    for (let i = 0; i < 3; i++) await house.pass(8_000)
    assert.deepEqual((await one.drain()).map(conditionOf), ['resource-constraint'])
    assert.deepEqual((await cold.drain()).map(conditionOf), ['resource-constraint'])
    assert.deepEqual((await other.drain()).filter((el) => el.attr('type') === 'error').map(conditionOf), [
      'resource-constraint',
    ])
    house.engine.resume()
    await house.settle()
    assert.equal((await one.ask('set', set(`<item jid='z@b.example'/>`))).attr('type'), 'result')
    const listed = itemsOf(await get(one)).map((item) => item.attr('jid'))
    assert.ok(listed.includes('z@b.example'))
  })
})

describe('the data of an account', () => {
  it('export and import give the same roster, requests included; deletion leaves nothing and tells the contacts', async () => {
    const house = await House.build()
    const hooks = house.core.hostType('default').hooks
    const romeo = await house.online('romeo@montague.net/one')
    const juliet = await house.online('juliet@capulet.com/one')
    await befriend(house, romeo, juliet)
    await romeo.ask('set', set(`<item jid='nurse@capulet.com' name='N'><group>G</group></item>`))
    house
      .elsewhere()
      .send(`<presence type='subscribe' from='s@x.example' to='romeo@montague.net'><x xmlns='urn:x'/></presence>`)
    await house.settle()
    const host = house.host('montague.net')
    const data = await house.wait(hooks.waitingFold('account:export', [], { host, local: 'romeo' }))
    assert.ok(data.some((part) => part.store === 'roster' && part.rows.length === 3))
    assert.equal(await house.wait(hooks.waitingNotice('account:import', { host, local: 'copy', data })), 0)
    const copy = house.actor('copy@montague.net/one')
    const texts = (answer: Element) =>
      itemsOf(answer)
        .map((item) => `${item.attr('jid')} ${item.attr('name')} ${item.attr('subscription')} ${item.payload}`)
        .sort()
    assert.deepEqual(texts(await get(copy)), texts(await get(romeo)))
    copy.send('<presence/>')
    const request = (await copy.drain()).find((el) => el.attr('type') === 'subscribe')
    assert.ok(request?.hasChild('x', 'urn:x'))

    romeo.drop()
    await juliet.drain()
    assert.equal(await house.wait(hooks.waitingNotice('account:delete', { host, local: 'romeo' })), 0)
    await house.settle()
    const [item] = itemsOf(await get(juliet)).filter((one) => one.attr('jid') === 'romeo@montague.net')
    assert.equal(item?.attr('subscription'), 'none')
    assert.deepEqual(itemsOf(await get(house.actor('romeo@montague.net/new'))), [])
    const left = await house.wait(hooks.waitingFold('account:export', [], { host, local: 'romeo' }))
    assert.deepEqual(
      left.flatMap((part) => part.rows),
      [],
    )
  })

  it('rows with what XML cannot hold do not make a roster that nobody can get', async () => {
    const house = await House.build()
    const { hooks } = house.core.hostType('default')
    const host = house.host('montague.net')
    const of = (contact: string, more: object) => ({ contact, subscription: 'none', groups: '["a\\u0001"]', ...more })
    const rows = [
      of('named@b.example', { name: 'bell \u0007' }),
      of('asking@b.example', { listed: false, pending_in: true, request: '<presence' }),
    ]
    await house.wait(hooks.waitingNotice('account:import', { host, local: 'copy', data: [{ store: 'roster', rows }] }))
    const copy = house.actor('copy@montague.net/one')
    const [item, ...rest] = itemsOf(await get(copy))
    assert.equal(item?.attr('name'), 'bell \ufffd')
    assert.equal(item?.elements[0]?.text, 'a\ufffd')
    assert.deepEqual(rest, [])
    copy.send('<presence/>')
    const request = (await copy.drain()).find((el) => el.attr('type') === 'subscribe')
    assert.equal(request?.attr('from'), 'asking@b.example')
  })

  it('rows that make no sense are left out and logged', async () => {
    const house = await House.build()
    const hooks = house.core.hostType('default').hooks
    const host = house.host('montague.net')
    const rows = [
      { contact: '@' },
      { contact: 'a@b.example', subscription: 'all' },
      { contact: 'c@b.example', groups: '{' },
      { contact: 'd@b.example' },
    ]
    await house.wait(hooks.waitingNotice('account:import', { host, local: 'copy', data: [{ store: 'roster', rows }] }))
    assert.deepEqual(
      itemsOf(await get(house.actor('copy@montague.net/one'))).map((item) => item.attr('jid')),
      ['d@b.example'],
    )
    assert.ok(house.log.lines.some((line) => line.fields['code'] === 'RTK_ROSTER_IMPORT'))
  })
})
