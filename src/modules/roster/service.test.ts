/** The roster as a declared service (core/services/roster.ts): what another module reads, sets and removes, and what clients see of it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RosterItem, RosterService } from '../../core/services/roster.ts'
import { jid } from '../../jid/jid.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, brief, House } from '../modules.testing.ts'
import { rosterStore } from './roster.store.ts'

const NS = 'jabber:iq:roster'
const contact = 'juliet@verona.example'

const itemOf = (more: Partial<RosterItem>): RosterItem => ({
  jid: jid(contact),
  name: '',
  subscription: 'none',
  pendingOut: false,
  pendingIn: false,
  listed: true,
  approved: false,
  groups: [],
  ...more,
})

async function scene() {
  const house = await House.build({ hosts: ['montague.net'], accounts: ['romeo@montague.net'] })
  const elsewhere = house.elsewhere()
  const one = await house.online('romeo@montague.net/one')
  const two = await house.online('romeo@montague.net/two')
  const available = house.actor('romeo@montague.net/available')
  available.send('<presence/>')
  for (const actor of [one, two, available]) await actor.drain()
  await elsewhere.drain()
  const store = await house.wait(house.stores.open(rosterStore))
  const stored = () => house.wait(store.items({ host: 'montague.net', local: 'romeo' }))
  const service = house.core.hostType('default').services.find('roster') as RosterService
  return { house, elsewhere, one, two, available, stored, service, host: house.host('montague.net') }
}

async function pushes(actor: Actor): Promise<string[]> {
  return (await actor.drain())
    .filter((el) => el.name === 'iq' && el.attr('type') === 'set')
    .map((el) => {
      const query = el.child('query', NS)
      const item = query?.elements[0]
      const groups = item?.elements.map((group) => group.text).join(',')
      return `${item?.attr('jid')} ${item?.attr('subscription')} ${item?.attr('name') ?? ''} ${groups} ${query?.attr('ver')}`
    })
}

const verOf = (answer: Element) => answer.child('query', NS)?.attr('ver') ?? ''

describe('the roster as a service', () => {
  it('sets an item with its subscription: kept, pushed to interested resources under one new version, and presence follows', async () => {
    const { house, elsewhere, one, two, available, stored, service, host } = await scene()
    const before = verOf(await one.ask('get', `<query xmlns='${NS}' ver=''/>`))
    await house.wait(service.set(host, 'romeo', itemOf({ subscription: 'both', name: 'Juliet', groups: ['Friends'] })))
    const [row] = await stored()
    assert.deepEqual([row?.contact, row?.subscription, row?.name, row?.listed], [contact, 'both', 'Juliet', true])
    const [push = '', ...more] = await pushes(one)
    assert.deepEqual(more, [])
    assert.match(push, new RegExp(`^${contact} both Juliet Friends \\S+$`))
    assert.deepEqual(await pushes(two), [push])
    assert.deepEqual(await pushes(available), [], 'it asked for no roster')
    // Who may see him now does.
    assert.deepEqual((await elsewhere.drain()).map(brief).sort(), [
      'presence romeo@montague.net/available',
      'presence romeo@montague.net/one',
      'presence romeo@montague.net/two',
    ])
    // A client that was away has the same change by its version.
    const late = house.actor('romeo@montague.net/late')
    late.send(`<iq type='get' id='g'><query xmlns='${NS}' ver='${before}'/></iq>`)
    assert.deepEqual(await pushes(late), [push])

    // The subscription ends: the contact is told by each resource, and the push says so.
    await house.wait(service.set(host, 'romeo', itemOf({ subscription: 'to', name: 'Juliet' })))
    assert.match((await pushes(one)).join(), new RegExp(`^${contact} to Juliet  \\S+$`))
    const gone = (await elsewhere.drain()).map(brief).sort()
    assert.deepEqual(
      gone,
      ['available', 'one', 'two'].map((resource) => `presence/unavailable romeo@montague.net/${resource}`),
    )
  })

  it('reads what clients have set, pending requests included, and removes with a push', async () => {
    const { house, elsewhere, one, two, stored, service, host } = await scene()
    await one.ask('set', `<query xmlns='${NS}'><item jid='${contact}' name='J'/></query>`)
    const text = `<presence type='subscribe' from='nurse@verona.example' to='romeo@montague.net' id='r1'><status>me</status></presence>`
    elsewhere.send(text)
    await one.drain()
    await two.drain()
    const items = await house.wait(Promise.resolve(service.items(host, 'romeo')))
    assert.deepEqual(
      [...items].map(([key, item]) => [key, item.name, item.listed, item.pendingIn]),
      [
        [contact, 'J', true, false],
        ['nurse@verona.example', '', false, true],
      ],
    )
    const [request, ...more] = await house.wait(service.requests(host, 'romeo'))
    assert.deepEqual(more, [])
    assert.equal(request?.attr('from'), 'nurse@verona.example')
    assert.equal(request?.childText('status'), 'me')

    await house.wait(service.remove(host, 'romeo', jid(contact)))
    const [push = ''] = await pushes(one)
    assert.match(push, new RegExp(`^${contact} remove   \\S+$`))
    assert.deepEqual(await pushes(two), [push])
    assert.deepEqual(
      (await stored()).map((row) => row.contact),
      ['nurse@verona.example'],
    )
  })
})
