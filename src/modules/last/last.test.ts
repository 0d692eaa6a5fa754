/** XEP-0012: who learns when an account was left and with what status, what its resources are asked, uptime, and the data. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeInfo } from '../../core/core.testing.ts'
import type { AccountData } from '../../core/hooks.ts'
import type { RosterService, Subscription } from '../../core/services/roster.ts'
import { jid } from '../../jid/jid.ts'
import { storeError } from '../../store/errors.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, House } from '../modules.testing.ts'

const NS = 'jabber:iq:last'
const me = 'romeo@montague.net'
const her = 'juliet@capulet.com'
const query = `<query xmlns='${NS}'/>`
const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name

/** `SECONDS STATUS`, or the condition of the error. */
function told(answer: Element | undefined): string {
  if (answer?.attr('type') === 'error') return conditionOf(answer) ?? 'error'
  const got = answer?.child('query', NS)
  assert.ok(got)
  assert.equal(got.elements.length, 0)
  return `${got.attr('seconds')} ${got.text}`.trim()
}

const ask = async (actor: Actor, to?: string) => told(await actor.ask('get', query, to))

/** What romeo's roster says of somebody. */
async function lets(house: House, subscription: Subscription, contact = her, owner = me): Promise<void> {
  const { services } = house.core.hostType('default')
  const { domain, local } = jid(owner)
  await house.wait(
    (services.find('roster') as RosterService).set(house.host(domain), local, {
      jid: jid(contact),
      name: '',
      subscription,
      pendingOut: false,
      pendingIn: false,
      listed: true,
      approved: false,
      groups: [],
    }),
  )
}

/** romeo comes, does this, and his connection ends. */
async function visit(house: House, address: string, ...does: readonly string[]): Promise<void> {
  const actor = await house.online(address)
  for (const text of does) actor.send(text)
  await house.settle()
  actor.drop()
  await house.settle()
}

const unavailable = (status?: string) =>
  `<presence type='unavailable'>${status === undefined ? '' : `<status>${status}</status>`}</presence>`

