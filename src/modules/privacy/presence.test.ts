/**
 * Who sees whom under a list: XEP-0016 §2.10 and §2.11, XEP-0191 §3.3 and §3.4, for broadcasts, probes, directed presence and
 * their end.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, type Elsewhere, House } from '../modules.testing.ts'
import { activate, active, block, byDefault, granted, knows, list, romeo, scene, unblock } from './privacy.testing.ts'

const juliet = 'juliet@capulet.com'
const me = `${romeo}/one`

/** Presence, short: what, from whom, to whom. */
const presences = (stanzas: readonly Element[]) =>
  stanzas
    .filter((el) => el.name === 'presence')
    .map((el) => `${el.attr('type') ?? 'available'} ${el.attr('from')}`)
    .sort()
const sentTo = (stanzas: readonly Element[]) =>
  stanzas
    .filter((el) => el.name === 'presence')
    .map((el) => `${el.attr('type') ?? 'available'} ${el.attr('from')} to ${el.attr('to')}`)
    .sort()

/** romeo and juliet see each other, both are here. */
async function lovers() {
  const house = await House.build()
  await knows(house, romeo, juliet, { subscription: 'both' })
  await knows(house, juliet, romeo, { subscription: 'both' })
  const one = await house.online(me)
  const she = await house.online(`${juliet}/balcony`)
  for (const actor of [one, she]) await actor.drain()
  return { house, one, she }
}

/** Contacts of all subscriptions on another server. */
async function abroad(): Promise<{ house: House; elsewhere: Elsewhere; one: Actor }> {
  const { house, elsewhere, one } = await scene()
  for (const subscription of ['both', 'from', 'to', 'none'] as const) {
    await knows(house, romeo, `${subscription}@capulet.lit`, { subscription })
  }
  await one.drain()
  await elsewhere.drain()
  return { house, elsewhere, one }
}

