/** XEP-0160 and XEP-0203: what is kept, in which order it is handed over, to whom, and that nothing is lost or doubled. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import { type Actor, House } from '../modules.testing.ts'
import { offlineStore } from './offline.store.ts'

const me = 'romeo@montague.net'
const chat = (id: string | number, to = me) => `<message to='${to}' type='chat' id='${id}'><body>${id}</body></message>`
const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name
const delaysOf = (el: Element | undefined) => el?.childrenNamed('delay', 'urn:xmpp:delay') ?? []

async function ids(actor: Actor): Promise<(string | undefined)[]> {
  return (await actor.drain()).filter((el) => el.name === 'message').map((el) => el.attr('id'))
}

async function kept(house: House): Promise<number> {
  const store = await house.wait(house.stores.open(offlineStore))
  return (await house.wait(store.count({ host: 'montague.net', local: 'romeo' })))?.count ?? 0
}

describe('what is kept (XEP-0160 §3)', () => {
  const state = `<composing xmlns='http://jabber.org/protocol/chatstates'/>`
  const hint = (name: string) => `<${name} xmlns='urn:xmpp:hints'/>`
  const rows: readonly (readonly [string, string, boolean])[] = [
    ['normal', `<message to='${me}'><body>x</body></message>`, true],
    ['normal by its name', `<message to='${me}' type='normal'><subject>x</subject></message>`, true],
    ['an unknown type is normal', `<message to='${me}' type='odd'><body>x</body></message>`, true],
    ['chat', `<message to='${me}' type='chat'><body>x</body></message>`, true],
    [
      'chat without a body',
      `<message to='${me}' type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>`,
      true,
    ],
    ['chat with body and state', `<message to='${me}' type='chat'><body>x</body>${state}</message>`, true],
    ['a chat state alone', `<message to='${me}' type='chat'>${state}</message>`, false],
    ['a chat state in a thread', `<message to='${me}' type='chat'>${state}<thread>t</thread></message>`, false],
    ['nothing at all', `<message to='${me}' type='chat'/>`, false],
    ['groupchat', `<message to='${me}' type='groupchat'><body>x</body></message>`, false],
    ['headline', `<message to='${me}' type='headline'><body>x</body></message>`, false],
    ['error', `<message to='${me}' type='error'><error type='cancel'/></message>`, false],
    ['no-store (XEP-0334 §4.2)', `<message to='${me}' type='chat'><body>x</body>${hint('no-store')}</message>`, false],
    ['store (§4.4)', `<message to='${me}' type='chat'>${state}${hint('store')}</message>`, true],
    [
      'store and no-store',
      `<message to='${me}' type='chat'>${state}${hint('store')}${hint('no-store')}</message>`,
      false,
    ],
    ['another hint beside a state', `<message to='${me}' type='chat'>${state}${hint('no-copy')}</message>`, false],
    ['no-permanent-store (§3.3)', `<message to='${me}'><body>x</body>${hint('no-permanent-store')}</message>`, true],
  ]
  for (const [name, text, isKept] of rows) {
    it(`${name}: ${isKept ? 'kept' : 'not kept'}`, async () => {
      const house = await House.build()
      house.actor('juliet@capulet.com/b').send(text)
      await house.settle()
      assert.equal(await kept(house), isKept ? 1 : 0)
    })
  }

  it('who forbids it is told that nobody is there, unless the message says nothing (RFC 6121 section 8.5.2.2.1)', async () => {
    const house = await House.build()
    const juliet = house.actor('juliet@capulet.com/b')
    juliet.send(`<message to='${me}' type='chat' id='1'><body>x</body>${hint('no-store')}</message>`)
    juliet.send(`<message to='${me}' type='chat' id='2'>${state}${hint('no-store')}</message>`)
    assert.deepEqual(
      (await juliet.drain()).map((el) => `${el.attr('id')} ${conditionOf(el)}`),
      ['1 service-unavailable'],
    )
    const refused = 'ratatosk_refusals_total{code="RTK_OFFLINE_NO_STORE"}'
    assert.equal(house.core.metrics.value(refused), 1)
  })

  it('disco tells of it', async () => {
    const house = await House.build()
    const answer = await house
      .actor(`${me}/a`)
      .ask('get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`, 'montague.net')
    assert.ok(answer.elements[0]?.elements.some((el) => el.attr('var') === 'msgoffline'))
  })

  it('a full mailbox refuses with service-unavailable, and takes again when it was emptied', async () => {
    const house = await House.build({ options: { offline: { messages_max: 3 } } })
    const juliet = house.actor('juliet@capulet.com/b')
    for (let i = 0; i < 5; i++) juliet.send(chat(i))
    const errors = await juliet.drain()
    assert.deepEqual(
      errors.map((el) => `${el.attr('id')} ${conditionOf(el)}`),
      ['3 service-unavailable', '4 service-unavailable'],
    )
    assert.equal(house.core.metrics.value('ratatosk_offline_messages_max_total'), 2)
    assert.deepEqual(await ids(await arrive(house, 'a')), ['0', '1', '2'])
    house.core.sessions.ofAccount('montague.net', 'romeo')[0]?.linkEnded({ reason: 'lost', detail: '' })
    juliet.send(chat(6))
    assert.deepEqual(await juliet.drain(), [])
  })
})

async function arrive(house: House, resource: string, priority = 0): Promise<Actor> {
  const actor = house.actor(`${me}/${resource}`)
  actor.send(`<presence><priority>${priority}</priority></presence>`)
  return actor
}

describe('the hand-over', () => {
  it('whole, in order, once; with addresses as they were and a note of the delay', async () => {
    const house = await House.build()
    const juliet = house.actor('juliet@capulet.com/b')
    const at = house.clock.now().toISOString()
    juliet.send(
      `<message to='${me}/gone' type='chat' id='1' xml:lang='it'><body>ciao è</body><x xmlns='urn:x'><y/></x></message>`,
    )
    await house.settle()
    await house.pass(60_000)
    juliet.send(chat(2))
    await house.settle()
    const romeo = await arrive(house, 'a')
    const [first, second, ...more] = (await romeo.drain()).filter((el) => el.name === 'message')
    assert.deepEqual(more, [])
    assert.equal(first?.attr('from'), 'juliet@capulet.com/b')
    assert.equal(first?.attr('to'), `${me}/gone`)
    assert.equal(first?.lang, 'it')
    assert.equal(first?.childText('body'), 'ciao è')
    assert.ok(first?.child('x', 'urn:x')?.child('y'))
    const [note] = delaysOf(first)
    assert.equal(note?.attr('from'), 'montague.net')
    assert.equal(note?.attr('stamp'), at)
    assert.equal(note?.text, 'Offline Storage')
    assert.equal(second?.attr('id'), '2')
    assert.equal(await kept(house), 0)
    assert.deepEqual(await ids(await arrive(house, 'b')), [])
  })

  it('waits for a priority of 0 or more', async () => {
    const house = await House.build()
    house.actor('juliet@capulet.com/b').send(chat(1))
    await house.settle()
    const romeo = await arrive(house, 'a', -1)
    assert.deepEqual(await ids(romeo), [])
    romeo.send('<presence><priority>5</priority></presence>')
    assert.deepEqual(await ids(romeo), ['1'])
    romeo.send('<presence><priority>6</priority></presence>')
    assert.deepEqual(await ids(romeo), [])
  })

  it('comes before anything newer, whoever sends meanwhile; pages and all', async () => {
    const house = await House.build({ options: { offline: { messages_max: 10_000 } } })
    const senders = ['x', 'y', 'z'].map((name) => house.actor(`${name}@capulet.com/b`))
    const expected = new Map<string, number>()
    const say = (sender: Actor) => {
      const next = expected.get(sender.address) ?? 0
      expected.set(sender.address, next + 1)
      sender.send(chat(next))
    }
    for (let i = 0; i < 250; i++) say(senders[i % 3] as Actor)
    await house.settle()
    const romeo = await arrive(house, 'a')
    const came: Element[] = []
    for (let i = 0; i < 300; i++) {
      for (const sender of senders) if (i % 3 !== 1) say(sender)
      await Promise.resolve()
      if (i % 2 === 0) house.clock.turn()
      came.push(...romeo.link.take())
    }
    came.push(...(await romeo.drain()))
    const seen = new Map<string, number>()
    for (const el of came.filter((one) => one.name === 'message')) {
      const from = el.attr('from') ?? ''
      const next = seen.get(from) ?? 0
      assert.equal(el.attr('id'), String(next), `of ${from}`)
      seen.set(from, next + 1)
    }
    assert.deepEqual(seen, expected)
    assert.equal(await kept(house), 0)
    const sender = senders[0] as Actor
    say(sender)
    assert.deepEqual(delaysOf((await romeo.drain()).at(-1)), [], 'then they come live')
  })

  it('two resources that come at once: each message once', async () => {
    const house = await House.build()
    const juliet = house.actor('juliet@capulet.com/b')
    for (let i = 0; i < 150; i++) juliet.send(chat(i))
    await house.settle()
    const [a, b] = [await arrive(house, 'a'), await arrive(house, 'b', 3)]
    const all = [...(await ids(a)), ...(await ids(b))]
    assert.equal(all.length, 150)
    assert.equal(new Set(all).size, 150)
  })

  it('a session that dies in the middle: the rest goes to another that is there, else it waits; nothing twice', async () => {
    for (const isOtherThere of [true, false]) {
      const house = await House.build()
      const juliet = house.actor('juliet@capulet.com/b')
      for (let i = 0; i < 150; i++) juliet.send(chat(i))
      await house.settle()
      const a = await arrive(house, 'a', 5)
      let written = 0
      const write = a.link.write.bind(a.link)
      a.link.write = (bytes) => {
        write(bytes)
        if (bytes.startsWith('<message') && ++written === 120) a.drop()
      }
      const b = isOtherThere ? await arrive(house, 'b', 0) : undefined
      const first = await ids(a)
      assert.equal(first.length, 120)
      const rest = b === undefined ? await ids(await arrive(house, 'c')) : await ids(b)
      assert.deepEqual(
        [...first, ...rest],
        Array.from({ length: 150 }, (_, i) => String(i)),
      )
    }
  })

  it('a message kept during the hand-over to one who dies then goes to the other who is there', async () => {
    const house = await House.build()
    const b = await arrive(house, 'b', 0)
    const juliet = house.actor('juliet@capulet.com/b')
    await b.drain()
    const a = await arrive(house, 'a', 5)
    for (let i = 0; i < 50 && a.session.takesMessages; i++) {
      await Promise.resolve()
      house.clock.turn()
    }
    juliet.send(chat(1))
    for (let i = 0; i < 500 && house.core.metrics.value('ratatosk_offline_kept_total') === 0; i++) {
      await Promise.resolve()
      if (i % 20 === 0) house.clock.turn()
    }
    a.drop()
    assert.deepEqual(await ids(a), [])
    assert.deepEqual(await ids(b), ['1'])
  })

  it('stops when the resource is no longer available', async () => {
    const house = await House.build()
    const juliet = house.actor('juliet@capulet.com/b')
    for (let i = 0; i < 150; i++) juliet.send(chat(i))
    await house.settle()
    const a = await arrive(house, 'a')
    a.send(`<presence type='unavailable'/>`)
    const first = await ids(a)
    const rest = await ids(await arrive(house, 'b'))
    assert.deepEqual(
      [...first, ...rest],
      Array.from({ length: 150 }, (_, i) => String(i)),
    )
  })

  it('a message that was on its way into the store while somebody came does not stay behind', async () => {
    const house = await House.build()
    const juliet = house.actor('juliet@capulet.com/b')
    const hooks = house.core.hostType('default').hooks
    const waiting: (() => void)[] = []
    // Somebody looks at the message for long after it was found that nobody is there.
    hooks.on('message:undelivered', 'slow', () => new Promise((resolve) => waiting.push(() => resolve(undefined))), {
      phase: 'early',
    })
    juliet.send(chat(1))
    await house.settle()
    const romeo = await arrive(house, 'a')
    assert.deepEqual(await ids(romeo), [])
    for (const go of waiting) go()
    assert.deepEqual(await ids(romeo), ['1'])
    juliet.send(chat(2))
    assert.deepEqual(await ids(romeo), ['2'])
    assert.equal(romeo.session.takesMessages, true)
  })

  it('a headline does not wait for the hand-over', async () => {
    const house = await House.build()
    const juliet = house.actor('juliet@capulet.com/b')
    juliet.send(chat(1))
    await house.settle()
    const romeo = await arrive(house, 'a')
    for (let i = 0; i < 50 && romeo.session.takesMessages; i++) {
      await Promise.resolve()
      house.clock.turn()
    }
    assert.equal(romeo.session.takesMessages, false)
    juliet.send(`<message to='${me}' type='headline' id='news'/>`)
    assert.deepEqual((await ids(romeo)).sort(), ['1', 'news'])
  })

  it('bytes that are no message are left out and logged, and block nothing', async () => {
    const house = await House.build()
    const store = await house.wait(house.stores.open(offlineStore))
    const account = { host: 'montague.net', local: 'romeo' }
    const rows = ['<message', '<iq xmlns="jabber:client"/>'].map((stanza) => ({ received: 1, stanza: stanza as never }))
    await house.wait(store.importMessages(account, rows))
    house.actor('juliet@capulet.com/b').send(chat(1))
    await house.settle()
    assert.deepEqual(await ids(await arrive(house, 'a')), ['1'])
    assert.equal(house.log.lines.filter((line) => line.fields['code'] === 'RTK_OFFLINE_UNREADABLE').length, 2)
    assert.equal(await kept(house), 0)
  })

  it('random comings, goings and sendings: each message arrives once, in its sender’s order', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ does: fc.constant('say' as const), n: fc.nat(2) }) },
      { weight: 2, arbitrary: fc.record({ does: fc.constant('come' as const), n: fc.nat(1) }) },
      { weight: 2, arbitrary: fc.record({ does: fc.constantFrom('leave' as const, 'hide' as const), n: fc.nat(1) }) },
      { weight: 5, arbitrary: fc.record({ does: fc.constant('turn' as const), n: fc.nat(3) }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const house = await House.build()
        const senders = ['x', 'y', 'z'].map((name) => house.actor(`${name}@capulet.com/b`))
        const said = new Map<string, number>()
        const came: Element[] = []
        const there = new Map<number, Actor>()
        const gone: Actor[] = []
        for (const { does, n } of steps) {
          if (does === 'say') {
            const sender = senders[n] as Actor
            const next = said.get(sender.address) ?? 0
            said.set(sender.address, next + 1)
            sender.send(chat(next))
          } else if (does === 'come' && !there.has(n)) {
            // Different priorities: equal ones would both get a copy.
            const actor = await arrive(house, String(n), n)
            there.set(n, actor)
          } else if (does === 'leave') {
            const actor = there.get(n)
            if (actor !== undefined) gone.push(actor)
            actor?.drop()
            there.delete(n)
          } else if (does === 'hide') there.get(n)?.send('<presence><priority>-1</priority></presence>')
          else
            for (let i = 0; i < n; i++) {
              await Promise.resolve()
              house.clock.turn()
            }
          for (const actor of [...there.values(), ...gone]) came.push(...actor.link.take())
        }
        await house.settle()
        for (const actor of [...there.values(), ...gone]) came.push(...actor.link.take())
        const last = await arrive(house, 'last', 9)
        came.push(...(await last.drain()))
        const seen = new Map<string, string[]>()
        for (const el of came) {
          if (el.name !== 'message') continue
          assert.notEqual(el.attr('type'), 'error')
          const from = el.attr('from') ?? ''
          seen.set(from, [...(seen.get(from) ?? []), el.attr('id') ?? ''])
        }
        for (const [from, count] of said) {
          const all = seen.get(from) ?? []
          assert.deepEqual([...all].sort(), Array.from({ length: count }, (_, i) => String(i)).sort(), from)
        }
        assert.equal(await kept(house), 0)
      }),
      { numRuns: process.env['RATATOSK_LONG'] === '1' ? 5_000 : 150 },
    )
  })
})

describe('when the store fails', () => {
  it('the sender learns that nothing was kept, and live chat goes on', async () => {
    const house = await House.build()
    const juliet = house.actor('juliet@capulet.com/b')
    const other = house.actor('juliet@capulet.com/c')
    const nurse = house.actor('nurse@capulet.com/k')
    nurse.send('<presence/>')
    await nurse.drain()
    house.engine.hang()
    juliet.send(chat(1))
    other.send(chat(2, 'nurse@capulet.com'))
    assert.deepEqual(await ids(nurse), ['2'])
    for (let i = 0; i < 3; i++) await house.pass(8_000)
    const [error] = await juliet.drain()
    // Her privacy lists are asked for first.
    assert.equal(conditionOf(error), 'resource-constraint')
    assert.equal(error?.child('error')?.attr('type'), 'wait')
    house.engine.resume()
    await house.settle()
    juliet.send(chat(3))
    assert.ok((await ids(await arrive(house, 'a'))).includes('3'))
  })

  it('a full disk: service-unavailable, to be tried again', async () => {
    const house = await House.build()
    const { storeError } = await import('../../store/errors.ts')
    const juliet = house.actor('juliet@capulet.com/b')
    house.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    juliet.send(chat(1))
    const [error] = await juliet.drain()
    assert.equal(conditionOf(error), 'service-unavailable')
    assert.equal(error?.child('error')?.attr('type'), 'wait')
    assert.equal(house.core.metrics.value('ratatosk_offline_store_failures_total'), 1)
  })
})

describe('delay notes (XEP-0203 §5)', () => {
  const forged = (from: string) => `<delay xmlns='urn:xmpp:delay' from='${from}' stamp='2002-09-10T23:08:25Z'/>`

  it('nobody else speaks for this server, however the address is written; others’ notes stay', async () => {
    const house = await House.build()
    const juliet = house.actor('juliet@capulet.com/b')
    const notes = `${forged('montague.net')}${forged('Montague.NET')}${forged('room@muc.example')}${forged('capulet.com')}`
    const text = (id: string) => `<message to='${me}' type='chat' id='${id}'><body>x</body>${notes}</message>`
    juliet.send(text('kept'))
    await house.settle()
    const romeo = await arrive(house, 'a')
    await house.settle()
    juliet.send(text('live'))
    juliet.send(`<presence to='${me}/a'>${notes}</presence>`)
    const came = (await romeo.drain()).filter((el) => el.attr('from') === 'juliet@capulet.com/b')
    const notesOf = (id: string) => delaysOf(came.find((el) => el.attr('id') === id)).map((el) => el.attr('from'))
    assert.deepEqual(notesOf('live'), ['room@muc.example', 'capulet.com'])
    assert.deepEqual(notesOf('kept'), ['room@muc.example', 'capulet.com', 'montague.net'])
    const presence = came.find((el) => el.name === 'presence')
    assert.deepEqual(
      delaysOf(presence).map((el) => el.attr('from')),
      ['room@muc.example', 'capulet.com'],
    )
  })

  it('what was late before it was kept says since when, once (§2)', async () => {
    const house = await House.build()
    const store = await house.wait(house.stores.open(offlineStore))
    const stanza = `<message xmlns='jabber:client' from='juliet@capulet.com/b' to='${me}' type='chat'><body>x</body>${forged('montague.net')}</message>`
    const row = { host: 'montague.net', local: 'romeo', received: house.clock.wallMs(), max: 9, bytesMax: 9999 }
    await house.wait(store.add({ ...row, stanza: stanza as Octets }))
    const romeo = await arrive(house, 'a')
    const message = (await romeo.drain()).find((el) => el.name === 'message')
    assert.deepEqual(
      delaysOf(message).map((el) => el.attr('stamp')),
      ['2002-09-10T23:08:25Z'],
    )
  })
})

describe('the data of an account', () => {
  it('is exported, imported in order, and deleted', async () => {
    const house = await House.build()
    const hooks = house.core.hostType('default').hooks
    const host = house.host('montague.net')
    const juliet = house.actor('juliet@capulet.com/b')
    for (let i = 0; i < 120; i++) juliet.send(chat(i))
    await house.settle()
    const data = await house.wait(hooks.waitingFold('account:export', [], { host, local: 'romeo' }))
    assert.equal(data.find((part) => part.store === 'offline')?.rows.length, 120)
    assert.equal(await house.wait(hooks.waitingNotice('account:delete', { host, local: 'romeo' })), 0)
    assert.equal(await kept(house), 0)
    const wrong = { store: 'offline', rows: [{ received: 1, stanza: 'no xml' }] }
    assert.equal(
      await house.wait(hooks.waitingNotice('account:import', { host, local: 'romeo', data: [...data, wrong] })),
      0,
    )
    assert.ok(house.log.lines.some((line) => line.fields['code'] === 'RTK_OFFLINE_IMPORT'))
    assert.deepEqual(
      await ids(await arrive(house, 'a')),
      Array.from({ length: 120 }, (_, i) => String(i)),
    )
  })
})
