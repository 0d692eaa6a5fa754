/**
 * While an account's lists are unread (the module has just come, the store is slow or away): who can wait does, who cannot lets
 * nothing through, and nobody is taken for blocked for good.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PrivacyService, Traffic } from '../../core/services/privacy.ts'
import { jid } from '../../jid/jid.ts'
import { type Actor, House } from '../modules.testing.ts'
import { block, granted, knows, romeo, seen } from './privacy.testing.ts'

const [juliet, nurse] = ['juliet@capulet.com', 'nurse@capulet.com']
const everything: readonly Traffic[] = ['iq-in', 'message-in', 'other', 'presence-in', 'presence-out']

/** All know each other; romeo has blocked the nurse, or nobody yet. */
async function stage(isBlocked = true) {
  const house = await House.build()
  for (const [one, other] of [
    [romeo, juliet],
    [juliet, romeo],
    [romeo, nurse],
    [nurse, romeo],
  ] as const)
    await knows(house, one, other, { subscription: 'both' })
  const one = await house.online(`${romeo}/one`)
  if (isBlocked) await granted(one, block(nurse))
  const watching = [await house.online(`${juliet}/balcony`), await house.online(`${nurse}/kitchen`)]
  for (const actor of [one, ...watching]) await actor.drain()
  return { house, one, juliet: watching[0] as Actor, nurse: watching[1] as Actor }
}

/** The module comes again, and the store takes its time to tell the lists of those who are online. */
async function unread(house: House): Promise<PrivacyService> {
  house.engine.latencyMs = 100
  await house.wait(house.modules.reload('privacy'))
  const service = house.core.hostType('default').services.find('privacy')
  assert.ok(service)
  return service
}

/** Long enough for all that is asked of the store one after the other. */
async function answered(house: House): Promise<void> {
  for (let n = 0; n < 40; n++) await house.pass(50)
}

describe('lists that are unread', () => {
  it('let nothing through to who must act now, but what no list may stop; who can wait has them as they are', async () => {
    const { house, one } = await stage()
    const service = await unread(house)
    const read = service.read(one.session)
    assert.ok(read instanceof Promise)
    const now = service.screen(one.session)
    for (const traffic of everything) {
      assert.deepEqual(
        [juliet, nurse, `${romeo}/two`, 'montague.net'].map((peer) => now?.passes(traffic, jid(peer))),
        [false, false, true, true],
        traffic,
      )
    }
    await answered(house)
    const late = await read
    assert.deepEqual(
      [juliet, nurse].map((peer) => late?.passes('message-in', jid(peer))),
      [true, false],
    )
    assert.equal(service.read(one.session), service.screen(one.session))
  })

  it('of who has none are known to be none', async () => {
    const { house, juliet: other } = await stage()
    const service = await unread(house)
    const read = service.read(other.session)
    assert.ok(read instanceof Promise)
    await answered(house)
    assert.deepEqual([await read, service.read(other.session), service.screen(other.session)], Array(3).fill(undefined))
  })

  it('hide no leaving from who saw the session, and show it to nobody else, when the store fails at first', async () => {
    const { house, one, juliet: friend, nurse: blocked } = await stage()
    await unread(house)
    house.engine.hang()
    one.drop()
    await house.pass(8_000)
    assert.equal(house.core.metrics.value('ratatosk_presence_departures_delayed_total'), 1)
    house.engine.resume()
    for (let n = 0; n < 30; n++) await house.pass(500)
    assert.deepEqual(seen(await friend.drain()), [`presence unavailable ${romeo}/one`])
    assert.deepEqual(seen(await blocked.drain()), [])
    assert.equal(house.core.metrics.value('ratatosk_presence_departures_waiting'), 0)
  })

  it('in the middle of a hand-over make it wait: only who is blocked is refused', async () => {
    const { house, one, juliet: friend, nurse: other } = await stage(false)
    one.drop()
    await house.settle()
    const body = 'o'.repeat(8_000)
    const ids = Array.from({ length: 20 }, (_, n) => `m${n}`)
    for (const id of ids) friend.send(`<message to='${romeo}' type='chat' id='${id}'><body>${body}</body></message>`)
    other.send(`<message to='${romeo}' type='chat' id='hers'><body>here</body></message>`)
    await house.settle()
    const two = house.actor(`${romeo}/two`)
    await granted(two, block(nurse))
    const messages = async (of: Actor) =>
      (await of.drain()).filter(({ name }) => name === 'message').map((el) => `${el.attr('id')} ${el.attr('type')}`)
    const chats = ids.map((id) => `${id} chat`)
    for (const actor of [friend, other, two]) await actor.drain()
    // He does not read on: his next batch is made while nobody knows whom he has blocked.
    const { drained } = two.link
    two.link.drained = undefined
    two.send('<presence/>')
    const first = await messages(two)
    assert.ok(first.length > 0 && first.length < 20, `${first.length} in the first batch`)
    house.engine.latencyMs = 100
    two.link.drained = drained
    two.session.drained()
    await house.settle()
    // Half of the time that it takes to remove what has left.
    await house.pass(100)
    await unread(house)
    await house.pass(100)
    assert.deepEqual(await messages(two), [])
    await answered(house)
    assert.deepEqual([...first, ...(await messages(two))], chats)
    assert.deepEqual([await messages(friend), await messages(other)], [[], ['hers error']])
  })
})
