/** RFC 6121 section 8.5, row by row, with the choice that we made where the RFC leaves one (requirements SM-05, SM-07, SES-09). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Element } from '../xml/element.types.ts'
import { type Actor, brief, House } from './modules.testing.ts'
import { offlineStore } from './offline/offline.store.ts'

const romeo = 'romeo@montague.net'

/** Resources of romeo: name and priority; undefined: connected, not available. */
type Resources = Readonly<Record<string, number | undefined>>

async function scene(resources: Resources, exists = true) {
  const accounts = ['juliet@capulet.com', ...(exists ? [romeo] : [])]
  const house = await House.build({ accounts })
  const juliet = house.actor('juliet@capulet.com/balcony')
  const actors: Record<string, Actor> = {}
  for (const [name, priority] of Object.entries(resources)) {
    const actor = house.actor(`${romeo}/${name}`)
    if (priority !== undefined) actor.send(`<presence><priority>${priority}</priority></presence>`)
    actors[name] = actor
  }
  for (const actor of Object.values(actors)) await actor.drain()
  const store = await house.wait(house.stores.open(offlineStore))
  const kept = () => house.wait(store.page({ host: 'montague.net', local: 'romeo', after: 0, limit: 100 }))
  return { house, juliet, actors, kept }
}

async function takers(actors: Readonly<Record<string, Actor>>): Promise<string[]> {
  const names: string[] = []
  for (const [name, actor] of Object.entries(actors)) {
    for (const el of await actor.drain()) {
      names.push(name)
      assert.equal(el.attr('from'), 'juliet@capulet.com/balcony')
    }
  }
  return names
}

const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name

/** O: kept; E: refused with service-unavailable; S: silence; else who gets it. */
interface MessageRow {
  readonly condition: string
  readonly resources: Resources
  readonly exists?: false
  readonly to: string
  readonly normal: string
  readonly chat: string
  readonly groupchat: string
  readonly headline: string
  readonly error: string
}

const two = { high: 5, low: 0, negative: -1, silent: undefined }
const equal = { one: 1, other: 1, low: 0 }

