/** A hand-over that messages keep coming to: it catches up and steps aside, and what becomes of what waits for that. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messageHoldMs } from '../../core/message-holds.ts'
import { storeError } from '../../store/errors.ts'
import { microtasksDone } from '../../world/microtasks.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import { type Actor, House } from '../modules.testing.ts'
import { closingPauseMs } from './closing.ts'
import { pageSize } from './mailboxes.ts'
import { offlineStore } from './offline.store.ts'

const me = 'romeo@montague.net'
const roomy = { options: { offline: { messages_max: 100_000 } } }
const delaysOf = (el: Element | undefined) => el?.childrenNamed('delay', 'urn:xmpp:delay') ?? []

/** Some who write to romeo without pause: each says the next as soon as the one before was dealt with. */
class Crowd {
  readonly house: House
  readonly senders: readonly Actor[]
  /** By sender: how many messages he has said. */
  readonly said = new Map<string, number>()
  /** What romeo's resources got, in order. */
  readonly came: Element[] = []

  constructor(house: House, count: number) {
    this.house = house
    this.senders = Array.from({ length: count }, (_, i) => house.actor(`s${i}@capulet.com/b`))
  }

  say(sender: Actor, to = me): void {
    const next = this.said.get(sender.address) ?? 0
    this.said.set(sender.address, next + 1)
    sender.send(`<message to='${to}' type='chat' id='${next}'><body>${next}</body></message>`)
  }

  async kept(count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.say(this.senders[i % this.senders.length] as Actor)
    await this.house.settle()
  }

  /** They write for so many turns, or until this is so. Returns how many it took. */
  async writes(turns: number, until: () => boolean, ...readers: readonly Actor[]): Promise<number> {
    for (let turn = 0; turn < turns; turn++) {
      for (const sender of this.senders) if (!sender.session.isBusy) this.say(sender)
      await microtasksDone()
      this.house.clock.turn()
      for (const reader of readers) this.came.push(...reader.link.take())
      if (until()) return turn
    }
    return turns
  }

  async takes(reader: Actor): Promise<void> {
    this.came.push(...(await reader.drain()))
  }

  get messages(): readonly Element[] {
    return this.came.filter(({ name }) => name === 'message')
  }

  /** Each has come once, in its sender's order. */
  check(): void {
    const seen = new Map<string, number>()
    for (const el of this.messages) {
      const from = el.attr('from') ?? ''
      const next = seen.get(from) ?? 0
      assert.equal(el.attr('id'), String(next), `of ${from}`)
      seen.set(from, next + 1)
    }
    assert.deepEqual(seen, this.said)
  }
}

const kept = (house: House) => house.core.metrics.value('ratatosk_offline_kept_total')
const held = (house: House) => house.core.metrics.value('ratatosk_messages_held')
const expired = (house: House) => house.core.metrics.value('ratatosk_message_holds_expired_total')

async function inStore(house: House): Promise<number> {
  const store = await house.wait(house.stores.open(offlineStore))
  return (await house.wait(store.count({ host: 'montague.net', local: 'romeo' })))?.count ?? 0
}

function arrive(house: House, resource = 'a', priority = 0): Actor {
  const actor = house.actor(`${me}/${resource}`)
  actor.send(`<presence><priority>${priority}</priority></presence>`)
  return actor
}

/** Until some wait for the end of the hand-over. */
async function closes(crowd: Crowd, ...readers: readonly Actor[]): Promise<void> {
  const turns = await crowd.writes(400, () => held(crowd.house) > 0, ...readers)
  assert.ok(turns < 400, 'nobody ever waited')
}