describe('an account that was left (§3)', () => {
  it('its subscribers learn how many seconds ago, and the status of the unavailable presence', async () => {
    const house = await House.build()
    await lets(house, 'from')
    await visit(house, `${me}/a`, unavailable('Heading Home — è'))
    await house.pass(903_999)
    assert.equal(await ask(house.actor(`${her}/b`), me), '903 Heading Home — è')
    assert.equal(await ask(house.actor('nurse@capulet.com/k'), me), 'forbidden')
  })

  const askers: readonly (readonly [string, Subscription | undefined, string])[] = [
    ['nobody special', undefined, 'forbidden'],
    ['a contact without subscription', 'none', 'forbidden'],
    ['a contact who is only seen', 'to', 'forbidden'],
    ['a subscriber', 'from', '5'],
    ['a mutual subscriber', 'both', '5'],
  ]
  for (const [name, subscription, expected] of askers) {
    it(`${name}: ${expected}`, async () => {
      const house = await House.build({ accounts: [me, her] })
      if (subscription !== undefined) await lets(house, subscription)
      await visit(house, `${me}/a`, unavailable('secret'), '<presence/>')
      await house.pass(5_000)
      const juliet = house.actor(`${her}/b`)
      assert.equal(await ask(juliet, me), expected)
      if (expected !== 'forbidden') return
      // §8: no leak, neither of presence nor of the account.
      const refused = await juliet.ask('get', query, me)
      assert.equal(refused.child('error')?.attr('type'), 'auth')
      assert.equal((await juliet.ask('get', query, 'nobody@montague.net')).payload, refused.payload)
      await house.online(`${me}/a`)
      assert.equal((await juliet.ask('get', query, me)).payload, refused.payload)
      const elsewhere = house.elsewhere()
      elsewhere.send(`<iq type='get' id='1' from='juliet@elsewhere.example/b' to='${me}'>${query}</iq>`)
      assert.equal(told((await elsewhere.drain())[0]), 'forbidden')
    })
  }

  it('while a resource is connected: 0 and no status, for the account itself too', async () => {
    const house = await House.build()
    await lets(house, 'both')
    await visit(house, `${me}/a`, unavailable('gone'))
    const romeo = house.actor(`${me}/silent`)
    await house.pass(60_000)
    const juliet = house.actor(`${her}/b`)
    assert.equal(await ask(juliet, me), '0')
    assert.equal(await ask(romeo), '0')
    assert.equal(await ask(romeo, me), '0')
  })

  it('who hides from somebody is for him as he left last, whatever the list, and there for others (§8, XEP-0016 §2.11)', async () => {
    const house = await House.build()
    await lets(house, 'from')
    await lets(house, 'from', 'nurse@capulet.com')
    const [juliet, nurse] = [house.actor(`${her}/b`), house.actor('nurse@capulet.com/k')]
    await visit(house, `${me}/a`, unavailable('gone'))
    await house.pass(7_000)
    const romeo = await house.online(`${me}/a`)
    const hides = `<list name='h'><item type='jid' value='${her}' action='deny' order='1'><presence-out/></item></list>`
    const set = async (payload: string) => {
      const answer = await romeo.ask('set', `<query xmlns='jabber:iq:privacy'>${payload}</query>`)
      assert.equal(answer.attr('type'), 'result')
    }
    await set(hides)
    for (const choice of [`active name='h'`, `default name='h'`]) {
      await set(`<${choice}/>`)
      assert.equal(await ask(juliet, me), '7 gone', choice)
      assert.equal(await ask(nurse, me), '0', choice)
      assert.equal(await ask(romeo), '0', choice)
      await romeo.drain()
      // A resource is for her as one that is not there.
      const refused = await juliet.ask('get', query, `${me}/a`)
      assert.equal(refused.payload, (await juliet.ask('get', query, `${me}/nowhere`)).payload)
      assert.deepEqual(await romeo.drain(), [])
      await set('<active/>')
    }
    // One resource hides, another does not.
    await set('<default/>')
    await set(`<active name='h'/>`)
    await house.online(`${me}/b`)
    assert.equal(await ask(juliet, me), '0')
  })

  it('only the last resource to go counts', async () => {
    const house = await House.build()
    await lets(house, 'from')
    const [one, two] = [await house.online(`${me}/one`), await house.online(`${me}/two`)]
    one.send(unavailable('first'))
    await house.settle()
    one.drop()
    await house.pass(10_000)
    const juliet = house.actor(`${her}/b`)
    assert.equal(await ask(juliet, me), '0')
    two.send(unavailable('second'))
    await house.settle()
    two.drop()
    await house.pass(2_000)
    assert.equal(await ask(juliet, me), '2 second')
  })

  it('a status that was taken back by presence is not told, nor one that was not sent to all', async () => {
    const house = await House.build()
    await lets(house, 'from')
    const juliet = house.actor(`${her}/b`)
    await visit(house, `${me}/a`, unavailable('gone'), '<presence><status>back</status></presence>')
    assert.equal(await ask(juliet, me), '0')
    await visit(house, `${me}/a`, `<presence type='unavailable' to='${her}'><status>for her</status></presence>`)
    assert.equal(await ask(juliet, me), '0')
    await visit(house, `${me}/a`, unavailable('one'), unavailable())
    assert.equal(await ask(juliet, me), '0')
    await visit(house, `${me}/a`, unavailable('last'))
    assert.equal(await ask(juliet, me), '0 last')
  })

  it('of one that nobody has left there is nothing', async () => {
    const house = await House.build()
    await lets(house, 'from')
    assert.equal(await ask(house.actor(`${her}/b`), me), 'item-not-found')
  })

  it('one that signed in without an account leaves nothing behind (XEP-0175 §3)', async () => {
    const house = await House.build()
    await lets(house, 'from')
    const romeo = house.actor(`${me}/a`)
    romeo.session.info = { ...fakeInfo, auth: 'ANONYMOUS' }
    romeo.drop()
    assert.equal(await ask(house.actor(`${her}/b`), me), 'item-not-found')
  })

  it('two hosts do not mix', async () => {
    const house = await House.build()
    const there = 'romeo@capulet.com'
    await lets(house, 'from')
    await lets(house, 'from', her, there)
    await visit(house, `${me}/a`, unavailable('here'))
    const juliet = house.actor(`${her}/b`)
    assert.equal(await ask(juliet, there), 'item-not-found')
    await house.pass(1_000)
    await visit(house, `${there}/a`, unavailable('there'))
    assert.equal(await ask(juliet, me), '1 here')
    assert.equal(await ask(juliet, there), '0 there')
    // Another account of the same name may not ask.
    assert.equal(await ask(house.actor(`${there}/a`), me), 'forbidden')
  })

  it('a clock that was set back gives 0', async () => {
    const house = await House.build()
    await lets(house, 'from')
    const { hooks } = house.core.hostType('default')
    const at = { host: house.host('montague.net'), local: 'romeo' }
    const data = [{ store: 'last', rows: [{ at: house.clock.wallMs() + 60_000, status: '' }] }]
    await house.wait(hooks.waitingNotice('account:import', { ...at, data }))
    assert.equal(await ask(house.actor(`${her}/b`), me), '0')
  })
})

