/**
 * A store that never answers, by seeds: it falls silent between any two of its steps (a batch is carried out, a batch is
 * answered), while people talk, write to one who is away, change their rosters and sign in, and answers again later.
 * Chat goes on, log-ins are told to come again, the queue of writes stops at its limit, peers are told what was not kept
 * with a temporary error, and what was *kept* is there afterwards.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Packet } from '../core/packet.ts'
import { jid } from '../jid/index.ts'
import { SimRandom } from '../sim/random.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { type Element, x } from '../xml/index.ts'
import { type Ground, message, plain } from './limits.testing.ts'
import { Ear, play } from './slow-readers.testing.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'
const seeds = Number(process.env['RATATOSK_SEEDS'] ?? (isLong ? 2_000 : 20))

const NS_ROSTER = 'jabber:iq:roster'
const queueMax = 100
const timeoutMs = 4_000
const sections = {
  store: { engine: 'memory', queue_operations: queueMax, operation_timeout: `${timeoutMs} ms` },
  modules: { offline: { messages_max: 100_000 } },
}

/** What became of everything that was sent to the nurse, who is away, and of every change of a roster. */
class Records {
  readonly sent = new Set<string>()
  readonly kept = new Set<string>()
  readonly refused = new Map<string, string>()
  readonly listed = new Set<string>()

  /** `type/condition` of an error, as the sender was told it. */
  refuse(id: string, told: string): void {
    assert.ok(!this.refused.has(id), `${id} was refused twice`)
    this.refused.set(id, told)
  }
}

/** `type/condition` by id, of the errors that a client heard. */
function errorsOf({ text }: Ear, kind: 'iq' | 'message'): Map<string, string> {
  const shape = new RegExp(
    `<${kind}(?=[^>]* id='([^']*)')(?=[^>]* type='error').*?<error type='(\\w+)'><([\\w-]+) `,
    'g',
  )
  return new Map([...text.matchAll(shape)].map(([, id = '', type, condition]) => [id, `${type}/${condition}`]))
}

/** Somebody on another server writes; his messages wait for nobody. */
function stranger(ground: Ground, records: Records): (id: string) => void {
  const { router } = ground.symbolic.server.core
  router.fallback = {
    name: 'elsewhere',
    receive: ({ el }) => {
      const error = el.child('error', NS_CLIENT)
      if (error !== undefined) {
        records.refuse(el.attr('id') ?? '', `${error.attr('type')}/${error.elements[0]?.name}`)
      }
      return undefined
    },
  }
  const origin = { kind: 'service', label: 'elsewhere' } as const
  const [from, to] = [jid('paris@elsewhere.example'), jid('nurse@localhost')]
  return (id) => {
    records.sent.add(id)
    const el: Element = x('message', NS_CLIENT, { id, type: 'chat' }, x('body', NS_CLIENT, 'hear'))
    void router.submit(new Packet('message', el, from, to, origin))
  }
}

/** Two who are online talk; each word is heard while it is fresh, whatever the store does. */
async function talk(ground: Ground, romeo: Ear, juliet: Ear, count: number): Promise<void> {
  const before = juliet.ids.length
  for (let n = 0; n < count; n++) {
    romeo.wire.says(message('juliet@localhost/balcony', 'hark', String(before + n)))
    await ground.passes(50)
    assert.equal(juliet.ids.at(-1), before + n, 'the word was heard at once, behind the one before')
  }
}

async function signsIn(ground: Ground, user: string): Promise<{ readonly told: string; readonly afterMs: number }> {
  const wire = await ground.secured(`${user}-again`)
  const { simulation } = ground.symbolic
  const from = simulation.now
  wire.says(plain(user, 'secret'))
  const heard = await wire.hears(/<success|<failure .*?<\/failure>/)
  const afterMs = simulation.now - from
  wire.closes()
  return { told: /<([\w-]+)\/>/.exec(heard)?.[1] ?? 'success', afterMs }
}

/** One client that writes to the nurse and to the roster in turns; it waits for the store each time, as far as it must. */
class Writer {
  readonly #ear: Ear
  readonly #name: string
  #count = 0

  constructor(ear: Ear, name: string) {
    this.#ear = ear
    this.#name = name
  }

  act(records: Records): void {
    const id = `${this.#name}-${this.#count++}`
    if (this.#count % 3 === 0) {
      const item = `<item jid='${id}@friends.example'/>`
      this.#ear.wire.says(`<iq type='set' id='${id}'><query xmlns='${NS_ROSTER}'>${item}</query></iq>`)
      return
    }
    records.sent.add(id)
    this.#ear.wire.says(message('nurse@localhost', 'hear', id))
  }

