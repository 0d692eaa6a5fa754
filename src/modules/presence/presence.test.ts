/** RFC 6121 section 4: what the model does not say — probes, elsewhere, limits, failing stores, and races made slow. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Binder } from '../../core/binder.ts'
import { FakeLink, fakeInfo } from '../../core/core.testing.ts'
import type { RosterService, Subscription } from '../../core/services/roster.ts'
import { Session } from '../../core/session.ts'
import { jid } from '../../jid/jid.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, brief, House } from '../modules.testing.ts'

const me = 'romeo@montague.net'
const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name

async function lets(
  house: House,
  account: string,
  contact: string,
  subscription: Subscription = 'from',
): Promise<void> {
  const service = house.core.hostType('default').services.find('roster') as RosterService
  const own = jid(account)
  const item = {
    jid: jid(contact),
    name: '',
    subscription,
    pendingOut: false,
    pendingIn: false,
    listed: true,
    approved: false,
    groups: [],
  }
  await house.wait(service.set(house.host(own.domain), own.local, item))
}

async function briefs(actor: { drain(): Promise<readonly Element[]> }): Promise<string[]> {
  return (await actor.drain()).filter((el) => el.name === 'presence').map(brief)
}

describe('broadcasts (sections 4.2, 4.4, 4.5)', () => {
  it('initial presence goes to subscribers elsewhere and all own resources, and contacts are probed', async () => {
    const house = await House.build({ hosts: ['montague.net'] })
    const elsewhere = house.elsewhere()
    await lets(house, me, 'from@x.example', 'from')
    await lets(house, me, 'both@x.example', 'both')
    await lets(house, me, 'to@x.example', 'to')
    await lets(house, me, 'none@x.example', 'none')
    const other = house.actor(`${me}/other`)
    other.send('<presence/>')
    await other.drain()
    await elsewhere.drain()
    const one = house.actor(`${me}/one`)
    one.send(`<presence id='p1'><show>away</show><status>hi</status><c xmlns='urn:caps'/></presence>`)
    const out = (await elsewhere.drain()).map((el) => `${brief(el)} to ${el.attr('to')}`).sort()
    assert.deepEqual(out, [
      `presence ${me}/one to both@x.example`,
      `presence ${me}/one to from@x.example`,
      `presence/probe ${me} to both@x.example`,
      `presence/probe ${me} to to@x.example`,
    ])
    assert.deepEqual(await briefs(other), [`presence ${me}/one`])
    assert.deepEqual(await briefs(one), [`presence ${me}/one`, `presence ${me}/other`])
    one.send(`<presence type='unavailable' id='u1'><status>bye</status></presence>`)
    const left = await elsewhere.drain()
    assert.deepEqual(left.map((el) => `${brief(el)} to ${el.attr('to')} ${el.childText('status')}`).sort(), [
      `presence/unavailable ${me}/one to both@x.example bye`,
      `presence/unavailable ${me}/one to from@x.example bye`,
    ])
    assert.deepEqual(await briefs(one), [`presence/unavailable ${me}/one`], 'section 4.5.2: itself too')
  })

  it('who is told later is told when it was said, and by whom (XEP-0203 §2, example 2)', async () => {
    const house = await House.build({ hosts: ['montague.net'] })
    const elsewhere = house.elsewhere()
    await lets(house, me, 'from@x.example', 'from')
    const one = await house.online(`${me}/one`)
    await house.pass(1_000)
    const forged = `<delay xmlns='urn:xmpp:delay' from='${me}/one' stamp='2001-01-01T00:00:00Z'/>`
    one.send(`<presence id='p'><show>away</show>${forged}</presence>`)
    await house.pass(60_000)
    const notes = (el: Element | undefined) =>
      el?.childrenNamed('delay', 'urn:xmpp:delay').map((note) => `${note.attr('from')} ${note.attr('stamp')}`)
    const broadcast = (await elsewhere.drain()).at(-1)
    assert.equal(broadcast?.attr('id'), 'p')
    assert.deepEqual(notes(broadcast), [`${me}/one 2001-01-01T00:00:00Z`], 'as it was sent')
    const other = house.actor(`${me}/other`)
    other.send('<presence/>')
    const greeting = (await other.drain()).find((el) => el.attr('from') === `${me}/one`)
    const late = [`${me}/one 2026-01-01T00:00:01.000Z`]
    assert.deepEqual(notes(greeting), late)
    await elsewhere.drain()
    elsewhere.send(`<presence type='probe' from='from@x.example' to='${me}'/>`)
    const answer = (await elsewhere.drain()).find((el) => el.attr('from') === `${me}/one`)
    assert.deepEqual(notes(answer), late)
    assert.equal(answer?.childText('show'), 'away')
  })

  it('later presence is the full stanza, without probes', async () => {
    const house = await House.build({ hosts: ['montague.net'] })
    const elsewhere = house.elsewhere()
    await lets(house, me, 'both@x.example', 'both')
    const one = await house.online(`${me}/one`)
    await elsewhere.drain()
    one.send(`<presence id='p2'><show>dnd</show><x xmlns='urn:x'>y</x></presence>`)
    const [out, ...more] = await elsewhere.drain()
    assert.deepEqual(more, [])
    assert.equal(out?.attr('id'), 'p2')
    assert.equal(out?.childText('show'), 'dnd')
    assert.equal(out?.childText('x', 'urn:x'), 'y')
  })

  it('a presence that is too large is refused and changes nothing', async () => {
    const house = await House.build({ options: { presence: { size_max: '1 KiB' } } })
    const one = house.actor(`${me}/one`)
    one.send(`<presence id='p'><status>${'x'.repeat(2000)}</status></presence>`)
    assert.deepEqual((await one.drain()).map(conditionOf), ['policy-violation'])
    assert.equal(one.session.isAvailable, false)
  })

  it('a session replaced under its address: its contacts see it leave once, then its successor come', async () => {
    for (const cached of [1, 2000]) {
      const house = await House.build({ options: { roster: { cache_accounts: cached } } })
      await lets(house, me, 'juliet@capulet.com')
      const juliet = await house.online('juliet@capulet.com/balcony')
      await house.online(`${me}/one`)
      await juliet.drain()
      const binder = new Binder({
        sessions: house.core.sessions,
        random: house.core.world.random,
        metrics: house.core.metrics,
        policy: () => ({ conflict: 'replace', count: 'refuse', sessionsMax: () => 10 }),
        create: (link, full, host, info) => house.core.bind(link, full, host, info),
      })
      // Somebody else's roster pushes ours out of the small cache.
      await (await house.online('nurse@capulet.com/kitchen')).drain()
      const next = binder.bind({
        account: jid(me),
        host: house.host('montague.net'),
        resource: 'one',
        link: new FakeLink(),
        info: fakeInfo,
      })
      assert.ok(next instanceof Session)
      const { parseElement } = await import('../../xml/parse.ts')
      next.receive(parseElement(`<presence xmlns='jabber:client'/>`))
      next.receive(parseElement(`<presence xmlns='jabber:client' to='juliet@capulet.com/balcony'/>`))
      assert.deepEqual(await briefs(juliet), [
        `presence/unavailable ${me}/one`,
        `presence ${me}/one`,
        `presence ${me}/one`,
      ])
    }
  })

  it('a successor who only shows himself to one waits for his predecessor to have left', async () => {
    const house = await House.build()
    await lets(house, me, 'juliet@capulet.com')
    const juliet = await house.online('juliet@capulet.com/balcony')
    await house.online(`${me}/one`)
    await juliet.drain()
    const slow = slowRoster(house)
    const next = house.actor(`${me}/one`)
    next.send(`<presence to='juliet@capulet.com/balcony'/>`)
    assert.deepEqual(await briefs(juliet), [])
    slow.go()
    assert.deepEqual(await briefs(juliet), [`presence/unavailable ${me}/one`, `presence ${me}/one`])
  })
})

/** From now on rosters are not in memory, and the store answers only when it is told. */
function slowRoster(house: House): { go(): void } {
  const service = house.core.hostType('default').services.find('roster') as RosterService
  // A source that comes and goes empties the cache.
  service.addSource({ name: 'none', items: async () => [] })()
  house.engine.hang()
  return { go: () => house.engine.resume() }
}

