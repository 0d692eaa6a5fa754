import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../jid/jid.ts'
import { microtasksDone } from '../world/microtasks.ts'
import type { Octets } from '../xml/octets.ts'
import { parseElement } from '../xml/parse.ts'
import { bench, type Client } from './core.testing.ts'
import { messageHoldBytes, messageHoldMs } from './message-holds.ts'
import { type Verdict, verdictKept } from './packet.ts'

const bare = 'juliet@capulet.com'
const account = jid(bare)
const message = (id: number | string, to = bare, more = '') =>
  `<message to='${to}' type='chat' id='${id}'${more}><body>x</body></message>`
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i))

/** juliet is there, and takes no messages; a store keeps what nobody takes. */
function ground() {
  const made = bench()
  const kept: (string | undefined)[] = []
  let answers: ((verdict: Verdict) => void)[] | undefined
  made.core.hostType('default').hooks.on('message:undelivered', 'store', (packet): Verdict | Promise<Verdict> => {
    kept.push(packet.el.attr('id'))
    return answers === undefined ? verdictKept : new Promise((resolve) => answers?.push(resolve))
  })
  const juliet = made.client(`${bare}/a`)
  juliet.send('<presence/>')
  juliet.take()
  juliet.session.takesMessages = false
  const senders = new Map<number, Client>()
  /** Each is another's, so that none waits for the one before. */
  const says = (id: number) => {
    const sender = senders.get(id) ?? made.client(`r${id}@montague.net/x`)
    senders.set(id, sender)
    sender.send(message(id))
  }
  const notifies = (id: number | string, to = bare) => {
    const el = parseElement(message(id, to).replace('<message', "<message xmlns='jabber:client'"))
    return made.core.send(el, jid('montague.net'), jid(to))
  }
  return {
    ...made,
    kept,
    juliet,
    says,
    notifies,
    sender: (id: number) => senders.get(id) as Client,
    held: () => made.core.metrics.value('ratatosk_messages_held'),
    expired: () => made.core.metrics.value('ratatosk_message_holds_expired_total'),
    takes: () => juliet.session.takeMessages(made.clock.wallMs()),
    storeWaits: () => {
      answers = []
    },
    storeAnswers: async () => {
      for (const answer of answers?.splice(0) ?? []) answer(verdictKept)
      await microtasksDone()
    },
  }
}

const idsOf = (client: Client) => client.take().map((el) => el.attr('id'))

describe('messages that nobody may take wait while they are held', () => {
  it('and are handled in order when they are released, before what comes next, as if they came now', async () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    for (let id = 0; id < 3; id++) made.says(id)
    made.notifies(3, `${bare}/gone`)
    assert.deepEqual([made.held(), made.kept, idsOf(made.juliet)], [4, [], []])
    assert.equal(made.sender(0).session.isBusy, true, 'who sent it waits with it')
    made.sender(0).send(message('later'))
    made.takes()
    hold.release()
    made.says(4)
    assert.deepEqual(idsOf(made.juliet), ['0', '1', '2', '3', '4'])
    assert.equal(hold.isOver, true)
    await microtasksDone()
    assert.deepEqual(idsOf(made.juliet), ['later'])
    assert.deepEqual([made.held(), made.kept, made.expired()], [0, [], 0])
    assert.equal(made.clock.pending, 0, 'nothing is due any more')
    hold.release()
  })

  it('when still nobody takes them, they are kept: none waits twice', () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    for (let id = 0; id < 3; id++) made.says(id)
    hold.release()
    assert.deepEqual(made.kept, upTo(3))
    const next = made.core.holdMessages(account)
    assert.equal(next.isOver, false)
    made.says(3)
    assert.equal(made.held(), 1)
    next.release()
  })

  it('others do not: who is delivered to, other accounts, errors, and what a session had taken', () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    const nurse = made.client('nurse@capulet.com/n')
    nurse.send('<presence/>')
    nurse.take()
    const romeo = made.client('romeo@montague.net/x')
    romeo.send(message('n', 'nurse@capulet.com'))
    romeo.send(message('full', `${bare}/a`))
    romeo.send(`<message to='${bare}' type='error' id='e'/>`)
    assert.deepEqual([idsOf(nurse), idsOf(made.juliet)], [['n'], ['full']])
    const b = made.client(`${bare}/b`)
    b.session.linkEnded({ reason: 'lost', detail: '' })
    const unsent = message('taken', `${bare}/b`, " from='romeo@montague.net/x'") as Octets
    b.session.linkGone({ bytes: unsent, taken: 0, since: 0, heldBack: '' as Octets })
    assert.deepEqual([made.held(), made.kept], [0, ['taken']])
    hold.release()
  })

  it('for a second at most', () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    made.says(0)
    made.clock.advance(messageHoldMs - 1)
    assert.deepEqual([hold.isOver, made.kept], [false, []])
    made.clock.advance(1)
    assert.deepEqual([hold.isOver, made.kept, made.expired()], [true, ['0'], 1])
    made.says(1)
    assert.deepEqual(made.kept, ['0', '1'])
  })

  it('until there are too many bytes of them', () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    const romeo = made.client('romeo@montague.net/x')
    const half = 'x'.repeat(messageHoldBytes / 2)
    made.says(0)
    romeo.send(`<message to='${bare}' type='chat' id='1'><body>${half}</body></message>`)
    assert.equal(hold.isOver, false)
    made.notifies(2)
    made.client('paris@montague.net/x').send(`<message to='${bare}' type='chat' id='3'><body>${half}</body></message>`)
    assert.equal(hold.isOver, true)
    while (made.clock.turn());
    assert.deepEqual([made.kept, made.expired()], [upTo(4), 1])
  })

  it('one hold at a time: another is over from the beginning', () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    const other = made.core.holdMessages(account)
    assert.equal(other.isOver, true)
    made.says(0)
    other.release()
    assert.equal(made.held(), 1)
    hold.release()
  })
})

