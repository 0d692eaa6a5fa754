/** What every foreign client has to get through, with a client of ours on the other side. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { xml } from '../language/index.ts'
import { ForeignClient, type How, type Kind } from './foreign-client.ts'
import { Started } from './started.ts'

/** Not ASCII, not in the basic plane, and everything that XML escapes. */
export const awkward = `Ромео & "Джульетта" <3 ]]> 🌹 'tis`

/** Roster, presence and chat both ways, each checked at the other side. Returns the mechanism that was used. */
export async function scenes(kind: Kind, how: How, mechanism: RegExp, config = '', bound = asAsked): Promise<void> {
  await using place = new Place(`real-${kind}`)
  const server = await Started.start(place, ['romeo', 'juliet'], config)
  const juliet = server.actor('juliet', 'juliet@localhost/balcony')
  await juliet.connects()
  juliet.sends(xml`<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>`)
  await juliet.receives(
    xml`<iq from='juliet@localhost' type='result' id='roster'><query xmlns='jabber:iq:roster' ver='*'/></iq>`,
  )
  juliet.sends(xml`<presence/>`)
  await juliet.receives(xml`<presence from='${juliet.full}'/>`)

  const romeo = ForeignClient.start(kind, place, server, 'romeo@localhost/orchard', how, server.ca)
  const online = await romeo.comesOnline()
  assert.match(online.jid, bound)
  assert.deepEqual(online.roster, {})
  assert.match(online.mechanism, mechanism)
  const [session] = await server.sessions('romeo@localhost')
  assert.equal(session?.['auth'], online.mechanism)
  assert.equal(session?.['tls'], 'TLSv1.3')

  // He asks for her presence, she agrees, and asks for his.
  romeo.does('subscribe', { to: 'juliet@localhost' })
  await juliet.receives(xml`<presence from='romeo@localhost' type='subscribe'/>`)
  juliet.sends(xml`<presence to='romeo@localhost' type='subscribed'/>`)
  await juliet.receives(pushOf('from'))
  await romeo.hears('subscribed', { from: 'juliet@localhost' })
  await romeo.hears('pushed', { jid: 'juliet@localhost', subscription: 'to' })
  await romeo.hears('presence', { from: juliet.full, type: 'available', status: '' })
  juliet.sends(xml`<presence to='romeo@localhost' type='subscribe'/>`)
  await juliet.receives(pushOf('from', 'subscribe'))
  await romeo.hears('subscribe', { from: 'juliet@localhost' })
  romeo.does('subscribed', { to: 'juliet@localhost' })
  await juliet.receives(
    xml`<presence from='romeo@localhost' type='subscribed'/>`,
    pushOf('both'),
    xml`<presence from='${romeo.jid}'>…</presence>`,
  )
  await romeo.hears('pushed', { jid: 'juliet@localhost', subscription: 'both' })

  // Presence both ways.
  romeo.does('presence', { status: awkward })
  await juliet.receives(xml`<presence from='${romeo.jid}'>… <status>${awkward}</status></presence>`)
  juliet.sends(xml`<presence><status>${awkward}</status></presence>`)
  await juliet.receives(xml`<presence from='${juliet.full}'><status>${awkward}</status></presence>`)
  await romeo.hears('presence', { from: juliet.full, type: 'available', status: awkward })

  // Chat both ways, a thousand in order among them.
  romeo.says(juliet.full, awkward)
  await juliet.receives(xml`<message from='${romeo.jid}' type='chat'>… <body>${awkward}</body></message>`)
  juliet.sends(xml`<message to='${romeo.jid}' type='chat'><body>${awkward}</body></message>`)
  await romeo.hears('message', { from: juliet.full, type: 'chat', body: awkward })
  const count = 1000
  for (let n = 0; n < count; n++) romeo.says(juliet.bare, `${n}`)
  for (let n = 0; n < count; n++) {
    await juliet.receives(xml`<message from='${romeo.jid}' type='chat'>… <body>${n}</body></message>`)
  }

  await romeo.leaves()
  await juliet.receives(xml`<presence from='${romeo.jid}' type='unavailable'>…</presence>`)
  await juliet.closes()
  assert.deepEqual(juliet.unread, [])
}

function pushOf(subscription: string, ask?: string) {
  const item = xml`<item xmlns='jabber:iq:roster' jid='romeo@localhost' subscription='${subscription}'/>`
  const query = xml`<query xmlns='jabber:iq:roster' ver='*'/>`
  return xml`<iq from='juliet@localhost' type='set'/>`.withChild(
    query.withChild(ask === undefined ? item : item.withAttrs({ ask })),
  )
}

/** By RFC 6120. */
const asAsked = /^romeo@localhost\/orchard$/

/** With another root it goes no further than the handshake; with the right one the same call signs in. */
export async function distrust(kind: Kind, how: How, why: RegExp, bound = asAsked): Promise<void> {
  await using place = new Place(`real-${kind}`)
  const server = await Started.start(place, ['romeo'])
  const deceived = ForeignClient.start(kind, place, server, 'romeo@localhost/orchard', how, server.wrongCa())
  assert.match(await deceived.refuses(), why)
  assert.deepEqual(await server.sessions('romeo@localhost'), [])
  const right = ForeignClient.start(kind, place, server, 'romeo@localhost/orchard', how, server.ca)
  assert.match((await right.comesOnline()).jid, bound)
}

/** `bound`: the full JID that the client has in the end. */
export function allScenes(kind: Kind, mechanism: RegExp, untrusted: RegExp, bound = asAsked): void {
  for (const how of ['starttls', 'direct'] as const) {
    it(`${kind} signs in, has roster and presence, and chats over ${how}`, () =>
      scenes(kind, how, mechanism, '', bound))
    it(`${kind} refuses a server that another authority vouches for, over ${how}`, () =>
      distrust(kind, how, untrusted, bound))
  }
}
