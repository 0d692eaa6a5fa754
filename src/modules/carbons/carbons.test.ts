/** XEP-0280, section by section: who gets copies of what, and who may not make any. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Session } from '../../core/session.ts'
import { decodeSession, encodeSession, SessionFault } from '../../core/session-codec.ts'
import { jid } from '../../jid/jid.ts'
import { readCarbon } from '../../stanza/carbon.ts'
import type { Element } from '../../xml/element.types.ts'
import { parseElement } from '../../xml/parse.ts'
import { type Actor, House, show } from '../modules.testing.ts'

const NS = 'urn:xmpp:carbons:2'
const me = 'romeo@montague.net'
const peer = 'juliet@capulet.com/balcony'
const conditionOf = (el: Element | undefined) => el?.child('error')?.elements[0]?.name
const body = '<body>x</body>'
const chat = (to: string, id = 'm1') => `<message to='${to}' type='chat' id='${id}'>${body}</message>`

async function enable(actor: Actor): Promise<Actor> {
  assert.equal((await actor.ask('set', `<enable xmlns='${NS}'/>`)).attr('type'), 'result')
  await actor.drain()
  return actor
}

/** Available resources of romeo by priority; those in capitals want copies. And juliet. */
async function scene<const Name extends string>(resources: Readonly<Record<Name, number>>) {
  const house = await House.build({ accounts: [me, 'juliet@capulet.com', 'romeo@capulet.com'] })
  const juliet = house.actor(peer)
  const made = {} as Record<Name, Actor>
  for (const [name, priority] of Object.entries<number>(resources)) {
    const actor = await house.online(`${me}/${name}`, priority)
    made[name as Name] = name === name.toUpperCase() ? await enable(actor) : actor
  }
  const actors: Readonly<Record<Name, Actor>> = made
  for (const actor of Object.values<Actor>(actors)) await actor.drain()
  return { house, juliet, ...actors }
}

/** The messages that came: `id` for an original, `received id` or `sent id` for a copy. */
async function came(actor: Actor): Promise<string[]> {
  const said: string[] = []
  for (const el of await actor.drain()) {
    if (el.name !== 'message') continue
    const copy = el.child(null, NS) === undefined ? undefined : readCarbon(el)
    const error = el.attr('type') === 'error' && copy === undefined ? ' error' : ''
    said.push(copy === undefined ? `${el.attr('id')}${error}` : `${copy.direction} ${copy.original.attr('id')}`)
  }
  return said
}

describe('support (XEP-0280 §3)', () => {
  it('is told by the host', async () => {
    const { house } = await scene({})
    const info = `<query xmlns='http://jabber.org/protocol/disco#info'/>`
    const answer = await house.actor(`${me}/a`).ask('get', info, 'montague.net')
    const features = answer.elements[0]?.childrenNamed('feature').map((el) => el.attr('var')) ?? []
    assert.ok(features.includes(NS))
    assert.ok(features.includes('urn:xmpp:carbons:rules:0'), '§6.2')
  })
})

describe('enabling and disabling (§4, §5, §10.1)', () => {
  it('each may be asked for any number of times', async () => {
    const { house, juliet } = await scene({ a: 0 })
    const b = await house.online(`${me}/b`, -1)
    for (const [name, copies] of [
      ['enable', 1],
      ['enable', 1],
      ['disable', 0],
      ['disable', 0],
      ['enable', 1],
    ] as const) {
      const answer = await b.ask('set', `<${name} xmlns='${NS}'/>`)
      assert.equal(answer.attr('type'), 'result')
      assert.deepEqual(answer.elements, [])
      juliet.send(chat(me))
      assert.equal((await came(b)).length, copies, name)
    }
  })

  it('only a client of the account may; nobody else learns whether there is one (§4.1, §5.1)', async () => {
    const { house, juliet } = await scene({ a: 0 })
    const elsewhere = house.elsewhere()
    for (const name of ['enable', 'disable']) {
      for (const account of [me, 'nobody@montague.net']) {
        const answer = await juliet.ask('set', `<${name} xmlns='${NS}'/>`, account)
        assert.equal(conditionOf(answer), 'not-allowed', account)
        elsewhere.send(`<iq type='set' id='1' from='a@x.example/r' to='${account}'><${name} xmlns='${NS}'/></iq>`)
        assert.deepEqual((await elsewhere.drain()).map(conditionOf), ['not-allowed'], account)
      }
    }
  })

  it('another resource is not enabled with it', async () => {
    const { juliet, A, b } = await scene({ A: 0, b: 0 })
    juliet.send(chat(`${me}/A`, 'one'))
    juliet.send(chat(`${me}/b`, 'other'))
    assert.deepEqual([await came(A), await came(b)], [['one', 'received other'], ['other']])
  })
})