  finish(records: Records): void {
    for (const [id, told] of errorsOf(this.#ear, 'message')) records.refuse(id, told)
    for (const told of errorsOf(this.#ear, 'iq').values()) assert.equal(told, 'wait/resource-constraint')
    for (const [, id = ''] of this.#ear.text.matchAll(/<iq(?=[^>]* type='result')[^>]* id='(\w+-\d+)'/g)) {
      records.listed.add(`${id}@friends.example`)
    }
  }
}

/** From its last answer until it answers again. */
async function silence(ground: Ground, dice: SimRandom, talkers: readonly [Ear, Ear], write: () => void) {
  const { engine, server } = ground.symbolic
  engine.latencyMs = dice.below(3) * 5
  engine.hangAfter(dice.below(12))
  // Somebody asks the store until it has fallen silent.
  while (!engine.hung) {
    write()
    await talk(ground, ...talkers, 1)
  }
  const first = signsIn(ground, 'juliet')
  for (let n = 0; n < 3; n++) {
    write()
    await talk(ground, ...talkers, 4)
  }
  const { told, afterMs } = await first
  assert.equal(told, 'temporary-auth-failure')
  assert.ok(afterMs <= timeoutMs + 1_000, `after ${afterMs} ms`)
  // It has not answered for so long: from now on whoever needs it hears so at once.
  await ground.passes(timeoutMs)
  assert.equal(server.stores.state.name, 'stalled')
  const again = await signsIn(ground, 'juliet')
  assert.equal(again.told, 'temporary-auth-failure')
  assert.ok(again.afterMs < 1_000, `after ${again.afterMs} ms`)
  assert.equal(await toUnknown(ground, talkers[0]), 'wait/resource-constraint')
  write()
  await talk(ground, ...talkers, 10)
  await ground.passes(dice.below(20_000))
}

/** What is told of an account that nobody has asked for yet: without the store nobody knows whether it exists. */
async function toUnknown(ground: Ground, asker: Ear): Promise<string | undefined> {
  const name = `unknown-${ground.symbolic.simulation.now.toFixed()}`
  asker.wire.says(message(`${name}@localhost`, 'anybody?', name))
  await ground.passes(1_000)
  return errorsOf(asker, 'message').get(name)
}

/** One seed. Returns how many operations waited for the store at most. */
async function run(ground: Ground, seed: number): Promise<number> {
  const dice = new SimRandom(seed).fork('silence')
  const { server, engine } = ground.symbolic
  const records = new Records()
  server.core.hostType('default').hooks.on('message:outcome', 'test', ({ packet, offline }) => {
    if (offline) records.kept.add(packet.el.attr('id') ?? '')
  })
  const romeo = new Ear(await ground.bound('romeo', 'garden'))
  const juliet = new Ear(await ground.bound('juliet', 'balcony'))
  for (const { wire } of [romeo, juliet]) wire.says('<presence/>')
  const ears = [await ground.bound('romeo', 'one'), await ground.bound('romeo', 'two'), await ground.bound('juliet')]
  const writers = ears.map((wire, n) => new Writer(new Ear(wire), `w${n}`))
  const fromElsewhere = stranger(ground, records)
  let count = 0
  let most = 0
  const write = () => {
    for (const writer of writers) writer.act(records)
    // Now and then more at once than may wait.
    const many = dice.below(3) === 0 ? queueMax + 20 : 3
    for (let n = 0; n < many; n++) fromElsewhere(`e-${count++}`)
    most = Math.max(most, ground.counter('ratatosk_store_queue_operations'))
  }
  for (let n = 0; n < 3; n++) write()
  await talk(ground, romeo, juliet, 5)
  const rounds = 1 + dice.below(2)
  for (let round = 0; round < rounds; round++) {
    await silence(ground, dice, [romeo, juliet], write)
    engine.resume()
    engine.latencyMs = 0
    await ground.passes(1_000)
    assert.equal(server.stores.state.name, 'ready')
    assert.equal((await signsIn(ground, 'juliet')).told, 'success')
    assert.equal(await toUnknown(ground, romeo), 'cancel/service-unavailable')
    write()
    await talk(ground, romeo, juliet, 5)
  }
  await ground.passes(20_000)
  assert.ok(most <= queueMax, `${most} operations waited`)
  assert.equal(ground.counter('ratatosk_store_queue_operations'), 0)
  for (const writer of writers) writer.finish(records)
  await settles(ground, records)
  return most
}

/** Each message was kept or refused; what was kept is there, once, and each change that was acknowledged too. */
async function settles(ground: Ground, { sent, kept, refused, listed }: Records): Promise<void> {
  for (const id of sent) assert.ok(kept.has(id) !== refused.has(id), `${id}: kept ${kept.has(id)}, ${refused.get(id)}`)
  for (const [id, told] of refused) assert.match(told, /^wait\/(service-unavailable|resource-constraint)$/, id)
  const nurse = new Ear(await ground.bound('nurse', 'kitchen'))
  nurse.wire.says('<presence/>')
  await ground.passes(30_000)
  const came = [...nurse.text.matchAll(/<message(?=[^>]* id='([^']*)')/g)].map(([, id = '']) => id)
  assert.equal(new Set(came).size, came.length, 'nothing came twice')
  for (const id of kept) assert.ok(came.includes(id), `${id} was kept, and is lost`)
  for (const id of came) assert.ok(sent.has(id))
  // What came of one sender came in his order.
  const numbers = came.filter((id) => id.startsWith('e-')).map((id) => Number(id.slice(2)))
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  )
  const rosters = await Promise.all(['romeo', 'juliet'].map((user) => rosterOf(ground, user)))
  for (const contact of listed) assert.ok(rosters.join('').includes(`'${contact}'`), `${contact} is lost`)
  for (const [what, { size }] of Object.entries({ kept, refused, listed })) assert.ok(size > 0, `nothing was ${what}`)
}

async function rosterOf(ground: Ground, user: string): Promise<string> {
  const wire = await ground.bound(user, 'reader')
  wire.says(`<iq type='get' id='roster'><query xmlns='${NS_ROSTER}'/></iq>`)
  return wire.hears(/<iq [^>]*id='roster'.*?<\/iq>/)
}

describe('a store that never answers', () => {
  it(`chat goes on, nothing that was kept is lost (${seeds} seeds)`, async () => {
    let most = 0
    for (let seed = 1; seed <= seeds; seed++) {
      const act = async (ground: Ground) => {
        most = Math.max(most, await run(ground, seed))
      }
      await play(sections, act, seed)
    }
    assert.equal(most, queueMax, 'the limit of the queue was reached')
  })
})
