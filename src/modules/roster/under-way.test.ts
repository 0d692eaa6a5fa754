import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RosterService } from '../../core/services/roster.ts'
import { House } from '../modules.testing.ts'
import { UnderWay } from './under-way.ts'

const romeo = 'romeo@montague.net'
const juliet = 'juliet@capulet.com'

describe('changes of subscriptions under way', () => {
  it('are over when the last of the account is, failed ones too, and no other account waits', async () => {
    const house = await House.build()
    const [here, there] = [house.host('montague.net'), house.host('capulet.com')]
    const underWay = new UnderWay()
    const [one, two] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()]
    const first = underWay.run(here, 'romeo', () => one.promise)
    const second = underWay.run(here, 'romeo', () => two.promise)
    let isOver = false
    const over = underWay.settled(here, 'romeo')?.then(() => {
      isOver = true
    })
    assert.ok(over !== undefined)
    assert.equal(underWay.settled(there, 'romeo'), undefined)
    one.resolve('kept')
    assert.equal(await first, 'kept')
    assert.equal(isOver, false)
    two.reject(new Error('the store failed'))
    await assert.rejects(second, /the store failed/)
    await over
    assert.deepEqual([underWay.settled(here, 'romeo'), underWay.size], [undefined, 0])
  })

  const changes = [
    [
      'a removal',
      `<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='${juliet}' subscription='remove'/></query></iq>`,
    ],
    ['a subscription stanza', `<presence type='unsubscribe' to='${juliet}'/>`],
  ] as const
  for (const [name, stanza] of changes) {
    it(`${name} is one until both accounts were told`, async () => {
      const house = await House.build()
      const roster = house.core.hostType('default').services.find('roster') as RosterService
      const one = await house.online(`${romeo}/one`)
      const she = await house.online(`${juliet}/balcony`)
      one.send(`<presence type='subscribe' to='${juliet}'/>`)
      await she.drain()
      she.send(`<presence type='subscribed' to='${romeo}'/>`)
      await one.drain()
      const settled = () => roster.settled(house.host('montague.net'), 'romeo')
      assert.equal(settled(), undefined)
      one.send(stanza)
      const over = settled()
      assert.ok(over !== undefined)
      await house.wait(over)
      assert.equal(one.link.take().filter((el) => el.attr('type') === 'unavailable').length, 1)
    })
  }
})
