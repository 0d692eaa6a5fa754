// needs: go-sendxmpp
/**
 * go-sendxmpp (Debian), on Go's TLS: it sends messages, or listens and prints those that come. It has no roster and
 * subscribes to nobody, so an account of ours makes friends for it; then its presence is seen, and it sees presence
 * (`-d` prints what it receives). It signs in with PLAIN.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Foreign, Place } from '../../tools/real/foreign.ts'
import { program } from '../../tools/real/programs.ts'
import { xml } from '../language/index.ts'
import type { How } from './foreign-client.ts'
import { awkward } from './scenes.ts'
import { Started } from './started.ts'

function start(place: Place, server: Started, how: How, more: readonly string[], ca = server.ca): Foreign {
  const where = ['-j', `localhost:${server.ports[how]}`, ...(how === 'direct' ? ['-t'] : [])]
  const args = ['-u', 'romeo@localhost', '-p', 'the password of romeo', ...where, ...more]
  // Go reads the roots of a folder as well: an empty one.
  return place.start(program('go-sendxmpp'), args, { SSL_CERT_FILE: ca, SSL_CERT_DIR: place.folder })
}

for (const how of ['starttls', 'direct'] as const) {
  it(`go-sendxmpp sends and listens over ${how}`, async () => {
    await using place = new Place('real-go')
    const server = await Started.start(place, ['romeo', 'juliet'])
    const juliet = server.actor('juliet', 'juliet@localhost/balcony')
    const friend = server.actor('friend', 'romeo@localhost/friend')
    await juliet.connects()
    await friend.connects()
    for (const [one, other] of [
      [juliet, friend],
      [friend, juliet],
    ] as const) {
      // Approved before it is asked for (RFC 6121 section 3.4), so that nothing need be waited for.
      other.sends(xml`<presence to='${one.bare}' type='subscribed'/>`)
      await other.catchesUp()
      one.sends(xml`<presence to='${other.bare}' type='subscribe'/>`)
      await one.catchesUp()
    }
    await friend.closes()
    juliet.sends(xml`<presence><status>here</status></presence>`)
    await juliet.receives(xml`<presence from='${juliet.full}'><status>here</status></presence>`)

    // It listens: its presence is seen, and it gets hers and her message.
    const listening = start(place, server, how, ['-l', '-d'])
    const [, jid] = await listening.says(/<jid>(romeo@localhost\/[^<]+)<\/jid>/)
    const full = jid ?? ''
    const [session] = await server.sessions(full)
    assert.equal(session?.['auth'], 'PLAIN')
    assert.equal(session?.['tls'], 'TLSv1.3')
    await juliet.receives(xml`<presence from='${full}'>…</presence>`)
    await listening.says(
      /<presence from='juliet@localhost\/balcony'[^>]*><status>here<\/status><delay [^>]*><\/presence>/,
    )
    juliet.sends(xml`<message to='${full}' type='chat'><body>${awkward}</body></message>`)
    await listening.says(new RegExp(`^.*juliet@localhost: ${quoted(awkward)}$`, 'm'))

    // It sends while it listens elsewhere.
    const sending = start(place, server, how, ['juliet@localhost'])
    sending.send(awkward)
    sending.child.stdin?.end()
    assert.equal(await sending.ended, 0, sending.output)
    await juliet.receives(xml`<presence from='*'>…</presence>`)
    await juliet.receives(xml`<message from='*' type='chat'><body>${awkward}</body>…</message>`)
    await juliet.receives(xml`<presence from='*' type='unavailable'>…</presence>`)

    await listening.stop()
    await juliet.receives(xml`<presence from='${full}' type='unavailable'>…</presence>`)
    await juliet.closes()
    assert.deepEqual(juliet.unread, [])
  })

  it(`go-sendxmpp refuses a server that another authority vouches for, over ${how}`, async () => {
    await using place = new Place('real-go')
    const server = await Started.start(place, ['romeo', 'juliet'])
    const juliet = server.actor('juliet', 'juliet@localhost/balcony')
    await juliet.comesOnline()
    const deceived = start(place, server, how, ['juliet@localhost'], server.wrongCa())
    deceived.send('secret')
    deceived.child.stdin?.end()
    assert.notEqual(await deceived.ended, 0)
    assert.match(deceived.output, /x509: certificate signed by unknown authority/)
    const right = start(place, server, how, ['juliet@localhost'])
    right.send('for thee')
    right.child.stdin?.end()
    assert.equal(await right.ended, 0, right.output)
    await juliet.receives(xml`<message from='*' type='chat'><body>for thee</body>…</message>`)
  })
}

function quoted(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
