/** XEP-0198 over the wire of a whole server: what its examples show, and what goes wrong. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Wire } from '../../../plays/language/wire.ts'
import { jid } from '../../jid/index.ts'
import { abort, bind, type Ground, message } from '../../server/limits.testing.ts'
import { play } from '../../server/slow-readers.testing.ts'

const NS = `xmlns='urn:xmpp:sm:3'`
const failed = (condition: string, h = '') =>
  new RegExp(
    `<failed ${NS}${h === '' ? '' : ` h='${h}'`}><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>`,
  )
const enable = (more = '') => `<enable ${NS}${more}/>`
const resume = (id: string, h: number | string) => `<resume ${NS} previd='${id}' h='${h}'/>`
const a = (h: number | string) => `<a ${NS} h='${h}'/>`
const r = `<r ${NS}/>`
const ping = (id: string) => `<iq type='get' id='${id}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`
const here = (name: string) => `${name}@localhost/here`

/** Bound, and counted from here on; returns the SM-ID. */
async function counts(wire: Wire, more = ` resume='true'`): Promise<string> {
  wire.says(enable(more))
  return / id='([^']*)'/.exec(await wire.hears(/<enabled [^>]*>/))?.[1] ?? ''
}

/** What the client heard until its ping was answered: the ids of messages, in order. */
async function hearsIds(wire: Wire): Promise<readonly string[]> {
  wire.says(ping('sync'))
  const heard = await wire.hears(/<iq [^>]*id='sync'[^>]*>/)
  return [...heard.matchAll(/<message [^>]*id='([^']*)'/g)].map(([, id]) => id ?? '')
}

/** The number that the server has handled. */
async function handled(wire: Wire): Promise<number> {
  wire.says(r)
  return Number(/h='(\d+)'/.exec(await wire.hears(/<a [^>]*>/))?.[1])
}

async function rowsOf({ symbolic }: Ground, of: string) {
  const caller = { name: 'test', permits: () => true, signal: new AbortController().signal }
  return (await symbolic.server.commands.call('session list', { of }, caller)).result
}

/** juliet comes back, and asks for her session. */
async function comesBack(ground: Ground, id: string, h: number | string): Promise<Wire> {
  const wire = await ground.signedIn('juliet')
  wire.says(resume(id, h))
  return wire
}

/** A handler in the way of all messages that clients send; returns what lets them go. */
function obstacle(ground: Ground): () => void {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  ground.symbolic.server.core
    .hostType('default')
    .hooks.on('stanza:sent', 'obstacle', () => promise, { kinds: ['message'] })
  return () => resolve(undefined)
}

