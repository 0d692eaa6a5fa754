/**
 * The conformance tables of XEP-0016 and XEP-0191 (SES-04): each kind of rule × kind of stanza × direction, as list of a
 * session, as default list and as blocklist; and whom a rule is never for.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import { type Actor, type Elsewhere, House } from '../modules.testing.ts'
import { offlineStore } from '../offline/offline.store.ts'
import {
  activate,
  active,
  block,
  byDefault,
  conditionOf,
  granted,
  knows,
  list,
  romeo,
  scene,
  seen,
} from './privacy.testing.ts'

const full = `${romeo}/one`

/** What a rule may name; '' for everything. */
const kinds = ['', 'message', 'iq', 'presence-in', 'presence-out'] as const

/** Rules of each type, an address that it is for, and one that it is not for. */
const selectors: readonly (readonly [string, string, string, string])[] = [
  [
    'a full address (§2.1 1)',
    'jid juliet@capulet.lit/balcony',
    'juliet@capulet.lit/balcony',
    'juliet@capulet.lit/tomb',
  ],
  ['a bare address (§2.1 2)', 'jid juliet@capulet.lit', 'juliet@capulet.lit/any', 'nurse@capulet.lit/any'],
  ["a domain's resource (§2.1 3)", 'jid capulet.lit/gate', 'capulet.lit/gate', 'juliet@capulet.lit/gate'],
  ['a domain (§2.1 4)', 'jid capulet.lit', 'juliet@capulet.lit/any', 'juliet@sub.capulet.lit/any'],
  ['a domain, of itself (§2.1 4)', 'jid capulet.lit', 'capulet.lit', 'verona.lit'],
  ['a domain, of its resources (§2.1 4)', 'jid capulet.lit', 'capulet.lit/gate', 'verona.lit/gate'],
  ['a group', 'group Enemies', 'tybalt@capulet.lit/any', 'friend@capulet.lit/any'],
  ['the subscription both', 'subscription both', 'both@capulet.lit/any', 'to@capulet.lit/any'],
  ['the subscription to', 'subscription to', 'to@capulet.lit/any', 'both@capulet.lit/any'],
  ['the subscription from', 'subscription from', 'from@capulet.lit/any', 'both@capulet.lit/any'],
  ['the subscription none', 'subscription none', 'none@capulet.lit/any', 'from@capulet.lit/any'],
  ['the subscription none, unknown', 'subscription none', 'unknown@capulet.lit/any', 'to@capulet.lit/any'],
  ['everybody', '*', 'unknown@capulet.lit/any', ''],
]

/** A stanza, the kind that stops it besides '', and what its sender hears of it. */
interface Row {
  readonly name: string
  readonly direction: 'in' | 'out'
  readonly stanza: string
  readonly kind: (typeof kinds)[number]
  readonly answer?: string
  /** Not delivered to the session even without a list. */
  readonly isInternal?: true
}

const rows: readonly Row[] = [
  {
    name: 'message',
    direction: 'in',
    stanza: '<message A><body>x</body></message>',
    kind: 'message',
    answer: 'service-unavailable',
  },
  { name: 'message error', direction: 'in', stanza: `<message A type='error'><error/></message>`, kind: 'message' },
  {
    name: 'iq get',
    direction: 'in',
    stanza: `<iq A type='get' id='q'><q xmlns='urn:q'/></iq>`,
    kind: 'iq',
    answer: 'service-unavailable',
  },
  {
    name: 'iq set',
    direction: 'in',
    stanza: `<iq A type='set' id='q'><q xmlns='urn:q'/></iq>`,
    kind: 'iq',
    answer: 'service-unavailable',
  },
  { name: 'iq result', direction: 'in', stanza: `<iq A type='result' id='q'/>`, kind: 'iq' },
  { name: 'iq error', direction: 'in', stanza: `<iq A type='error' id='q'><error/></iq>`, kind: 'iq' },
  { name: 'presence', direction: 'in', stanza: '<presence A/>', kind: 'presence-in' },
  { name: 'unavailable', direction: 'in', stanza: `<presence A type='unavailable'/>`, kind: 'presence-in' },
  { name: 'presence error', direction: 'in', stanza: `<presence A type='error'><error/></presence>`, kind: '' },
  {
    name: 'message',
    direction: 'out',
    stanza: '<message A><body>x</body></message>',
    kind: '',
    answer: 'not-acceptable',
  },
  {
    name: 'iq get',
    direction: 'out',
    stanza: `<iq A type='get' id='q'><q xmlns='urn:q'/></iq>`,
    kind: '',
    answer: 'not-acceptable',
  },
  {
    name: 'iq set',
    direction: 'out',
    stanza: `<iq A type='set' id='q'><q xmlns='urn:q'/></iq>`,
    kind: '',
    answer: 'not-acceptable',
  },
  { name: 'iq result', direction: 'out', stanza: `<iq A type='result' id='q'/>`, kind: '' },
  { name: 'presence', direction: 'out', stanza: '<presence A/>', kind: 'presence-out', answer: 'not-acceptable' },
  {
    name: 'unavailable',
    direction: 'out',
    stanza: `<presence A type='unavailable'/>`,
    kind: 'presence-out',
    answer: 'not-acceptable',
  },
]