const MUC = 'http://jabber.org/protocol/muc#user'
const room = 'room@muc.example'

interface Row {
  readonly rule: string
  readonly type?: string
  readonly inside: string
  /** Copied when received, when sent. */
  readonly received: boolean
  readonly sent?: boolean
  readonly with?: string
}

// §6.1 in its order, then §9 and XEP-0334 §4.3.
const rows: readonly Row[] = [
  { rule: 'chat', type: 'chat', inside: body, received: true },
  { rule: 'chat without a body', type: 'chat', inside: `<x xmlns='urn:x'/>`, received: true },
  { rule: 'normal with a body', inside: body, received: true },
  { rule: 'normal by its name', type: 'normal', inside: body, received: true },
  { rule: 'an unknown type is normal', type: 'odd', inside: body, received: true },
  { rule: 'normal without a body', inside: `<subject>x</subject>`, received: false },
  { rule: 'normal with a body of somebody else', inside: `<body xmlns='urn:x'>x</body>`, received: false },
  { rule: 'a receipt', inside: `<received xmlns='urn:xmpp:receipts' id='1'/>`, received: true },
  { rule: 'a chat state', inside: `<composing xmlns='http://jabber.org/protocol/chatstates'/>`, received: true },
  { rule: 'a marker', inside: `<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>`, received: true },
  { rule: 'headline', type: 'headline', inside: body, received: false },
  { rule: 'groupchat', type: 'groupchat', inside: body, received: false },
  {
    rule: 'groupchat with a marker',
    type: 'groupchat',
    inside: `<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>`,
    received: false,
  },
  { rule: 'a direct invitation', inside: `<x xmlns='jabber:x:conference' jid='${room}'/>`, received: true },
  {
    rule: 'a mediated invitation',
    inside: `<x xmlns='${MUC}'><invite to='a@b.example'/></x>`,
    received: true,
    with: room,
  },
  {
    rule: 'a private message of a room',
    type: 'chat',
    inside: `${body}<x xmlns='${MUC}'/>`,
    received: false,
    sent: true,
    with: `${room}/nick`,
  },
  {
    rule: 'a normal private message of a room',
    inside: `${body}<x xmlns='${MUC}'/>`,
    received: false,
    sent: true,
    with: `${room}/nick`,
  },
  {
    rule: 'what a room itself says',
    inside: `<x xmlns='${MUC}'><status code='100'/></x>`,
    received: false,
    with: room,
  },
  { rule: 'an error of nobody knows what', type: 'error', inside: `<error type='cancel'/>`, received: false },
  {
    rule: 'an error with a receipt',
    type: 'error',
    inside: `<received xmlns='urn:xmpp:receipts' id='1'/><error type='cancel'/>`,
    received: true,
  },
  { rule: 'private (§9)', type: 'chat', inside: `${body}<private xmlns='${NS}'/>`, received: false },
  { rule: 'no-copy (§9)', type: 'chat', inside: `${body}<no-copy xmlns='urn:xmpp:hints'/>`, received: false },
  {
    rule: 'private of somebody else',
    type: 'chat',
    inside: `${body}<private xmlns='urn:x'/><no-copy xmlns='urn:x'/>`,
    received: true,
  },
]