describe('a resource (§4)', () => {
  it('is asked by subscribers and its own account, and answers itself', async () => {
    const house = await House.build()
    await lets(house, 'from')
    const romeo = await house.online(`${me}/a`)
    const juliet = house.actor(`${her}/b`)
    for (const asker of [juliet, house.actor(`${me}/other`)]) {
      asker.send(`<iq type='get' id='q' to='${me}/a'>${query}</iq>`)
      const asked = (await romeo.drain()).find((el) => el.name === 'iq')
      assert.equal(asked?.attr('from'), asker.address)
      assert.ok(asked?.hasChild('query', NS))
      romeo.send(`<iq type='result' id='q' to='${asker.address}'><query xmlns='${NS}' seconds='123'/></iq>`)
      assert.equal(told((await asker.drain()).find((el) => el.attr('id') === 'q')), '123')
    }
  })

  it('is not asked by others: forbidden, whether it is there or not, and even where directed presence was sent', async () => {
    const house = await House.build({ accounts: [me, her] })
    const romeo = await house.online(`${me}/a`)
    const juliet = await house.online(`${her}/b`)
    for (const to of [`${me}/a`, `${me}/gone`, 'nobody@montague.net/a'])
      assert.equal(await ask(juliet, to), 'forbidden', to)
    romeo.send(`<presence to='${her}'/>`)
    await juliet.drain()
    assert.equal(await ask(juliet, `${me}/a`), 'forbidden')
    assert.deepEqual(
      (await romeo.drain()).filter((el) => el.name === 'iq'),
      [],
    )
    // Other requests go by the rules of RFC 6121.
    juliet.send(`<iq type='get' id='other' to='${me}/a'><query xmlns='jabber:iq:version'/></iq>`)
    assert.equal((await romeo.drain()).find((el) => el.name === 'iq')?.attr('id'), 'other')
  })

  it('one that is not there is answered for by RFC 6121', async () => {
    const house = await House.build()
    await lets(house, 'both')
    assert.equal(await ask(house.actor(`${her}/b`), `${me}/gone`), 'service-unavailable')
  })
})