describe('§2 and §3: enabling', () => {
  it('example 1: the feature stands beside resource binding', () =>
    play({}, async (ground) => {
      const wire = await ground.secured()
      wire.says(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${btoa('\0romeo\0secret')}</auth>`)
      await wire.hears(/<success [^>]*\/>/)
      wire.says(
        `<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
      )
      const features = await wire.hears(/<\/stream:features>/)
      assert.match(features, new RegExp(`<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>.*<sm ${NS}/>`))
    }))

  it('examples 2 and 3: without resumption', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      wire.says(enable())
      await wire.hears(new RegExp(`<enabled ${NS}/>`))
    }))

  it('examples 8 and 9: with resumption, in either way to say so, for as long as both sides allow', () =>
    play({}, async (ground) => {
      for (const [more, max] of [
        [` resume='true'`, 300],
        [` resume='1' max='60'`, 60],
        [` resume='1' max='600'`, 300],
        [` resume='true' max='nonsense'`, 300],
      ] as const) {
        const wire = await ground.bound()
        wire.says(enable(more))
        await wire.hears(new RegExp(`<enabled ${NS} id='[\\w-]{20,}' resume='true' max='${max}'/>`))
      }
    }))

  it('example 10: where none is allowed, it says so, and a request to resume is not implemented', () =>
    play({ modules: { sm: { resume_timeout: '0 seconds' } } }, async (ground) => {
      const wire = await ground.bound()
      wire.says(enable(` resume='true'`))
      await wire.hears(new RegExp(`<enabled ${NS}/>`))
      const other = await ground.signedIn('juliet')
      other.says(resume('x', 0))
      await other.hears(failed('feature-not-implemented'))
    }))

  it('example 5: before a resource is bound it is refused, and binding goes on', () =>
    play({}, async (ground) => {
      const wire = await ground.signedIn()
      wire.says(enable())
      await wire.hears(failed('unexpected-request'))
      wire.says(bind('here'))
      await wire.hears(/<iq [^>]*type='result'/)
    }))

  it('before sign-in all of it is refused', () =>
    play({}, async (ground) => {
      const wire = await ground.secured()
      for (const one of [enable(), resume('x', 0), r, a(0)]) {
        wire.says(one)
        await wire.hears(failed('unexpected-request'))
      }
      wire.says(abort)
      await wire.hears(/<aborted\/>/)
    }))

  it('example 6: a second time it is refused, and the stream ends', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      await counts(wire)
      wire.says(enable())
      await wire.hears(failed('unexpected-request'))
      await wire.hears(/<stream:error><policy-violation /)
    }))

  it('acknowledgements and resumption before and after their time are refused', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      for (const one of [r, a(0), resume('x', 0)]) {
        wire.says(one)
        await wire.hears(failed('unexpected-request'))
      }
      const id = await counts(wire)
      wire.says(resume(id, 0))
      await wire.hears(failed('unexpected-request'))
      await hearsIds(wire)
    }))

  it('a host without the module knows nothing of it', () =>
    play({ modules: { sm: false } }, async (ground) => {
      const wire = await ground.bound()
      wire.says(enable())
      await wire.hears(/<stream:error><unsupported-stanza-type /)
    }))
})