describe('blocking (XEP-0191 §3.3)', () => {
  it('tells the contact who saw him that he left, and his client that the contact did', async () => {
    const { one, she } = await lovers()
    await granted(one, block(juliet))
    assert.deepEqual(presences(await she.drain()), [`unavailable ${me}`])
    assert.deepEqual(presences(await one.drain()), [`unavailable ${juliet}/balcony`])
  })

  it('tells nobody who could not see him', async () => {
    const { elsewhere, one } = await abroad()
    await granted(one, block('capulet.lit', 'stranger@capulet.lit'))
    assert.deepEqual(sentTo(await elsewhere.drain()), [
      `unavailable ${me} to both@capulet.lit`,
      `unavailable ${me} to from@capulet.lit`,
    ])
    assert.deepEqual(presences(await one.drain()), ['unavailable both@capulet.lit', 'unavailable to@capulet.lit'])
  })

  it('afterwards neither sees what the other does, nor that he goes', async () => {
    const { house, one, she } = await lovers()
    await granted(one, block(juliet))
    await one.drain()
    await she.drain()
    one.send('<presence><show>away</show></presence>')
    she.send('<presence><show>dnd</show></presence>')
    assert.deepEqual(presences(await she.drain()), [`available ${juliet}/balcony`])
    assert.deepEqual(presences(await one.drain()), [`available ${me}`])
    // A new resource of each.
    const two = await house.online(`${romeo}/two`)
    const tomb = await house.online(`${juliet}/tomb`)
    assert.ok(!presences(await one.drain()).some((text) => text.includes(juliet)))
    assert.ok(!presences(await she.drain()).some((text) => text.includes(romeo)))
    two.drop()
    one.send(`<presence type='unavailable'/>`)
    tomb.drop()
    assert.ok(!presences(await she.drain()).some((text) => text.includes(romeo)))
    assert.ok(!presences(await one.drain()).some((text) => text.includes(juliet)))
  })

  it('a resource that comes sees and asks nobody who is blocked, here and elsewhere', async () => {
    const { house, elsewhere, one } = await abroad()
    await granted(one, block('both@capulet.lit', 'to@capulet.lit'))
    one.drop()
    await elsewhere.drain()
    await house.online(`${romeo}/two`)
    assert.deepEqual(sentTo(await elsewhere.drain()), [`available ${romeo}/two to from@capulet.lit`])
    const lovely = await lovers()
    await granted(lovely.one, block(juliet))
    const two = lovely.house.actor(`${romeo}/two`)
    two.send('<presence/>')
    assert.deepEqual(presences(await two.drain()), [`available ${me}`, `available ${romeo}/two`])
    const tomb = lovely.house.actor(`${juliet}/tomb`)
    tomb.send('<presence/>')
    assert.deepEqual(presences(await tomb.drain()), [`available ${juliet}/balcony`, `available ${juliet}/tomb`])
  })

  it('who was told directly is told too, and only once', async () => {
    const { elsewhere, one } = await abroad()
    one.send(`<presence to='room@rooms.lit/romeo'/>`)
    one.send(`<presence to='other@rooms.lit/romeo'/>`)
    await elsewhere.drain()
    await granted(one, block('room@rooms.lit'))
    assert.deepEqual(sentTo(await elsewhere.drain()), [`unavailable ${me} to room@rooms.lit/romeo`])
    one.drop()
    assert.deepEqual(
      sentTo(await elsewhere.drain()).filter((text) => text.includes('rooms.lit')),
      [`unavailable ${me} to other@rooms.lit/romeo`],
    )
  })

  it('a request of a blocked contact that waited is not shown at the next sign-in', async () => {
    const { house, elsewhere, one } = await abroad()
    elsewhere.send(`<presence type='subscribe' from='new@capulet.lit' to='${romeo}'/>`)
    assert.deepEqual(presences(await one.drain()), ['subscribe new@capulet.lit'])
    await granted(one, block('new@capulet.lit'))
    await one.drain()
    const two = house.actor(`${romeo}/two`)
    two.send('<presence/>')
    assert.ok(!presences(await two.drain()).includes('subscribe new@capulet.lit'))
    await granted(one, unblock())
    const three = house.actor(`${romeo}/three`)
    three.send('<presence/>')
    assert.ok(presences(await three.drain()).includes('subscribe new@capulet.lit'))
  })

  it('the end of the session tells those who saw it and no other, also when it comes at once', async () => {
    const { elsewhere, one } = await abroad()
    await granted(one, block('both@capulet.lit'))
    await elsewhere.drain()
    one.drop()
    assert.deepEqual(sentTo(await elsewhere.drain()), [`unavailable ${me} to from@capulet.lit`])
  })

  it('subscriptions stay as they are: polite blocking (§4)', async () => {
    const { elsewhere, one } = await abroad()
    await granted(one, block('both@capulet.lit'))
    await granted(one, unblock())
    const answer = await one.ask('get', `<query xmlns='jabber:iq:roster'/>`)
    const both = answer.elements[0]?.elements.find((el) => el.attr('jid') === 'both@capulet.lit')
    assert.equal(both?.attr('subscription'), 'both')
    const stanzas = await elsewhere.drain()
    assert.ok(stanzas.every((el) => !['unsubscribe', 'unsubscribed'].includes(el.attr('type') ?? '')))
  })
})

describe('unblocking (XEP-0191 §3.4, §3.5)', () => {
  it('shows the present presence to who may see it, and the contact to the client', async () => {
    const { one, she } = await lovers()
    await granted(one, block(juliet))
    one.send('<presence><show>away</show></presence>')
    for (const actor of [one, she]) await actor.drain()
    await granted(one, unblock(juliet))
    const [came, ...more] = (await she.drain()).filter((el) => el.name === 'presence')
    assert.deepEqual([came?.attr('from'), came?.childText('show'), more.length], [me, 'away', 0])
    assert.deepEqual(presences(await one.drain()), [`available ${juliet}/balcony`])
  })

  it('of all: each who may see it, and no other', async () => {
    const { elsewhere, one } = await abroad()
    await granted(
      one,
      block('both@capulet.lit', 'from@capulet.lit', 'to@capulet.lit', 'none@capulet.lit', 'x@capulet.lit'),
    )
    await elsewhere.drain()
    await granted(one, unblock())
    assert.deepEqual(sentTo(await elsewhere.drain()), [
      `available ${me} to both@capulet.lit`,
      `available ${me} to from@capulet.lit`,
      `probe ${romeo} to both@capulet.lit`,
      `probe ${romeo} to to@capulet.lit`,
    ])
  })

  it('a session that is not available shows nothing', async () => {
    const { house, elsewhere, one } = await abroad()
    one.drop()
    const silent = house.actor(`${romeo}/silent`)
    await elsewhere.drain()
    await granted(silent, block('both@capulet.lit'))
    await granted(silent, unblock())
    assert.deepEqual(sentTo(await elsewhere.drain()), [])
  })
})

