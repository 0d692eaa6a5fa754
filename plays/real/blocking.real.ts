// needs: slixmpp profanity pyte
/** Blocking (XEP-0191) by slixmpp and by profanity, one account's devices, seen by her who is blocked. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { xml } from '../language/index.ts'
import { ForeignClient } from './foreign-client.ts'
import { Profanity } from './profanity.ts'
import { Started } from './started.ts'

it('what slixmpp blocks profanity shows, and the other way round; who is blocked is not heard', async () => {
  await using place = new Place('real-blocking')
  const server = await Started.start(place, ['romeo', 'juliet'])
  const juliet = server.actor('juliet', 'juliet@localhost/balcony')
  await juliet.comesOnline()
  const phone = ForeignClient.start('slixmpp', place, server, 'romeo@localhost/phone', 'direct', server.ca, ['deeds'])
  await phone.comesOnline()
  const desk = Profanity.start(place, server, 'romeo@localhost/desk', 'starttls', server.ca)
  await desk.comesOnline()
  const says = (body: string) =>
    juliet.sends(xml`<message to='${phone.jid}' type='chat' id='${body}'><body>${body}</body></message>`)
  const isRefused = (body: string) =>
    juliet.receives(xml`<message from='${phone.jid}' type='error' id='${body}'>…</message>`)

  assert.match(await phone.asksFor('block', 'juliet@localhost'), /type="result"/)
  assert.match(await phone.asksFor('blocked'), /<item jid="juliet@localhost"/)
  desk.types('/blocked')
  await desk.shows('juliet@localhost')
  says('unheard')
  await isRefused('unheard')

  desk.types('/blocked remove juliet@localhost')
  await desk.shows('User juliet@localhost successfully unblocked.')
  assert.doesNotMatch(await phone.asksFor('blocked'), /juliet/)
  says('heard')
  await phone.hears('message', { from: juliet.full, type: 'chat', body: 'heard' })

  desk.types('/blocked add juliet@localhost')
  await desk.shows('User juliet@localhost successfully blocked.')
  assert.match(await phone.asksFor('blocked'), /<item jid="juliet@localhost"/)
  says('unheard again')
  await isRefused('unheard again')
  assert.match(await phone.asksFor('unblock', 'juliet@localhost'), /type="result"/)
  says('heard again')
  await phone.hears('message', { from: juliet.full, type: 'chat', body: 'heard again' })

  assert.deepEqual(phone.heard, ['heard', 'heard again'])
  await phone.leaves()
  assert.equal(await desk.leaves(), 0)
  await juliet.closes()
  assert.deepEqual(juliet.unread, [])
})
