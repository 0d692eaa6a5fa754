/** XEP-0054: who reads and writes whose vCard, what is told of accounts without one, limits, and the account's data. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AccountData } from '../../core/hooks.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, House, show } from '../modules.testing.ts'

const NS = 'vcard-temp'
const me = 'romeo@montague.net'
const empty = `<vCard xmlns='${NS}'/>`
const card = (name: string, more = '') => `<vCard xmlns='${NS}'><FN>${name}</FN>${more}</vCard>`
const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name

async function read(actor: Actor, to?: string): Promise<string> {
  const answer = await actor.ask('get', empty, to)
  if (answer.attr('type') === 'error') return conditionOf(answer) ?? 'error'
  return answer.child('vCard', NS)?.childText('FN') ?? 'nothing'
}

async function write(actor: Actor, text: string, to?: string): Promise<string> {
  const answer = await actor.ask('set', text, to)
  if (answer.attr('type') === 'result') assert.deepEqual(answer.elements, [])
  return conditionOf(answer) ?? answer.attr('type') ?? ''
}

describe('one’s own vCard (§3.1, §3.2)', () => {
  it('is not found until it is set, and then comes back as it was sent', async () => {
    const house = await House.build()
    const romeo = house.actor(`${me}/a`)
    assert.equal(await read(romeo), 'item-not-found')
    const text = `<vCard xmlns='${NS}' version='3.0'><FN>Romeo è &lt;3&gt;</FN><TEL><HOME/><NUMBER/></TEL><p:X xmlns:p='urn:x' p:y='&amp;'/></vCard>`
    assert.equal(await write(romeo, text), 'result')
    const answer = await romeo.ask('get', empty)
    assert.equal(answer.attr('from'), me)
    const [got] = answer.elements
    assert.equal(got?.attr('version'), '3.0')
    assert.equal(got?.childText('FN'), 'Romeo è <3>')
    assert.deepEqual(
      got?.child('TEL')?.elements.map((el) => el.name),
      ['HOME', 'NUMBER'],
    )
    assert.equal(got?.child('X', 'urn:x')?.attrNS('urn:x', 'y'), '&')
  })

  it('is replaced as a whole, also by another resource, and is the same with the account’s address', async () => {
    const house = await House.build()
    const [one, two] = [house.actor(`${me}/one`), house.actor(`${me}/two`)]
    await write(one, card('Romeo', '<NICKNAME>r</NICKNAME>'))
    assert.equal(await write(two, card('Montague'), me), 'result')
    assert.equal(await read(one, me), 'Montague')
    assert.equal((await one.ask('get', empty)).child('vCard', NS)?.hasChild('NICKNAME', NS), false)
  })

  it('an empty one takes it away', async () => {
    const house = await House.build()
    const [romeo, juliet] = [house.actor(`${me}/a`), house.actor('juliet@capulet.com/b')]
    await write(romeo, card('Romeo'))
    assert.equal(await write(romeo, `<vCard xmlns='${NS}' version='3.0'> </vCard>`), 'result')
    assert.equal(await read(romeo), 'item-not-found')
    assert.equal(await read(juliet, me), 'service-unavailable')
  })

  it('of another account nobody sets it: forbidden, whether that exists or not', async () => {
    const house = await House.build({ accounts: [me, 'juliet@capulet.com'] })
    const juliet = house.actor('juliet@capulet.com/b')
    await write(house.actor(`${me}/a`), card('Romeo'))
    const refused = await juliet.ask('set', card('Mallory'), me)
    assert.equal(conditionOf(refused), 'forbidden')
    assert.equal(refused.child('error')?.attr('type'), 'auth')
    const nobody = await juliet.ask('set', card('Mallory'), 'nobody@montague.net')
    assert.equal(nobody.child('error')?.payload, refused.child('error')?.payload)
    // The same name at another host is another account.
    assert.equal(await write(house.actor('romeo@capulet.com/a'), card('Mallory'), me), 'forbidden')
    assert.equal(await read(juliet, me), 'Romeo')
  })
})

describe('another’s vCard (§3.3)', () => {
  it('everybody reads it, from other servers too (§5), and no resource is asked', async () => {
    const house = await House.build({ accounts: [me, 'juliet@capulet.com'] })
    const romeo = await house.online(`${me}/a`)
    await write(romeo, card('Romeo'))
    assert.equal(await read(house.actor('juliet@capulet.com/b'), me), 'Romeo')
    const elsewhere = house.elsewhere()
    elsewhere.send(`<iq type='get' id='1' from='far@elsewhere.example/x' to='${me}'>${empty}</iq>`)
    const [answer] = await elsewhere.drain()
    assert.equal(answer?.attr('to'), 'far@elsewhere.example/x')
    assert.equal(answer?.child('vCard', NS)?.childText('FN'), 'Romeo')
    elsewhere.send(`<iq type='set' id='2' from='romeo@elsewhere.example/x' to='${me}'>${card('Mallory')}</iq>`)
    assert.equal(conditionOf((await elsewhere.drain())[0]), 'forbidden')
    assert.deepEqual(await romeo.drain(), [])
    assert.equal(await read(romeo), 'Romeo')
  })

  it('none and no account are one answer', async () => {
    const house = await House.build({ accounts: [me, 'juliet@capulet.com'] })
    const juliet = house.actor('juliet@capulet.com/b')
    const [none, nobody] = [await juliet.ask('get', empty, me), await juliet.ask('get', empty, 'nobody@montague.net')]
    assert.equal(conditionOf(none), 'service-unavailable')
    assert.equal(none.payload, nobody.payload)
  })

  it('is gone with its account, while its row is still there', async () => {
    const house = await House.build({ accounts: [me, 'juliet@capulet.com'] })
    await write(house.actor(`${me}/a`), card('Romeo'))
    house.accounts?.delete(me)
    assert.equal(await read(house.actor('juliet@capulet.com/b'), me), 'service-unavailable')
  })

  it('two hosts do not mix', async () => {
    const house = await House.build()
    const [here, there] = [house.actor('romeo@montague.net/a'), house.actor('romeo@capulet.com/a')]
    await write(here, card('here'))
    assert.equal(await read(there), 'item-not-found')
    await write(there, card('there'))
    assert.equal(await read(here), 'here')
    assert.equal(await read(here, 'romeo@capulet.com'), 'there')
  })

  it('disco tells of it at the host and at the account (§4)', async () => {
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
})

describe('limits', () => {
  it('one that is too large is refused and counted, and the old one stays', async () => {
    const house = await House.build({ options: { vcard: { bytes_max: '1 KiB' } } })
    const romeo = house.actor(`${me}/a`)
    const fits = card('x'.repeat(1024 - card('').length))
    assert.equal(
      show((await romeo.ask('set', fits)).withAttrs({ id: undefined, from: undefined, to: undefined })),
      `<iq type='result'/>`,
    )
    assert.equal(house.core.metrics.value('ratatosk_vcard_bytes_max_total'), 0)
    // Bytes, not characters.
    assert.equal(await write(romeo, card(`è${'x'.repeat(1024 - card('').length - 1)}`)), 'policy-violation')
    assert.equal(house.core.metrics.value('ratatosk_vcard_bytes_max_total'), 1)
    assert.match(await read(romeo), /^x+$/)
  })

  it('what a store that fails does not keep is told', async () => {
    const house = await House.build()
    const { storeError } = await import('../../store/errors.ts')
    const romeo = house.actor(`${me}/a`)
    house.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    assert.equal(await write(romeo, card('Romeo')), 'internal-server-error')
    house.engine.failing = undefined
    assert.equal(await read(romeo), 'item-not-found')
  })
})

describe('the data of an account', () => {
  it('is exported, deleted, and imported; what is no vCard is left out; what is there stays', async () => {
    const house = await House.build()
    const { hooks } = house.core.hostType('default')
    const at = { host: house.host('montague.net'), local: 'romeo' }
    const romeo = house.actor(`${me}/a`)
    await write(romeo, card('Romeo è'))
    await write(house.actor('romeo@capulet.com/a'), card('other'))
    const data = await house.wait(hooks.waitingFold('account:export', [], at))
    assert.deepEqual(data.find((part) => part.store === 'vcard')?.rows.length, 1)
    assert.equal(await house.wait(hooks.waitingNotice('account:delete', at)), 0)
    assert.equal(await read(romeo), 'item-not-found')
    assert.equal(await read(house.actor('romeo@capulet.com/b')), 'other')
    const wrong = ['no xml', `<vCard xmlns='urn:x'/>`, `<card xmlns='${NS}'/>`]
    const rows: AccountData['rows'] = [...wrong.map((text) => ({ card: text })), {}]
    const given = [{ store: 'vcard', rows }, ...data]
    assert.equal(await house.wait(hooks.waitingNotice('account:import', { ...at, data: given })), 0)
    assert.equal(await read(romeo), 'Romeo è')
    const told = house.log.lines.filter((line) => line.fields['code'] === 'RTK_VCARD_IMPORT')
    assert.deepEqual(
      told.map((line) => line.fields['rows']),
      [4],
    )
    await write(romeo, card('Romeo the second'))
    assert.equal(await house.wait(hooks.waitingNotice('account:import', { ...at, data })), 0)
    assert.equal(await read(romeo), 'Romeo the second')
  })
})
