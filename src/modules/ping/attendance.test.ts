/** XEP-0199 §4.1: who is asked whether he is there, and who is not. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StreamError } from '../../stanza/error.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, House } from '../modules.testing.ts'
import { NS } from './attendance.ts'

const options = { ping: { ask_after: '1 minute', answer_timeout: '30 seconds' } }

async function scene(given: Readonly<Record<string, unknown>> = {}) {
  const house = await House.build({ options: { ping: { ...options.ping, ...given } } })
  const romeo = await house.online('romeo@montague.net/orchard')
  const juliet = await house.online('juliet@capulet.com/balcony')
  const passes = async (seconds: number) => {
    for (let n = 0; n < seconds; n += 5) await house.pass(5_000)
  }
  await passes(5)
  // They have what they were sent when they signed in: they say something that nobody answers.
  romeo.send(`<presence to='capulet.com' type='unavailable'/>`)
  juliet.send(`<presence to='montague.net' type='unavailable'/>`)
  await passes(5)
  const says = (id = 'm') =>
    romeo.send(`<message to='${juliet.address}' id='${id}' type='chat'><body>x</body></message>`)
  return { house, romeo, juliet, passes, says }
}

const pingsOf = (came: readonly Element[]) => came.filter((el) => el.hasChild('ping', NS))
const unanswered = (house: House) => house.core.metrics.value('ratatosk_ping_unanswered_total')

async function pinged(actor: Actor): Promise<Element> {
  const [ping, ...more] = pingsOf(await actor.drain())
  assert.equal(more.length, 0, 'asked once')
  assert.equal(ping?.attr('type'), 'get')
  assert.equal(ping?.attr('from'), 'capulet.com')
  return ping as Element
}

describe('a client that says nothing', () => {
  it('is asked once, when it was sent something; without an answer it is gone, and the next one has the messages', async () => {
    const { house, juliet, passes, says } = await scene()
    says()
    await passes(55)
    assert.deepEqual(pingsOf(await juliet.drain()), [])
    await passes(10)
    await pinged(juliet)
    await passes(20)
    assert.equal(juliet.session.isActive, true)
    await passes(15)
    assert.equal(juliet.session.hasEnded, true)
    assert.ok(juliet.link.closed instanceof StreamError)
    assert.equal(juliet.link.closed.condition, 'connection-timeout')
    assert.equal(unanswered(house), 1)
    says('late')
    await house.settle()
    const other = await house.online('juliet@capulet.com/phone')
    assert.equal(other.session.hasEnded, false)
    assert.equal(house.core.metrics.value('ratatosk_offline_handed_total'), 1)
  })

  for (const [name, answer] of [
    ['a result', (id: string) => `<iq type='result' id='${id}' to='capulet.com'/>`],
    [
      'an error',
      (id: string) =>
        `<iq type='error' id='${id}' to='capulet.com'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
    ],
    ['something else', () => `<presence to='montague.net' type='unavailable'/>`],
  ] as const) {
    it(`stays when it answers with ${name}, and is asked again after the next silence`, async () => {
      const { house, juliet, passes, says } = await scene()
      for (let round = 0; round < 3; round++) {
        says()
        await passes(65)
        juliet.send(answer((await pinged(juliet)).attr('id') ?? ''))
        await passes(60)
        assert.equal(juliet.session.isActive, true)
      }
      assert.equal(unanswered(house), 0)
    })
  }

  it('is asked for what it was sent just behind its last word, too', async () => {
    const { house, juliet, passes, says } = await scene()
    juliet.send(`<presence to='montague.net' type='unavailable'/>`)
    says()
    await passes(95)
    assert.equal(juliet.session.hasEnded, true)
    assert.equal(unanswered(house), 1)
  })

  it('is not asked while nothing is sent to it: that is the kernel’s question', async () => {
    const { juliet, passes } = await scene()
    await passes(600)
    assert.deepEqual(pingsOf(await juliet.drain()), [])
  })

  it('is not asked while it reads, however slowly', async () => {
    const { juliet, passes, says } = await scene()
    juliet.link.queuedBytes = 1_000_000
    for (let n = 0; n < 50; n++) {
      says()
      juliet.link.queuedBytes -= 1_000
      await passes(5)
    }
    assert.deepEqual(pingsOf(await juliet.drain()), [])
    await passes(60)
    await pinged(juliet)
    // It reads while its answer is waited for.
    juliet.link.queuedBytes -= 1
    await passes(40)
    assert.equal(juliet.session.isActive, true)
  })

  it('is not asked where nobody is (`never`)', async () => {
    const never = await scene({ ask_after: 'never' })
    never.says()
    await never.passes(600)
    assert.deepEqual(pingsOf(await never.juliet.drain()), [])
  })

  it('with hundreds of others: they are asked little by little, and all of them', async () => {
    const { house, passes } = await scene()
    const many = Array.from({ length: 450 }, (_, n) => house.actor(`n${n}@capulet.com/x`))
    await passes(5)
    for (const { link, session } of many) {
      session.deliverFrom(
        await house.actor('nurse@capulet.com/k').ask('get', `<ping xmlns='${NS}'/>`),
        session.jid,
        session.jid,
      )
      link.take()
    }
    await passes(60)
    const open = () => house.core.requests.openCount
    assert.ok(open() <= 200, `${open()} asked`)
    await passes(10)
    assert.ok(open() > 200)
    await passes(60)
    // With her whose question was answered last.
    assert.equal(unanswered(house), 451)
  })
})
