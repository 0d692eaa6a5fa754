/**
 * Clients that are gone without a word, and were told something just before (RFC 1122 section 4.2.3.5: the kernel says it again for
 * a quarter of an hour, and asks nothing meanwhile). Whatever it was, somebody asks them within `ping.ask_after`.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Wire } from '../../plays/language/wire.ts'
import { NS_SM } from '../stanza/sm.ts'
import { type Ground, message, simulated } from './limits.testing.ts'

const modules = {
  ping: { ask_after: '1 minute', answer_timeout: '30 seconds' },
  sm: { ack_timeout: '30 seconds', resume_timeout: '5 minutes' },
}
/** The question comes with a beat of 5 seconds behind the first that saw the silence; connections linger for 2. */
const soonest = 90_000
const latest = soonest + 15_000

const enable = `<enable xmlns='${NS_SM}' resume='true'/>`
const request = `<r xmlns='${NS_SM}'/>`
const ping = `<iq type='get' id='p' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`

const enabled = async (ground: Ground): Promise<readonly [Wire, string]> => {
  const wire = await ground.bound()
  wire.says(enable)
  return [wire, /id='([^']*)'/.exec(await wire.hears(/<enabled [^>]*>/))?.[1] ?? '']
}

/** The last thing that each was told before he was gone. */
const lastWords: readonly (readonly [string, (ground: Ground) => Promise<void>])[] = [
  ['its binding', async (ground) => void (await ground.bound())],
  [
    'an answer',
    async (ground) => {
      const wire = await ground.bound()
      await ground.passes(60)
      wire.says(ping)
      await wire.hears(/<iq [^>]*id='p'[^>]*>/)
    },
  ],
  [
    'that it may not have stream management twice over',
    async (ground) => {
      const wire = await ground.bound()
      wire.says(request)
      await wire.hears(/<failed .*?<\/failed>/)
    },
  ],
  ['<enabled/>', async (ground) => void (await enabled(ground))],
  [
    '<a/>',
    async (ground) => {
      const [wire] = await enabled(ground)
      await ground.passes(20_000)
      wire.says(message('nobody@localhost', 'hello') + request)
      await wire.hears(/<a [^>]*>/)
      wire.says(`<a xmlns='${NS_SM}' h='1'/>${request}`)
      await wire.hears(/<a [^>]*>/)
    },
  ],
  [
    '<resumed/>',
    async (ground) => {
      const [wire, previd] = await enabled(ground)
      wire.closes()
      await ground.passes(100)
      const other = await ground.signedIn()
      other.says(`<resume xmlns='${NS_SM}' previd='${previd}' h='0'/>`)
      await other.hears(/<resumed [^>]*>/)
    },
  ],
]

describe('a client whose net goes just after it was told something', () => {
  for (const [what, happens] of lastWords) {
    it(`${what}: its connection is closed within the time of a question and its answer`, async () => {
      await simulated({ modules }, async (ground) => {
        await happens(ground)
        const { counter } = ground
        assert.deepEqual([counter('ratatosk_connections'), counter('ratatosk_ping_asked_total')], [1, 0])
        await ground.passes(soonest - 1_000)
        assert.equal(counter('ratatosk_connections'), 1)
        await ground.passes(latest - soonest + 1_000)
        assert.equal(counter('ratatosk_connections'), 0)
        assert.equal(counter('ratatosk_ping_asked_total'), 1)
        const silent = counter('ratatosk_ping_unanswered_total') + counter('ratatosk_sessions_silent_total')
        assert.equal(silent, 1)
        return ''
      })('none')
    })
  }

  it('one that counts stanzas may come back to its session', async () => {
    await simulated({ modules }, async (ground) => {
      const [, previd] = await enabled(ground)
      await ground.passes(latest)
      assert.equal(ground.counter('ratatosk_sessions_waiting'), 1)
      const wire = await ground.signedIn()
      wire.says(`<resume xmlns='${NS_SM}' previd='${previd}' h='0'/>`)
      await wire.hears(/<resumed [^>]*>/)
      assert.equal(ground.counter('ratatosk_sessions_waiting'), 0)
      return ''
    })('none')
  })
})

describe('a client that is there, and has nothing to say', () => {
  it('answers one question, and is left in peace', async () => {
    await simulated({ modules }, async (ground) => {
      const wire = await ground.bound()
      await ground.passes(70_000)
      const asked = await wire.hears(/<iq [^>]*><ping [^>]*>/)
      const id = /id='([^']*)'/.exec(asked)?.[1]
      wire.says(`<iq type='result' id='${id}' to='localhost'/>`)
      await ground.passes(3_600_000)
      assert.equal(ground.counter('ratatosk_ping_asked_total'), 1)
      assert.equal(ground.counter('ratatosk_connections'), 1)
      return ''
    })('none')
  })

  it('the same where stanzas are counted; who acknowledges what he is sent is asked nothing more', async () => {
    await simulated({ modules }, async (ground) => {
      await ground.account('juliet')
      const [romeo] = await enabled(ground)
      await ground.passes(70_000)
      await romeo.hears(/<r [^>]*>/)
      romeo.says(`<a xmlns='${NS_SM}' h='0'/>`)
      const juliet = await ground.bound('juliet')
      juliet.says(message('romeo@localhost/here', 'are you there?'))
      await romeo.hears(/<message .*<r [^>]*>/)
      romeo.says(`<a xmlns='${NS_SM}' h='1'/>`)
      juliet.says('</stream:stream>')
      await juliet.isClosed()
      await ground.passes(3_600_000)
      assert.equal(ground.counter('ratatosk_ping_asked_total'), 1)
      assert.equal(ground.counter('ratatosk_connections'), 1)
      return ''
    })('none')
  })

  it('needs no question while it sends white space (RFC 6120 section 4.6.1)', async () => {
    await simulated({ modules }, async (ground) => {
      const wire = await ground.bound()
      for (let n = 0; n < 60; n++) {
        wire.says(' ')
        await ground.passes(30_000)
      }
      assert.equal(ground.counter('ratatosk_ping_asked_total'), 0)
      assert.equal(ground.counter('ratatosk_connections'), 1)
      return ''
    })('none')
  })
})