describe('the server (§5, §6)', () => {
  it('tells everybody for how many seconds it has been running, and nothing else', async () => {
    const house = await House.build()
    await house.pass(123_456_789)
    assert.equal(await ask(house.actor(`${her}/b`), 'montague.net'), '123456')
  })

  it('disco tells of it at the host and at the account', async () => {
    const house = await House.build()
    const romeo = house.actor(`${me}/a`)
    for (const to of ['montague.net', me]) {
      const answer = await romeo.ask('get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`, to)
      assert.ok(
        answer.elements[0]?.elements.some((el) => el.attr('var') === NS),
        to,
      )
    }
  })

  it('a set is nothing that anybody answers', async () => {
    const house = await House.build()
    const romeo = house.actor(`${me}/a`)
    for (const to of ['montague.net', me])
      assert.equal(conditionOf(await romeo.ask('set', query, to)), 'service-unavailable')
  })
})

describe('limits and failures', () => {
  it('a status that is too long is not kept, the time is', async () => {
    const house = await House.build({ options: { last: { status_size: '5 B' } } })
    await lets(house, 'from')
    const juliet = house.actor(`${her}/b`)
    await visit(house, `${me}/a`, unavailable('12345'))
    assert.equal(await ask(juliet, me), '0 12345')
    assert.equal(house.core.metrics.value('ratatosk_last_statuses_too_long_total'), 0)
    await visit(house, `${me}/a`, unavailable('1234è'))
    await house.pass(3_000)
    assert.equal(await ask(juliet, me), '3')
    assert.equal(house.core.metrics.value('ratatosk_last_statuses_too_long_total'), 1)
  })

  it('what the store does not take is counted, and told once until it works again', async () => {
    const house = await House.build()
    const warnings = () => house.log.lines.filter((line) => line.fields['code'] === 'RTK_LAST_STORE').length
    const failures = () => house.core.metrics.value('ratatosk_last_store_failures_total')
    const leave = async (resource: string) => {
      house.actor(`${me}/${resource}`).drop()
      await house.settle()
    }
    house.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    for (const resource of ['a', 'b']) await leave(resource)
    assert.deepEqual([failures(), warnings()], [2, 1])
    house.engine.failing = undefined
    await leave('c')
    house.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    await leave('d')
    assert.deepEqual([failures(), warnings()], [3, 2])
    house.engine.failing = undefined
  })
})

describe('the data of an account', () => {
  it('is exported, deleted, and imported; what is wrong is left out; what is there stays', async () => {
    const house = await House.build()
    const { hooks } = house.core.hostType('default')
    const at = { host: house.host('montague.net'), local: 'romeo' }
    await lets(house, 'from')
    const juliet = house.actor(`${her}/b`)
    await visit(house, `${me}/a`, unavailable('gone'))
    const data = await house.wait(hooks.waitingFold('account:export', [], at))
    const own = data.filter((part) => part.store === 'last')
    assert.deepEqual(own, [{ store: 'last', rows: [{ at: house.clock.wallMs(), status: 'gone' }] }])
    // Its sessions end when it is deleted, which is the last that is noted, and goes too.
    house.actor(`${me}/b`).drop()
    assert.equal(await house.wait(hooks.waitingNotice('account:delete', at)), 0)
    await lets(house, 'from')
    assert.equal(await ask(juliet, me), 'item-not-found')
    const wrong: AccountData['rows'] = [{ at: 'x' }, { at: -1 }, { at: 1.5 }, {}]
    const given = [{ store: 'last', rows: [...wrong, { at: house.clock.wallMs(), status: 'was\u0001' }] }]
    assert.equal(await house.wait(hooks.waitingNotice('account:import', { ...at, data: given })), 0)
    await house.pass(1_000)
    assert.equal(await ask(juliet, me), '1 was\ufffd')
    const lines = house.log.lines.filter((line) => line.fields['code'] === 'RTK_LAST_IMPORT')
    assert.deepEqual(
      lines.map((line) => line.fields['rows']),
      [4],
    )
    assert.equal(await house.wait(hooks.waitingNotice('account:import', { ...at, data: own })), 0)
    assert.equal(await ask(juliet, me), '1 was\ufffd')
  })
})