// Section 8.5.4, table 1; the column `error` is from the sections it sums up.
const messages: readonly MessageRow[] = [
  {
    condition: 'no account',
    resources: {},
    exists: false,
    to: romeo,
    normal: 'E',
    chat: 'E',
    groupchat: 'E',
    headline: 'S',
    error: 'S',
  },
  {
    condition: 'no account',
    resources: {},
    exists: false,
    to: `${romeo}/x`,
    normal: 'E',
    chat: 'E',
    groupchat: 'E',
    headline: 'E',
    error: 'S',
  },
  {
    condition: 'no resource',
    resources: {},
    to: romeo,
    normal: 'O',
    chat: 'O',
    groupchat: 'E',
    headline: 'S',
    error: 'S',
  },
  {
    condition: 'no resource',
    resources: {},
    to: `${romeo}/x`,
    normal: 'E',
    chat: 'O',
    groupchat: 'E',
    headline: 'E',
    error: 'S',
  },
  {
    condition: 'connected only',
    resources: { a: undefined },
    to: romeo,
    normal: 'O',
    chat: 'O',
    groupchat: 'E',
    headline: 'S',
    error: 'S',
  },
  {
    condition: 'connected only',
    resources: { a: undefined },
    to: `${romeo}/a`,
    normal: 'a',
    chat: 'a',
    groupchat: 'a',
    headline: 'a',
    error: 'a',
  },
  {
    condition: 'connected only',
    resources: { a: undefined },
    to: `${romeo}/x`,
    normal: 'E',
    chat: 'O',
    groupchat: 'E',
    headline: 'E',
    error: 'S',
  },
  {
    condition: 'negative',
    resources: { a: -1, b: -5 },
    to: romeo,
    normal: 'O',
    chat: 'O',
    groupchat: 'E',
    headline: 'S',
    error: 'S',
  },
  {
    condition: 'negative',
    resources: { a: -1, b: -5 },
    to: `${romeo}/a`,
    normal: 'a',
    chat: 'a',
    groupchat: 'a',
    headline: 'a',
    error: 'a',
  },
  {
    condition: 'negative',
    resources: { a: -1, b: -5 },
    to: `${romeo}/x`,
    normal: 'E',
    chat: 'O',
    groupchat: 'E',
    headline: 'E',
    error: 'S',
  },
  {
    condition: 'one',
    resources: { a: 0 },
    to: romeo,
    normal: 'a',
    chat: 'a',
    groupchat: 'E',
    headline: 'a',
    error: 'S',
  },
  {
    condition: 'one',
    resources: { a: 0 },
    to: `${romeo}/a`,
    normal: 'a',
    chat: 'a',
    groupchat: 'a',
    headline: 'a',
    error: 'a',
  },
  {
    condition: 'one',
    resources: { a: 0 },
    to: `${romeo}/x`,
    normal: 'E',
    chat: 'a',
    groupchat: 'E',
    headline: 'E',
    error: 'S',
  },
  {
    condition: 'many',
    resources: two,
    to: romeo,
    normal: 'high',
    chat: 'high',
    groupchat: 'E',
    headline: 'high low',
    error: 'S',
  },
  {
    condition: 'many',
    resources: two,
    to: `${romeo}/low`,
    normal: 'low',
    chat: 'low',
    groupchat: 'low',
    headline: 'low',
    error: 'low',
  },
  {
    condition: 'many',
    resources: two,
    to: `${romeo}/x`,
    normal: 'E',
    chat: 'high',
    groupchat: 'E',
    headline: 'E',
    error: 'S',
  },
  {
    condition: 'many, equal',
    resources: equal,
    to: romeo,
    normal: 'one other',
    chat: 'one other',
    groupchat: 'E',
    headline: 'one other low',
    error: 'S',
  },
  {
    condition: 'many, equal',
    resources: equal,
    to: `${romeo}/x`,
    normal: 'E',
    chat: 'one other',
    groupchat: 'E',
    headline: 'E',
    error: 'S',
  },
]

describe('SM-05: section 8.5: messages', () => {
  for (const row of messages) {
    for (const type of ['normal', 'chat', 'groupchat', 'headline', 'error'] as const) {
      it(`${row.condition}: ${type} to ${row.to} gives ${row[type]}`, async () => {
        const { juliet, actors, kept } = await scene(row.resources, row.exists ?? true)
        const mark =
          type === 'error' ? `<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>` : ''
        juliet.send(`<message to='${row.to}' type='${type}' id='m1'><body>hi</body>${mark}</message>`)
        const errors = await juliet.drain()
        const expected = row[type]
        assert.deepEqual(errors.map(conditionOf), expected === 'E' ? ['service-unavailable'] : [])
        for (const el of errors) assert.equal(el.attr('from'), row.to)
        const rows = await kept()
        assert.equal(rows.length, expected === 'O' ? 1 : 0, 'kept')
        const isTaken = !['O', 'E', 'S'].includes(expected)
        assert.deepEqual(await takers(actors), isTaken ? expected.split(' ') : [])
      })
    }
  }

  it('never rewrites the address', async () => {
    const { juliet, actors } = await scene({ a: 0 })
    for (const to of [romeo, `${romeo}/a`, `${romeo}/x`]) {
      juliet.send(`<message to='${to}' type='chat'><body>hi</body></message>`)
      assert.equal((await actors['a']?.next())?.attr('to'), to)
    }
  })

  it('a message without address is for the own account', async () => {
    const { actors } = await scene({ a: 0 })
    actors['a']?.send(`<message><body>note</body></message>`)
    assert.equal((await actors['a']?.next())?.attr('to'), romeo)
  })
})

