/** What fails for a time is told as such: RFC 6120 section 8.3.2, `wait`. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StanzaError } from '../stanza/error.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { WorldError } from '../world/error.ts'
import { microtasksDone } from '../world/microtasks.ts'
import type { Element } from '../xml/element.types.ts'
import { type Bench, bench } from './core.testing.ts'
import { refusalFor } from './temporary.ts'

const away = new WorldError('RTK_STORE_TIMEOUT', 'no answer in time', { temporary: true })
const broken = new WorldError('RTK_STORE_CORRUPT', 'no database', { temporary: false })
const message = `<message to='juliet@capulet.com' id='1'><body>x</body></message>`

/** `type/condition` of the one answer. */
async function answered(house: Bench, text: string): Promise<string> {
  const romeo = house.client('romeo@montague.net/orchard')
  romeo.send(text)
  await microtasksDone()
  const [answer, ...more] = romeo.take() as [Element | undefined, ...Element[]]
  assert.equal(more.length, 0)
  const error = answer?.child('error', NS_CLIENT)
  return `${error?.attr('type')}/${error?.elements[0]?.name}`
}

function houseWithout(error: unknown): Bench {
  const house = bench()
  Object.assign(house.core.accounts, { exists: () => Promise.reject(error) })
  return house
}

describe('a failure that is temporary', () => {
  it('is `resource-constraint` with `wait`, another is what it was, a refusal is itself', () => {
    const otherwise = new StanzaError('RTK_OTHER', 'internal-server-error')
    assert.deepEqual(
      [refusalFor(away, otherwise).condition, refusalFor(away, otherwise).type],
      ['resource-constraint', 'wait'],
    )
    assert.equal(refusalFor(broken, otherwise), otherwise)
    assert.equal(refusalFor(new Error('a fault'), otherwise), otherwise)
    const own = new StanzaError('RTK_OWN', 'forbidden')
    assert.equal(refusalFor(own, otherwise), own)
  })

  for (const [name, error, told] of [
    ['away', away, 'wait/resource-constraint'],
    ['broken', broken, 'cancel/internal-server-error'],
  ] as const) {
    it(`a message while nobody can say whether the account exists, because the store is ${name}`, async () => {
      const house = houseWithout(error)
      const outcomes: (string | undefined)[] = []
      house.core.hostType('default').hooks.on('message:outcome', 'test', ({ packet, refused }) => {
        if (packet.el.attr('type') !== 'error') outcomes.push(refused)
      })
      assert.equal(await answered(house, message), told)
      assert.deepEqual(outcomes, [name === 'away' ? 'RTK_TEMPORARY_FAILURE' : 'RTK_DELIVERY_ACCOUNT_UNKNOWN'])
      assert.equal(house.core.metrics.value('ratatosk_handler_faults_total'), 1)
    })

    it(`a filter and a request of which the store is ${name}`, async () => {
      for (const fails of [() => Promise.reject(error), () => assert.fail(error)]) {
        const house = bench()
        const { hooks } = house.core.hostType('default')
        hooks.on('stanza:sent', 'test', () => fails() as Promise<undefined>, { kinds: ['message'] })
        assert.equal(await answered(house, message), told)
      }
      const house = bench()
      const { iq } = house.core.hostType('default')
      const handler = () => Promise.reject(error)
      const entry = { module: 'test', handler, concurrent: false, hidesAccounts: false }
      iq.add('get', { name: 'ask', ns: 'urn:x' }, 'account', entry)
      assert.equal(await answered(house, `<iq type='get' id='1'><ask xmlns='urn:x'/></iq>`), told)
    })
  }
})
