/** What a connection left unsent, while it is settled in slices: somebody writes, comes back, stops the server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../jid/index.ts'
import { SimRandom } from '../sim/random.ts'
import { type Ground, message } from './limits.testing.ts'
import { arrives, Ear, play, rests, slow, stalls, upTo } from './slow-readers.testing.ts'

/** Her connection goes with so many messages that had not left, and the store takes its time. */
async function leaves(ground: Ground, romeo: Ear, count: number, latencyMs: number): Promise<Ear> {
  const juliet = await arrives(ground, 'a')
  await stalls(ground, juliet)
  for (let i = 0; i < count; i++) romeo.wire.says(message('juliet@localhost', 'x'.repeat(200), String(i)))
  await ground.passes(1_000)
  ground.symbolic.engine.latencyMs = latencyMs
  juliet.wire.closes()
  await ground.passes(10)
  return juliet
}

const unsettled = (ground: Ground) => ground.counter('ratatosk_accounts_unsettled')
const roomy = { modules: { offline: { messages_max: 100_000 } } }

describe('while what was unsent is settled', () => {
  it('what comes waits behind it', () =>
    play(roomy, async (ground) => {
      const romeo = new Ear(await ground.bound())
      await leaves(ground, romeo, 1_000, 20)
      assert.equal(unsettled(ground), 1)
      for (let i = 1_000; i < 1_100; i++) romeo.wire.says(message('juliet@localhost', 'late', String(i)))
      await ground.passes(30)
      assert.equal(unsettled(ground), 1)
      await ground.passes(20_000)
      assert.equal(unsettled(ground), 0)
      slow(ground, 1_000_000)
      const back = await arrives(ground, 'b')
      await rests(ground, back)
      const { ids } = back
      const first = ids[0] ?? 0
      assert.ok(first < 60, `the kernels had ${first}`)
      assert.deepEqual(ids, upTo(1_100).slice(first))
    }))

  it('nobody else waits', () =>
    play(roomy, async (ground) => {
      const romeo = new Ear(await ground.bound())
      const nurse = await ground.bound('nurse', 'n')
      await leaves(ground, romeo, 1_000, 100)
      slow(ground, 1_000_000, 65_536)
      nurse.says(message('romeo@localhost/here', 'quick', '7'))
      await ground.passes(100)
      assert.deepEqual(romeo.ids, [7])
      assert.equal(unsettled(ground), 1)
      await ground.passes(30_000)
    }))

  it('one who comes back has all of it, in order, and then what was said meanwhile', () =>
    play(roomy, async (ground) => {
      const romeo = new Ear(await ground.bound())
      await leaves(ground, romeo, 1_000, 20)
      slow(ground, 10_000_000, 65_536)
      for (let i = 1_000; i < 1_010; i++) romeo.wire.says(message('juliet@localhost', 'late', String(i)))
      const back = await arrives(ground, 'b')
      assert.equal(unsettled(ground), 1, 'she is there before all is settled')
      await rests(ground, back)
      assert.deepEqual(back.ids, upTo(1_010).slice(back.ids[0]))
    }))

  it('a server that stops keeps all of it', () =>
    play(roomy, async (ground) => {
      const romeo = new Ear(await ground.bound())
      await leaves(ground, romeo, 1_000, 100)
      assert.equal(unsettled(ground), 1)
      const closing = ground.symbolic.server.close()
      await ground.passes(60_000)
      await closing
      const kept = ground.counter('ratatosk_offline_kept_total')
      assert.equal(kept, ground.counter('ratatosk_stanzas_unsent_total'))
      assert.ok(kept > 900, `${kept} kept`)
    }))

  it('an account that is removed leaves nothing: the rest comes back as errors', () =>
    play(roomy, async (ground) => {
      const romeo = new Ear(await ground.bound())
      await leaves(ground, romeo, 1_000, 50)
      slow(ground, 10_000_000, 65_536)
      const removing = ground.symbolic.server.accounts.remove(jid('juliet@localhost'))
      await ground.passes(30_000)
      await removing
      assert.equal(unsettled(ground), 0)
      assert.equal(
        ground.counter('ratatosk_offline_kept_total') + romeo.refused.length,
        ground.counter('ratatosk_stanzas_unsent_total'),
      )
      assert.ok(romeo.refused.length > 500)
      await ground.symbolic.server.accounts.add(jid('juliet@localhost'), 'secret')
      const next = await arrives(ground, 'b')
      await rests(ground, next)
      assert.deepEqual(next.ids, [])
    }))
})

/** Somebody writes on, while she reads or does not, goes and comes back; at last she reads all. */
async function life(ground: Ground, random: SimRandom): Promise<void> {
  const romeo = new Ear(await ground.bound())
  const ears: Ear[] = []
  let said = 0
  for (let round = 0; round < 6; round++) {
    slow(ground, 10_000_000, 65_536)
    const ear = await arrives(ground, `r${round}`)
    ears.push(ear)
    await ground.passes(random.below(3_000))
    slow(ground, 0, 4_096)
    ear.wire.transport.pause()
    ground.symbolic.engine.latencyMs = random.below(100)
    for (let bursts = 1 + random.below(6); bursts > 0; bursts--) {
      const most = said + random.below(200)
      while (said < most)
        romeo.wire.says(message('juliet@localhost', 'x'.repeat(200 + random.below(200)), String(said++)))
      await ground.passes(random.below(100))
    }
    ear.wire.closes()
    await ground.passes(random.below(50))
  }
  slow(ground, 10_000_000, 65_536)
  const last = await arrives(ground, 'last')
  await rests(ground, last)
  const ids = [...ears, last].flatMap((ear) => ear.ids)
  assert.deepEqual(romeo.refused, [])
  assert.equal(last.ids.at(-1), said - 1)
  for (let i = 1; i < ids.length; i++)
    assert.ok((ids[i - 1] as number) < (ids[i] as number), `${ids[i - 1]}, ${ids[i]}`)
  const lost = upTo(said).filter((id) => !ids.includes(id))
  // What the kernels had taken when she went is beyond the server (XEP-0198 will tell): 12 KB of 300 bytes each time.
  assert.ok(lost.length < 6 * 45, `lost ${lost.length} of ${said}`)
}

describe('whatever happens to one who does not read', () => {
  for (const seed of upTo(8)) {
    it(`each message is told once and in order (seed ${seed})`, () =>
      play(
        { ...roomy, limits: { session_queue_bytes: '128 KiB' } },
        (ground) => life(ground, new SimRandom(seed)),
        seed,
      ))
  }
})
