/**
 * XEP-0198 (requirements SES-02, SES-09), simulated: whatever breaks and whenever, each message comes to exactly one place: a client that has
 * acknowledged it, the offline store, or an error to its sender.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimRandom } from '../sim/random.ts'
import { type Fickle, harm, type Story, tell } from './resumption.testing.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'
const seeds = Number(process.env['RATATOSK_SEEDS'] ?? (isLong ? 10_000 : 200))
const first = Number(process.env['RATATOSK_FIRST_SEED'] ?? 1)
/** Seeds of one test, so that a failure is found soon and told apart. */
const stride = Math.max(1, Math.ceil(seeds / 10))

/** romeo writes on, while both come and go. */
async function life(story: Story, random: SimRandom): Promise<number> {
  const { romeo, juliet, symbolic } = story
  let said = 0
  await Promise.all([romeo.comes(false), juliet.comes(false)])
  symbolic.engine.latencyMs = random.below(3) * random.below(30)
  for (let steps = 20 + random.below(20); steps > 0; steps--) {
    // Mostly within a round trip, so that it hits what is under way; sometimes past the end of a wait.
    await story.passes(random.below(random.below(8) === 0 ? 6_000 : 60))
    const dice = random.below(10)
    if (dice < 5) {
      for (let burst = 1 + random.below(6); burst > 0; burst--) romeo.says('juliet@localhost', String(said++))
    } else if (dice < 7) harm(story, random, juliet)
    else if (dice === 7) harm(story, random, romeo)
    else if (dice === 8) juliet.client?.acknowledge()
    else romeo.client?.askAcknowledgement()
    for (const one of [romeo, juliet]) {
      if (one.client !== undefined || one.isComing || random.below(3) === 0) continue
      // He who has forgotten what was handled could only guess what to say again.
      void one.comes(one === romeo || random.below(8) > 0)
    }
  }
  return said
}

/** Comes, however often it takes. */
async function stays(story: Story, one: Fickle): Promise<void> {
  for (let tries = 0; tries < 10 && one.client?.acks?.id === undefined; tries++) {
    await story.passes(8_000)
    await one.comes(true)
  }
  assert.ok(one.client?.acks?.id !== undefined, `${one.name} cannot come`)
}

/** Nothing breaks any more; both come, and all that waits anywhere gets there. */
async function rest(story: Story): Promise<void> {
  const { romeo, juliet, symbolic } = story
  symbolic.engine.latencyMs = 0
  for (let before = ''; ; ) {
    // What broke last may be noticed only now.
    for (const one of [romeo, juliet]) await stays(story, one)
    await story.passes(20_000)
    const now = JSON.stringify([
      romeo.client?.acks?.id,
      juliet.client?.acks?.id,
      juliet.lives.map((one) => one.received.length),
      symbolic.counter('ratatosk_stanzas_routed_total'),
    ])
    if (now === before) break
    before = now
  }
  for (const one of [romeo, juliet]) one.client?.acknowledge()
  await story.passes(1_000)
}

/** Where each message is: the lives of a client that the server knows to have had it, and errors. */
function check({ romeo, juliet, acknowledged, symbolic }: Story, said: number): void {
  const places = new Map<string, string[]>()
  const found = (id: string, place: string) => {
    if (id !== '') places.set(id, [...(places.get(id) ?? []), place])
  }
  juliet.lives.forEach((one, number) => {
    // What it had and did not acknowledge when it ended, the server could not know of.
    const known = acknowledged.get(one.id) ?? one.received.length
    one.received.forEach((id, place) => {
      if (place < known) found(id, `life ${number}`)
    })
    assert.ok(known <= one.received.length, `${known} acknowledged of ${one.received.length}`)
    for (const id of one.early) found(id, `life ${number}, early`)
  })
  for (const id of romeo.errors) found(id, 'error')
  const wrong: string[] = []
  for (let id = 0; id < said; id++) {
    const where = places.get(String(id)) ?? []
    if (where.length !== 1) wrong.push(`${id}: ${where.join(' and ') || 'nowhere'}`)
  }
  assert.deepEqual(wrong, [])
  assert.equal(symbolic.counter('ratatosk_handler_faults_total'), 0)
}

/** Within each life what came is in the order in which it was said. */
function checkOrder({ juliet }: Story): void {
  for (const { received } of juliet.lives) {
    const ids = received.filter((id) => id !== '').map(Number)
    for (let i = 1; i < ids.length; i++) {
      assert.ok((ids[i - 1] as number) < (ids[i] as number), `${ids[i - 1]} before ${ids[i]} of ${ids}`)
    }
  }
}

describe('SES-09: whatever breaks, each message comes to one place, in order', () => {
  for (let from = first; from < first + seeds; from += stride) {
    const to = Math.min(from + stride, first + seeds)
    it(`seeds ${from} to ${to - 1}`, async () => {
      for (let seed = from; seed < to; seed++) {
        await tell(seed, async (story) => {
          const said = await life(story, new SimRandom(seed))
          await rest(story)
          check(story, said)
          checkOrder(story)
        })
      }
    })
  }
})
