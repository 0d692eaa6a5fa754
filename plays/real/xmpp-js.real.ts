/** @xmpp/client (npm), on Node's TLS. It knows SCRAM-SHA-1 and PLAIN, SASL2 with Bind 2, and FAST with HT-SHA-256-NONE. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { xml } from '../language/index.ts'
import { ForeignClient } from './foreign-client.ts'
import { allScenes, scenes } from './scenes.ts'
import { Started } from './started.ts'

/** By Bind 2, for which the resource is a tag (XEP-0386 section 3.2.1). */
const tagged = /^romeo@localhost\/orchard\/[\w-]{11}$/

allScenes(
  'xmpp-js',
  /^SCRAM-SHA-1$/,
  /SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER/,
  tagged,
)

it('xmpp-js signs in by RFC 6120 where SASL2 is not offered', () =>
  scenes('xmpp-js', 'starttls', /^SCRAM-SHA-1$/, 'auth: { sasl2: false }'))

it('xmpp-js comes back with the token that it was given (XEP-0484), and has the same resource', async () => {
  await using place = new Place('real-xmpp-js')
  const server = await Started.start(place, ['romeo'])
  const romeo = ForeignClient.start('xmpp-js', place, server, 'romeo@localhost/orchard', 'direct', server.ca)
  const first = await romeo.comesOnline()
  assert.match(first.jid, tagged)
  assert.equal(first.mechanism, 'SCRAM-SHA-1')

  const second = await romeo.comesBack('HT-SHA-256-NONE')
  assert.equal(second.jid, first.jid)
  const [session] = await server.sessions('romeo@localhost')
  assert.equal(session?.['auth'], 'HT-SHA-256-NONE')

  const [client, ...others] = await server.command('account', 'tokens', 'romeo@localhost')
  assert.deepEqual(others, [])
  assert.equal(client?.['online'], true)
  await romeo.leaves()
})

for (const [name, config, mechanism] of [
  ['inside of SASL2, by its token (XEP-0198 §9.2)', '', 'HT-SHA-256-NONE'],
  ['by RFC 6120 (XEP-0198 §5)', 'auth: { sasl2: false }', 'SCRAM-SHA-1'],
] as const) {
  it(`SES-09: xmpp-js goes on where it was when its socket is cut, ${name}: each message arrives once`, async () => {
    await using place = new Place('real-xmpp-js')
    const server = await Started.start(place, ['romeo', 'juliet'], config)
    const juliet = server.actor('juliet', 'juliet@localhost/balcony')
    await juliet.comesOnline()
    const romeo = ForeignClient.start('xmpp-js', place, server, 'romeo@localhost/orchard', 'starttls', server.ca)
    const { jid } = await romeo.comesOnline()
    let said = 0
    const says = () => juliet.sends(xml`<message to='${jid}' type='chat'><body>${String(said++)}</body></message>`)
    for (let cuts = 0; cuts < 3; cuts++) {
      says()
      romeo.says(juliet.full, `before cut ${cuts}`)
      romeo.does('cut')
      await romeo.process.says(new RegExp(`(?:"disconnected"[^]*){${cuts + 1}}`))
      for (let n = 0; n < 3; n++) says()
      romeo.does('return')
      await romeo.process.says(
        new RegExp(`(?:"event":"resumed","jid":"${jid}","mechanism":"${mechanism}"[^]*){${cuts + 1}}`),
      )
      says()
      romeo.says(juliet.full, `behind cut ${cuts}`)
      const body = (when: string) =>
        xml`<message from='${jid}' type='chat'>… <body>${when} cut ${cuts}</body></message>`
      await juliet.receives(body('before'), body('behind'))
    }
    await romeo.hears('message', { from: juliet.full, type: 'chat', body: String(said - 1) })
    const bodies = [...romeo.process.output.matchAll(/"event":"message".*"body":"(\d+)"/g)].map(([, n]) => Number(n))
    assert.deepEqual(
      bodies,
      Array.from({ length: said }, (_, n) => n),
    )
    const [session, ...others] = await server.sessions('romeo@localhost')
    assert.equal(session?.['auth'], mechanism)
    assert.deepEqual(others, [])
    await romeo.leaves()
    await juliet.closes()
  })
}

it('xmpp-js wants copies (XEP-0280) and is inactive (XEP-0352) from its binding on (XEP-0386)', async () => {
  await using place = new Place('real-xmpp-js')
  const server = await Started.start(place, ['romeo', 'juliet'])
  const start = (name: string, asks: readonly string[] = []) =>
    ForeignClient.start('xmpp-js', place, server, name, 'starttls', server.ca, asks)
  const phone = start('romeo@localhost/phone', ['copies', 'inactive'])
  const desk = start('romeo@localhost/desk')
  const juliet = start('juliet@localhost/balcony')
  for (const one of [phone, desk, juliet]) await one.comesOnline()

  // A contact's presence can wait for who looks at the other client.
  for (const [one, deed] of [
    [desk, 'subscribe'],
    [juliet, 'subscribed'],
  ] as const) {
    one.does(deed, { to: one === desk ? 'juliet@localhost' : 'romeo@localhost' })
    if (one === desk) await juliet.hears('subscribe', { from: 'romeo@localhost' })
  }
  await desk.hears('presence', { from: juliet.jid, type: 'available', status: '' })
  juliet.does('presence', { status: 'awake' })
  await desk.hears('presence', { from: juliet.jid, type: 'available', status: 'awake' })
  assert.doesNotMatch(phone.process.output, /"awake"/)
  phone.does('active')
  await phone.hears('presence', { from: juliet.jid, type: 'available', status: 'awake' })

  desk.says(juliet.jid, 'art thou there?')
  await juliet.hears('message', { from: desk.jid, type: 'chat', body: 'art thou there?' })
  await phone.hears('sent', { from: desk.jid, to: juliet.jid, body: 'art thou there?' })
  juliet.says(desk.jid, 'ay')
  await desk.hears('message', { from: juliet.jid, type: 'chat', body: 'ay' })
  await phone.hears('received', { from: juliet.jid, to: desk.jid, body: 'ay' })
  for (const one of [phone, desk, juliet]) await one.leaves()
})