async function world() {
  // So that requests to the resource are not refused for another reason.
  const { house, elsewhere, one } = await scene({ options: { presence: { iq_needs_presence: false } } })
  for (const subscription of ['both', 'to', 'from', 'none'] as const) {
    await knows(house, romeo, `${subscription}@capulet.lit`, { subscription })
  }
  await knows(house, romeo, 'tybalt@capulet.lit', { subscription: 'none', groups: ['Montagues', 'Enemies'] })
  await knows(house, romeo, 'friend@capulet.lit', { subscription: 'none', groups: ['Friends'] })
  await one.drain()
  await elsewhere.drain()
  return { house, elsewhere, one }
}

/** Sends the row's stanza between romeo's client and the peer; whether it arrived, and what its sender heard. */
async function passes(
  one: Actor,
  elsewhere: Elsewhere,
  row: Row,
  peer: string,
): Promise<readonly [boolean, Element[]]> {
  await one.drain()
  await elsewhere.drain()
  if (row.direction === 'in') elsewhere.send(row.stanza.replace('A', `from='${peer}' to='${full}'`))
  else one.send(row.stanza.replace('A', `to='${peer}'`))
  const [here, there] = [await one.drain(), await elsewhere.drain()]
  const [arrived, back] = row.direction === 'in' ? [here, there] : [there, here]
  return [arrived.length > 0, [...back]]
}

describe('SES-04: each rule × stanza × direction (XEP-0016 §2.1, §2.9 to §2.14)', () => {
  for (const [title, selector, matched, other] of selectors) {
    for (const kind of kinds) {
      it(`${title}, ${kind === '' ? 'everything' : kind}`, async () => {
        const { elsewhere, one } = await world()
        await activate(one, `deny ${selector}${kind === '' ? '' : ` ${kind}`}`)
        for (const row of rows) {
          const isStopped = kind === '' || kind === row.kind
          const text = `${row.direction} ${row.name}`
          const [arrived, back] = await passes(one, elsewhere, row, matched)
          assert.equal(arrived, !isStopped, text)
          const heard = back.map((el) => `${el.attr('from')} ${conditionOf(el)}`)
          const from = row.direction === 'in' ? full : matched
          assert.deepEqual(heard, isStopped && row.answer !== undefined ? [`${from} ${row.answer}`] : [], text)
          for (const el of back) assert.equal(el.child('error')?.attr('type'), 'cancel')
          if (other === '') continue
          const [otherArrived, otherBack] = await passes(one, elsewhere, row, other)
          assert.ok(otherArrived, `${text} of ${other}`)
          assert.deepEqual(otherBack, [])
        }
      })
    }
  }

  for (const [title, selector, matched] of selectors) {
    it(`${title}: an allowing rule before the one that denies all lets everything pass`, async () => {
      const { elsewhere, one } = await world()
      await activate(one, `allow ${selector}`, 'deny')
      for (const row of rows) {
        const [arrived] = await passes(one, elsewhere, row, matched)
        assert.ok(arrived, `${row.direction} ${row.name}`)
      }
    })
  }

  it('several kinds in one rule are each stopped, and the first rule that names a kind decides', async () => {
    const { elsewhere, one } = await world()
    await activate(one, 'allow jid juliet@capulet.lit message', 'deny jid capulet.lit message presence-in', 'allow')
    const stopped: string[] = []
    for (const row of rows) {
      const [arrived] = await passes(one, elsewhere, row, 'nurse@capulet.lit/any')
      if (!arrived) stopped.push(`${row.direction} ${row.name}`)
    }
    assert.deepEqual(stopped, ['in message', 'in message error', 'in presence', 'in unavailable'])
    const [arrived] = await passes(one, elsewhere, rows[0] as Row, 'juliet@capulet.lit/any')
    assert.ok(arrived)
  })
})

