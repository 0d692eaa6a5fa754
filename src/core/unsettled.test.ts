import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NS_CLIENT } from '../stanza/ns.ts'
import { x } from '../xml/build.ts'
import type { Octets } from '../xml/octets.ts'
import { type Bench, bench, type Client } from './core.testing.ts'
import { Batch } from './hand-over.ts'
import { type Verdict, verdictKept } from './packet.ts'
import { unsentOpenMax, unsentTurnBytes, unsentTurnStanzas } from './unsettled.ts'

const message = (to: string, id: number | string, body = 'x') =>
  `<message from='romeo@montague.net/orchard' to='${to}' type='chat' id='${id}'><body>${body}</body></message>` as Octets

const bare = 'juliet@capulet.com'
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i))

/** A core whose store keeps what it is asked to keep, at once or when `answers` is called. */
function ground(isSlow = false) {
  const made = bench()
  const kept: (string | undefined)[] = []
  const open: (() => void)[] = []
  made.core.hostType('default').hooks.on('message:undelivered', 'store', (packet): Verdict | Promise<Verdict> => {
    kept.push(packet.el.attr('id'))
    return isSlow ? new Promise((resolve) => open.push(() => resolve(verdictKept))) : verdictKept
  })
  const answers = async (count: number) => {
    for (const answer of open.splice(0, count)) answer()
    await settles()
  }
  return { ...made, kept, open, answers }
}

/** Until all promises that are resolved were heard. */
async function settles(): Promise<void> {
  for (let i = 0; i < 20; i++) await undefined
}

/** The connection of a client goes with this on it. */
function goes({ session, link }: Client, bytes: string, heldBack = ''): void {
  session.linkEnded({ reason: 'lost', detail: '' }, link)
  session.linkGone({ bytes: bytes as Octets, taken: 0, since: 0, heldBack: heldBack as Octets }, link)
}

const messages = (count: number, to = `${bare}/a`, from = 0) =>
  upTo(count, from)
    .map((id) => message(to, id))
    .join('')

const unsettled = ({ core }: Pick<Bench, 'core'>) => core.metrics.value('ratatosk_accounts_unsettled')

describe('what a connection left', () => {
  it('is settled a slice a turn', () => {
    const made = ground()
    goes(made.client(`${bare}/a`), messages(150), messages(50, `${bare}/a`, 150))
    for (let most = unsentTurnStanzas; most < 200; most += unsentTurnStanzas) {
      assert.deepEqual(made.kept, upTo(most))
      assert.equal(unsettled(made), 1)
      assert.equal(made.clock.turn(), true)
    }
    assert.deepEqual(made.kept, upTo(200))
    assert.equal(unsettled(made), 0)
    assert.equal(made.clock.turn(), true, 'the next turn has its own slice')
    assert.equal(made.clock.turn(), false)
  })

  it('is settled in slices of bytes too', () => {
    const made = ground()
    const body = 'x'.repeat(unsentTurnBytes / 2)
    goes(made.client(`${bare}/a`), [0, 1, 2, 3].map((id) => message(bare, id, body)).join(''))
    assert.deepEqual(made.kept, upTo(2))
    made.clock.turn()
    assert.deepEqual(made.kept, upTo(4))
  })

  it('one slice serves all that go in a turn', () => {
    const made = ground()
    const all = ['a', 'b', 'c'].map((name) => made.client(`${name}@capulet.com/x`))
    for (const one of all) goes(one, messages(40, one.session.jid.toString()))
    assert.equal(made.kept.length, unsentTurnStanzas)
    made.clock.turn()
    assert.equal(made.kept.length, 120)
  })

  it('waits for the store when enough is on its way there, but not at a stop', async () => {
    const made = ground(true)
    goes(made.client(`${bare}/a`), messages(300))
    while (made.clock.turn());
    assert.equal(made.kept.length, unsentOpenMax)
    await made.answers(10)
    made.clock.turn()
    assert.deepEqual(made.kept, upTo(unsentOpenMax + 10))
    let isSettled = false
    const settled = made.core.unsentSettled().then(() => {
      isSettled = true
    })
    while (made.clock.turn()) await settles()
    assert.deepEqual(made.kept, upTo(300))
    await made.answers(unsentOpenMax)
    assert.equal(isSettled, false)
    await made.answers(300)
    await settled
  })
})