describe('SM-05: section 8.5: presence', () => {
  const rows: readonly (readonly [string, Resources, boolean, string, string])[] = [
    ['no account, bare', {}, false, romeo, ''],
    ['no account, full', {}, false, `${romeo}/x`, ''],
    ['no resource, bare', {}, true, romeo, ''],
    ['all available ones, bare', { ...two }, true, romeo, 'high low negative'],
    ['match, not even available', { ...two }, true, `${romeo}/silent`, 'silent'],
    ['no match', { ...two }, true, `${romeo}/x`, ''],
  ]
  for (const [name, resources, exists, to, expected] of rows) {
    for (const type of ['', 'unavailable']) {
      it(`${name}: ${type || 'available'}`, async () => {
        const { juliet, actors } = await scene(resources, exists)
        juliet.send(type === '' ? `<presence to='${to}'/>` : `<presence to='${to}' type='${type}'/>`)
        assert.deepEqual(await juliet.drain(), [], 'nobody answers')
        assert.deepEqual((await takers(actors)).join(' '), expected)
      })
    }
  }

  for (const type of ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed']) {
    it(`no account: ${type} is ignored, and keeps no record`, async () => {
      const house = await House.build({ accounts: ['juliet@capulet.com'] })
      const elsewhere = house.elsewhere()
      elsewhere.send(`<presence from='nurse@verona.example' to='${romeo}' type='${type}'/>`)
      assert.deepEqual(await elsewhere.drain(), [])
    })
  }

  it('no account: a probe is answered as for somebody who shows nothing', async () => {
    const answers: (readonly string[])[] = []
    for (const exists of [true, false]) {
      const { house } = await scene({}, exists)
      const elsewhere = house.elsewhere()
      elsewhere.send(`<presence from='nurse@verona.example' to='${romeo}' type='probe' id='p1'/>`)
      const came = await elsewhere.drain()
      answers.push(came.map((el) => `${brief(el)} ${el.attr('id')}`))
    }
    assert.deepEqual(answers[0], [`presence/unsubscribed ${romeo} p1`])
    assert.deepEqual(answers[0], answers[1])
  })
})

