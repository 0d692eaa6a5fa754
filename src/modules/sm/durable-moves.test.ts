/**
 * `durable`, killed at every boundary of a write while messages move between sessions and the offline store: hand-overs, sessions
 * that end, stops in good order.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../../jid/index.ts'
import { SimRandom } from '../../sim/random.ts'
import { StreamError } from '../../stanza/error.ts'
import { hadForGood, play, returns, type Scene, upTo } from './durable.testing.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'
const seeds = Number(process.env['RATATOSK_SEEDS'] ?? (isLong ? 2_000 : 30))
const first = Number(process.env['RATATOSK_FIRST_SEED'] ?? 1)

const bare = 'juliet@localhost'
/** Sessions wait so long. */
const resume = '15 seconds'
const tooLongMs = 16_000

/** The server dies after so many steps of the store: before a write is carried out, or before anybody hears of it. */
async function diesWithin({ symbolic, crash, passes }: Scene, steps: number): Promise<void> {
  symbolic.engine.hangAfter(steps)
  await passes(300)
  await crash()
}

function kick({ symbolic, juliet }: Scene): void {
  const session = symbolic.server.core.sessions.find(jid(juliet.full))
  session?.close({ reason: 'kicked', detail: '' }, new StreamError('RTK_SESSION_KICKED', 'policy-violation'))
}

/** One thing that happens. */
async function happens(scene: Scene, random: SimRandom, says: (burst: number) => void): Promise<void> {
  const { juliet, passes } = scene
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      says(1 + random.below(12))
      return
    case 4:
      says(100)
      return
    case 5:
      juliet.goes()
      return
    case 6:
      juliet.client?.acknowledge()
      return
    case 7:
      scene.romeo.client?.askAcknowledgement()
      return
    case 8:
      kick(scene)
      return
    case 9:
      juliet.goes()
      says(1 + random.below(20))
      await passes(tooLongMs + random.below(200))
      return
    default:
      if (juliet.client === undefined) void juliet.comes(random.below(4) > 0)
  }
}

async function ends(scene: Scene, random: SimRandom, says: (burst: number) => void): Promise<void> {
  const { passes, juliet } = scene
  switch (random.below(6)) {
    case 0:
      return scene.restart()
    case 1:
      await passes(random.below(30))
      return scene.crash()
    case 2:
      // Its time is over just then.
      juliet.goes()
      await passes(tooLongMs - 1_000 - random.below(50))
      return diesWithin(scene, random.below(12))
    case 3:
    case 4:
      // She is being handed what waited for her; by chance that session has ended, too.
      juliet.goes()
      says(1 + random.below(80))
      await passes(tooLongMs)
      await juliet.comes(random.below(2) === 0)
      await passes(random.below(10))
      if (random.below(3) === 0) juliet.client?.acknowledge()
      if (random.below(3) === 0) kick(scene)
      says(random.below(4))
      return diesWithin(scene, random.below(12))
    default:
      return diesWithin(scene, random.below(20))
  }
}

/** What is wrong with it, in short. */
function wrong(came: readonly string[], said: number): string {
  const missing = upTo(said).filter((id) => !came.includes(id))
  const twice = came.filter((id, i) => came.indexOf(id) !== i)
  const late = came.filter((id, i) => i > 0 && Number(id) < Number(came[i - 1]))
  return `of ${said} missing: ${missing}; twice: ${twice}; late: ${late}`
}

describe('SES-09: killed while messages move, each comes to one place, in order', () => {
  for (let seed = first; seed < first + seeds; seed++) {
    it(`seed ${seed}`, () =>
      play(
        async (scene) => {
          const random = new SimRandom(seed)
          const { symbolic, romeo, juliet, passes } = scene
          let said = 0
          const says = (burst: number) => {
            for (; burst > 0; burst--) romeo.says(bare, String(said++))
          }
          for (let lives = 1 + random.below(4); lives > 0; lives--) {
            symbolic.engine.latencyMs = random.below(3) * random.below(20)
            for (let steps = random.below(16); steps > 0; steps--) {
              await passes(random.below(60))
              await happens(scene, random, says)
            }
            await ends(scene, random, says)
            for (const one of [romeo, juliet]) {
              one.goes()
              while (one.isComing) await passes(1_000)
            }
            symbolic.engine.latencyMs = 0
            await returns(scene, romeo)
            if (random.below(3) > 0) void juliet.comes(random.below(5) > 0)
          }
          await returns(scene, juliet)
          await passes(30_000)
          juliet.client?.acknowledge()
          await passes(1_000)
          const came = hadForGood(scene, juliet)
          assert.deepEqual(came, upTo(said), wrong(came, said))
          assert.deepEqual(romeo.errors, [])
          assert.equal(romeo.lives.length, 1)
        },
        seed,
        resume,
      ))
  }
})

describe('SES-09: killed at any step of the store, nothing comes twice and nothing is lost', () => {
  /** Each came to one place; what was for the full JID may have overtaken the rest. */
  async function comesOnce(scene: Scene, said: number): Promise<void> {
    const { romeo, juliet, passes } = scene
    for (const one of [romeo, juliet]) {
      one.goes()
      while (one.isComing) await passes(1_000)
    }
    scene.symbolic.engine.latencyMs = 0
    for (const one of [romeo, juliet]) await returns(scene, one)
    await passes(30_000)
    const came = hadForGood(scene, juliet)
    assert.deepEqual(
      came
        .map(Number)
        .sort((a, b) => a - b)
        .map(String),
      upTo(said),
      wrong(came, said),
    )
  }

  for (let steps = 0; steps < 24; steps += isLong ? 1 : 2) {
    it(`while a session is settled that had a hand-over, after ${steps} steps`, () =>
      play(
        async (scene) => {
          const { symbolic, romeo, juliet, passes } = scene
          await passes(1_000)
          juliet.goes()
          await passes(tooLongMs)
          for (let n = 0; n < 20; n++) romeo.says(bare, String(n))
          await passes(1_000)
          symbolic.engine.latencyMs = 20
          await juliet.comes(true)
          // The page is read, and its stanzas are on their way into the store.
          await passes(60)
          juliet.goes()
          for (let n = 20; n < 200; n++) romeo.says(juliet.full, String(n))
          await passes(1_000)
          kick(scene)
          await diesWithin(scene, steps)
          await comesOnce(scene, 200)
        },
        steps,
        resume,
      ))

    it(`while a hand-over is acknowledged, after ${steps} steps`, () =>
      play(
        async (scene) => {
          const { symbolic, romeo, juliet, passes } = scene
          await passes(1_000)
          juliet.goes()
          await passes(tooLongMs)
          for (let n = 0; n < 60; n++) romeo.says(bare, String(n))
          await passes(1_000)
          symbolic.engine.latencyMs = 3
          await juliet.comes(true)
          for (let n = 60; n < 63; n++) romeo.says(bare, String(n))
          await diesWithin(scene, steps)
          // What is kept from now on may have numbers of what is gone.
          await passes(tooLongMs)
          await returns(scene, romeo)
          for (let n = 63; n < 70; n++) romeo.says(bare, String(n))
          await passes(1_000)
          await scene.crash()
          await comesOnce(scene, 70)
        },
        steps,
        resume,
      ))
  }
})