describe('while messages keep coming', () => {
  for (const [count, before] of [
    [1, 10],
    [3, 200],
    [2 * pageSize, 300],
  ] as const) {
    it(`a hand-over ends all the same: ${count} who write, after ${before} messages`, async () => {
      const house = await House.build(roomy)
      const crowd = new Crowd(house, count)
      await crowd.kept(before)
      const romeo = arrive(house)
      const becameReady = await crowd.writes(50, () => !romeo.session.takesMessages, romeo)
      assert.ok(becameReady < 50)
      const saidBefore = new Map(crowd.said)
      const turns = await crowd.writes(600, () => romeo.session.takesMessages, romeo)
      assert.ok(turns < 600, `${turns} turns`)
      const wasKept = kept(house)
      await crowd.writes(50, () => false, romeo)
      assert.equal(kept(house), wasKept, 'nothing goes through the store any more')
      assert.equal(expired(house), 0)
      await crowd.takes(romeo)
      crowd.check()
      assert.equal(await inStore(house), 0)
      assert.equal(house.core.metrics.value('ratatosk_offline_mailboxes_active'), 0)
      for (const el of crowd.messages) {
        const isNew = Number(el.attr('id')) >= (saidBefore.get(el.attr('from') ?? '') ?? 0)
        if (isNew) assert.deepEqual(delaysOf(el), [], 'it is not late')
      }
    })
  }

  it('nobody waits where few come', async () => {
    const house = await House.build(roomy)
    const crowd = new Crowd(house, 1)
    await crowd.kept(20)
    const romeo = arrive(house)
    await crowd.writes(50, () => !romeo.session.takesMessages, romeo)
    crowd.say(crowd.senders[0] as Actor)
    let most = 0
    for (let turn = 0; turn < 100; turn++) {
      await microtasksDone()
      house.clock.turn()
      most = Math.max(most, held(house))
    }
    assert.equal(most, 0)
    await crowd.takes(romeo)
    crowd.check()
  })

  it('all resources that took messages before do so again at one moment', async () => {
    const { house, crowd, keep } = await lateKept(3)
    const both = [arrive(house, 'a', 1), arrive(house, 'b', 1)] as const
    for (const one of both) await one.drain()
    keep()
    await crowd.writes(50, () => both.every(({ session }) => !session.takesMessages))
    for (const { link } of both) link.take()
    await closes(crowd)
    const firstHeld = crowd.senders.map(({ address }) => (crowd.said.get(address) ?? 0) - 1)
    await crowd.writes(50, () => both.every(({ session }) => session.takesMessages))
    for (const one of both) {
      const came = (await one.drain()).filter(({ name }) => name === 'message')
      crowd.senders.forEach(({ address }, i) => {
        const ids = came.filter((el) => el.attr('from') === address).map((el) => Number(el.attr('id')))
        const wanted = Array.from({ length: (crowd.said.get(address) ?? 0) - (firstHeld[i] ?? 0) }, (_, n) => n)
        assert.deepEqual(
          ids.slice(-wanted.length),
          wanted.map((n) => n + (firstHeld[i] ?? 0)),
        )
      })
    }
  })

  it('and when the one who is handed what was kept goes, it is the turn of another of them', async () => {
    const { house, crowd, keep } = await lateKept(3)
    const [a, b] = [arrive(house, 'a', 5), arrive(house, 'b', 0)]
    for (const one of [a, b]) await one.drain()
    a.link.drained = undefined
    keep()
    await house.settle()
    assert.equal(b.session.takesMessages, false)
    unread(a)
    await house.settle()
    assert.equal(b.session.takesMessages, true)
    await crowd.takes(b)
    crowd.check()
  })
})

describe('a module that is reloaded under load', () => {
  it('hands over to the end all the same', async () => {
    const house = await House.build(roomy)
    const crowd = new Crowd(house, 3)
    await crowd.kept(200)
    const romeo = arrive(house)
    await crowd.writes(30, () => false, romeo)
    assert.equal(romeo.session.takesMessages, false)
    const reloading = house.modules.reload('offline')
    const turns = await crowd.writes(600, () => romeo.session.takesMessages, romeo)
    await house.wait(reloading)
    assert.ok(turns < 600)
    await crowd.takes(romeo)
    const ids = crowd.messages.map((el) => `${el.attr('from')} ${el.attr('id')}`)
    assert.equal(new Set(ids).size, ids.length)
  })
})

/** The connection of one who has read nothing goes. */
function unread({ session, link }: Actor): void {
  const bytes = link.written.splice(0).filter((one) => one.startsWith('<message'))
  session.linkEnded({ reason: 'lost', detail: '' })
  session.linkGone({ bytes: bytes.join('') as Octets, taken: 0, since: 0, heldBack: '' as Octets })
}

/** Somebody looks at so many messages for so long that resources are there and take messages when they are kept: `keep`. */
async function lateKept(count: number): Promise<{ house: House; crowd: Crowd; keep: () => void }> {
  const house = await House.build(roomy)
  const waiting: (() => void)[] = []
  let isSlow = true
  const slow = () => (isSlow ? new Promise<undefined>((resolve) => waiting.push(() => resolve(undefined))) : undefined)
  house.core.hostType('default').hooks.on('message:undelivered', 'slow', slow, { phase: 'early' })
  const crowd = new Crowd(house, count)
  await crowd.kept(count)
  isSlow = false
  return {
    house,
    crowd,
    keep: () => {
      for (const go of waiting) go()
    },
  }
}

