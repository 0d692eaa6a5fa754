/**
 * Lists, rosters and comings that change at the same time, or one because of the other: each change is told once by whoever
 * made it, and what one of them owes is not stopped by the next (XEP-0016 §2.2 rule 9, §2.10 and §2.11; XEP-0191 §3.3).
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Element } from '../../xml/element.types.ts'
import { House } from '../modules.testing.ts'
import { activate, active, block, granted, knows, list, romeo, unblock } from './privacy.testing.ts'

const juliet = 'juliet@capulet.com'
const me = `${romeo}/one`
const her = `${juliet}/balcony`
const removal = (contact: string) =>
  `<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='${contact}' subscription='remove'/></query></iq>`

/** Presence of somebody else, in the order in which it came. */
function presences(stanzas: readonly Element[], own: string): string[] {
  return stanzas
    .filter((el) => el.name === 'presence' && !el.attr('from')?.startsWith(own))
    .map((el) => `${el.attr('type') ?? 'available'} ${el.attr('from')}`)
}

/** romeo and juliet see each other, both are here. */
async function lovers(subscription: 'both' | 'none' = 'both') {
  const house = await House.build()
  if (subscription === 'both') {
    await knows(house, romeo, juliet, { subscription })
    await knows(house, juliet, romeo, { subscription })
  }
  const one = await house.online(me)
  const she = await house.online(her)
  for (const actor of [one, she]) await actor.drain()
  return { house, one, she }
}

describe('a contact who is removed under a list about subscriptions (§2.2 rule 9)', () => {
  it('is seen to leave, though he is no contact any more when he says so, and sees the account leave once', async () => {
    const { one, she } = await lovers()
    await activate(one, 'deny subscription none')
    one.send(removal(juliet))
    assert.deepEqual(presences(await one.drain(), romeo), [`unavailable ${her}`])
    const seen = presences(await she.drain(), juliet)
    assert.equal(seen.filter((text) => text === `unavailable ${me}`).length, 1, seen.join())
  })

  it('is seen to leave after `unsubscribe` too, and goes on seeing the account', async () => {
    const { one, she } = await lovers()
    await activate(one, 'deny subscription from presence-in')
    one.send(`<presence type='unsubscribe' to='${juliet}'/>`)
    assert.deepEqual(presences(await one.drain(), romeo), [`unavailable ${her}`])
    one.send('<presence><show>away</show></presence>')
    assert.deepEqual(presences(await she.drain(), juliet).at(-1), `available ${me}`)
  })
})

it('a contact who is let see the account sees it once, behind the permission, under a list that then lets him (§2.2 rule 9)', async () => {
  const { one, she } = await lovers('none')
  await activate(one, 'deny subscription none presence-out')
  she.send(`<presence type='subscribe' to='${romeo}'/>`)
  await one.drain()
  await she.drain()
  one.send(`<presence type='subscribed' to='${juliet}'/>`)
  assert.deepEqual(presences(await she.drain(), juliet), [`subscribed ${romeo}`, `available ${me}`])
})

it('a contact whom the account may see from now on is seen once, behind the permission (§2.2 rule 9)', async () => {
  const { one, she } = await lovers('none')
  await activate(one, 'deny subscription none presence-in')
  one.send(`<presence type='subscribe' to='${juliet}'/>`)
  await she.drain()
  she.send(`<presence type='subscribed' to='${romeo}'/>`)
  assert.deepEqual(presences(await one.drain(), romeo), [`subscribed ${juliet}`, `available ${her}`])
})

it('who was told directly sees the account leave where a permission makes a list stop it (§2.2 rule 9)', async () => {
  const { one, she } = await lovers('none')
  await activate(one, 'deny subscription from presence-out')
  one.send(`<presence to='${her}'/>`)
  she.send(`<presence type='subscribe' to='${romeo}'/>`)
  await one.drain()
  assert.deepEqual(presences(await she.drain(), juliet), [`available ${me}`])
  one.send(`<presence type='subscribed' to='${juliet}'/>`)
  assert.deepEqual(presences(await she.drain(), juliet).sort(), [`subscribed ${romeo}`, `unavailable ${me}`])
})

it('the one resource that a list lets see the account sees it leave with the permission (§2.1, RFC 6121 section 3.2.2)', async () => {
  const { house, one, she } = await lovers()
  const tomb = await house.online(`${juliet}/tomb`)
  await activate(one, `allow jid ${her}`, `deny jid ${juliet} presence-out`)
  for (const actor of [she, tomb]) await actor.drain()
  one.send(`<presence type='unsubscribed' to='${juliet}'/>`)
  assert.ok(presences(await she.drain(), juliet).includes(`unavailable ${me}`))
  assert.ok(!presences(await tomb.drain(), juliet).includes(`unavailable ${me}`))
})

it('an unblocked resource that is bound but not available is sent nothing (RFC 6121 section 4.4.2)', async () => {
  const { one, she } = await lovers()
  await granted(one, block(juliet, her))
  she.send(`<presence type='unavailable'/>`)
  await she.drain()
  await granted(one, unblock())
  assert.deepEqual(presences(await she.drain(), juliet), [])
  she.send('<presence/>')
  assert.deepEqual(presences(await she.drain(), juliet), [`available ${me}`])
})

it('a list that lets nothing but presence through shows a contact of this server again (§2.10)', async () => {
  const { one } = await lovers()
  await granted(one, list('presence', `allow jid ${juliet} presence-in presence-out`, `deny jid ${juliet}`))
  await granted(one, block(juliet))
  await one.drain()
  await granted(one, active('presence'))
  assert.deepEqual(presences(await one.drain(), romeo), [`available ${her}`])
})
