// needs: aioxmpp slixmpp profanity pyte
/** What slixmpp, profanity and aioxmpp know besides chat: service discovery, copies, vCards, private storage, blocking. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { xml } from '../language/index.ts'
import { ForeignClient } from './foreign-client.ts'
import { Profanity } from './profanity.ts'
import { awkward, interestedJuliet } from './scenes.ts'
import { Started } from './started.ts'

it('slixmpp discovers the server, publishes its vCard, keeps bookmarks, and gets copies', async () => {
  await using place = new Place('real-extensions')
  const server = await Started.start(place, ['romeo', 'juliet'])
  const start = (as: string) => ForeignClient.start('slixmpp', place, server, as, 'direct', server.ca, ['deeds'])
  const romeo = start('romeo@localhost/orchard')
  const juliet = start('juliet@localhost/balcony')
  const phone = start('romeo@localhost/phone')
  for (const one of [romeo, juliet, phone]) await one.comesOnline()

  const info = await romeo.asksFor('disco', 'localhost')
  for (const feature of ['urn:xmpp:carbons:2', 'jabber:iq:last', 'jabber:iq:private', 'vcard-temp', 'urn:xmpp:ping']) {
    assert.ok(info.includes(`<feature var="${feature}" />`), `${feature} is not in ${info}`)
  }
  assert.match(await romeo.asksFor('last', 'localhost'), /type="result".*<query xmlns="jabber:iq:last" seconds="\d+"/)
  // She knows him not: neither is she told of him, nor he of her.
  assert.match(await juliet.asksFor('last', 'romeo@localhost'), /type="error".*<forbidden /)

  assert.equal(await romeo.asksFor('publish', 'Ромео <3'), 'published')
  assert.match(await juliet.asksFor('vcard', 'romeo@localhost'), /<FN>Ромео &lt;3<\/FN>/)

  assert.match(await romeo.asksFor('bookmark', 'square@rooms.localhost'), /type="result"/)
  const marks = /<conference [^>]*jid="square@rooms.localhost"/
  assert.match(await phone.asksFor('bookmarks'), marks)
  assert.doesNotMatch(await juliet.asksFor('bookmarks'), marks)

  assert.match(await phone.asksFor('copies'), /type="result"/)
  juliet.says(romeo.jid, awkward)
  await romeo.hears('message', { from: juliet.jid, type: 'chat', body: awkward })
  await phone.hears('received', { from: juliet.jid, to: romeo.jid, body: awkward })
  romeo.says(juliet.jid, awkward)
  await juliet.hears('message', { from: romeo.jid, type: 'chat', body: awkward })
  await phone.hears('sent', { from: romeo.jid, to: juliet.jid, body: awkward })
  for (const one of [romeo, juliet, phone]) await one.leaves()
})

it('profanity shows copies, discovers the server, pings it, and keeps bookmarks', async () => {
  await using place = new Place('real-extensions')
  const server = await Started.start(place, ['romeo', 'juliet'])
  const juliet = await interestedJuliet(server)
  const phone = server.actor('phone', 'romeo@localhost/phone')
  await phone.connects()
  const romeo = Profanity.start(place, server, 'romeo@localhost/orchard', 'direct', server.ca)
  await romeo.comesOnline()
  romeo.types('/carbons on')
  await romeo.shows('Message carbons preference enabled.')
  romeo.types('/disco info localhost')
  for (const feature of ['urn:xmpp:carbons:2', 'jabber:iq:private', 'vcard-temp']) await romeo.shows(feature)
  romeo.types('/ping')
  await romeo.shows(/Ping response from romeo@localhost: \d+ms\./)
  romeo.types('/lastactivity get localhost')
  await romeo.shows(/localhost up since .*/)

  phone.sends(xml`<message to='${juliet.full}' type='chat'><body>from the phone</body></message>`)
  await juliet.receives(xml`<message from='${phone.full}' type='chat'><body>from the phone</body></message>`)
  juliet.sends(xml`<message to='${phone.full}' type='chat'><body>to the phone</body></message>`)
  await phone.receives(xml`<message from='${juliet.full}' type='chat'><body>to the phone</body></message>`)
  await romeo.hears('juliet@localhost', 'to the phone')
  assert.deepEqual(romeo.heard('juliet@localhost', 'me'), ['from the phone'])

  romeo.types('/bookmark add square@rooms.localhost autojoin off')
  await romeo.shows('Bookmark added for square@rooms.localhost.')
  assert.equal(await romeo.leaves(), 0)
  const again = Profanity.start(place, server, 'romeo@localhost/again', 'direct', server.ca)
  await again.comesOnline()
  // It asked for them when it came; this answer comes behind that.
  again.types('/disco info localhost')
  await again.shows('vcard-temp')
  again.types('/bookmark list')
  await again.shows(/square@rooms\.localhost.*/)
  assert.equal(await again.leaves(), 0)
  await phone.closes()
  await juliet.closes()
  assert.deepEqual([phone.unread, juliet.unread], [[], []])
})

