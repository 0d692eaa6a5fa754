// needs: profanity pyte
/**
 * profanity (Debian), on libstrophe and OpenSSL: what a person types on a terminal, and sees there. It speaks of carbons,
 * blocking, bookmarks, last activity and much else by itself.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { xml } from '../language/index.ts'
import type { How } from './foreign-client.ts'
import { Profanity, until } from './profanity.ts'
import { awkward, interestedJuliet, pushOf } from './scenes.ts'
import { Started } from './started.ts'

for (const how of ['starttls', 'direct'] as const satisfies readonly How[]) {
  it(`profanity signs in, has roster and presence, and chats over ${how}`, async () => {
    await using place = new Place('real-profanity')
    const server = await Started.start(place, ['romeo', 'juliet'])
    const juliet = await interestedJuliet(server)
    const romeo = Profanity.start(place, server, 'romeo@localhost/orchard', how, server.ca)
    await romeo.comesOnline()
    const [session] = await server.sessions('romeo@localhost')
    assert.equal(session?.['jid'], romeo.jid)
    assert.equal(session?.['auth'], 'SCRAM-SHA-512')
    assert.equal(session?.['tls'], 'TLSv1.3')

    // He asks for her presence, she agrees, and asks for his.
    romeo.types('/sub request juliet@localhost')
    await romeo.shows('Sent subscription request to juliet@localhost.')
    await juliet.receives(xml`<presence from='romeo@localhost' type='subscribe'>…</presence>`)
    juliet.sends(xml`<presence to='romeo@localhost' type='subscribed'/>`)
    await juliet.receives(pushOf('from'))
    await romeo.shows('Subscription received from juliet@localhost')
    await romeo.shows(/juliet@localhost.* is online/)
    juliet.sends(xml`<presence to='romeo@localhost' type='subscribe'/>`)
    await juliet.receives(pushOf('from', 'subscribe'))
    await romeo.shows(/Received authorization request from juliet@localhost/)
    romeo.types('/sub allow juliet@localhost')
    await romeo.shows('Accepted subscription for juliet@localhost')
    await juliet.receives(
      xml`<presence from='romeo@localhost' type='subscribed'>…</presence>`,
      pushOf('both'),
      xml`<presence from='${romeo.jid}'>…</presence>`,
    )
    romeo.types('/roster')
    await romeo.shows('juliet@localhost - both')

    // Presence both ways.
    romeo.types(`/status set away "${awkward.replaceAll('"', "'")}"`)
    await juliet.receives(
      xml`<presence from='${romeo.jid}'>… <show>away</show> <status>${awkward.replaceAll('"', "'")}</status>…</presence>`,
    )
    juliet.sends(xml`<presence><show>dnd</show><status>${awkward}</status></presence>`)
    await juliet.receives(xml`<presence from='${juliet.full}'><show>dnd</show><status>${awkward}</status></presence>`)
    await romeo.shows(/juliet@localhost.* is dnd.*"Джульетта" <3 \]\]> 🌹 'tis"/)

    // Chat both ways.
    romeo.says('juliet@localhost', awkward)
    await juliet.receives(xml`<message from='${romeo.jid}' type='chat'>… <body>${awkward}</body>…</message>`)
    juliet.sends(xml`<message to='${romeo.jid}' type='chat'><body>${awkward}</body></message>`)
    await romeo.shows(`juliet@localhost/balcony: ${awkward}`)
    const count = 100
    for (let n = 0; n < count; n++) {
      romeo.says('juliet@localhost', `${n}`)
      juliet.sends(xml`<message to='${romeo.jid}' type='chat'><body>${n}</body></message>`)
    }
    for (let n = 0; n < count; n++) {
      await juliet.receives(xml`<message from='${romeo.jid}' type='chat'>… <body>${n}</body>…</message>`)
    }
    // In its log: on the screen his own lines may have driven hers away before anybody looked.
    await romeo.hears('juliet@localhost', `${count - 1}`)
    await until('written', () => romeo.heard('juliet@localhost', 'me').includes(`${count - 1}`))
    const numbers = Array.from({ length: count }, (_, n) => `${n}`)
    assert.deepEqual(romeo.heard('juliet@localhost'), [awkward, ...numbers])
    assert.deepEqual(romeo.heard('juliet@localhost', 'me'), [awkward, ...numbers])

    assert.equal(await romeo.leaves(), 0)
    await juliet.receives(xml`<presence from='${romeo.jid}' type='unavailable'>…</presence>`)
    await juliet.closes()
    assert.deepEqual(juliet.unread, [])
  })

  it(`profanity shows who vouches for a server that it does not trust, and does not sign in, over ${how}`, async () => {
    await using place = new Place('real-profanity')
    const server = await Started.start(place, ['romeo'])
    const deceived = Profanity.start(place, server, 'romeo@localhost/orchard', how, server.wrongCa())
    await deceived.shows('TLS certificate verification failed: unable to get local issuer certificate')
    await deceived.shows("Use '/tls deny' to reject this certificate.")
    deceived.types('/tls deny')
    await deceived.shows('Login failed.')
    assert.deepEqual(await server.sessions('romeo@localhost'), [])
    assert.equal(await deceived.leaves(), 0)
    const right = Profanity.start(place, server, 'romeo@localhost/orchard', how, server.ca)
    await right.comesOnline()
  })
}
