/**
 * Hand-overs by seeds: some write to one who comes and goes, reads slowly or not, has several resources, and whose store takes its
 * time or fails. Whatever happens, each message comes to exactly one place, a client or an error; and while they write without
 * pause to one who reads, his hand-over ends.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LedgerPolicy } from '../../core/ledger.ts'
import { jid } from '../../jid/jid.ts'
import { SimRandom } from '../../sim/random.ts'
import { storeError } from '../../store/errors.ts'
import { microtasksDone } from '../../world/microtasks.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import { parseElement, parseOctets } from '../../xml/parse.ts'
import { type Actor, House } from '../modules.testing.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'
const seeds = Number(process.env['RATATOSK_SEEDS'] ?? (isLong ? 5_000 : 60))
const first = Number(process.env['RATATOSK_FIRST_SEED'] ?? 1)

const me = 'romeo@montague.net'

const counting: LedgerPolicy = {
  request: "<r xmlns='urn:xmpp:sm:3'/>" as Octets,
  begun: { name: 'enabled', ns: 'urn:xmpp:sm:3' },
  stanzasMax: 1_000_000,
  bytesMax: 1_000_000_000,
  answerMs: 1_000_000_000,
}

/** A resource of his: what was written to it leaves only as it reads. One that counts has what it has acknowledged. */
class Resource {
  readonly actor: Actor
  readonly came: Element[] = []
  isGone = false
  #wasAway = false
  readonly #house: House
  readonly #counts: boolean
  /** What it has read and not acknowledged. */
  readonly #unacknowledged: Element[] = []
  readonly #index: number
  #read = 0
  /** What was written before has left when so much was read. */
  #marks: number[] = []

  constructor(house: House, name: string, priority: number, counts: boolean) {
    this.#house = house
    this.#counts = counts
    this.actor = house.actor(`${me}/${name}`)
    const { link, session } = this.actor
    if (counts) session.beginLedger(counting, name, 0)
    link.askDrained = () => void this.#marks.push(this.#read + link.written.length)
    this.#index = Number(/\d+$/.exec(name)?.[0] ?? 0) % 8
    this.shows(priority)
  }

  get isBusy(): boolean {
    return !this.actor.session.takesMessages
  }

  /** No two have the same: each would get a copy. */
  shows(priority: number): void {
    if (priority < 0) this.#wasAway = true
    this.actor.send(`<presence><priority>${8 * priority + this.#index}</priority></presence>`)
  }

  hides(): void {
    this.#wasAway = true
    this.actor.send(`<presence type='unavailable'/>`)
  }