describe('messages that are copied (§6.1)', () => {
  for (const { rule, type, inside, received, sent = received, with: other = 'a@x.example/r' } of rows) {
    const attrs = type === undefined ? '' : ` type='${type}'`
    it(`${rule}: ${received ? 'copied' : 'not copied'} when received, ${sent ? 'copied' : 'not'} when sent`, async () => {
      const { house, a, B } = await scene({ a: 0, B: -1 })
      const elsewhere = house.elsewhere()
      elsewhere.send(`<message from='${other}' to='${me}/a' id='m1'${attrs}>${inside}</message>`)
      assert.deepEqual(await came(a), [type === 'error' ? 'm1 error' : 'm1'], 'delivered')
      assert.deepEqual(await came(B), received ? ['received m1'] : [])
      a.send(`<message to='${other}' id='m2'${attrs}>${inside}</message>`)
      assert.equal((await elsewhere.drain()).length, 1, 'sent')
      assert.deepEqual(await came(B), sent ? ['sent m2'] : [])
      assert.deepEqual(await came(a), [])
    })
  }

  it('an error that answers one that was copied, either way, and no other', async () => {
    const { house, juliet, a, B } = await scene({ a: 0, B: -1 })
    a.send(chat('nobody@capulet.com', 'gone'))
    assert.deepEqual(await came(a), ['gone error'])
    assert.deepEqual(await came(B), ['sent gone', 'received gone'])
    const error = (id: string) => `<message to='${me}/a' type='error' id='${id}'><error type='cancel'/></message>`
    juliet.send(error('gone'))
    assert.deepEqual(await came(a), ['gone error'])
    assert.deepEqual(await came(B), [], 'of somebody else')
    juliet.send(error('other'))
    assert.deepEqual([await came(a), await came(B)], [['other error'], []])

    juliet.send(chat(`${me}/a`, 'hers'))
    await house.settle()
    a.send(`<message to='${peer}' type='error' id='hers'><error type='cancel'/></message>`)
    a.send(`<message to='${peer}' type='error' id='unheard'><error type='cancel'/></message>`)
    assert.deepEqual(await came(juliet), ['hers error', 'unheard error'])
    assert.deepEqual(await came(B), ['received hers', 'sent hers'])
  })

  it('an error of one that was private is not copied', async () => {
    const { a, B } = await scene({ a: 0, B: -1 })
    a.send(`<message to='nobody@capulet.com' type='chat' id='p'>${body}<private xmlns='${NS}'/></message>`)
    assert.deepEqual([await came(a), await came(B)], [['p error'], []])
  })
})

describe('receiving (§7)', () => {
  it('a message to one resource: the copy of example 10', async () => {
    const { juliet, A, B, c } = await scene({ A: 1, B: 1, c: 1 })
    const original = `<body>What man art thou</body><thread>0e31</thread>`
    juliet.send(`<message to='${me}/A' type='chat' id='m1' xml:lang='en'>${original}</message>`)
    assert.deepEqual([await came(A), await came(c)], [['m1'], []])
    const [copy, ...more] = await B.drain()
    assert.ok(copy)
    assert.deepEqual(more, [])
    assert.equal(
      show(copy),
      `<message from='${me}' to='${me}/B' type='chat'><received xmlns='${NS}'><forwarded xmlns='urn:xmpp:forward:0'>` +
        `<message xmlns='jabber:client' from='${peer}' to='${me}/A' type='chat' id='m1' xml:lang='en'>${original}</message>` +
        `</forwarded></received></message>`,
    )
  })

  it('a message to the account: those that RFC 6121 gives it to get no copy', async () => {
    const { juliet, A, B, C, d } = await scene({ A: 5, B: 5, C: 1, d: 1 })
    juliet.send(chat(me))
    assert.deepEqual(await came(A), ['m1'])
    assert.deepEqual(await came(B), ['m1'])
    assert.deepEqual(await came(C), ['received m1'])
    assert.deepEqual(await came(d), [])
  })

  it('a resource that is not available gets copies too', async () => {
    const { house, juliet, a } = await scene({ a: 0 })
    const silent = await enable(house.actor(`${me}/silent`))
    juliet.send(chat(me))
    assert.deepEqual([await came(a), await came(silent)], [['m1'], ['received m1']])
  })

  it('a message to a resource that is not there goes to the account, with copies', async () => {
    const { juliet, a, B } = await scene({ a: 5, B: 0 })
    juliet.send(chat(`${me}/gone`))
    assert.deepEqual([await came(a), await came(B)], [['m1'], ['received m1']])
  })

  it('the copies of one message share its bytes: they are a fan-out', async () => {
    const { house, juliet } = await scene({ a: 5, B: 0, C: 0, D: -1 })
    const copies = house.core.metrics.value('ratatosk_fan_out_copies_total')
    juliet.send(chat(me))
    await house.settle()
    assert.equal(house.core.metrics.value('ratatosk_fan_out_copies_total') - copies, 3)
    assert.equal(house.core.metrics.value('ratatosk_carbons_copies_total'), 3)
  })

  it('what nobody took and the store keeps is copied to those whom it is not handed to', async () => {
    const { house, juliet, A, b } = await scene({ A: -1, b: -1 })
    const silent = await enable(house.actor(`${me}/silent`))
    juliet.send(chat(me))
    assert.deepEqual([await came(A), await came(b), await came(silent)], [['received m1'], [], []])
    silent.send('<presence/>')
    assert.deepEqual(await came(silent), ['m1'], 'from the store')
    assert.deepEqual(await came(A), [])
  })

  it('nor to one that is handed what the store keeps just now', async () => {
    const { house, juliet } = await scene({})
    const coming = await enable(house.actor(`${me}/coming`))
    juliet.send(chat(me, 'm1'))
    await house.settle()
    const { hooks } = house.core.hostType('default')
    const meanwhile = (session: Session) => {
      assert.equal(session.takesMessages, false)
      juliet.send(chat(me, 'm2'))
    }
    hooks.on('presence:ready', 'test', meanwhile, { phase: 'early' })
    coming.send('<presence/>')
    assert.deepEqual(await came(coming), ['m1', 'm2'])
  })

  it('what is refused is not copied', async () => {
    const { juliet, A, B } = await scene({ A: -1, B: -1 })
    juliet.send(`<message to='${me}' type='chat' id='n'>${body}<no-store xmlns='urn:xmpp:hints'/></message>`)
    assert.deepEqual(await came(juliet), ['n error'])
    assert.deepEqual([await came(A), await came(B)], [[], []])
  })

  it("another host's account of the same name gets nothing", async () => {
    const { house, juliet, B } = await scene({ a: 0, B: 0 })
    const namesake = await enable(await house.online('romeo@capulet.com/B'))
    juliet.send(chat(`${me}/a`))
    assert.deepEqual([await came(namesake), await came(B)], [[], ['received m1']])
  })

  it('a namesake on another host is somebody else: both sides of what they say are copied (§7, §8)', async () => {
    const { house, a, B } = await scene({ a: 0, B: 0 })
    const his = await house.online('romeo@capulet.com/a')
    const hisOther = await enable(await house.online('romeo@capulet.com/B'))
    await a.drain()
    await his.drain()
    a.send(chat('romeo@capulet.com/a'))
    assert.deepEqual(await came(B), ['sent m1'])
    assert.deepEqual([await came(his), await came(hisOther)], [['m1'], ['received m1']])
  })
})