describe('what comes for the account meanwhile', () => {
  it('waits behind it, in order, and so do those who sent it; what is for others does not', async () => {
    const made = ground()
    const { core, clock, client, kept } = made
    const romeo = client('romeo@montague.net/orchard')
    const nurse = client('nurse@capulet.com/n')
    goes(client(`${bare}/a`), messages(100))
    romeo.send(message(bare, 'r1'))
    core.send(x('message', NS_CLIENT, { id: 's1' }), romeo.session.jid, nurse.session.jid)
    romeo.send(message('nurse@capulet.com/n', 'r2'))
    assert.deepEqual(
      nurse.take().map((el) => el.attr('id')),
      ['s1'],
    )
    assert.deepEqual(kept, upTo(64))
    clock.turn()
    await settles()
    assert.deepEqual(kept, [...upTo(100), 'r1'])
    assert.deepEqual(
      nurse.take().map((el) => el.attr('id')),
      ['r2'],
    )
  })

  it('waits for the store too, for there it could be overtaken', async () => {
    const made = ground(true)
    const romeo = made.client('romeo@montague.net/orchard')
    goes(made.client(`${bare}/a`), messages(2))
    const b = made.client(`${bare}/b`)
    romeo.send(message(`${bare}/b`, 'late'))
    while (made.clock.turn()) await settles()
    assert.deepEqual(b.take(), [])
    await made.answers(1)
    while (made.clock.turn()) await settles()
    assert.deepEqual(b.take(), [])
    await made.answers(1)
    while (made.clock.turn()) await settles()
    assert.deepEqual(
      b.take().map((el) => el.attr('id')),
      ['late'],
    )
    assert.equal(unsettled(made), 0)
  })

  it('an error and a request do not wait', () => {
    const { client } = ground()
    const romeo = client('romeo@montague.net/orchard')
    goes(client(`${bare}/a`), messages(100))
    const b = client(`${bare}/b`)
    romeo.send(`<message to='${bare}/b' type='error' id='e'/>`)
    romeo.send(`<iq to='${bare}/b' type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>`)
    assert.deepEqual(
      b.take().map((el) => el.attr('id')),
      ['e', 'q'],
    )
  })

  it('goes with the rest to one who comes back, behind it', async () => {
    const made = ground()
    const romeo = made.client('romeo@montague.net/orchard')
    goes(made.client(`${bare}/a`), messages(100))
    romeo.send(message(bare, 'late'))
    const b = made.client(`${bare}/b`)
    b.send('<presence/>')
    b.take()
    made.clock.turn()
    await settles()
    assert.deepEqual(made.kept, upTo(64))
    assert.deepEqual(
      b.take().map((el) => el.attr('id')),
      [...upTo(36, 64), 'late'],
    )
  })

  it('what fails behind it fails for its sender alone', async () => {
    const made = ground()
    const romeo = made.client('romeo@montague.net/orchard')
    goes(made.client(`${bare}/a`), messages(100))
    const throwing = made.client(`${bare}/b`)
    throwing.link.write = () => {
      throw new Error('no')
    }
    romeo.send(message(`${bare}/b`, 'bad'))
    romeo.send(message(bare, 'good'))
    while (made.clock.turn()) await settles()
    await settles()
    assert.deepEqual(made.kept, [...upTo(100), 'good'])
    assert.deepEqual(
      romeo.take().map((el) => `${el.attr('id')} ${el.attr('type')}`),
      ['bad error'],
    )
  })
})

