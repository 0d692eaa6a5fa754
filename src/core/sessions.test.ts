import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { jid, parseJid } from '../jid/jid.ts'
import { StanzaError, StreamError } from '../stanza/error.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { x } from '../xml/build.ts'
import type { Octets } from '../xml/octets.ts'
import { Binder, type BindPolicy } from './binder.ts'
import { bench, FakeLink, fakeInfo } from './core.testing.ts'
import { Batch } from './hand-over.ts'
import { Session } from './session.ts'

function binder(policy: Partial<BindPolicy>) {
  const made = bench(['montague.net'])
  const { core } = made
  const whole: BindPolicy = { conflict: 'replace', count: 'refuse', sessionsMax: () => 10, ...policy }
  const binding = new Binder({
    sessions: core.sessions,
    random: core.world.random,
    metrics: core.metrics,
    policy: () => whole,
    create: (link, full, host, info) => core.bind(link, full, host, info),
  })
  const host = core.host('montague.net')
  assert.ok(host)
  const bind = (resource: string) => {
    const link = new FakeLink()
    return { link, result: binding.bind({ account: jid('romeo@montague.net'), host, resource, link, info: fakeInfo }) }
  }
  return { core, bind }
}

describe('binding', () => {
  it('SM-04 replace: the old session ends with the stream error conflict', () => {
    const { core, bind } = binder({ conflict: 'replace' })
    const old = bind('orchard')
    const young = bind('orchard')
    assert.ok(old.link.closed instanceof StreamError)
    assert.equal(old.link.closed.condition, 'conflict')
    assert.equal(core.sessions.find(jid('romeo@montague.net/orchard')), young.result)
    assert.equal(core.sessions.count(), 1)
  })

  it('SM-04 refuse: the new one gets the stanza error conflict', () => {
    const { core, bind } = binder({ conflict: 'refuse' })
    const old = bind('orchard')
    const young = bind('orchard')
    assert.ok(young.result instanceof StanzaError)
    assert.equal(young.result.condition, 'conflict')
    assert.equal(core.sessions.find(jid('romeo@montague.net/orchard')), old.result)
  })

  it('SM-04 rename: the new one gets another resource', () => {
    const { core, bind } = binder({ conflict: 'rename' })
    bind('orchard')
    const young = bind('orchard')
    assert.ok(young.result instanceof Session)
    assert.match(young.result.jid.resource, /^orchard-./)
    assert.equal(core.sessions.count(), 2)
  })

  it('SM-04 rename: a name that is as long as any makes no JID that is too long', () => {
    for (const resource of [
      'x'.repeat(1023),
      '\u{1f600}'.repeat(255),
      `x${'\u{1f600}'.repeat(255)}`,
      'é'.repeat(511),
    ]) {
      const { bind } = binder({ conflict: 'rename' })
      assert.equal((bind(resource).result as Session).jid.resource, resource)
      const { result } = bind(resource)
      assert.ok(result instanceof Session)
      assert.equal(parseJid(result.jid.toString())?.resource, result.jid.resource, 'whom everybody can write to')
      assert.ok(result.jid.resource.length > 480, 'cut no more than needed')
    }
  })

  it('SM-03: the session beyond the limit is refused, or the oldest goes', () => {
    const refusing = binder({ count: 'refuse', sessionsMax: () => 2 })
    refusing.bind('a')
    refusing.bind('b')
    const third = refusing.bind('c').result
    assert.ok(third instanceof StanzaError)
    assert.equal(third.condition, 'resource-constraint')
    // Replacing one's own resource is no further session.
    assert.ok(refusing.bind('b').result instanceof Session)

    const replacing = binder({ count: 'replace-oldest', sessionsMax: () => 2 })
    const first = replacing.bind('a')
    replacing.bind('b')
    assert.ok(replacing.bind('c').result instanceof Session)
    assert.ok(first.link.closed instanceof StreamError)
    assert.equal(replacing.core.sessions.count(), 2)
  })

  it('a resource that no JID can have is refused, and none asked for is made', () => {
    const { bind } = binder({})
    const bad = bind('a\u0007').result
    assert.ok(bad instanceof StanzaError)
    assert.equal(bad.condition, 'bad-request')
    const made = bind('').result
    assert.ok(made instanceof Session)
    assert.notEqual(made.jid.resource, '')
  })
})