describe('§4: acknowledgements', () => {
  it('examples 7 and 20 to 26: the server says how many stanzas it has handled', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      await counts(wire)
      assert.equal(await handled(wire), 0)
      // She is there: what the store is to keep is not handled before it is kept.
      await ground.bound('juliet')
      wire.says(message(here('juliet'), 'one'))
      assert.equal(await handled(wire), 1)
      for (let round = 1; round <= 2; round++) {
        wire.says(message(here('juliet'), 'ciao').repeat(5))
        assert.equal(await handled(wire), 1 + 5 * round)
      }
    }))

  it('an answer needs no turn of its own: it leaves in one write with what else is answered', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      await counts(wire)
      wire.says(ping('1') + r + ping('2') + r)
      const heard = await wire.hears(/<a [^>]*h='2'\/>/)
      assert.match(heard, /id='1'.*<a [^>]*h='1'\/>.*id='2'/)
    }))

  it('who asks while the store works is told again when it is done, once, and need not ask another time', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      await counts(wire)
      const vcard = `<iq type='get' id='v'><vCard xmlns='vcard-temp'/></iq>`
      wire.says(vcard + r + vcard + r)
      const heard = await wire.hears(/<a [^>]*h='2'\/>/)
      assert.match(heard, /^(<a [^>]*h='0'\/>){2}<iq .*id='v'.*<a [^>]*h='2'\/>$/s)
      wire.says(ping('p'))
      assert.doesNotMatch(await wire.hears(/<iq [^>]*id='p'[^>]*>/), /<a /)
      // Nobody asks, nobody is told.
      wire.says(vcard + ping('q'))
      assert.doesNotMatch(await wire.hears(/<iq [^>]*id='q'[^>]*>/), /<a /)
    }))

  it('what the store works on is not handled, nor what comes behind it', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      await counts(wire)
      ground.symbolic.engine.hang()
      wire.says(message('juliet@localhost', 'kept') + ping('behind'))
      assert.equal(await handled(wire), 0)
      ground.symbolic.engine.resume()
      await wire.hears(/id='behind'/)
      assert.equal(await handled(wire), 2)
    }))

  it('an iq set whose rows are not committed is not handled', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      await counts(wire)
      wire.says(`<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>`)
      await wire.hears(/id='roster'/)
      ground.symbolic.engine.hang()
      wire.says(`<iq type='set' id='set'><query xmlns='jabber:iq:roster'><item jid='a@localhost'/></query></iq>`)
      assert.equal(await handled(wire), 1)
      ground.symbolic.engine.resume()
      await wire.hears(/id='set'/)
      assert.equal(await handled(wire), 2)
    }))

  it('the session request of RFC 3921 counts on both sides', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      await counts(wire)
      wire.says(`<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>`)
      await wire.hears(/<iq [^>]*id='s'[^>]*>/)
      assert.equal(await handled(wire), 1)
      wire.says(a(1))
      assert.equal(await handled(wire), 1)
    }))

  it('example 17: more than was sent ends the stream', () =>
    play({}, async (ground) => {
      const wire = await ground.bound()
      await counts(wire)
      await hearsIds(wire)
      wire.says(a(10))
      const heard = await wire.hears(/<\/stream:error>/)
      assert.match(heard, /<undefined-condition /)
      assert.match(heard, new RegExp(`<handled-count-too-high ${NS} h='10' send-count='1'/>`))
    }))

  it('example 17: nor is the last of all numbers an old one, while none was that high', () =>
    play({}, async (ground) => {
      const juliet = await ground.bound('juliet')
      const id = await counts(juliet)
      await hearsIds(juliet)
      juliet.closes()
      await ground.passes(100)
      const wire = await comesBack(ground, id, 0xffff_ffff)
      await wire.hears(/<handled-count-too-high [^>]*h='4294967295' send-count='1'/)
      const back = await comesBack(ground, id, 0)
      await back.hears(/<resumed /)
      await back.hears(/<iq [^>]*id='sync'/)
      back.says(a(0xffff_ffff))
      await back.hears(/<handled-count-too-high [^>]*h='4294967295' send-count='1'/)
    }))

  it('a number that is none ends the stream', () =>
    play({}, async (ground) => {
      for (const bad of [`<a ${NS}/>`, a('-1'), a('x'), a(4_294_967_296)]) {
        const wire = await ground.bound()
        await counts(wire)
        wire.says(bad)
        await wire.hears(/<stream:error><bad-format /)
      }
    }))

  it('what was never acknowledged is kept when the stream ends, with the time it was sent', () =>
    play({}, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      await counts(juliet, '')
      for (const id of ['1', '2', '3']) romeo.says(message(here('juliet'), 'x', id))
      await juliet.hears(/id='3'.*<\/message>/)
      juliet.says(a(1))
      await ground.passes(7_000)
      const sent = ground.symbolic.simulation.world('romeo').clock.wallMs() - 7_000
      juliet.says('</stream:stream>')
      await juliet.isClosed()
      const next = await ground.bound('juliet')
      next.says('<presence/>')
      const heard = await next.hears(/id='3'.*<\/message>/)
      assert.deepEqual(
        [...heard.matchAll(/ id='(\d)'/g)].map(([, id]) => id),
        ['2', '3'],
      )
      const stamp = /<delay [^>]*from='localhost'[^>]*stamp='([^']*)'/.exec(heard)?.[1] ?? ''
      assert.ok(Math.abs(Date.parse(stamp) - sent) <= 1_100, `${stamp} and not ${new Date(sent).toISOString()}`)
    }))
})