describe('while nobody knows yet whether the account exists', () => {
  /** Whether accounts exist is known when `knows` is called. */
  function unknown() {
    const made = ground()
    const { promise, resolve } = Promise.withResolvers<boolean>()
    let known: boolean | undefined
    Object.assign(made.core.accounts, { exists: () => known ?? promise })
    return {
      ...made,
      knows: async (exists: boolean) => {
        known = exists
        resolve(exists)
        // The turn ends before anybody has heard of it.
        made.clock.turn()
        while (made.clock.turn() || unsettled(made) > 0) await settles()
      },
    }
  }

  it('the rest of what a connection left does not overtake its beginning, because somebody comes', async () => {
    const made = unknown()
    goes(made.client(`${bare}/a`), messages(100))
    const b = made.client(`${bare}/b`)
    while (made.clock.turn());
    assert.deepEqual(made.kept, [], 'nothing of it is handled')
    await made.knows(true)
    assert.deepEqual(made.kept, upTo(100))
    assert.deepEqual(b.take(), [])
    assert.equal(unsettled(made), 0)
  })

  it('nor because the answer is known to the next first', async () => {
    const made = unknown()
    goes(made.client(`${bare}/a`), messages(100))
    await made.knows(true)
    assert.deepEqual(made.kept, upTo(100))
  })

  it('one message does not overtake another, because somebody comes', async () => {
    const made = unknown()
    made.client('romeo@montague.net/orchard').send(message(bare, 'first'))
    const b = made.client(`${bare}/b`)
    made.client('nurse@montague.net/n').send(`<message to='${bare}/b' type='chat' id='second'/>`)
    while (made.clock.turn());
    assert.deepEqual([made.kept, b.take()], [[], []])
    await made.knows(true)
    assert.deepEqual(made.kept, ['first'])
    assert.deepEqual(
      b.take().map((el) => el.attr('id')),
      ['second'],
    )
    assert.equal(unsettled(made), 0)
  })

  it('a stop waits for the answer, and all is refused when there is no such account', async () => {
    const made = unknown()
    const romeo = made.client('romeo@montague.net/orchard')
    goes(made.client(`${bare}/a`), messages(100))
    let isSettled = false
    const settled = made.core.unsentSettled().then(() => {
      isSettled = true
    })
    while (made.clock.turn()) await settles()
    assert.equal(isSettled, false)
    await made.knows(false)
    await settled
    assert.deepEqual(made.kept, [])
    assert.deepEqual(
      romeo.take().map((el) => `${el.attr('id')} ${el.attr('type')}`),
      upTo(100).map((id) => `${id} error`),
    )
  })
})

describe('accounts', () => {
  it('have their slices in turn, even when one of them is written to without end', async () => {
    const made = ground()
    const many = upTo(2 * unsentTurnStanzas).map((name) => made.client(`${name}@montague.net/x`))
    goes(made.client(`${bare}/a`), messages(100))
    const write = () => {
      for (const one of many) one.send(`<message to='${bare}' type='chat' id='m'><body>x</body></message>`)
    }
    write()
    made.clock.turn()
    await settles()
    goes(made.client('nurse@capulet.com/n'), messages(10, 'nurse@capulet.com', 1_000))
    for (let turn = 0; turn < 2; turn++) {
      write()
      made.clock.turn()
      await settles()
    }
    assert.deepEqual(
      made.kept.filter((id) => Number(id) >= 1_000),
      upTo(10, 1_000),
    )
    assert.equal(unsettled(made), 1)
  })
})

describe('several connections of one account', () => {
  it('what went on to another resource that goes too comes before what is left', () => {
    const made = ground()
    const b = made.client(`${bare}/b`)
    b.send('<presence/>')
    b.take()
    goes(made.client(`${bare}/a`), messages(100))
    const went = b.link.written.join('')
    assert.equal(b.take().length, unsentTurnStanzas)
    goes(b, went)
    while (made.clock.turn());
    assert.deepEqual(made.kept, upTo(100))
  })
})

describe('a batch that the store keeps', () => {
  it('is not kept once more, and ends when all was read', async () => {
    const made = ground()
    const a = made.client(`${bare}/a`)
    const stanzas = upTo(10).map((id) => message(`${bare}/a`, `b${id}`))
    const batch = new Batch(stanzas)
    a.session.handOver(batch)
    goes(a, messages(100) + stanzas.slice(4).join('') + messages(5, bare, 100))
    assert.equal(batch.isDone, false)
    made.clock.turn()
    assert.deepEqual(made.kept, upTo(105))
    assert.equal(await batch.done, 4)
  })
})
