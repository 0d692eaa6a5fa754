/** @xmpp/client (npm), on Node's TLS. It knows SCRAM-SHA-1 and PLAIN, SASL2 with Bind 2, and FAST with HT-SHA-256-NONE. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
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