describe('who leaves while the store is slow', () => {
  async function scene() {
    const house = await House.build()
    await lets(house, me, 'juliet@capulet.com')
    const juliet = await house.online('juliet@capulet.com/balcony')
    const one = await house.online(`${me}/one`)
    await juliet.drain()
    return { house, juliet, one }
  }

  it('the leaving is told when the store answers', async () => {
    const { house, juliet, one } = await scene()
    const slow = slowRoster(house)
    one.drop()
    assert.deepEqual(await briefs(juliet), [])
    slow.go()
    assert.deepEqual(await briefs(juliet), [`presence/unavailable ${me}/one`])
  })

  it('and when it failed first, once it can', async () => {
    const { house, juliet, one } = await scene()
    const slow = slowRoster(house)
    one.drop()
    for (let i = 0; i < 4; i++) await house.pass(10_000)
    assert.ok(house.core.metrics.value('ratatosk_presence_departures_delayed_total') > 0)
    assert.deepEqual(await briefs(juliet), [])
    slow.go()
    for (let i = 0; i < 3; i++) await house.pass(5_000)
    assert.deepEqual(await briefs(juliet), [`presence/unavailable ${me}/one`])
    assert.equal(house.core.metrics.value('ratatosk_presence_departures_waiting'), 0)
  })

  it('a successor does not wait for the next attempt, and shows himself only after it', async () => {
    const { house, juliet, one } = await scene()
    const slow = slowRoster(house)
    one.drop()
    while (house.core.metrics.value('ratatosk_presence_departures_delayed_total') === 0) await house.pass(1000)
    slow.go()
    await house.settle()
    assert.deepEqual(await briefs(juliet), [], 'the next attempt is not due')
    house.actor(`${me}/one`).send('<presence/>')
    assert.deepEqual(await briefs(juliet), [`presence/unavailable ${me}/one`, `presence ${me}/one`])
    for (let i = 0; i < 3; i++) await house.pass(5_000)
    assert.deepEqual(await briefs(juliet), [])
  })

  it('who becomes available meanwhile gets an error in the end, and is not available', async () => {
    const { house } = await scene()
    slowRoster(house)
    const two = house.actor(`${me}/two`)
    two.send(`<presence id='p'/>`)
    for (let i = 0; i < 3; i++) await house.pass(10_000)
    assert.deepEqual((await two.drain()).map(conditionOf), ['internal-server-error'])
    assert.equal(two.session.isAvailable, false)
  })

  it('a presence that waited so long that another came is not carried out any more', async () => {
    const { house, juliet } = await scene()
    const two = house.actor(`${me}/two`)
    const slow = slowRoster(house)
    two.send(`<presence><status>first</status></presence>`)
    two.send(`<presence type='unavailable'/>`)
    // The first has timed out for the session, its work goes on.
    await house.pass(9_999)
    await house.pass(1)
    slow.go()
    await house.settle()
    assert.equal(two.session.isAvailable, false)
    const seen = await briefs(juliet)
    assert.equal(
      seen.filter((one) => one === `presence ${me}/two`).length,
      seen.filter((one) => one === `presence/unavailable ${me}/two`).length,
    )
  })
})

