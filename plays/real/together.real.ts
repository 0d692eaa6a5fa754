// needs: slixmpp go-sendxmpp
/** Foreign clients among themselves: what slixmpp and @xmpp/client see of each other through this server. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { program } from '../../tools/real/programs.ts'
import { ForeignClient } from './foreign-client.ts'
import { awkward } from './scenes.ts'
import { Started } from './started.ts'

it('slixmpp and @xmpp/client become friends, see each other and chat; go-sendxmpp writes to both', async () => {
  await using place = new Place('real-together')
  const server = await Started.start(place, ['romeo', 'juliet', 'nurse'])
  const romeo = ForeignClient.start('slixmpp', place, server, 'romeo@localhost/orchard', 'starttls', server.ca)
  const juliet = ForeignClient.start('xmpp-js', place, server, 'juliet@localhost/balcony', 'direct', server.ca)
  await romeo.comesOnline()
  await juliet.comesOnline()

  for (const [one, other] of [
    [romeo, juliet],
    [juliet, romeo],
  ] as const) {
    const [mine, hers] = [bare(one), bare(other)]
    one.does('subscribe', { to: hers })
    await other.hears('subscribe', { from: mine })
    other.does('subscribed', { to: mine })
    await one.hears('subscribed', { from: hers })
    await one.hears('presence', { from: other.jid, type: 'available', status: '' })
  }
  for (const [one, other] of [
    [romeo, juliet],
    [juliet, romeo],
  ] as const) {
    await one.hears('pushed', { jid: bare(other), subscription: 'both' })
    one.does('presence', { status: `${awkward} ${one.jid}` })
    await other.hears('presence', { from: one.jid, type: 'available', status: `${awkward} ${one.jid}` })
    one.says(other.jid, awkward)
    await other.hears('message', { from: one.jid, type: 'chat', body: awkward })
  }

  const args = ['-u', 'nurse@localhost', '-p', 'the password of nurse', '-j', `localhost:${server.ports.starttls}`]
  const nurse = place.start(program('go-sendxmpp'), ['-d', ...args, bare(romeo), bare(juliet)], {
    SSL_CERT_FILE: server.ca,
    SSL_CERT_DIR: place.folder,
  })
  nurse.send(awkward)
  nurse.child.stdin?.end()
  assert.equal(await nurse.ended, 0, nurse.output)
  const [, from] = /<jid>(nurse@localhost\/[^<]+)<\/jid>/.exec(nurse.output) ?? []
  for (const one of [romeo, juliet]) await one.hears('message', { from: from ?? '', type: 'chat', body: awkward })

  // The roster is kept: the next time he knows her, and she sees him come and go.
  await romeo.leaves()
  await juliet.hears('presence', { from: romeo.jid, type: 'unavailable', status: '' })
  const again = ForeignClient.start('slixmpp', place, server, 'romeo@localhost/orchard', 'direct', server.ca)
  assert.deepEqual((await again.comesOnline()).roster, { 'juliet@localhost': 'both' })
  await again.hears('presence', { from: juliet.jid, type: 'available', status: `${awkward} ${juliet.jid}` })
})

function bare(client: ForeignClient): string {
  return client.jid.split('/')[0] ?? ''
}
