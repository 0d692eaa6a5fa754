// needs: slixmpp aioxmpp profanity pyte go-sendxmpp
/** Foreign clients among themselves: what they see of each other through this server. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Place } from '../../tools/real/foreign.ts'
import { program } from '../../tools/real/programs.ts'
import { ForeignClient, type How, type Kind } from './foreign-client.ts'
import { Profanity } from './profanity.ts'
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

/** What each client can do that knows others. */
interface Friend {
  readonly jid: string
  asks(to: string): void
  isAsked(by: string): Promise<unknown>
  allows(to: string): void
  sees(jid: string): Promise<unknown>
  says(to: string, body: string): void
  hears(from: string, body: string): Promise<unknown>
}

const bareOf = (jid: string) => jid.split('/')[0] ?? ''

async function library(kind: Kind, place: Place, server: Started, as: string, how: How): Promise<Friend> {
  const client = ForeignClient.start(kind, place, server, as, how, server.ca)
  const { jid } = await client.comesOnline()
  return {
    jid,
    asks: (to) => client.does('subscribe', { to }),
    isAsked: (from) => client.hears('subscribe', { from }),
    allows: (to) => client.does('subscribed', { to }),
    sees: (from) => client.hears('presence', { from, type: 'available', status: '' }),
    says: (to, body) => client.says(to, body),
    hears: (from, body) => client.hears('message', { from, type: 'chat', body }),
  }
}

async function profanity(place: Place, server: Started, as: string, how: How): Promise<Friend> {
  const client = Profanity.start(place, server, as, how, server.ca)
  await client.comesOnline()
  return {
    jid: as,
    asks: (to) => client.types(`/sub request ${to}`),
    isAsked: (by) => client.shows(`Received authorization request from ${by}`),
    allows: (to) => client.types(`/sub allow ${to}`),
    sees: (jid) => client.shows(`${bareOf(jid)} (${jid.slice(bareOf(jid).length + 1)}) is online`),
    says: (to, body) => client.says(bareOf(to), body),
    hears: (from, body) => client.hears(bareOf(from), body),
  }
}

it('each of slixmpp, aioxmpp, @xmpp/client and profanity becomes a friend of each other, and they chat', async () => {
  await using place = new Place('real-friends')
  const server = await Started.start(place, ['romeo', 'tybalt', 'juliet', 'mercutio'])
  const friends = await Promise.all([
    library('slixmpp', place, server, 'romeo@localhost/orchard', 'direct'),
    library('aioxmpp', place, server, 'tybalt@localhost/street', 'starttls'),
    library('xmpp-js', place, server, 'juliet@localhost/balcony', 'starttls'),
    profanity(place, server, 'mercutio@localhost/square', 'direct'),
  ])
  const pairs = friends.flatMap((one) => friends.filter((other) => other !== one).map((other) => [one, other] as const))
  for (const [one, other] of pairs) {
    one.asks(bareOf(other.jid))
    await other.isAsked(bareOf(one.jid))
    other.allows(bareOf(one.jid))
    await one.sees(other.jid)
  }
  for (const [one, other] of pairs) one.says(other.jid, `${awkward} from ${bareOf(one.jid)}`)
  for (const [one, other] of pairs) await other.hears(one.jid, `${awkward} from ${bareOf(one.jid)}`)
})
