/** `durable` (DESIGN.md section 9): what its clients have not acknowledged outlives a server that is killed. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../../jid/index.ts'
import { SimRandom } from '../../sim/random.ts'
import { had, play, returns, upTo } from './durable.testing.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'
const seeds = Number(process.env['RATATOSK_SEEDS'] ?? (isLong ? 2_000 : 60))
const first = Number(process.env['RATATOSK_FIRST_SEED'] ?? 1)

describe('a server that is killed', () => {
  it('goes on with its sessions: each message once, in order, and nothing is bound anew', () =>
    play(async (scene) => {
      const { symbolic, romeo, juliet, passes } = scene
      await passes(1_000)
      juliet.goes()
      for (let n = 0; n < 10; n++) romeo.says('juliet@localhost', String(n))
      await passes(1_000)
      await symbolic.crash()
      assert.equal(symbolic.counter('ratatosk_sessions'), 2)
      assert.equal(symbolic.counter('ratatosk_sessions_waiting'), 2)
      for (const one of [romeo, juliet]) await returns(scene, one)
      romeo.says('juliet@localhost', '10')
      await passes(1_000)
      assert.deepEqual(had(juliet), upTo(11))
      assert.deepEqual([romeo.lives.length, juliet.lives.length], [1, 1])
      const session = symbolic.server.core.sessions.find(jid(juliet.full)) ?? assert.fail()
      assert.ok(session.isAvailable)
      assert.equal(session.info.address, 'juliet')
    }))

  it('keeps what waited until the client comes too late, and hands it to the next session', () =>
    play(
      async (scene) => {
        const { symbolic, romeo, juliet, passes } = scene
        await passes(1_000)
        juliet.goes()
        for (let n = 0; n < 10; n++) romeo.says('juliet@localhost', String(n))
        await passes(1_000)
        await symbolic.crash()
        await passes(65_000)
        assert.equal(symbolic.counter('ratatosk_offline_kept_total'), 10)
        // What was settled is settled: it does not come again with the next process.
        await symbolic.crash()
        assert.equal(symbolic.counter('ratatosk_sessions'), 0)
        await returns(scene, juliet)
        await passes(1_000)
        assert.deepEqual(had(juliet), upTo(10))
      },
      1,
      '1 minute',
    ))

  it('does not say that it handled what it has not kept, nor sends it', () =>
    play(async ({ symbolic, romeo, juliet, passes }) => {
      await passes(1_000)
      symbolic.engine.hang()
      romeo.says('juliet@localhost', '0')
      await passes(1_000)
      romeo.client?.askAcknowledgement()
      await passes(1_000)
      assert.deepEqual(had(juliet), [])
      assert.equal(romeo.client?.acks?.unacknowledged.length, 1)
      symbolic.engine.resume()
      await passes(1_000)
      romeo.client?.askAcknowledgement()
      await passes(1_000)
      assert.deepEqual(had(juliet), ['0'])
      assert.equal(romeo.client?.acks?.unacknowledged.length, 0)
    }))

  it('forgets a session that was closed in good order, and one whose account is removed', () =>
    play(async ({ symbolic, romeo, juliet, passes }) => {
      await passes(1_000)
      await romeo.client?.close()
      await symbolic.server.accounts.remove(jid('juliet@localhost'))
      await passes(3_000)
      assert.equal(juliet.client, undefined)
      await symbolic.crash()
      assert.equal(symbolic.counter('ratatosk_sessions'), 0)
    }))

  it('writes once a turn, for all that it has seen in it', () =>
    play(async ({ symbolic, romeo, passes }) => {
      await passes(1_000)
      const before = symbolic.counter('ratatosk_store_writes_total')
      for (let n = 0; n < 500; n++) romeo.says('juliet@localhost', String(n))
      await passes(1_000)
      const writes = symbolic.counter('ratatosk_store_writes_total') - before
      assert.ok(writes > 0 && writes < 100, `${writes} writes for 500 messages`)
    }))
})

describe('a server that is stopped in good order', () => {
  it('ends no session that may be resumed: nobody hears of it, and each message comes once', () =>
    play(async (scene) => {
      const { symbolic, romeo, juliet, passes } = scene
      await passes(1_000)
      for (let n = 0; n < 10; n++) romeo.says('juliet@localhost', String(n))
      await scene.restart()
      assert.deepEqual([romeo.client, juliet.client], [undefined, undefined])
      assert.equal(scene.acknowledged.size, 0)
      assert.equal(symbolic.counter('ratatosk_sessions_waiting'), 2)
      for (const one of [romeo, juliet]) await returns(scene, one)
      await passes(1_000)
      assert.deepEqual(had(juliet), upTo(10))
      assert.deepEqual([romeo.lives.length, juliet.lives.length], [1, 1])
    }))

  it('gives them the whole time again, from the start on: nobody could come meanwhile', () =>
    play(
      async (scene) => {
        const { romeo, juliet, passes } = scene
        await passes(1_000)
        juliet.goes()
        await passes(50_000)
        await scene.restart()
        await returns(scene, romeo)
        await passes(50_000)
        await returns(scene, juliet)
        assert.equal(juliet.lives.length, 1)
        juliet.goes()
        await scene.restart()
        await passes(61_000)
        await returns(scene, juliet)
        assert.equal(juliet.lives.length, 2)
      },
      1,
      '1 minute',
    ))

  it('is not kept waiting by a store that does not answer', () =>
    play(async (scene) => {
      const { symbolic, romeo, passes } = scene
      await passes(1_000)
      symbolic.engine.hang()
      for (let n = 0; n < 10; n++) romeo.says('nobody@localhost', String(n))
      await passes(100)
      let isClosed = false
      void symbolic.server.close().then(() => {
        isClosed = true
      })
      await passes(30_000)
      assert.ok(isClosed)
      symbolic.engine.resume()
    }))
})

describe('SES-09, SM-07: killed at any moment, each message comes to one place, in order', () => {
  for (let seed = first; seed < first + seeds; seed++) {
    it(`seed ${seed}`, () =>
      play(async (scene) => {
        const random = new SimRandom(seed)
        const { symbolic, romeo, juliet, passes } = scene
        let said = 0
        // Nothing is on its way from the offline store: that may come twice (docs/guide/operate.md).
        await passes(3_000)
        for (let kills = 1 + random.below(3); kills > 0; kills--) {
          symbolic.engine.latencyMs = random.below(3) * random.below(20)
          for (let steps = random.below(20); steps > 0; steps--) {
            await passes(random.below(60))
            const dice = random.below(8)
            if (dice < 5) {
              for (let burst = 1 + random.below(6); burst > 0; burst--) romeo.says('juliet@localhost', String(said++))
            } else if (dice === 5) juliet.goes()
            else if (dice === 6) juliet.client?.acknowledge()
            else romeo.client?.askAcknowledgement()
            if (juliet.client === undefined && random.below(2) === 0) void juliet.comes(true)
          }
          await passes(random.below(30))
          await symbolic.crash()
          for (const one of [romeo, juliet]) {
            one.goes()
            while (one.isComing) await passes(1_000)
            if (random.below(3) > 0) void one.comes(true)
          }
        }
        symbolic.engine.latencyMs = 0
        for (const one of [romeo, juliet]) await returns(scene, one)
        await passes(30_000)
        assert.deepEqual(had(juliet), upTo(said))
        assert.deepEqual(romeo.errors, [])
        assert.deepEqual([romeo.lives.length, juliet.lives.length], [1, 1])
      }, seed))
  }
})