  reads(count: number): void {
    const { link, session } = this.actor
    for (const bytes of link.written.splice(0, count)) {
      if (bytes === counting.request) continue
      this.#read++
      const end = /[\s/>]/.exec(bytes)?.index ?? bytes.length
      const el = parseOctets(`${bytes.slice(0, end)} xmlns='jabber:client'${bytes.slice(end)}` as Octets)
      if (el.name === 'message') this.#unacknowledged.push(el)
    }
    if (!this.#counts) this.came.push(...this.#unacknowledged.splice(0))
    while ((this.#marks[0] ?? Number.POSITIVE_INFINITY) <= this.#read) {
      this.#marks.shift()
      this.#house.clock.soon(() => session.drained(), undefined)
    }
  }

  readsAll(): void {
    this.reads(Number.POSITIVE_INFINITY)
    this.acknowledges()
  }

  acknowledges(): void {
    if (!this.isGone && this.actor.session.ledger?.acknowledge(this.#read) === true)
      this.came.push(...this.#unacknowledged.splice(0))
  }

  /** Its connection goes, with what it has not read. */
  goes(): void {
    const { link, session } = this.actor
    // What was kept while it took none is before what would come into the store now, though it is newer.
    if (this.#wasAway) this.readsAll()
    const bytes = link.written
      .splice(0)
      .filter((one) => one.startsWith('<message'))
      .join('')
    this.isGone = true
    session.linkEnded({ reason: 'lost', detail: '' })
    session.linkGone({ bytes: bytes as Octets, taken: 0, since: 0, heldBack: '' as Octets })
  }
}

class Story {
  readonly house: House
  readonly dice: SimRandom
  readonly senders: readonly Actor[]
  /** All that there ever were. */
  readonly resources: Resource[] = []
  readonly said = new Map<string, number>()
  /** By sender: ids that came back to him. */
  readonly errors = new Map<string, string[]>()
  /** He has one resource at a time: then the order is kept from one to the next. */
  readonly isSingle: boolean
  /** The store fails now and then. What it does not remove comes again. */
  readonly fails: boolean
  /** They write without pause all the time. */
  readonly isPressed: boolean

  constructor(house: House, seed: number) {
    this.house = house
    this.dice = new SimRandom(seed)
    this.isSingle = seed % 2 === 0
    this.fails = seed % 3 === 0
    this.isPressed = seed % 8 > 2
    this.senders = Array.from({ length: 1 + this.dice.below(6) }, (_, i) => house.actor(`s${i}@capulet.com/b`))
  }

  get there(): readonly Resource[] {
    return this.resources.filter(({ isGone }) => !isGone)
  }

  #next(from: string): string {
    const next = this.said.get(from) ?? 0
    this.said.set(from, next + 1)
    return `<message to='${me}' type='chat' id='${next}'><body>${'x'.repeat(this.dice.below(2_000))}</body></message>`
  }

  says(sender: Actor): void {
    sender.send(this.#next(sender.address))
  }

  /** A module of the server's sends something, and does not wait for what becomes of it. */
  notifies(): void {
    const from = 'service.capulet.com'
    const el = parseElement(this.#next(from).replace('<message', "<message xmlns='jabber:client'"))
    void this.house.core.send(el, jid(from), jid(me))
  }

  comes(): void {
    const { there, dice } = this
    if (there.length >= (this.isSingle ? 1 : 3)) return
    const priority = dice.below(this.isSingle ? 1 : 4)
    this.resources.push(new Resource(this.house, `r${this.resources.length}`, priority, dice.below(3) === 0))
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) {
      await microtasksDone()
      this.house.clock.turn()
    }
    for (const sender of this.senders) {
      for (const el of sender.link.take()) {
        if (el.attr('type') !== 'error') continue
        const known = this.errors.get(sender.address) ?? []
        this.errors.set(sender.address, [...known, el.attr('id') ?? ''])
      }
    }
  }

  async step(): Promise<void> {
    const { dice, house, there, senders } = this
    const someone = there[dice.below(Math.max(1, there.length))]
    const dies = dice.below(24)
    for (const sender of senders) {
      if (this.isPressed ? !sender.session.isBusy : dies < 10 && dice.below(2) === 0) this.says(sender)
    }
    const isWaitedFor = house.core.metrics.value('ratatosk_messages_held') > 0
    if (dies === 10 || (isWaitedFor && dice.below(2) === 0))
      for (let burst = dice.below(20); burst > 0; burst--) this.notifies()
    if (dies === 11) someone?.goes()
    if (dies === 12) someone?.shows(dice.below(5) - 1)
    if (dies === 13) someone?.hides()
    if (dies === 14) house.engine.latencyMs = dice.below(3) * dice.below(60)
    if (dies === 15 && this.fails)
      house.engine.failing = dice.below(3) === 0 ? storeError('RTK_STORE_DISK_FULL', 'full') : undefined
    if (dies > 15 && dies < 19) this.comes()
    for (const one of there) if (dice.below(3) === 0) one.acknowledges()
    if (dies > 18)
      for (const one of there) if (dice.below(4) > 0) one.reads(dice.below(4) === 0 ? 1_000 : dice.below(40))
    await this.turns(1 + dice.below(3))
    if (house.engine.latencyMs > 0 || dice.below(4) === 0)
      house.clock.advance(dice.below(12) === 0 ? 1_050 : dice.below(80))
  }

  /** They write without pause to one who reads all. */
  async rush(): Promise<void> {
    const { house, senders } = this
    house.engine.failing = undefined
    house.engine.latencyMs = this.dice.below(2) * this.dice.below(40)
    for (const one of this.there) one.goes()
    const reader = new Resource(house, 'reader', 0, this.dice.below(2) === 0)
    this.resources.push(reader)
    let turns = 0
    for (; turns < 3_000 && (turns < 20 || reader.isBusy); turns++) {
      for (const sender of senders) if (!sender.session.isBusy) this.says(sender)
      await this.turns(1)
      house.clock.advance(10)
      reader.readsAll()
    }
    assert.ok(turns < 3_000, 'the hand-over does not end')
    reader.goes()
  }

  async rest(): Promise<void> {
    const { house } = this
    house.engine.failing = undefined
    house.engine.latencyMs = 0
    const last = new Resource(house, 'last', 9, false)
    this.resources.push(last)
    for (let quiet = 0; quiet < 30; quiet++) {
      const before = this.resources.map(({ came }) => came.length).join()
      house.clock.advance(100)
      await this.turns(10)
      for (const one of this.there) one.readsAll()
      if (this.resources.map(({ came }) => came.length).join() !== before) quiet = 0
    }
  }

  check(): void {
    const wrong: string[] = []
    for (const [from, count] of this.said) {
      const came = this.resources.flatMap((one) => one.came).filter((el) => el.attr('from') === from)
      const ids = came.map((el) => Number(el.attr('id')))
      const places = [...ids, ...(this.errors.get(from) ?? []).map(Number)].sort((a, b) => a - b)
      const all = this.fails ? [...new Set(places)] : places
      // Nobody hears what became of what a module sent.
      const isKnown = from !== 'service.capulet.com'
      const expected = Array.from({ length: count }, (_, i) => i)
      if (isKnown ? all.join() !== expected.join() : new Set(all).size !== all.length)
        wrong.push(`of ${count} of ${from}: ${all}`)
      if (!this.isSingle || this.fails) continue
      const at = ids.findIndex((id, i) => i > 0 && (ids[i - 1] as number) > id)
      if (at > 0) wrong.push(`${ids[at - 1]} before ${ids[at]} of ${from}`)
    }
    assert.deepEqual(wrong, [])
    const value = (name: string) => this.house.core.metrics.value(name)
    assert.equal(value('ratatosk_messages_held'), 0)
    assert.equal(value('ratatosk_offline_mailboxes_active'), 0)
    assert.equal(value('ratatosk_accounts_unsettled'), 0)
    if (!this.fails) assert.equal(value('ratatosk_handler_faults_total'), 0)
  }
}

async function tell(seed: number): Promise<{ held: number; expired: number }> {
  const house = await House.build({ options: { offline: { messages_max: 100_000, bytes_max: '1 GiB' } } })
  const story = new Story(house, seed)
  const { core } = house
  const holdMessages = core.holdMessages.bind(core)
  let held = 0
  core.holdMessages = (account) => {
    const hold = holdMessages(account)
    if (!hold.isOver) held++
    return hold
  }
  for (let steps = 40 + story.dice.below(100); steps > 0; steps--) {
    await story.step()
  }
  await story.rush()
  await story.rest()
  story.check()
  return { held, expired: core.metrics.value('ratatosk_message_holds_expired_total') }
}

describe('whatever happens to a hand-over, each message comes to one place', () => {
  it(`seeds ${first} to ${first + seeds - 1}`, async (context) => {
    const seen = { held: 0, expired: 0 }
    for (let seed = first; seed < first + seeds; seed++) {
      const { held, expired } = await tell(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}`, { cause: error })
      })
      seen.held += held
      seen.expired += expired
    }
    context.diagnostic(JSON.stringify(seen))
    if (seeds >= 50) assert.ok(seen.held > seeds && seen.expired > 0, JSON.stringify(seen))
  })
})
