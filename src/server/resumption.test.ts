/**
 * XEP-0198 (requirements SES-02, SES-09), simulated: whatever breaks and whenever, each message comes to exactly one place: a client that has
 * acknowledged it, the offline store, or an error to its sender.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimRandom } from '../sim/random.ts'
import { type Came, type Fickle, harm, type Story, tell } from './resumption.testing.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'
const seeds = Number(process.env['RATATOSK_SEEDS'] ?? (isLong ? 10_000 : 200))
const first = Number(process.env['RATATOSK_FIRST_SEED'] ?? 1)
/** Seeds of one test, so that a failure is found soon and told apart. */
const stride = Math.max(1, Math.ceil(seeds / 10))

function clientsOf({ romeo, juliet, tablet }: Story): readonly Fickle[] {
  return tablet === undefined ? [romeo, juliet] : [romeo, juliet, tablet]
}

/** romeo writes on, while all of them come and go. */
async function life(story: Story, random: SimRandom): Promise<number> {
  const { romeo, symbolic, isGated } = story
  const clients = clientsOf(story)
  const hers = clients.slice(1)
  const oneOfHers = () => hers[hers.length === 1 ? 0 : random.below(hers.length)] as Fickle
  let said = 0
  await Promise.all(clients.map((one) => one.comes(false)))
  symbolic.engine.latencyMs = random.below(3) * random.below(30)
  for (let steps = 20 + random.below(20); steps > 0; steps--) {
    // Mostly within a round trip, so that it hits what is under way; sometimes past the end of a wait.
    await story.passes(random.below(random.below(8) === 0 ? 6_000 : 60))
    const dice = random.below(10)
    if (dice < 5) {
      for (let burst = 1 + random.below(6); burst > 0; burst--)
        romeo.says(story.to, String(said++), isGated && random.below(3) > 0)
    } else if (dice < 7) harm(story, random, oneOfHers())
    else if (dice === 7) harm(story, random, romeo)
    else if (dice === 8) oneOfHers().client?.acknowledge()
    else romeo.client?.askAcknowledgement()
    if (isGated && random.below(3) === 0) oneOfHers().indicates(random.below(3) === 0)
    for (const one of clients) {
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

/** Nothing breaks any more; all come, and all that waits anywhere gets there. */
async function rest(story: Story): Promise<void> {
  const { symbolic } = story
  const clients = clientsOf(story)
  symbolic.engine.latencyMs = 0
  for (let before = ''; ; ) {
    // What broke last may be noticed only now.
    for (const one of clients) await stays(story, one)
    for (const one of clients) one.indicates(true)
    await story.passes(20_000)
    const now = JSON.stringify([
      clients.map((one) => [one.client?.acks?.id, one.lives.map(({ received }) => received.length)]),
      symbolic.counter('ratatosk_stanzas_routed_total'),
    ])
    if (now === before) break
    before = now
  }
  for (const one of clients) one.client?.acknowledge()
  await story.passes(1_000)
}

/** By id: each life of a client that the server knows to have had it, copies too. */
function placesOf(story: Story, one: Fickle): ReadonlyMap<string, readonly Place[]> {
  const places = new Map<string, Place[]>()
  const found = ({ id, isCopy }: Came, life: string) => {
    if (id !== '') places.set(id, [...(places.get(id) ?? []), { life, isCopy }])
  }
  for (const came of one.uncounted) found(came, `${one.name}, uncounted`)
  one.lives.forEach(({ id, received, early }, number) => {
    // What it had and did not acknowledge when it ended, the server could not know of.
    const known = story.acknowledged.get(id) ?? received.length
    assert.ok(known <= received.length, `${known} acknowledged of ${received.length}`)
    for (const came of received.slice(0, known)) found(came, `${one.name}, life ${number}`)
    for (const came of early) found(came, `${one.name}, life ${number}`)
  })
  return places
}

interface Place {
  readonly life: string
  readonly isCopy: boolean
}

/**
 * Where each message is: with a client of the account, or an error. Another client may have a copy, which is all that is left of
 * one that the client lost to whom it was sent. No session has a message and its copy. What a session was sent before it counted
 * may be lost with its connection; what came of it, came.
 */
function check(story: Story, said: number): void {
  const { romeo, juliet, tablet, symbolic } = story
  const devices = (tablet === undefined ? [juliet] : [juliet, tablet]).map((one) => placesOf(story, one))
  const wrong: string[] = []
  for (let number = 0; number < said; number++) {
    const id = String(number)
    const all = devices.flatMap((places) => places.get(id) ?? [])
    const errors = romeo.errors.filter((one) => one === id).length
    const originals = errors + all.filter(({ isCopy }) => !isCopy).length
    const isRight =
      originals <= 1 &&
      new Set(all.map(({ life }) => life)).size === all.length &&
      (all.length + errors > 0 || story.unpromised.has(id)) &&
      (tablet !== undefined || originals === 1)
    if (isRight) continue
    const where = all.map(({ life, isCopy }) => (isCopy ? `${life}, a copy` : life))
    wrong.push(`${id}: ${[...where, ...Array<string>(errors).fill('error')].join(' and ') || 'nowhere'}`)
  }
  assert.deepEqual(wrong, [])
  assert.equal(symbolic.counter('ratatosk_handler_faults_total'), 0)
}

/**
 * Within each life what came is in the order in which it was said. With two clients what one lost comes to the other when that
 * one is given up, and says so; and what is for one resource waits for no hand-over of what the account was kept.
 */
function checkOrder({ juliet, tablet, to }: Story): void {
  if (to === juliet.full) return
  for (const { received } of [...juliet.lives, ...(tablet?.lives ?? [])]) {
    const inTime = received.filter(({ id, isLate }) => id !== '' && (tablet === undefined || !isLate))
    for (const ofCopies of [false, true]) {
      const ids = inTime.filter(({ isCopy }) => isCopy === ofCopies).map(({ id }) => Number(id))
      for (let i = 1; i < ids.length; i++) {
        assert.ok((ids[i - 1] as number) < (ids[i] as number), `${ids[i - 1]} before ${ids[i]} of ${ids}`)
      }
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
        }).catch((error: unknown) => {
          throw new Error(`seed ${seed}`, { cause: error })
        })
      }
    })
  }
})