describe('sending (§8)', () => {
  it('who wants to see copies sees them whole, who wants others does not', async () => {
    const { house, juliet, A, B } = await scene({ A: 1, B: 1 })
    const { hooks } = house.core.hostType('default')
    const seen: string[] = []
    for (const name of ['received', 'sent']) {
      hooks.on(
        'session:deliver',
        `test ${name}`,
        ({ el }) => {
          seen.push(`${name} ${readCarbon(el)?.original.childText('body')}`)
          return undefined
        },
        { kinds: ['message'], wants: [{ name, ns: NS }] },
      )
    }
    juliet.send(`<message to='${me}/A' type='chat' id='m1'><body>ay</body></message>`)
    assert.deepEqual([await came(A), await came(B)], [['m1'], ['received m1']])
    assert.deepEqual(seen, ['received ay'])
  })

  it('whether the sender wants copies or not: the copy of example 13', async () => {
    const { a, B, C, d } = await scene({ a: 0, B: 0, C: -1, d: 0 })
    a.send(`<message to='${peer}' type='chat' id='m1'><body>Neither</body></message>`)
    const [copy, ...more] = await B.drain()
    assert.ok(copy)
    assert.deepEqual(more, [])
    assert.equal(
      show(copy),
      `<message from='${me}' to='${me}/B' type='chat'><sent xmlns='${NS}'><forwarded xmlns='urn:xmpp:forward:0'>` +
        `<message xmlns='jabber:client' from='${me}/a' to='${peer}' type='chat' id='m1'><body>Neither</body></message>` +
        `</forwarded></sent></message>`,
    )
    assert.deepEqual([await came(C), await came(d), await came(a)], [['sent m1'], [], []])
  })

  it('the sender gets no copy of his own', async () => {
    const { A, B } = await scene({ A: 0, B: 0 })
    A.send(chat(peer))
    assert.deepEqual([await came(A), await came(B)], [[], ['sent m1']])
  })

  it('what a filter refuses is not copied', async () => {
    const { house, a, B } = await scene({ a: 0, B: 0 })
    const { hooks } = house.core.hostType('default')
    const refuses = () => ({ kind: 'drop', reason: 'RTK_TEST' }) as const
    hooks.on('stanza:sent', 'blocking', refuses, { kinds: ['message'] })
    a.send(chat(peer))
    assert.deepEqual(await came(B), [])
  })

  it('what an account sends to itself each of its resources has once', async () => {
    const { A, B, C, d } = await scene({ A: 5, B: 5, C: 1, d: 1 })
    A.send(chat(`${me}/B`, 'one'))
    assert.deepEqual([await came(A), await came(B), await came(C), await came(d)], [[], ['one'], ['received one'], []])
    d.send(chat(me, 'all'))
    assert.deepEqual(
      [await came(A), await came(B), await came(C), await came(d)],
      [['all'], ['all'], ['received all'], []],
    )
    A.send(`<message type='chat' id='self'>${body}</message>`)
    assert.deepEqual([await came(A), await came(B), await came(C)], [['self'], ['self'], ['received self']])
  })
})