describe('a list of a session (XEP-0016 §2.10, §2.11)', () => {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ['jid both@capulet.lit', ['both']],
    ['jid capulet.lit', ['both', 'from']],
    ['subscription both', ['both']],
    ['subscription from', ['from']],
    ['subscription none', []],
    ['*', ['both', 'from']],
  ]
  for (const [selector, hidden] of rows) {
    for (const kind of ['presence-out', '']) {
      it(`deny ${selector} ${kind}: hides it from ${hidden.join(', ') || 'nobody who sees it'}, and shows it again`, async () => {
        const { elsewhere, one } = await abroad()
        await granted(one, list('test', `deny ${selector}${kind === '' ? '' : ` ${kind}`}`))
        assert.deepEqual(sentTo(await elsewhere.drain()), [], 'a list that nobody uses')
        await granted(one, active('test'))
        assert.deepEqual(
          sentTo(await elsewhere.drain()),
          hidden.map((name) => `unavailable ${me} to ${name}@capulet.lit`),
        )
        one.send('<presence/>')
        const seeing = ['both', 'from'].filter((name) => !hidden.includes(name))
        assert.deepEqual(
          sentTo(await elsewhere.drain()),
          seeing.map((name) => `available ${me} to ${name}@capulet.lit`),
        )
        await granted(one, active())
        assert.deepEqual(
          sentTo(await elsewhere.drain()).filter((text) => !text.startsWith('probe')),
          hidden.map((name) => `available ${me} to ${name}@capulet.lit`),
        )
      })
    }
  }

  it('presence-in alone hides contacts from the session, and it from nobody', async () => {
    const { one, she } = await lovers()
    await activate(one, 'deny * presence-in')
    assert.deepEqual(presences(await she.drain()), [])
    she.send('<presence><show>dnd</show></presence>')
    assert.deepEqual(presences(await one.drain()), [])
    one.send('<presence><show>away</show></presence>')
    assert.deepEqual(presences(await she.drain()), [`available ${juliet}/balcony`, `available ${me}`])
    await one.drain()
    await granted(one, active())
    assert.deepEqual(presences(await one.drain()), [`available ${juliet}/balcony`])
  })

  it('applies to that session alone', async () => {
    const { house, one, she } = await lovers()
    const two = await house.online(`${romeo}/two`)
    await she.drain()
    await activate(one, `deny jid ${juliet}`)
    assert.deepEqual(presences(await she.drain()), [`unavailable ${me}`])
    two.send('<presence><show>away</show></presence>')
    assert.deepEqual(presences(await she.drain()), [`available ${romeo}/two`])
    she.send('<presence/>')
    assert.deepEqual(
      presences(await one.drain()).filter((text) => text.includes(juliet)),
      [],
    )
    assert.deepEqual(
      presences(await two.drain()).filter((text) => text.includes(juliet)),
      [`available ${juliet}/balcony`],
    )
  })

  it('a rule on one resource of a contact here hides from that one alone', async () => {
    const { house, one, she } = await lovers()
    const tomb = await house.online(`${juliet}/tomb`)
    for (const actor of [one, she, tomb]) await actor.drain()
    await granted(one, block(`${juliet}/tomb`))
    assert.deepEqual([presences(await tomb.drain()), presences(await she.drain())], [[`unavailable ${me}`], []])
    one.send('<presence><show>away</show></presence>')
    assert.deepEqual([presences(await tomb.drain()), presences(await she.drain())], [[], [`available ${me}`]])
    tomb.send('<presence/>')
    she.send('<presence/>')
    assert.deepEqual(
      presences(await one.drain()).filter((text) => text.startsWith('available juliet')),
      [`available ${juliet}/balcony`],
    )
    for (const actor of [she, tomb]) await actor.drain()
    await granted(one, unblock())
    assert.deepEqual([presences(await tomb.drain()), presences(await she.drain())], [[`available ${me}`], []])
  })

  it('a rule on one resource of a contact elsewhere takes the presence back from it', async () => {
    const { elsewhere, one } = await abroad()
    await granted(one, block('both@capulet.lit/x'))
    assert.deepEqual(sentTo(await elsewhere.drain()), [`unavailable ${me} to both@capulet.lit/x`])
  })

  it('a change of a group shows and hides (§2.2 rule 9)', async () => {
    const { elsewhere, one } = await abroad()
    const into = (group: string) =>
      one.ask(
        'set',
        `<query xmlns='jabber:iq:roster'><item jid='both@capulet.lit'><group>${group}</group></item></query>`,
      )
    await into('Enemies')
    await activate(one, 'deny group Enemies presence-out')
    assert.deepEqual(sentTo(await elsewhere.drain()), [`unavailable ${me} to both@capulet.lit`])
    await into('Friends')
    assert.deepEqual(sentTo(await elsewhere.drain()), [`available ${me} to both@capulet.lit`])
    await into('Friends')
    assert.deepEqual(sentTo(await elsewhere.drain()), [])
    await into('Enemies')
    assert.deepEqual(sentTo(await elsewhere.drain()), [`unavailable ${me} to both@capulet.lit`])
  })

  it('a contact who loses his permission sees it leave if he saw it, and only then', async () => {
    for (const [rule, expected] of [
      ['deny subscription none presence-out', [`unavailable ${me} to from@capulet.lit`]],
      ['deny subscription from presence-out', []],
    ] as const) {
      const { elsewhere, one } = await abroad()
      await activate(one, rule)
      await elsewhere.drain()
      one.send(`<presence type='unsubscribed' to='from@capulet.lit'/>`)
      assert.deepEqual(
        sentTo(await elsewhere.drain()).filter((text) => text.startsWith('unavailable')),
        expected,
        rule,
      )
    }
  })

  it('a contact who gets permission sees it if the rule for his new state lets him, once', async () => {
    for (const [rule, expected] of [
      ['deny subscription none presence-out', [`available ${me} to none@capulet.lit`]],
      ['deny subscription from presence-out', []],
    ] as const) {
      const { elsewhere, one } = await abroad()
      elsewhere.send(`<presence type='subscribe' from='none@capulet.lit' to='${romeo}'/>`)
      await activate(one, rule)
      await elsewhere.drain()
      one.send(`<presence type='subscribed' to='none@capulet.lit'/>`)
      assert.deepEqual(
        sentTo(await elsewhere.drain()).filter((text) => text.startsWith('available')),
        expected,
        rule,
      )
    }
  })

  it('a default list applies to each resource without another', async () => {
    const { house, one, she } = await lovers()
    const two = await house.online(`${romeo}/two`)
    await granted(one, list('open', 'allow'))
    await granted(one, active('open'))
    await granted(two, list('hidden', 'deny * presence-out'))
    await she.drain()
    await granted(two, byDefault('hidden'))
    assert.deepEqual(presences(await she.drain()), [`unavailable ${romeo}/two`])
  })
})

describe('fan-out', () => {
  it('copies to accounts without a list go as before, and those to one with a list past it', async () => {
    const { house, one, she } = await lovers()
    const nurse = 'nurse@capulet.com'
    await knows(house, romeo, nurse, { subscription: 'from' })
    const other = await house.online(`${nurse}/x`)
    await granted(she, list('test', `deny jid ${romeo} presence-in`))
    await granted(she, byDefault('test'))
    for (const actor of [one, she, other]) await actor.drain()
    const copies = () => house.core.metrics.value('ratatosk_fan_out_copies_total') ?? 0
    const before = copies()
    one.send('<presence/>')
    await one.drain()
    assert.equal(copies() - before, 2, 'nurse and his own resource')
    assert.deepEqual(presences(await other.drain()), [`available ${me}`])
    assert.deepEqual(presences(await she.drain()), [])
  })
})