describe('SM-05: section 8.5: iq', () => {
  const payload = `<x xmlns='urn:x'/>`

  for (const [name, resources, exists, to] of [
    ['no account, bare', {}, false, romeo],
    ['no account, full', {}, false, `${romeo}/x`],
    ['no resource, bare', {}, true, romeo],
    ['no resource, full', {}, true, `${romeo}/x`],
    ['resources, bare', two, true, romeo],
    ['resources, no match', two, true, `${romeo}/x`],
    ['resources, match, a stranger asks', two, true, `${romeo}/high`],
    ['connected, match, a stranger asks', two, true, `${romeo}/silent`],
  ] as const) {
    for (const type of ['get', 'set'] as const) {
      it(`${name}: ${type} gives service-unavailable, and nobody sees it`, async () => {
        const { juliet, actors } = await scene(resources, exists)
        const answer = await juliet.ask(type, payload, to)
        assert.equal(conditionOf(answer), 'service-unavailable')
        assert.equal(answer.attr('from'), to)
        assert.deepEqual(await takers(actors), [])
      })
    }
  }

  it('a stranger cannot tell by the answer whether a resource is there', async () => {
    const { juliet } = await scene({ a: 0 })
    const there = await juliet.ask('get', payload, `${romeo}/a`)
    const gone = await juliet.ask('get', payload, `${romeo}/b`)
    assert.deepEqual(there.child('error')?.payload, gone.child('error')?.payload)
    assert.equal(there.child('error')?.attr('type'), gone.child('error')?.attr('type'))
  })

  it('a match: who sees the presence is heard; by subscription or because he was told directly', async () => {
    const { house, juliet, actors } = await scene({ a: 0, b: undefined })
    const b = actors['b'] as Actor
    b.send(`<presence to='juliet@capulet.com/balcony'/>`)
    await juliet.drain()
    juliet.send(`<iq type='get' id='1' to='${romeo}/b'>${payload}</iq>`)
    assert.equal((await b.next()).attr('id'), '1')
    const service = house.core.hostType('default').services.find('roster')
    const host = house.host('montague.net')
    const { jid } = await import('../jid/jid.ts')
    const item = {
      jid: jid('juliet@capulet.com'),
      name: '',
      subscription: 'from',
      pendingOut: false,
      pendingIn: false,
      listed: true,
      approved: false,
      groups: [],
    } as const
    await house.wait(service?.set(host, 'romeo', item) ?? Promise.reject(new Error('no roster')))
    await juliet.drain()
    juliet.send(`<iq type='set' id='2' to='${romeo}/a'>${payload}</iq>`)
    assert.equal((await actors['a']?.drain())?.at(-1)?.attr('id'), '2')
  })

  it('a server is a stranger like any other, unless its users see the resource; the host and its services are not', async () => {
    const { house, actors } = await scene({ a: 0 })
    const a = actors['a'] as Actor
    const elsewhere = house.elsewhere()
    const hears = async (from: string) => {
      elsewhere.send(`<iq type='get' id='1' from='${from}' to='${romeo}/a'>${payload}</iq>`)
      const isHeard = (await a.drain()).some((el) => el.name === 'iq')
      const answers = await elsewhere.drain()
      if (!isHeard) assert.deepEqual(answers.map(conditionOf), ['service-unavailable'], from)
      return isHeard
    }
    assert.deepEqual([await hears('montague.net'), await hears('rooms.montague.net')], [true, true])
    assert.deepEqual([await hears('prying.example'), await hears('notmontague.net')], [false, false])
    a.send(`<presence to='nurse@told.example/x'/>`)
    await elsewhere.drain()
    assert.deepEqual([await hears('told.example'), await hears('prying.example')], [true, false])
    a.send(`<presence type='subscribed' to='tybalt@seeing.example'/>`)
    elsewhere.send(`<presence type='subscribe' from='tybalt@seeing.example' to='${romeo}'/>`)
    await a.drain()
    await elsewhere.drain()
    assert.deepEqual([await hears('seeing.example'), await hears('prying.example')], [true, false])
  })

  it('results and errors go to the resource, whoever they are from', async () => {
    const { juliet, actors } = await scene({ a: undefined })
    juliet.send(`<iq type='result' id='r' to='${romeo}/a'/>`)
    juliet.send(`<iq type='error' id='e' to='${romeo}/a'><error type='cancel'/></iq>`)
    assert.deepEqual(
      (await actors['a']?.drain())?.map((el) => el.attr('id')),
      ['r', 'e'],
    )
    juliet.send(`<iq type='result' id='r' to='${romeo}/x'/>`)
    juliet.send(`<iq type='result' id='r' to='${romeo}'/>`)
    assert.deepEqual(await juliet.drain(), [])
  })

  it('the rule about presence can be switched off', async () => {
    const house = await House.build({ options: { presence: { iq_needs_presence: false } } })
    const a = house.actor(`${romeo}/a`)
    house.actor('juliet@capulet.com/balcony').send(`<iq type='get' id='1' to='${romeo}/a'>${payload}</iq>`)
    assert.equal((await a.next()).attr('id'), '1')
  })
})