describe('subscriptions and probes (§2, §2.13): only a rule for everything stops them', () => {
  for (const kind of kinds) {
    it(kind === '' ? 'everything' : kind, async () => {
      const { elsewhere, one } = await world()
      // They come for the account as a whole.
      await granted(one, list('test', `deny jid capulet.lit${kind === '' ? '' : ` ${kind}`}`))
      await granted(one, byDefault('test'))
      await one.drain()
      await elsewhere.drain()
      const isStopped = kind === ''
      elsewhere.send(`<presence type='subscribe' from='new@capulet.lit' to='${romeo}'/>`)
      assert.deepEqual(seen(await one.drain()), isStopped ? [] : ['presence subscribe new@capulet.lit'])
      assert.deepEqual(await elsewhere.drain(), [], 'no answer')
      elsewhere.send(`<presence type='probe' from='from@capulet.lit' to='${romeo}'/>`)
      const probed = (await elsewhere.drain()).map((el) => el.attr('type') ?? 'available')
      // Who hides his presence is not there.
      assert.deepEqual(probed, isStopped ? [] : kind === 'presence-out' ? ['unavailable'] : ['available'])
      for (const type of ['subscribe', 'unsubscribe', 'subscribed', 'unsubscribed']) {
        one.send(`<presence type='${type}' to='other@capulet.lit'/>`)
        const [here, there] = [seen(await one.drain()), await elsewhere.drain()]
        const refused = [`presence error other@capulet.lit not-acceptable`]
        if (isStopped) assert.deepEqual([here, there], [refused, []], type)
        else assert.ok(!here.includes(refused[0] ?? ''), type)
      }
    })
  }

  it('a blocked subscription leaves no trace in the roster (§2.2 rule 4)', async () => {
    const { elsewhere, one } = await world()
    await granted(one, block('capulet.lit'))
    for (const [from, type] of [
      ['new', 'subscribe'],
      ['to', 'unsubscribed'],
      ['from', 'unsubscribe'],
    ]) {
      elsewhere.send(`<presence type='${type}' from='${from}@capulet.lit' to='${romeo}'/>`)
    }
    one.send(`<presence type='subscribe' to='none@capulet.lit'/>`)
    await one.drain()
    const roster = await one.ask('get', `<query xmlns='jabber:iq:roster'/>`)
    const states = roster.elements[0]?.elements.map(
      (el) => `${el.attr('jid')} ${el.attr('subscription')} ${el.attr('ask')}`,
    )
    assert.deepEqual(states?.sort(), [
      'both@capulet.lit both undefined',
      'friend@capulet.lit none undefined',
      'from@capulet.lit from undefined',
      'none@capulet.lit none undefined',
      'to@capulet.lit to undefined',
      'tybalt@capulet.lit none undefined',
    ])
  })
})