describe('SES-02: §5: resumption', () => {
  it('examples 11 to 13: what was not handled is sent again, and nothing else; either side learns what the other has', () =>
    play({}, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      const id = await counts(juliet)
      juliet.says(message(here('romeo'), 'x', 'hers'))
      for (const n of ['1', '2', '3']) romeo.says(message(here('juliet'), 'x', n))
      await juliet.hears(/id='3'.*<\/message>/)
      juliet.says(a(1))
      await ground.passes(100)
      juliet.closes()
      await ground.passes(100)
      romeo.says(message(here('juliet'), 'x', '4'))
      const back = await comesBack(ground, id, 2)
      await back.hears(new RegExp(`<resumed ${NS} h='1' previd='${id}'/>`))
      assert.deepEqual(await hearsIds(back), ['3', '4'])
      assert.equal(ground.counter('ratatosk_sessions'), 2)
      assert.equal(ground.counter('ratatosk_offline_kept_total'), 0)
      // The numbers go on.
      assert.equal(await handled(back), 2)
      back.says(a(5))
      assert.equal(await handled(back), 2)
    }))

  it('presence stays as it was, and contacts notice nothing', () =>
    play({}, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      const id = await counts(juliet)
      juliet.says(`<presence><show>away</show></presence><presence to='${here('romeo')}'/>`)
      await romeo.hears(/<presence [^>]*from='juliet/)
      juliet.closes()
      await ground.passes(1_000)
      romeo.says(message('juliet@localhost', 'x', '1'))
      const back = await comesBack(ground, id, 1)
      await back.hears(/<resumed /)
      assert.deepEqual(await hearsIds(back), ['1'])
      romeo.says(ping('after'))
      assert.doesNotMatch(await romeo.hears(/id='after'/), /unavailable/)
    }))

  it('example 14: too late: it learns what was handled, binds anew, and finds the rest in the store', () =>
    play({ modules: { sm: { resume_timeout: '10 seconds' } } }, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      const id = await counts(juliet)
      juliet.says(`<presence to='${here('romeo')}'/>${message(here('romeo'), 'x')}`)
      await romeo.hears(/<\/message>/)
      juliet.closes()
      await ground.passes(5_000)
      romeo.says(message(here('juliet'), 'x', '1'))
      await ground.passes(6_000)
      await romeo.hears(/<presence [^>]*type='unavailable'/)
      const back = await comesBack(ground, id, 0)
      await back.hears(failed('item-not-found', '2'))
      back.says(`${bind('here')}<presence/>`)
      assert.deepEqual(await hearsIds(back), [])
      await ground.passes(1_000)
      assert.deepEqual(await hearsIds(back), ['1'])
    }))

  it('example 15: while the old stream seems alive it is closed with a conflict, and only the new one is written to', () =>
    play({}, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      const id = await counts(juliet)
      romeo.says(message(here('juliet'), 'x', '1'))
      await juliet.hears(/<\/message>/)
      const back = await comesBack(ground, id, 1)
      await back.hears(/<resumed /)
      assert.match(await juliet.hears(/<\/stream:error>/), /<conflict /)
      romeo.says(message(here('juliet'), 'x', '2'))
      await ground.passes(100)
      assert.deepEqual(await hearsIds(back), ['2'])
      assert.equal(ground.counter('ratatosk_sessions'), 2)
      assert.equal(ground.counter('ratatosk_offline_kept_total'), 0)
    }))

  it('it waits until what was received is settled, so that nothing is sent twice', () =>
    play({}, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      const id = await counts(juliet)
      const go = obstacle(ground)
      juliet.says(message(here('romeo'), 'x', '1') + ping('behind'))
      await ground.passes(100)
      const back = await comesBack(ground, id, 0)
      await ground.passes(1_000)
      go()
      await back.hears(/<resumed [^>]*h='2'/)
      await romeo.hears(/id='1'/)
      await back.hears(/id='behind'/)
    }))

  it('only the account can do it, and only with the right name and number', () =>
    play({}, async (ground) => {
      const juliet = await ground.bound('juliet')
      const id = await counts(juliet)
      const romeo = await ground.signedIn('romeo')
      romeo.says(resume(id, 0))
      await romeo.hears(failed('item-not-found'))
      const back = await comesBack(ground, 'no such name', 0)
      await back.hears(failed('item-not-found'))
      for (const bad of [`<resume ${NS} previd='${id}'/>`, `<resume ${NS} h='0'/>`, resume(id, 'x')]) {
        back.says(bad)
        await back.hears(failed('bad-request'))
      }
      back.says(resume(id, 1))
      assert.match(await back.hears(/<\/stream:error>/), /<handled-count-too-high [^>]*h='1' send-count='0'/)
      // It is still hers.
      const last = await comesBack(ground, id, 0)
      await last.hears(/<resumed /)
    }))

  it('a session that may not be resumed is not found', () =>
    play({}, async (ground) => {
      const juliet = await ground.bound('juliet')
      const id = await counts(juliet, '')
      assert.equal(id, '')
      juliet.closes()
      await ground.passes(100)
      assert.equal(ground.counter('ratatosk_sessions'), 0)
    }))

  for (const [name, changes] of [
    ['a new password', (ground) => ground.symbolic.server.accounts.setPassword(jid('juliet@localhost'), 'secret')],
    [
      'an account that is forbidden for a while',
      async (ground) => {
        await ground.symbolic.server.accounts.setState(jid('juliet@localhost'), 'disabled')
        await ground.symbolic.server.accounts.setState(jid('juliet@localhost'), 'active')
      },
    ],
    [
      'an account that is another by the same name',
      async (ground) => {
        await ground.symbolic.server.accounts.remove(jid('juliet@localhost'))
        await ground.account('juliet')
      },
    ],
  ] as readonly (readonly [string, (ground: Ground) => Promise<void>])[]) {
    for (const isWaiting of [true, false]) {
      it(`${name} ends the right to resume${isWaiting ? ', and the session that waits' : ''}`, () =>
        play({}, async (ground) => {
          const juliet = await ground.bound('juliet')
          const id = await counts(juliet)
          if (isWaiting) juliet.closes()
          await ground.passes(100)
          await changes(ground)
          if (isWaiting) assert.equal(ground.counter('ratatosk_sessions'), 0)
          const back = await comesBack(ground, id, 0)
          await back.hears(/<failed [^>]*><item-not-found /)
        }))
    }
  }

  it('a session of the same resource replaces one that waits, and has what that one did not', () =>
    play({}, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      await counts(juliet)
      juliet.closes()
      await ground.passes(100)
      romeo.says(message(here('juliet'), 'x', '1'))
      await ground.passes(100)
      const next = await ground.bound('juliet')
      next.says('<presence/>')
      await next.hears(/id='1'/)
    }))

  it('a request to a resource that waits is answered when it never returns', () =>
    play({ modules: { sm: { resume_timeout: '10 seconds' } } }, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      await counts(juliet)
      juliet.says(`<presence to='romeo@localhost'/>`)
      await ground.passes(100)
      juliet.closes()
      await ground.passes(100)
      romeo.says(`<iq type='get' id='ask' to='${here('juliet')}'><query xmlns='urn:x'/></iq>`)
      await ground.passes(11_000)
      assert.match(await romeo.hears(/<\/iq>/), /id='ask'.*<service-unavailable /)
    }))
})