describe('SM-07: the recipient dies between lookup and delivery', () => {
  const dying = (actor: Actor) => {
    // The link is found broken in the very moment of writing: the queue is over its limit.
    actor.link.queuedBytes = Number.POSITIVE_INFINITY
  }

  it('his only resource: the message is kept once, the sender gets nothing', async () => {
    const { juliet, actors, kept } = await scene({ a: 0 })
    dying(actors['a'] as Actor)
    juliet.send(`<message to='${romeo}' type='chat' id='m1'><body>hi</body></message>`)
    actors['a']?.link.goes()
    assert.deepEqual(await juliet.drain(), [])
    assert.equal((await kept()).length, 1)
  })

  it('the most available of several: the next one gets it, and it is not kept', async () => {
    const { juliet, actors, kept } = await scene({ high: 5, low: 0 })
    dying(actors['high'] as Actor)
    juliet.send(`<message to='${romeo}' type='chat' id='m1'><body>hi</body></message>`)
    actors['high']?.link.goes()
    const came = (await actors['low']?.drain())?.filter((el) => el.name === 'message')
    assert.equal(came?.length, 1)
    assert.equal(came?.[0]?.hasChild('delay', 'urn:xmpp:delay'), false, 'not by way of the store')
    assert.equal((await kept()).length, 0)
  })

  it('the addressed resource: normal and chat messages are kept or go to another, none is lost', async () => {
    for (const type of ['normal', 'chat']) {
      const { juliet, actors, kept } = await scene({ a: 0 })
      dying(actors['a'] as Actor)
      juliet.send(`<message to='${romeo}/a' type='${type}' id='m1'><body>hi</body></message>`)
      actors['a']?.link.goes()
      assert.deepEqual(await juliet.drain(), [])
      assert.equal((await kept()).length, 1)
    }
  })
})

describe('SES-09: order while a filter waits', () => {
  it('what comes behind a stanza that waits for the store waits too, and keeps its order', async () => {
    const { house, juliet, actors } = await scene({ a: 0 })
    const hooks = house.core.hostType('default').hooks
    const waiting: (() => void)[] = []
    hooks.on(
      'stanza:sent',
      'slow',
      (packet) => {
        if (packet.el.attr('id') !== 'slow') return undefined
        return new Promise((resolve) => waiting.push(() => resolve(undefined)))
      },
      { kinds: ['message'] },
    )
    for (const id of ['1', 'slow', '2', '3']) juliet.send(`<message to='${romeo}/a' id='${id}'/>`)
    const ids = async () => (await actors['a']?.drain())?.map((el) => el.attr('id'))
    assert.deepEqual(await ids(), ['1'])
    for (const go of waiting) go()
    assert.deepEqual(await ids(), ['slow', '2', '3'])
  })

  it('the same at the receiving side, and another sender is not held up', async () => {
    const { house, juliet, actors } = await scene({ a: 0 })
    const nurse = house.actor('nurse@capulet.com/kitchen')
    const hooks = house.core.hostType('default').hooks
    const waiting: (() => void)[] = []
    hooks.on(
      'stanza:inbound',
      'slow',
      (packet) => {
        if (packet.el.attr('id') !== 'slow') return undefined
        return new Promise((resolve) => waiting.push(() => resolve(undefined)))
      },
      { kinds: ['message'] },
    )
    for (const id of ['1', 'slow', '2']) juliet.send(`<message to='${romeo}' id='${id}'><body>x</body></message>`)
    nurse.send(`<message to='${romeo}' id='other'><body>x</body></message>`)
    const ids = async () => (await actors['a']?.drain())?.map((el) => el.attr('id'))
    assert.deepEqual(await ids(), ['1', 'other'])
    for (const go of waiting) go()
    assert.deepEqual(await ids(), ['slow', '2'])
  })

  it('one that waits too long is refused, and those behind it go on', async () => {
    const { house, juliet, actors } = await scene({ a: 0 })
    const hooks = house.core.hostType('default').hooks
    hooks.on(
      'stanza:sent',
      'stuck',
      (packet) => (packet.el.attr('id') === 'stuck' ? new Promise(() => undefined) : undefined),
      { kinds: ['message'] },
    )
    for (const id of ['stuck', '1']) juliet.send(`<message to='${romeo}/a' id='${id}'/>`)
    await house.settle()
    await house.pass(10_000)
    assert.deepEqual((await juliet.drain()).map(conditionOf), ['internal-server-error'])
    assert.deepEqual(
      (await actors['a']?.drain())?.map((el) => el.attr('id')),
      ['1'],
    )
  })
})