describe('when many waited', () => {
  it('they are handled some a turn; a client who did not wait need not, what comes without its order does', () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    for (let id = 0; id < 100; id++) made.says(id)
    made.takes()
    hold.release()
    assert.deepEqual(idsOf(made.juliet), upTo(64))
    made.says(100)
    made.notifies(101)
    assert.equal(made.core.holdMessages(account).isOver, true, 'they are not through yet')
    assert.deepEqual(idsOf(made.juliet), ['100'])
    assert.equal(made.clock.turn(), true)
    assert.deepEqual(idsOf(made.juliet), [...upTo(36, 64), '101'])
    assert.equal(made.clock.turn(), false)
    made.notifies(102)
    assert.deepEqual(idsOf(made.juliet), ['102'])
  })

  it('what a connection leaves that goes meanwhile comes before the rest of them', () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    for (let id = 0; id < 200; id++) made.says(id)
    made.takes()
    hold.release()
    made.clock.turn()
    const bytes = made.juliet.link.written.splice(0).join('') as Octets
    made.juliet.session.linkEnded({ reason: 'lost', detail: '' })
    made.juliet.session.linkGone({ bytes, taken: 0, since: 0, heldBack: '' as Octets })
    while (made.clock.turn());
    assert.deepEqual(made.kept, upTo(200))
  })

  it('large ones are fewer a turn', () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    for (let id = 0; id < 4; id++)
      made
        .client(`r${id}@montague.net/y`)
        .send(`<message to='${bare}' type='chat' id='${id}'><body>${'x'.repeat(40_000)}</body></message>`)
    made.takes()
    hold.release()
    assert.deepEqual(idsOf(made.juliet), upTo(2))
    made.clock.turn()
    assert.deepEqual(idsOf(made.juliet), upTo(2, 2))
  })

  it('one that fails does so for its sender alone', async () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    made.says(0)
    made.says(1)
    const write = made.juliet.link.write.bind(made.juliet.link)
    made.juliet.link.write = (bytes) => {
      if (bytes.includes(`id='0'`)) throw new Error('no')
      write(bytes)
    }
    made.takes()
    hold.release()
    await microtasksDone()
    assert.deepEqual(idsOf(made.juliet), ['1'])
    assert.deepEqual(
      made
        .sender(0)
        .take()
        .map((el) => el.attr('type')),
      ['error'],
    )
  })
})

describe('a stop', () => {
  it('ends all, and waits until what waited is kept', async () => {
    const made = ground()
    made.storeWaits()
    made.core.holdMessages(account)
    for (let id = 0; id < 100; id++) made.says(id)
    let isSettled = false
    const settled = made.core.unsentSettled().then(() => {
      isSettled = true
    })
    await microtasksDone()
    assert.deepEqual([made.kept, isSettled], [upTo(100), false])
    assert.equal(made.core.holdMessages(account).isOver, true)
    await made.storeAnswers()
    await settled
  })

  it('of a host ends those of its accounts', async () => {
    const made = ground()
    const hold = made.core.holdMessages(account)
    const other = made.core.holdMessages(jid('romeo@montague.net'))
    made.says(0)
    const host = made.core.host('capulet.com')
    assert.ok(host !== undefined)
    const removing = made.core.removeHosts([host])
    made.clock.turn()
    await removing
    await made.core.forgetHosts([host])
    assert.deepEqual([hold.isOver, other.isOver, made.held()], [true, false, 0])
    other.release()
  })
})