describe('a server that stops', () => {
  it('asks first what its clients have, and keeps only what they have not', () =>
    play({}, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      await counts(juliet)
      for (const id of ['1', '2', '3']) romeo.says(message(here('juliet'), 'x', id))
      await juliet.hears(/id='3'.*<\/message>/)
      const closing = ground.symbolic.server.close()
      await juliet.hears(/<r [^>]*>/)
      juliet.says(a(2))
      await closing
      assert.equal(ground.counter('ratatosk_offline_kept_total'), 1)
    }))
})

describe('§7: a stream that is closed in good order', () => {
  it('ends its session at once', () =>
    play({}, async (ground) => {
      const juliet = await ground.bound('juliet')
      const id = await counts(juliet)
      juliet.says('</stream:stream>')
      await juliet.isClosed()
      await ground.passes(100)
      assert.equal(ground.counter('ratatosk_sessions'), 0)
      const back = await comesBack(ground, id, 0)
      await back.hears(failed('item-not-found', '0'))
      // How much was handled is nobody else's business.
      const other = await ground.signedIn('romeo')
      other.says(resume(id, 0))
      await other.hears(failed('item-not-found'))
    }))

  it('one that just goes away does not; `session list` says since when it waits, and for how much', () =>
    play({}, async (ground) => {
      const [romeo, juliet] = [await ground.bound(), await ground.bound('juliet')]
      await counts(juliet)
      juliet.closes()
      await ground.passes(100)
      assert.equal(ground.counter('ratatosk_sessions_waiting'), 1)
      const now = ground.symbolic.simulation.world('romeo').clock.wallMs()
      romeo.says(message(here('juliet'), 'x', '1'))
      await ground.passes(60_000)
      const [row] = await rowsOf(ground, 'juliet@localhost')
      const since = new Date(String(row?.['waiting_since'])).getTime()
      assert.ok(since <= now && now - since < 1_000, `${since} of ${now}`)
      assert.equal(row?.['unacknowledged'], 1)
      assert.ok(Number(row?.['unacknowledged_bytes']) > 50)
      const [other] = await rowsOf(ground, 'romeo@localhost')
      assert.deepEqual([other?.['waiting_since'], other?.['unacknowledged']], ['', 0])
    }))

  it('SM-02: `session list` says from where a session came to the connection that it has now', () =>
    play({}, async (ground) => {
      const juliet = await ground.bound('juliet')
      const id = await counts(juliet)
      const [before] = await rowsOf(ground, 'juliet@localhost')
      assert.equal(before?.['resumed_from'], '')
      juliet.closes()
      await ground.passes(100)
      const back = await comesBack(ground, id, 0)
      await back.hears(/<resumed /)
      const [row] = await rowsOf(ground, 'juliet@localhost')
      assert.equal(row?.['resumed_from'], `${before?.['address']}:${before?.['port']}`)
      assert.notEqual(row?.['port'], before?.['port'])
    }))
})