describe('SES-04: the blocklist (XEP-0191 §3.3)', () => {
  for (const [title, selector, matched, other] of selectors.filter(([, one]) => one.startsWith('jid '))) {
    it(`${title}: stops everything, both ways, and says so to its own client alone`, async () => {
      const { elsewhere, one } = await world()
      await granted(one, block(selector.slice(4)))
      for (const row of rows) {
        const text = `${row.direction} ${row.name}`
        const [arrived, back] = await passes(one, elsewhere, row, matched)
        assert.equal(arrived, false, text)
        assert.deepEqual(back.map(conditionOf), row.answer === undefined ? [] : [row.answer], text)
        const says = back.map((el) => el.child('error')?.child('blocked', 'urn:xmpp:blocking:errors') !== undefined)
        assert.deepEqual(says, row.answer === undefined ? [] : [row.direction === 'out'], text)
        const [otherArrived] = await passes(one, elsewhere, row, other)
        assert.ok(otherArrived, `${text} of ${other}`)
      }
    })
  }

  it('a blocked occupant of a room hears of no error, for which the room would throw out who blocked him (XEP-0045 §18.1.2)', async () => {
    const { elsewhere, one } = await scene()
    one.send(`<presence to='room@chat.lit/romeo'/>`)
    await granted(one, block('room@chat.lit/tybalt'))
    await one.drain()
    await elsewhere.drain()
    const says = (type: string, to: string, more = '') =>
      elsewhere.send(`<message from='room@chat.lit/tybalt' to='${to}' type='${type}'><body>x</body>${more}</message>`)
    const pm = `<x xmlns='http://jabber.org/protocol/muc#user'/>`
    says('groupchat', full)
    says('chat', full, pm)
    assert.deepEqual(seen(await one.drain()), [])
    assert.deepEqual(seen(await elsewhere.drain()), [])
    // §18.1.2: a ghost must be found out, and nobody else is in a room.
    says('groupchat', `${romeo}/gone`)
    says('chat', `${romeo}/gone`, pm)
    says('chat', full)
    says('headline', full)
    assert.deepEqual(
      seen(await elsewhere.drain()),
      [`${romeo}/gone`, `${romeo}/gone`, full, full].map((from) => `message error ${from} service-unavailable`),
    )
  })

  it('a rule of another kind is refused without <blocked/> (XEP-0016 §2.14)', async () => {
    const { one } = await world()
    await granted(one, list('test', 'deny subscription none'))
    await granted(one, byDefault('test'))
    await one.drain()
    one.send(`<message to='unknown@capulet.lit'><body>x</body></message>`)
    const error = (await one.next()).child('error')
    assert.deepEqual(
      error?.elements.map((el) => el.name),
      ['not-acceptable'],
    )
  })
})

