/** XEP-0175: what somebody may do who signed in without an account. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, House, show } from '../modules.testing.ts'

const name = 'd4565fa7-4d72-4749-b3d3-740edbf87770@montague.net'
const romeo = 'romeo@montague.net'

async function stage() {
  const house = await House.build({ accounts: [romeo] })
  const guest = house.actor(`${name}/r`)
  guest.session.info = { ...guest.session.info, auth: 'ANONYMOUS' }
  return { house, guest }
}

test('section 3, rule 3: there is no roster, to read or to write; accounts have theirs', async () => {
  const { house, guest } = await stage()
  const got = await guest.ask('get', `<query xmlns='jabber:iq:roster'/>`)
  assert.match(show(got), /<service-unavailable /)
  const item = `<query xmlns='jabber:iq:roster'><item jid='${romeo}'/></query>`
  assert.match(show(await guest.ask('set', item)), /<service-unavailable /)
  const account = house.actor(`${romeo}/r`)
  assert.equal((await account.ask('get', `<query xmlns='jabber:iq:roster'/>`)).attr('type'), 'result')
})

for (const type of ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed']) {
  test(`section 3, rule 3: presence of type ${type} is refused, and reaches nobody`, async () => {
    const { house, guest } = await stage()
    const other = await house.online(`${romeo}/r`)
    guest.send('<presence/>')
    await guest.drain()
    guest.send(`<presence type='${type}' to='${romeo}' id='s'/>`)
    const [answer] = await guest.drain()
    assert.ok(answer !== undefined)
    assert.match(show(answer), /type='error'.*<not-allowed /)
    assert.deepEqual(await other.drain(), [])
  })
}

for (const type of ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed']) {
  test(`RFC 6120 section 8.3.1: one without presence hears that ${type} is refused, and still nobody else writes to it`, async () => {
    const { house, guest } = await stage()
    const other = await house.online(`${romeo}/r`)
    guest.send(`<presence type='${type}' to='${romeo}' id='s'/>`)
    const came = await guest.drain()
    assert.deepEqual(came.map(brief), [`presence/error ${romeo}`])
    assert.match(show(came[0] ?? assert.fail()), /id='s'.*<not-allowed /)
    for (const error of ['presence', 'message']) other.send(`<${error} type='error' to='${name}' id='s'/>`)
    const refused = `<error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
    other.send(`<presence type='error' to='${name}' id='s'>${refused}</presence>`)
    assert.deepEqual(await guest.drain(), [])
  })
}

test('presence and messages go both ways while the session lasts', async () => {
  const { house, guest } = await stage()
  const other = await house.online(`${romeo}/r`)
  guest.send('<presence/>')
  await guest.drain()
  guest.send(`<message to='${romeo}' type='chat'><body>hello</body></message>`)
  assert.deepEqual((await other.drain()).map(brief), [`message/chat ${name}/r`])
  other.send(`<message to='${name}' type='chat'><body>hello</body></message>`)
  assert.deepEqual((await guest.drain()).map(brief), [`message/chat ${romeo}/r`])
})

test('a subscription request from outside finds no account, and nothing of it is kept', async () => {
  const { house, guest } = await stage()
  const other = await house.online(`${romeo}/r`)
  guest.send('<presence/>')
  await guest.drain()
  other.send(`<presence type='subscribe' to='${name}'/>`)
  await other.drain()
  assert.deepEqual(await guest.drain(), [])
})

test('nothing is kept for it when it is gone', async () => {
  const { house, guest } = await stage()
  const other = await house.online(`${romeo}/r`)
  guest.drop()
  other.send(`<message to='${name}' type='chat' id='late'><body>hello</body></message>`)
  const [answer] = await other.drain()
  assert.ok(answer !== undefined)
  assert.match(show(answer), /type='error'.*<service-unavailable /)
})

test('section 5: disco#info to its bare JID tells whoever asks that it is account/anonymous', async () => {
  const { house, guest } = await stage()
  const other = await house.online(`${romeo}/r`)
  for (const asker of [other, guest]) {
    const answer = await asker.ask('get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`, name)
    const identities = answer.elements[0]
      ?.childrenNamed('identity')
      .map((el) => `${el.attr('category')}/${el.attr('type')}`)
    assert.deepEqual(identities, ['account/anonymous'])
    assert.equal(answer.attr('from'), name)
  }
  const nobody = await other.ask('get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`, `nobody@montague.net`)
  assert.equal(nobody.attr('type'), 'error')
})

test('section 3, rule 4: what modules kept of it is deleted with its last session, and of nobody else', async () => {
  const { house, guest } = await stage()
  const deleted: string[] = []
  house.core.hostType('default').hooks.on('account:delete', 'test', ({ local }) => {
    deleted.push(local)
  })
  const account = house.actor(`${romeo}/r`)
  account.drop()
  guest.drop()
  await house.settle()
  assert.deepEqual(deleted, [name.split('@')[0]])
})

test('section 3, rule 4: while that is being deleted it is under way', async () => {
  const { house, guest } = await stage()
  const { underWay } = house.core.hostType('default')
  const { promise, resolve } = Promise.withResolvers<void>()
  house.core.hostType('default').hooks.on('account:delete', 'test', () => promise)
  await house.settle()
  assert.equal(underWay.count, 0)
  guest.drop()
  await house.settle()
  assert.equal(underWay.count, 1)
  resolve()
  await house.settle()
  assert.equal(underWay.count, 0)
})