it('aioxmpp blocks, publishes its vCard, and keeps bookmarks and what is its own, on two devices', async () => {
  await using place = new Place('real-extensions')
  const server = await Started.start(place, ['romeo', 'juliet'])
  const start = (as: string) => ForeignClient.start('aioxmpp', place, server, as, 'starttls', server.ca, ['deeds'])
  const romeo = start('romeo@localhost/orchard')
  await romeo.comesOnline()
  await romeo.hears('initial_blocklist_received', { jids: '' })
  assert.equal(await romeo.asksFor('block', 'juliet@localhost'), 'done')
  await romeo.hears('jids_blocked', { jids: 'juliet@localhost' })
  // It learns what is blocked before its stream counts as there.
  const phone = start('romeo@localhost/phone')
  await phone.comesOnline()
  await phone.hears('initial_blocklist_received', { jids: 'juliet@localhost' })

  const juliet = server.actor('juliet', 'juliet@localhost/balcony')
  await juliet.comesOnline()
  const says = (body: string) =>
    juliet.sends(xml`<message to='${romeo.jid}' type='chat' id='${body}'><body>${body}</body></message>`)
  says('unheard')
  await juliet.receives(xml`<message from='${romeo.jid}' type='error' id='unheard'>…</message>`)
  await phone.asksFor('block', 'mallory@else.example')
  await romeo.hears('jids_blocked', { jids: 'mallory@else.example' })
  assert.equal(await phone.asksFor('unblock', 'juliet@localhost'), 'done')
  await romeo.hears('jids_unblocked', { jids: 'juliet@localhost' })
  says('heard')
  await romeo.hears('message', { from: juliet.full, type: 'chat', body: 'heard' })
  assert.equal(await phone.asksFor('unblock all'), 'done')
  await romeo.hears('jids_unblocked', { jids: 'mallory@else.example' })
  assert.deepEqual(romeo.heard, ['heard'])

  const photo = String.raw`image/png b'\x89PNG\r\n'`
  for (const name of ['Ромео <3', 'Romeo']) {
    assert.equal(await romeo.asksFor('publish', name), 'published')
    assert.equal(await phone.asksFor('vcard', 'romeo@localhost'), `${name} ${photo}`)
  }

  assert.equal(await romeo.asksFor('bookmark', 'square@rooms.localhost'), 'done')
  await romeo.hears('bookmark_added', { jid: 'square@rooms.localhost', name: 'the square' })
  assert.equal(await phone.asksFor('bookmarks'), 'square@rooms.localhost')
  await phone.asksFor('bookmark', 'garden@rooms.localhost')
  await romeo.asksFor('sync')
  await romeo.hears('bookmark_added', { jid: 'garden@rooms.localhost', name: 'the square' })
  await romeo.asksFor('forget', 'square@rooms.localhost')
  assert.equal(await phone.asksFor('bookmarks'), 'garden@rooms.localhost')

  assert.equal(await romeo.asksFor('kept'), 'done', 'nothing yet')
  assert.equal(await romeo.asksFor('keep', 'ß & <ü>'), 'kept')
  assert.equal(await phone.asksFor('kept'), 'ß & <ü>')
  assert.equal(await phone.asksFor('bookmarks'), 'garden@rooms.localhost', 'each has its own namespace')
  for (const one of [romeo, phone]) await one.leaves()
  await juliet.closes()
  assert.deepEqual(juliet.unread, [])
})