describe('directed presence (section 4.6)', () => {
  it('SES-03: is taken back when the session ends, available or not, from everybody once', async () => {
    const house = await House.build()
    const elsewhere = house.elsewhere()
    await lets(house, me, 'juliet@capulet.com')
    const juliet = await house.online('juliet@capulet.com/balcony')
    for (const isAvailable of [true, false]) {
      const one = house.actor(`${me}/one`)
      if (isAvailable) one.send('<presence/>')
      for (const to of [
        'room@x.example/romeo',
        'a@x.example',
        'a@x.example/r',
        'juliet@capulet.com',
        'juliet@capulet.com/balcony',
        me,
        'gone@x.example',
      ]) {
        one.send(`<presence to='${to}'/>`)
      }
      one.send(`<presence to='gone@x.example' type='unavailable'/>`)
      await elsewhere.drain()
      await juliet.drain()
      one.drop()
      assert.deepEqual((await elsewhere.drain()).map((el) => `${brief(el)} to ${el.attr('to')}`).sort(), [
        `presence/unavailable ${me}/one to a@x.example`,
        `presence/unavailable ${me}/one to room@x.example/romeo`,
      ])
      assert.deepEqual(await briefs(juliet), [`presence/unavailable ${me}/one`])
    }
  })

  it('whose subscription is cancelled sees the resource leave once, and not again at its end', async () => {
    const house = await House.build()
    await lets(house, me, 'juliet@capulet.com')
    const juliet = await house.online('juliet@capulet.com/balcony')
    const quiet = house.actor('juliet@capulet.com/quiet')
    const one = await house.online(`${me}/one`)
    one.send(`<presence to='juliet@capulet.com/balcony'/>`)
    one.send(`<presence to='juliet@capulet.com/quiet'/>`)
    await juliet.drain()
    assert.deepEqual(await briefs(quiet), [`presence ${me}/one`])
    one.send(`<presence type='unsubscribed' to='juliet@capulet.com'/>`)
    assert.deepEqual((await briefs(juliet))[0], `presence/unavailable ${me}/one`)
    assert.deepEqual(
      await briefs(quiet),
      [`presence/unavailable ${me}/one`],
      'a bare address would not have reached it',
    )
    one.drop()
    assert.deepEqual(await briefs(juliet), [])
    assert.deepEqual(await briefs(quiet), [])
  })

  it('a connected resource of a subscriber that was told directly is told of the leaving too', async () => {
    const house = await House.build()
    await lets(house, me, 'juliet@capulet.com')
    const quiet = house.actor('juliet@capulet.com/quiet')
    const one = await house.online(`${me}/one`)
    one.send(`<presence to='juliet@capulet.com/quiet'/>`)
    await quiet.drain()
    one.send(`<presence type='unavailable'/>`)
    assert.deepEqual(await briefs(quiet), [`presence/unavailable ${me}/one`])
  })

  it('is not sent for a session that has ended, which could never take it back', async () => {
    const house = await House.build()
    const juliet = await house.online('juliet@capulet.com/balcony')
    const one = house.actor(`${me}/one`)
    house.core
      .hostType('default')
      .hooks.on('stanza:sent', 'slow', () => Promise.resolve(undefined), { kinds: ['message'] })
    one.send(`<message to='juliet@capulet.com'><body>x</body></message>`)
    one.send(`<presence to='juliet@capulet.com/balcony'/>`)
    one.drop()
    assert.deepEqual(await briefs(juliet), [])
  })

  it('has a limit with an error', async () => {
    const house = await House.build({ options: { presence: { directed_max: 3 } } })
    house.elsewhere()
    const one = house.actor(`${me}/one`)
    for (let i = 0; i < 5; i++) one.send(`<presence id='d${i}' to='c${i}@x.example'/>`)
    one.send(`<presence id='again' to='c0@x.example'/>`)
    assert.deepEqual(
      (await one.drain()).map((el) => `${el.attr('id')} ${conditionOf(el)}`),
      ['d3 resource-constraint', 'd4 resource-constraint'],
    )
  })
})