describe('session table', () => {
  it('SM-08: the count equals a full count after any history', () => {
    const step = fc.record({
      act: fc.constantFrom('bind', 'bind', 'bind', 'close', 'lose'),
      user: fc.integer({ min: 0, max: 5 }),
      host: fc.constantFrom('montague.net', 'capulet.com'),
      resource: fc.integer({ min: 0, max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { core, client } = bench()
        const alive = new Map<string, Session>()
        for (const { act, user, host, resource } of steps) {
          const address = `u${user}@${host}/r${resource}`
          const known = alive.get(address)
          if (act === 'bind' && known === undefined) alive.set(address, client(address).session)
          if (act === 'close' && known !== undefined) known.close({ reason: 'kicked', detail: '' })
          if (act === 'lose' && known !== undefined) known.linkEnded({ reason: 'lost', detail: '' })
          if (act !== 'bind') alive.delete(address)
        }
        let counted = 0
        core.sessions.each(undefined, () => counted++)
        assert.equal(core.sessions.count(), alive.size)
        assert.equal(counted, alive.size)
        for (const [address, session] of alive) assert.equal(core.sessions.find(jid(address)), session)
        for (const domain of ['montague.net', 'capulet.com']) {
          const host = core.host(domain)
          assert.ok(host)
          const own = [...alive.keys()].filter((address) => address.includes(`@${domain}/`))
          assert.equal(core.sessions.count(host), own.length)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('SES-01: resources of a user are independent; the end of one leaves the other', () => {
    const { core, client } = bench()
    const one = client('romeo@montague.net/one')
    const two = client('romeo@montague.net/two')
    one.session.linkEnded({ reason: 'lost', detail: '' })
    assert.equal(core.sessions.find(jid('romeo@montague.net/one')), undefined)
    assert.ok(two.session.isActive)
  })
})

describe('a session', () => {
  it('SES-08: a foreign from ends the stream, the own bare or full one is accepted and stamped', () => {
    const { client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const juliet = client('juliet@capulet.com/balcony')
    for (const from of ['romeo@montague.net', 'romeo@montague.net/orchard', 'ROMEO@montague.net']) {
      romeo.send(`<message from='${from}' to='juliet@capulet.com/balcony'/>`)
      assert.equal(juliet.take()[0]?.attr('from'), 'romeo@montague.net/orchard')
    }
    romeo.send(`<message from='nurse@montague.net' to='juliet@capulet.com/balcony'/>`)
    assert.deepEqual(juliet.take(), [])
    assert.ok(romeo.link.closed instanceof StreamError)
    assert.equal(romeo.link.closed.condition, 'invalid-from')
  })

  it('whom the client wrote to last is remembered, and each stanza goes where it says', () => {
    const { client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const juliet = client('juliet@capulet.com/balcony')
    const nurse = client('nurse@capulet.com/hall')
    for (const id of ['1', '2']) {
      romeo.send(`<message to='juliet@capulet.com/balcony' id='j${id}'/>`)
      romeo.send(`<message to='juliet@capulet.com/balcony' id='J${id}'/>`)
      assert.equal(romeo.session.lastTo?.toString(), 'juliet@capulet.com/balcony')
      romeo.send(`<message to='NURSE@capulet.com/hall' id='n${id}'/>`)
      romeo.send(`<message to='nurse@capulet.com/hall' id='N${id}'/>`)
      assert.deepEqual(
        juliet.take().map((el) => el.attr('id')),
        [`j${id}`, `J${id}`],
      )
      assert.deepEqual(
        nurse.take().map((el) => [el.attr('id'), el.attr('to')]),
        [
          [`n${id}`, 'nurse@capulet.com/hall'],
          [`N${id}`, 'nurse@capulet.com/hall'],
        ],
      )
    }
    romeo.send(`<message to='nurse@@capulet.com/hall' id='bad'/>`)
    assert.deepEqual(nurse.take(), [])
    assert.equal(romeo.take()[0]?.attr('id'), 'bad')
  })

  it('RFC 6120 section 8: what has no proper shape is refused', () => {
    const { client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const rows: readonly (readonly [string, string])[] = [
      [`<message to='a@@b' id='1'/>`, 'jid-malformed'],
      [`<iq to='montague.net' id='1'><x xmlns='urn:x'/></iq>`, 'bad-request'],
      [`<iq to='montague.net' id='1' type='ask'><x xmlns='urn:x'/></iq>`, 'bad-request'],
      [`<iq to='montague.net' type='get'><x xmlns='urn:x'/></iq>`, 'bad-request'],
      [`<iq to='montague.net' id='1' type='get'/>`, 'bad-request'],
      [`<iq to='montague.net' id='1' type='get'><x xmlns='urn:x'/><y xmlns='urn:y'/></iq>`, 'bad-request'],
      [`<iq to='montague.net' id='1' type='get'><x xmlns='urn:x'/></iq>`, 'service-unavailable'],
      [`<presence type='here' id='1'/>`, 'bad-request'],
      [`<presence id='1'><priority>200</priority></presence>`, 'bad-request'],
    ]
    for (const [stanza, condition] of rows) {
      romeo.send(stanza)
      assert.equal(romeo.take()[0]?.child('error')?.elements[0]?.name, condition, stanza)
    }
  })

  it('RFC 6120 section 8.3.1: an error for a bad shape comes from where the stanza was sent, with an id', () => {
    const { client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const rows: readonly (readonly [string, string, string | undefined])[] = [
      [`<iq to='juliet@capulet.com/balcony' id='1' type='get'/>`, 'juliet@capulet.com/balcony', '1'],
      [`<iq to='montague.net' id='1' type='ask'><x xmlns='urn:x'/></iq>`, 'montague.net', '1'],
      [`<iq to='nope.example' type='get'><x xmlns='urn:x'/></iq>`, 'nope.example', ''],
      [`<iq type='get'><x xmlns='urn:x'/></iq>`, 'romeo@montague.net', ''],
      [`<presence to='x@nope.example' id='1'><priority>abc</priority></presence>`, 'x@nope.example', '1'],
      [`<presence to='x@nope.example' type='here'/>`, 'x@nope.example', undefined],
      [`<message to='a@@b' id='1'/>`, 'romeo@montague.net', '1'],
    ]
    for (const [stanza, from, id] of rows) {
      romeo.send(stanza)
      const answer = romeo.take()[0]
      assert.deepEqual([answer?.attr('type'), answer?.attr('from'), answer?.attr('id')], ['error', from, id], stanza)
      assert.equal(answer?.attr('to'), 'romeo@montague.net/orchard')
    }
  })

  it('RCV-09: a slow reader is cut with policy-violation, and what he missed goes on as undeliverable', () => {
    const { core, client } = bench(undefined, { accounts: ['juliet@capulet.com'], limits: { queueBytesMax: 1000 } })
    const romeo = client('romeo@montague.net/orchard')
    const juliet = client('juliet@capulet.com/balcony')
    juliet.send('<presence/>')
    const kept: (string | undefined)[] = []
    core.hostType('default').hooks.on('message:undelivered', 'store', (packet) => {
      kept.push(packet.el.attr('id'))
      return { kind: 'done', how: 'kept' }
    })
    const say = (id: number) =>
      romeo.send(`<message to='juliet@capulet.com' type='chat' id='${id}'><body>x</body></message>`)
    juliet.take()
    say(0)
    juliet.link.queuedBytes = 1001
    for (const id of [1, 2]) say(id)
    assert.ok(juliet.link.closed instanceof StreamError)
    assert.equal(juliet.link.closed.condition, 'policy-violation')
    assert.equal(juliet.link.isDropped, false)
    juliet.link.queuedBytes = 2001
    romeo.send(`<presence to='juliet@capulet.com/balcony'/>`)
    romeo.send(`<message to='juliet@capulet.com/balcony' type='groupchat' id='4'><body>x</body></message>`)
    assert.equal(juliet.link.isDropped, true)
    assert.deepEqual(kept, [])
    // The kernel had the first, and part of the second.
    const taken = (juliet.link.written[0]?.length ?? 0) + 10
    const unsent = { bytes: juliet.link.written.join('') as Octets, taken, since: 0, heldBack: '' as Octets }
    juliet.session.linkGone(unsent, juliet.link)
    assert.deepEqual(kept, ['1', '2'])
    assert.equal(juliet.session.hasEnded, true)
    const answers = romeo.take().filter((el) => el.attr('type') === 'error')
    assert.deepEqual(
      answers.map((el) => `${el.attr('id')} ${el.child('error')?.elements[0]?.name}`),
      ['4 service-unavailable'],
    )
    assert.equal(core.metrics.value('ratatosk_sessions_queue_full_total'), 1)
    assert.equal(core.metrics.value('ratatosk_stanzas_unsent_total'), 4)
  })

  it('a batch that has left is forgotten: a session keeps no stanza that its client has', async () => {
    const { client } = bench()
    const juliet = client('juliet@capulet.com/balcony')
    let ends = 0
    class Watched extends Batch {
      override ended(): void {
        ends++
        super.ended()
      }
    }
    const batch = new Watched(['<message/>' as Octets])
    juliet.session.handOver(batch)
    juliet.session.drained()
    assert.equal(await batch.done, 1)
    juliet.session.linkGone({ bytes: '' as Octets, taken: 0, since: 0, heldBack: '' as Octets }, juliet.link)
    assert.equal(ends, 0)
  })

  it('what one resource missed is dropped only when another had it', () => {
    const { clock, core, client } = bench()
    const kept: (string | undefined)[] = []
    core.hostType('default').hooks.on('message:undelivered', 'store', (packet) => {
      kept.push(packet.el.attr('id'))
      return { kind: 'done', how: 'kept' }
    })
    const romeo = client('romeo@montague.net/orchard')
    const a = client('juliet@capulet.com/a')
    const b = client('juliet@capulet.com/b')
    a.send('<presence><priority>5</priority></presence>')
    b.send('<presence/>')
    for (const one of [a, b]) one.take()
    const sent = clock.wallMs()
    romeo.send(`<message to='juliet@capulet.com' type='headline' id='h'/>`)
    romeo.send(`<message to='juliet@capulet.com' type='chat' id='c'><body>x</body></message>`)
    assert.deepEqual(
      b.take().map((el) => el.attr('id')),
      ['h'],
    )
    clock.advance(1_000)
    // As the presence module does it.
    b.send('<presence><priority>5</priority></presence>')
    b.session.takesSinceMs = clock.wallMs()
    b.take()
    const bytes = a.link.written.join('') as Octets
    a.session.linkEnded({ reason: 'lost', detail: '' })
    a.session.linkGone({ bytes, taken: 0, since: sent, heldBack: '' as Octets }, a.link)
    assert.deepEqual(
      b.take().map((el) => el.attr('id')),
      ['c'],
    )
    assert.deepEqual(kept, [])
  })

  it('a chat message for a resource that is no more is not told twice to one who had it', () => {
    const { clock, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const [a, b] = ['juliet@capulet.com/a', 'juliet@capulet.com/b'].map(client)
    assert.ok(a !== undefined && b !== undefined)
    for (const one of [a, b]) one.send('<presence/>')
    for (const one of [a, b]) one.take()
    romeo.send(`<message to='juliet@capulet.com/gone' type='chat' id='1'><body>x</body></message>`)
    assert.equal(b.take().length, 1)
    const bytes = a.link.written.join('') as Octets
    a.session.linkEnded({ reason: 'lost', detail: '' })
    a.session.linkGone({ bytes, taken: 0, since: clock.wallMs(), heldBack: '' as Octets }, a.link)
    assert.equal(b.take().length, 0)
  })

  it('SM-06: broadcasts to an account, a host, the server', () => {
    const { core, client } = bench()
    const clients = [
      'romeo@montague.net/1',
      'romeo@montague.net/2',
      'nurse@montague.net/1',
      'juliet@capulet.com/1',
    ].map(client)
    for (const one of clients) one.send('<presence/>')
    const host = core.host('montague.net')
    assert.ok(host)
    const news = x('message', NS_CLIENT, { type: 'headline' }, x('body', NS_CLIENT, 'news'))
    const from = jid('montague.net')
    const counts = () => clients.map((one) => one.take().length)
    assert.equal(core.broadcast(news, from, { kind: 'account', jid: jid('romeo@montague.net') }), 2)
    assert.deepEqual(counts(), [1, 1, 0, 0])
    assert.equal(core.broadcast(news, from, { kind: 'host', host }), 3)
    assert.deepEqual(counts(), [1, 1, 1, 0])
    assert.equal(core.broadcast(news, from, { kind: 'server' }), 4)
    assert.deepEqual(counts(), [1, 1, 1, 1])
  })

  it('fan-out: 500 copies a turn, in order, and the unreachable in one list', () => {
    const { core, client, clock } = bench()
    const clients = Array.from({ length: 1200 }, (_, i) => client(`u${i}@montague.net/r`))
    const to = clients.map((one) => one.session.jid)
    const el = x('message', NS_CLIENT, x('body', NS_CLIENT, 'to all'))
    let missing: readonly string[] | undefined
    core.fanOut.send(
      [{ el, from: jid('room@rooms.example'), recipients: [...to, jid('gone@montague.net/r')] }],
      (list) => {
        missing = list.map((one) => one.toString())
      },
    )
    const reached = () => clients.filter((one) => one.link.written.length > 0).length
    assert.equal(reached(), 500)
    core.fanOut.send([
      { el: el.withAttrs({ id: 'second' }), from: jid('room@rooms.example'), recipients: to.slice(0, 1) },
    ])
    clock.turn()
    assert.equal(reached(), 1000)
    clock.turn()
    assert.equal(reached(), 1200)
    assert.deepEqual(missing, ['gone@montague.net/r'])
    clock.turn()
    assert.deepEqual(
      clients[0]?.take().map((one) => one.attr('id')),
      [undefined, 'second'],
    )
    assert.equal(clients[1199]?.take()[0]?.attr('to'), 'u1199@montague.net/r')
  })

  it('fan-out in groups: each with its own payload and sender, in order, over turns; the unreachable of all in one list', () => {
    const { core, client, clock } = bench()
    const clients = Array.from({ length: 600 }, (_, i) => client(`u${i}@montague.net/r`))
    const to = clients.map((one) => one.session.jid)
    const el = (text: string) => x('message', NS_CLIENT, x('body', NS_CLIENT, text))
    const lists: string[][] = []
    core.fanOut.send(
      [
        { el: el('first'), from: jid('room@rooms.example/a'), recipients: [jid('gone@montague.net/1'), ...to] },
        { el: el('second'), from: jid('room@rooms.example/b'), recipients: [] },
        {
          el: el('third'),
          from: jid('room@rooms.example/c'),
          recipients: [...to.slice(0, 2), jid('gone@montague.net/2'), jid('nobody@nowhere.example/r')],
        },
      ],
      (list) => lists.push(list.map(String)),
    )
    assert.deepEqual(lists, [], 'not before the last copy')
    clock.turn()
    assert.deepEqual(lists, [['gone@montague.net/1', 'gone@montague.net/2', 'nobody@nowhere.example/r']])
    const heard = clients.map((one) => one.take().map((got) => `${got.attr('from')} ${got.childText('body')}`))
    const [first, third] = ['room@rooms.example/a first', 'room@rooms.example/c third']
    assert.deepEqual(heard.slice(0, 2), [
      [first, third],
      [first, third],
    ])
    for (const one of heard.slice(2)) assert.deepEqual(one, [first])
  })
})