describe('what waited for the account', () => {
  const waiting = async (ground: Ground, count: number) => {
    const romeo = await ground.bound()
    for (let i = 0; i < count; i++) romeo.says(message('juliet@localhost', 'x'.repeat(1_000), String(i)))
    await ground.passes(1_000)
    return romeo
  }
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => String(i))

  it('leaves the store when it is acknowledged; what was not waits for the next session', () =>
    play({}, async (ground) => {
      await waiting(ground, 100)
      const juliet = await ground.bound('juliet')
      await counts(juliet, '')
      juliet.says('<presence/>')
      await juliet.hears(/id='20'.*?<\/message>/)
      // Her own presence, and ten messages.
      juliet.says(a(11))
      await ground.passes(1_000)
      juliet.closes()
      await ground.passes(1_000)
      const next = await ground.bound('juliet')
      next.says('<presence/>')
      await ground.passes(5_000)
      assert.deepEqual(await hearsIds(next), upTo(100).slice(10))
    }))

  it('goes on where it was when the session is resumed, in order, and before what came meanwhile', () =>
    play({}, async (ground) => {
      const romeo = await waiting(ground, 100)
      const juliet = await ground.bound('juliet')
      const id = await counts(juliet)
      juliet.says('<presence/>')
      await juliet.hears(/id='20'.*?<\/message>/)
      juliet.closes()
      await ground.passes(1_000)
      romeo.says(message('juliet@localhost', 'x', '100'))
      await ground.passes(1_000)
      const back = await comesBack(ground, id, 11)
      await back.hears(/<resumed /)
      let h = 11
      const ids: string[] = []
      for (let rounds = 0; rounds < 20; rounds++) {
        const came = await hearsIds(back)
        ids.push(...came)
        // The answer to the ping counts too.
        h += came.length + 1
        back.says(a(h))
        await ground.passes(200)
      }
      assert.deepEqual(ids, upTo(101).slice(10))
    }))
})