describe('errors of copies (§10.3)', () => {
  it('go to nobody', async () => {
    const { juliet, a, B } = await scene({ a: 0, B: -1 })
    juliet.send(chat(`${me}/a`))
    assert.deepEqual(await came(B), ['received m1'])
    B.send(`<message to='${me}' type='error' id='m1'><error type='cancel'/></message>`)
    assert.deepEqual([await came(juliet), await came(a)], [[], ['m1']])
  })

  it('a copy for a resource that has gone meanwhile is for nobody else, and is not kept', async () => {
    const { house, a, B } = await scene({ a: 0, B: -1 })
    const copy = `<received xmlns='${NS}'><forwarded xmlns='urn:xmpp:forward:0'/></received>`
    const el = parseElement(`<message xmlns='jabber:client' type='chat'>${copy}</message>`)
    house.core.send(el, jid(me), jid(`${me}/gone`))
    assert.deepEqual([await came(a), await came(B)], [[], []])
    assert.equal(house.core.metrics.value('ratatosk_offline_kept_total'), 0)
  })
})

describe('who may say that something is a copy (§7, §11)', () => {
  const inside = `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='${peer}' to='${me}'>${body}</message></forwarded>`
  const forged = (name: string, more = '') => `<${name} xmlns='${NS}'>${inside}</${name}>${more}`

  it('nobody but the server: example 11 is refused', async () => {
    const { house, juliet, a, B } = await scene({ a: 0, B: 0 })
    const elsewhere = house.elsewhere()
    for (const name of ['received', 'sent']) {
      for (const to of [me, `${me}/a`]) {
        juliet.send(`<message to='${to}' type='chat' id='f'>${forged(name, body)}</message>`)
        assert.deepEqual((await juliet.drain()).map(conditionOf), ['forbidden'])
        elsewhere.send(`<message from='tybalt@x.example/r' to='${to}' type='chat'>${forged(name)}</message>`)
        assert.deepEqual((await elsewhere.drain()).map(conditionOf), ['forbidden'])
        // As if it were the account itself.
        elsewhere.send(`<message from='${me}' to='${to}' type='chat'>${forged(name)}</message>`)
        B.send(`<message to='${to}' type='chat'>${forged(name)}</message>`)
        await house.settle()
        assert.deepEqual(await came(a), [])
        B.link.take()
      }
    }
  })

  it('an error that repeats one is delivered without it', async () => {
    const { juliet, a } = await scene({ a: 0 })
    const inside = `${forged('received')}<private xmlns='${NS}'/><error type='cancel'/>`
    juliet.send(`<message to='${me}/a' type='error' id='f'>${inside}</message>`)
    const [error] = await a.drain()
    assert.deepEqual(
      error?.elements.map(({ name }) => name),
      ['private', 'error'],
    )
  })
})

describe('a session that moves', () => {
  it('wants copies as before, in a process that has heard of nobody who does', async () => {
    const { house, B } = await scene({ a: 0, B: -1 })
    const data = encodeSession(house.core, B.session)
    assert.ok(!(data instanceof SessionFault))
    const other = await scene({ a: 0 })
    const made = decodeSession(other.house.core, JSON.parse(JSON.stringify(data)), B.link)
    assert.ok(!(made instanceof SessionFault), String(made))
    other.juliet.send(chat(me))
    await other.house.settle()
    assert.deepEqual(await came(B), ['received m1'])
  })

  it('a reload of the module changes nothing', async () => {
    const { house, juliet, B } = await scene({ a: 0, B: -1 })
    await house.wait(house.modules.reload('carbons'))
    juliet.send(chat(me))
    assert.deepEqual(await came(B), ['received m1'])
  })
})
