/** What the language itself promises: an actor who closes his stream has been answered in kind (RFC 6120 section 4.4). */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { jid } from '../../src/jid/index.ts'
import { play } from './play.ts'
import { simulated } from './stage.ts'

const settings = { cast: { romeo: 'romeo@localhost/orchard' } }

it('who closes is answered, and by then the server has let him go', () =>
  simulated(
    play('closes', settings, async ({ romeo }, stage) => {
      await romeo.connects()
      await romeo.closes()
      assert.ok(romeo.client.isPeerClosed)
      assert.equal(stage.server.core.sessions.find(jid(romeo.full)), undefined)
    }),
    1,
  ))

it('who closes and is not answered has not closed in good order', () =>
  simulated(
    play('is cut off while he closes', settings, async ({ romeo }, stage) => {
      await romeo.connects()
      const closing = romeo.closes()
      stage.cuts(romeo)
      await assert.rejects(closing, /did not answer in kind/)
    }),
    1,
  ))