describe('whom no rule stops (XEP-0016 note 5, XEP-0191 note 8)', () => {
  const all = ['deny'] as const

  it("one's own resources and account, one's server, and what the server says of others", async () => {
    const { house, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await granted(one, list('all', ...all))
    await granted(one, byDefault('all'))
    await granted(one, block(romeo, `${romeo}/two`, 'montague.net'))
    await one.drain()
    await two.drain()
    one.send(`<message to='${romeo}/two' id='a'><body>x</body></message>`)
    one.send(`<message to='${romeo}' type='headline' id='b'><body>x</body></message>`)
    one.send('<presence><show>away</show></presence>')
    assert.deepEqual(seen(await two.drain()), [
      `message ${romeo}/one`,
      `message headline ${romeo}/one`,
      `presence ${romeo}/one`,
    ])
    await one.drain()
    for (const [payload, to] of [
      [`<query xmlns='jabber:iq:roster'/>`, undefined],
      [`<query xmlns='jabber:iq:roster'/>`, romeo],
      [`<ping xmlns='urn:xmpp:ping'/>`, 'montague.net'],
    ] as const) {
      assert.equal((await one.ask('get', payload, to)).attr('type'), 'result', `${payload} ${to}`)
    }
    const ping = x('iq', NS_CLIENT, { type: 'get', id: 'p' }, x('ping', 'urn:xmpp:ping'))
    void house.core.send(ping, house.host('montague.net').jid, one.session.jid)
    assert.deepEqual(seen(await one.drain()), ['iq get montague.net'])
  })

  it('the error for a message of his own that could not go reaches him whoever it was for', async () => {
    const { one } = await scene({ accounts: [romeo] })
    await activate(one, 'deny * message')
    one.send(`<message to='nobody@capulet.com'><body>x</body></message>`)
    assert.deepEqual(seen(await one.drain()), ['message error nobody@capulet.com service-unavailable'])
  })

  it('but another account of the same host is one like any other', async () => {
    const { house, one } = await scene()
    const other = await house.online('benvolio@montague.net/x')
    await granted(one, block('montague.net'))
    await one.drain()
    other.send(`<message to='${full}'><body>x</body></message>`)
    assert.deepEqual(seen(await one.drain()), [])
    assert.deepEqual(seen(await other.drain()), [`message error ${full} service-unavailable`])
  })
})

describe('which list applies (§2.2 rules 1 to 3)', () => {
  const juliet = 'juliet@capulet.lit/any'
  const say = (to: string, more = '') => `<message from='${juliet}' to='${to}'${more}><body>x</body></message>`
  const unavailable = (from: string) => [`message error ${from} service-unavailable`]

  it("an active list is its session's alone, and the default list does not count for it", async () => {
    const { house, elsewhere, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await granted(one, list('open', 'allow'))
    await granted(one, block('juliet@capulet.lit'))
    await granted(one, active('open'))
    await one.drain()
    await two.drain()
    elsewhere.send(say(`${romeo}/one`))
    elsewhere.send(say(`${romeo}/two`))
    assert.deepEqual(seen(await elsewhere.drain()), unavailable(`${romeo}/two`))
    assert.deepEqual(seen(await one.drain()), [`message ${juliet}`], 'XEP-0191 §5: implication 5')
    assert.deepEqual(seen(await two.drain()), [])
    // Until its session ends.
    one.drop()
    const again = await house.online(`${romeo}/one`)
    elsewhere.send(say(`${romeo}/one`))
    assert.deepEqual(seen(await elsewhere.drain()).slice(-1), unavailable(`${romeo}/one`))
    assert.deepEqual(seen(await again.drain()), [])
  })

  for (const type of ['', ` type='chat'`, ` type='headline'`]) {
    it(`a message${type} to the bare address goes to those whose list lets it through`, async () => {
      const { house, elsewhere, one } = await scene()
      const two = await house.online(`${romeo}/two`)
      await activate(one, 'deny jid juliet@capulet.lit')
      await two.drain()
      elsewhere.send(say(romeo, type))
      assert.deepEqual(seen(await one.drain()), [])
      assert.deepEqual(seen(await two.drain()), [`message${type === '' ? '' : ` ${type.slice(7, -1)}`} ${juliet}`])
      await activate(two, 'deny jid capulet.lit message')
      elsewhere.send(say(romeo, type))
      assert.deepEqual(seen(await one.drain()), [])
      assert.deepEqual(seen(await two.drain()), [])
      assert.deepEqual(seen(await elsewhere.drain()), unavailable(romeo), 'once, and not kept')
    })
  }

  it('a list of a resource that takes no messages lets none through for others, and hides none from them', async () => {
    for (const takesNone of [`<presence><priority>-1</priority></presence>`, `<presence type='unavailable'/>`]) {
      const { house, elsewhere, one } = await scene()
      const two = await house.online(`${romeo}/two`)
      two.send(takesNone)
      await activate(one, 'deny * message')
      elsewhere.send(say(romeo, ` type='chat'`))
      assert.deepEqual(
        seen(await elsewhere.drain()).filter((text) => text.startsWith('message')),
        unavailable(romeo),
      )
      await granted(one, active())
      await activate(two, 'deny * message')
      await one.drain()
      elsewhere.send(say(romeo, ` type='chat'`))
      assert.deepEqual(seen(await one.drain()), [`message chat ${juliet}`])
    }
  })

  it('a request for a subscription is shown to those whose list lets it through (§2.13)', async () => {
    const { house, elsewhere, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await activate(one, 'deny jid juliet@capulet.lit')
    await two.drain()
    elsewhere.send(`<presence type='subscribe' from='juliet@capulet.lit' to='${romeo}'/>`)
    assert.deepEqual(seen(await two.drain()), ['presence subscribe juliet@capulet.lit'])
    assert.deepEqual(seen(await one.drain()), [])
  })

  it('the one with the highest priority that lets it through has it', async () => {
    const { house, elsewhere, one } = await scene()
    one.send('<presence><priority>5</priority></presence>')
    const two = await house.online(`${romeo}/two`, 1)
    await activate(one, 'deny jid juliet@capulet.lit')
    await two.drain()
    elsewhere.send(say(romeo))
    assert.deepEqual([seen(await one.drain()), seen(await two.drain())], [[], [`message ${juliet}`]])
  })

  it('a copy (XEP-0280) is not for the resource whose list stops the message', async () => {
    const { house, elsewhere, one } = await scene()
    const enable = `<enable xmlns='urn:xmpp:carbons:2'/>`
    const two = await house.online(`${romeo}/two`)
    const three = await house.online(`${romeo}/three`)
    for (const actor of [two, three]) await granted(actor, enable)
    await activate(two, 'deny jid juliet@capulet.lit message')
    await three.drain()
    elsewhere.send(`<message from='juliet@capulet.lit/any' to='${full}' type='chat'><body>hi</body></message>`)
    assert.equal((await one.drain()).filter((el) => el.name === 'message').length, 1)
    assert.deepEqual(seen(await two.drain()), [])
    assert.deepEqual(seen(await three.drain()), [`message chat ${romeo}`])
  })

  it('presence to the bare address likewise', async () => {
    const { house, elsewhere, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await activate(one, 'deny * presence-in')
    await two.drain()
    elsewhere.send(`<presence from='${juliet}' to='${romeo}'/>`)
    assert.deepEqual([seen(await one.drain()), seen(await two.drain())], [[], [`presence ${juliet}`]])
  })

  it('a request to the account itself goes by the default list', async () => {
    const { house, elsewhere, one } = await scene()
    await knows(house, romeo, 'juliet@capulet.lit', { subscription: 'both' })
    await elsewhere.drain()
    const ask = `<iq type='get' id='q' from='${juliet}' to='${romeo}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`
    elsewhere.send(ask)
    assert.deepEqual(seen(await elsewhere.drain()), [`iq result ${romeo}`])
    await granted(one, block('juliet@capulet.lit'))
    await elsewhere.drain()
    elsewhere.send(ask)
    assert.deepEqual(seen(await elsewhere.drain()), [`iq error ${romeo} service-unavailable`])
  })

  it('for an account that is away the default list counts: nothing is kept, and errors are as for nobody', async () => {
    const { house, elsewhere, one } = await scene()
    await granted(one, list('test', 'deny jid juliet@capulet.lit message'))
    await granted(one, byDefault('test'))
    one.drop()
    const store = await house.wait(house.stores.open(offlineStore))
    const kept = async () =>
      (await house.wait(store.page({ host: 'montague.net', local: 'romeo', after: 0, limit: 10 }))).length
    for (const to of [romeo, `${romeo}/one`]) {
      await elsewhere.drain()
      elsewhere.send(say(to, ` type='chat'`))
      assert.deepEqual(seen(await elsewhere.drain()), unavailable(to))
    }
    assert.equal(await kept(), 0)
    elsewhere.send(say(romeo).replaceAll('juliet', 'nurse'))
    assert.deepEqual(seen(await elsewhere.drain()), [])
    assert.equal(await kept(), 1)
  })

  it('what was kept before its sender was blocked is not handed over; he is told once', async () => {
    const { house, elsewhere, one } = await scene()
    one.drop()
    for (const id of ['1', '2', '3']) {
      elsewhere.send(say(romeo, ` type='chat' id='${id}'`))
      if (id !== '3') elsewhere.send(say(romeo, ` type='chat' id='other'`).replaceAll('juliet', 'nurse'))
    }
    await elsewhere.drain()
    const two = house.actor(`${romeo}/two`)
    await granted(two, block('juliet@capulet.lit'))
    await two.drain()
    two.send('<presence/>')
    assert.deepEqual(
      seen(await two.drain()).filter((text) => text.startsWith('message')),
      ['message chat nurse@capulet.lit/any', 'message chat nurse@capulet.lit/any'],
    )
    assert.deepEqual(
      (await elsewhere.drain()).filter((el) => el.name === 'message').map((el) => el.attr('id')),
      ['1', '2', '3'],
    )
    two.drop()
    const three = await house.online(`${romeo}/three`)
    assert.deepEqual(seen(await three.drain()), [], 'it is gone')
  })

  it('that is told when it has left the store, not when a client that is handed it goes', async () => {
    const { house, elsewhere, one } = await scene()
    one.drop()
    elsewhere.send(say(romeo, ` type='chat' id='1'`).replaceAll('juliet', 'nurse'))
    elsewhere.send(say(romeo, ` type='chat' id='2'`))
    await elsewhere.drain()
    const two = house.actor(`${romeo}/two`)
    await granted(two, block('juliet@capulet.lit'))
    two.link.drained = undefined
    two.send('<presence/>')
    await house.settle()
    const bytes = two.link.written.splice(0).join('') as Octets
    assert.match(bytes, /id='1'/)
    const told = async () => (await elsewhere.drain()).filter((el) => el.name === 'message').map((el) => el.attr('id'))
    two.session.linkEnded({ reason: 'lost', detail: '' }, two.link)
    two.session.linkGone({ bytes, taken: 0, since: Date.UTC(2026, 0, 1), heldBack: '' as Octets }, two.link)
    assert.deepEqual(await told(), [])
    const three = await house.online(`${romeo}/three`)
    assert.deepEqual(await told(), ['2'])
    three.drop()
    await house.online(`${romeo}/four`)
    assert.deepEqual(await told(), [])
  })

  it('what an occupant of a room said to him who blocked him since goes without a word (XEP-0045 §18.1.2)', async () => {
    const { house, elsewhere, one } = await scene()
    one.drop()
    const says = `<message from='room@chat.lit/tybalt' to='${full}' type='chat'><body>x</body>`
    elsewhere.send(`${says}<x xmlns='http://jabber.org/protocol/muc#user'/></message>`)
    elsewhere.send(`${says}</message>`)
    await elsewhere.drain()
    const two = house.actor(`${romeo}/two`)
    await granted(two, block('room@chat.lit/tybalt'))
    await two.drain()
    two.send('<presence/>')
    assert.deepEqual(seen(await two.drain()), [`presence ${romeo}/two`])
    assert.equal((await elsewhere.drain()).filter((el) => el.name === 'message').length, 1)
  })

  it('what a resource had taken and lost is not sent to another after its sender was blocked (XEP-0191 §3.3)', async () => {
    for (const rules of [undefined, 'deny jid juliet@capulet.lit message']) {
      const { house, elsewhere, one } = await scene()
      const two = await house.online(`${romeo}/two`)
      elsewhere.send(say(full, ` type='chat' id='1'`))
      await house.settle()
      if (rules === undefined) await granted(two, block('juliet@capulet.lit'))
      else await activate(two, rules)
      await two.drain()
      const bytes = one.link.written.splice(0).join('') as Octets
      one.session.linkEnded({ reason: 'lost', detail: '' }, one.link)
      one.session.linkGone({ bytes, taken: 0, since: Date.UTC(2026, 0, 1), heldBack: '' as Octets }, one.link)
      assert.deepEqual(
        seen(await two.drain()).filter((text) => text.startsWith('message')),
        [],
      )
      assert.deepEqual(
        seen(await elsewhere.drain()).filter((text) => text.startsWith('message')),
        unavailable(full),
      )
    }
  })

  it('without any list everything passes, and nothing stands between two stanzas', async () => {
    const house = await House.build()
    const one = await house.online(`${romeo}/one`)
    const two = await house.online('juliet@capulet.com/two')
    for (let n = 0; n < 3; n++) one.send(`<message to='juliet@capulet.com/two'><body>${n}</body></message>`)
    assert.equal(two.link.written.length, 3, 'within the call')
  })

  it('a list of an account that waits for no store is applied at once', async () => {
    const { house, one } = await scene()
    const two = await house.online('juliet@capulet.com/two')
    await granted(two, list('test', 'deny subscription none'))
    await granted(two, byDefault('test'))
    await two.drain()
    one.send(`<message to='juliet@capulet.com/two'><body>x</body></message>`)
    assert.equal(one.link.written.length, 1, 'refused within the call')
    assert.deepEqual(seen(await two.drain()), [])
  })
})