describe('probes (sections 4.3.2 and 4.6.6)', () => {
  async function scene() {
    const house = await House.build({ hosts: ['montague.net'], accounts: [me] })
    const elsewhere = house.elsewhere()
    await lets(house, me, 'friend@x.example')
    await elsewhere.drain()
    const probe = async (from: string, to: string) => {
      elsewhere.send(`<presence type='probe' id='probe1' from='${from}' to='${to}'/>`)
      return (await elsewhere.drain()).map(
        (el) => `${brief(el)} to ${el.attr('to')} ${el.attr('id') ?? '-'} ${el.elements.length}`,
      )
    }
    return { house, elsewhere, probe }
  }

  const twoOf = async (house: House): Promise<Actor[]> => {
    const one = house.actor(`${me}/one`)
    one.send(`<presence id='p1'><show>away</show></presence>`)
    const two = house.actor(`${me}/two`)
    two.send('<presence/>')
    await two.drain()
    return [one, two]
  }

  it('a subscriber gets the full presence of each resource, with its own id, and when it was said', async () => {
    const { house, elsewhere, probe } = await scene()
    await twoOf(house)
    await elsewhere.drain()
    for (const from of ['friend@x.example', 'friend@x.example/r']) {
      assert.deepEqual(await probe(from, me), [
        `presence ${me}/one to ${from} p1 2`,
        `presence ${me}/two to ${from} - 1`,
      ])
    }
  })

  it('nobody there: unavailable from the bare JID, with the id of the probe', async () => {
    const { probe } = await scene()
    assert.deepEqual(await probe('friend@x.example', me), [`presence/unavailable ${me} to friend@x.example probe1 0`])
  })

  it('to a full JID: no more than whether that resource is there', async () => {
    const { house, elsewhere, probe } = await scene()
    await twoOf(house)
    await elsewhere.drain()
    assert.deepEqual(await probe('friend@x.example', `${me}/one`), [`presence ${me}/one to friend@x.example - 0`])
    assert.deepEqual(await probe('friend@x.example', `${me}/x`), [
      `presence/unavailable ${me}/x to friend@x.example probe1 0`,
    ])
  })

  it('a stranger gets unsubscribed from the bare JID to the bare JID, whatever he asks', async () => {
    const { house, elsewhere, probe } = await scene()
    await twoOf(house)
    await elsewhere.drain()
    for (const to of [me, `${me}/one`, `${me}/x`, 'nobody@montague.net']) {
      const expected = [`presence/unsubscribed ${jid(to).bare} to s@x.example probe1 0`]
      assert.deepEqual(await probe('s@x.example/r', to), expected, to)
    }
  })

  it('who was told directly learns of that one resource, and only of it', async () => {
    const { house, elsewhere, probe } = await scene()
    const [one] = await twoOf(house)
    one?.send(`<presence to='room@x.example/nick'/>`)
    await elsewhere.drain()
    const mere = [`presence ${me}/one to room@x.example/nick - 0`]
    assert.deepEqual(await probe('room@x.example/nick', `${me}/one`), mere)
    assert.deepEqual(await probe('room@x.example/nick', me), mere)
    assert.deepEqual(await probe('room@x.example/nick', `${me}/two`), [
      `presence/unsubscribed ${me} to room@x.example probe1 0`,
    ])
    assert.deepEqual(await probe('room@x.example/other', `${me}/one`), [
      `presence/unsubscribed ${me} to room@x.example probe1 0`,
    ])
  })

  it('does not end a pre-approval, and a client may probe', async () => {
    const { house, elsewhere, probe } = await scene()
    const [one] = await twoOf(house)
    one?.send(`<presence type='subscribed' to='later@x.example'/>`)
    await one?.drain()
    await probe('later@x.example', me)
    elsewhere.send(`<presence type='subscribe' from='later@x.example' to='${me}'/>`)
    assert.deepEqual((await elsewhere.drain()).map(brief)[0], `presence/subscribed ${me}`)
    one?.send(`<presence type='probe' to='somebody@x.example'/>`)
    assert.deepEqual((await elsewhere.drain()).map(brief), [`presence/probe ${me}/one`])
    assert.deepEqual(
      (await one?.drain())?.filter((el) => el.attr('type') === 'error'),
      [],
    )
  })

  it('a contact here who lets nobody see mends our roster', async () => {
    const house = await House.build()
    await lets(house, me, 'juliet@capulet.com', 'to')
    await house.online('juliet@capulet.com/balcony')
    const one = await house.online(`${me}/one`)
    const items = (await one.ask('get', `<query xmlns='jabber:iq:roster'/>`)).elements[0]?.elements
    assert.deepEqual(
      items?.map((item) => item.attr('subscription')),
      ['none'],
    )
  })
})