describe('who waits for its end', () => {
  /** romeo is being handed what was kept, and those who write wait; he reads nothing more. */
  async function closing(count = 3): Promise<{ house: House; crowd: Crowd; romeo: Actor }> {
    const house = await House.build(roomy)
    const crowd = new Crowd(house, count)
    await crowd.kept(60)
    const romeo = arrive(house)
    await closes(crowd, romeo)
    const { drained } = romeo.link
    romeo.link.drained = undefined
    await crowd.writes(20, () => false, romeo)
    assert.equal(held(house), count)
    romeo.link.askDrained = () => {
      romeo.link.drained = drained
    }
    return { house, crowd, romeo }
  }

  it('waits for a second at most: then it is kept, in order, and the hand-over goes on', async () => {
    const { house, crowd, romeo } = await closing()
    const before = kept(house)
    await house.pass(messageHoldMs - 1)
    assert.equal(held(house), 3)
    assert.equal(kept(house), before)
    await house.pass(1)
    assert.equal(held(house), 0)
    assert.equal(expired(house), 1)
    assert.equal(kept(house), before + 3)
    assert.equal(romeo.session.takesMessages, false)
    for (const { session } of crowd.senders) assert.equal(session.isBusy, false)
    // He reads again.
    romeo.link.askDrained = () => house.clock.soon(() => romeo.session.drained(), undefined)
    romeo.session.drained()
    await crowd.takes(romeo)
    crowd.check()
    assert.equal(romeo.session.takesMessages, true)
  })

  it('and not again for ten: who reads slowly slows nobody for more than a tenth of the time', async () => {
    const { house, crowd, romeo } = await closing()
    await house.pass(messageHoldMs)
    romeo.link.askDrained = () => house.clock.soon(() => romeo.session.drained(), undefined)
    romeo.session.drained()
    let passed = 0
    // It is seen that it is over when the next page was read.
    for (; held(house) === 0; passed += 100) {
      assert.ok(passed < 2 * closingPauseMs, 'nobody waits again')
      await crowd.writes(5, () => held(house) > 0, romeo)
      house.clock.advance(100)
    }
    assert.ok(passed >= closingPauseMs, `after ${passed} ms`)
    await crowd.writes(400, () => romeo.session.takesMessages, romeo)
    assert.equal(romeo.session.takesMessages, true)
    assert.equal(expired(house), 1)
    await crowd.takes(romeo)
    crowd.check()
  })

  it('is kept when the session ends, and late for who comes next', async () => {
    const { house, crowd, romeo } = await closing()
    romeo.drop()
    await house.settle()
    assert.equal(held(house), 0)
    assert.equal(expired(house), 0)
    await house.pass(60_000)
    const next = arrive(house, 'b')
    const late = await next.drain()
    crowd.came.push(...late)
    crowd.check()
    for (const el of late.filter(({ name }) => name === 'message').slice(-3)) assert.equal(delaysOf(el).length, 1)
  })

  it('goes to another resource that is there when the session ends, behind what was kept', async () => {
    const { house, crowd, romeo } = await closing()
    const b = arrive(house, 'b', 0)
    await house.settle()
    romeo.drop()
    await crowd.takes(b)
    crowd.check()
    assert.equal(b.session.takesMessages, true)
    assert.equal(expired(house), 0)
  })

  it('is kept when the resource becomes unavailable', async () => {
    const { house, crowd, romeo } = await closing()
    romeo.send(`<presence type='unavailable'/>`)
    romeo.session.drained()
    await house.settle()
    assert.equal(held(house), 0)
    await crowd.takes(romeo)
    await crowd.takes(arrive(house, 'b'))
    crowd.check()
  })

  it('is refused when the store fails: each sender hears of his', async () => {
    const { house, crowd, romeo } = await closing()
    house.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    romeo.session.drained()
    for (const sender of crowd.senders) {
      const [error, ...more] = await sender.drain()
      assert.deepEqual(more, [])
      assert.equal(error?.attr('id'), String((crowd.said.get(sender.address) ?? 0) - 1))
      assert.equal(error?.child('error')?.elements[0]?.name, 'service-unavailable')
    }
    assert.equal(held(house), 0)
    house.engine.failing = undefined
  })

  it('is refused when the mailbox is full', async () => {
    const { house, crowd, romeo } = await closing()
    const full = await inStore(house)
    house.modules.configure('offline', { ...(house.modules.options('offline') as object), messages_max: full + 1 })
    await house.pass(messageHoldMs)
    const errors: Element[] = []
    for (const sender of crowd.senders) errors.push(...(await sender.drain()))
    assert.deepEqual(
      errors.map((el) => el.attr('from')),
      [me, me],
    )
    assert.equal(await inStore(house), full + 1)
    romeo.drop()
    await house.settle()
  })

  it('may be of the same account, its own resource included', async () => {
    const { house, crowd, romeo } = await closing()
    const tablet = arrive(house, 'tablet', -1)
    await tablet.drain()
    for (const own of [romeo, tablet]) crowd.say(own)
    await microtasksDone()
    assert.equal(held(house), 5)
    romeo.link.askDrained = () => house.clock.soon(() => romeo.session.drained(), undefined)
    romeo.session.drained()
    await crowd.takes(romeo)
    assert.equal(expired(house), 0)
    crowd.check()
  })

  it('does not keep what is for one resource, or a headline, waiting', async () => {
    const { house, crowd, romeo } = await closing()
    const nurse = house.actor('nurse@capulet.com/n')
    nurse.send(`<message to='${me}/a' type='chat' id='full'><body>x</body></message>`)
    nurse.send(`<message to='${me}' type='headline' id='news'/>`)
    await house.settle()
    assert.deepEqual(
      romeo.link.take().map((el) => el.attr('id')),
      ['full', 'news'],
    )
    assert.equal(held(house), crowd.senders.length)
    romeo.drop()
    await house.settle()
  })

  it('is kept when the server stops, before its stores close', async () => {
    const { house, crowd } = await closing()
    const before = await inStore(house)
    house.core.close()
    await house.wait(house.core.unsentSettled())
    assert.equal(held(house), 0)
    assert.equal(await inStore(house), before + crowd.senders.length)
  })
})