describe('hosts of another type', () => {
  it('are probed like any other server, and answer', async () => {
    const house = await House.build({ hosts: ['montague.net'] })
    const { ModuleSet } = await import('../../core/module-set.ts')
    const { CommandRegistry } = await import('../../core/commands.ts')
    const { testedModules, optionsOf } = await import('../modules.testing.ts')
    const type = house.core.hostType('other')
    house.core.addHost('capulet.com', type)
    const set = new ModuleSet(house.core, type, house.stores, new CommandRegistry())
    await house.wait(set.load(testedModules.map((definition) => ({ definition, options: optionsOf(definition, {}) }))))
    const juliet = await house.online('juliet@capulet.com/balcony')
    const one = await house.online(`${me}/one`)
    one.send(`<presence type='subscribe' to='juliet@capulet.com'/>`)
    await house.settle()
    juliet.send(`<presence type='subscribed' to='${me}'/>`)
    await juliet.drain()
    await one.drain()
    const two = house.actor(`${me}/two`)
    two.send('<presence/>')
    assert.ok((await briefs(two)).includes('presence juliet@capulet.com/balcony'))
    juliet.drop()
    // The answer to a probe is for the bare address that probed: for all resources.
    assert.deepEqual(await briefs(one), [
      `presence ${me}/two`,
      'presence juliet@capulet.com/balcony',
      'presence/unavailable juliet@capulet.com/balcony',
    ])
  })
})
