import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { x } from '../xml/build.ts'
import type { Octets } from '../xml/octets.ts'
import { parseElement } from '../xml/parse.ts'
import { bench, FakeLink, fakeInfo } from './core.testing.ts'
import { Batch } from './hand-over.ts'
import { Ledger, type LedgerPolicy } from './ledger.ts'
import { type Verdict, verdictKept } from './packet.ts'

const request = '<ask/>' as Octets
const me = 'romeo@montague.net/orchard'

function policyOf(given: Partial<LedgerPolicy> = {}): LedgerPolicy {
  return {
    request,
    begun: { name: 'begun', ns: 'urn:test' },
    stanzasMax: 1_000,
    bytesMax: 1_000_000,
    answerMs: 5_000,
    ...given,
  }
}

/** romeo, whose session counts. */
function scene(policy: Partial<LedgerPolicy> = {}, resumeMs = 60_000) {
  const made = bench()
  const kept: (string | undefined)[] = []
  made.core.hostType('default').hooks.on('message:undelivered', 'store', ({ el }): Verdict => {
    kept.push(el.attr('id'))
    return verdictKept
  })
  const romeo = made.client(me)
  romeo.session.beginLedger(policyOf(policy), 'the name', resumeMs)
  const ledger = romeo.session.ledger as Ledger
  const give = (...ids: (number | string)[]) => {
    for (const id of ids)
      made.core.send(stanza(String(id)), made.core.hosts()[0]?.jid ?? assert.fail(), romeo.session.jid)
  }
  const beats = (count: number) => {
    for (let i = 0; i < count; i++) made.clock.advance(1_000)
  }
  /** What came over the link, requests as `?`. */
  const came = (link = romeo.link) =>
    link.written.splice(0).map((bytes) => (bytes === request ? '?' : (/ id='([^']*)'/.exec(bytes)?.[1] ?? bytes)))
  return { ...made, romeo, ledger, kept, give, beats, came }
}

const stanza = (id: string) => x('message', 'jabber:client', { id, type: 'chat' }, x('body', 'jabber:client', 'x'))
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i))

/** Until all promises that are resolved were heard. */
async function settles(): Promise<void> {
  for (let i = 0; i < 20; i++) await undefined
}

describe('what is sent', () => {
  it('is kept until it is acknowledged', () => {
    const { ledger, give, core } = scene()
    give(1, 2, 3)
    assert.deepEqual([ledger.sent, ledger.length], [3, 3])
    assert.ok(ledger.acknowledge(2))
    assert.deepEqual([ledger.sent, ledger.length], [3, 1])
    assert.equal(core.metrics.value('ratatosk_unacknowledged_bytes'), ledger.bytes)
    assert.ok(ledger.acknowledge(3))
    assert.equal(core.metrics.value('ratatosk_unacknowledged_bytes'), 0)
  })

  it('may not be acknowledged before; what was said already may be said again', () => {
    const { ledger, give } = scene()
    give(1, 2)
    assert.equal(ledger.acknowledge(3), false)
    assert.equal(ledger.length, 2)
    assert.ok(ledger.acknowledge(2))
    assert.ok(ledger.acknowledge(1))
    assert.equal(ledger.length, 0)
    assert.equal(ledger.acknowledge(3), false)
  })

  it('a number that only wrapping could make an old one is more than was sent (§6)', () => {
    const { ledger, give } = scene()
    assert.equal(ledger.acknowledge(0xffff_ffff), false)
    give(1, 2, 3)
    assert.ok(ledger.acknowledge(2))
    for (const h of [0x8000_0002, 0xffff_fffe, 0xffff_ffff]) assert.equal(ledger.acknowledge(h), false, String(h))
    assert.ok(ledger.acknowledge(0))
    assert.equal(ledger.length, 1)
  })

  it('is asked for behind the 32nd stanza, and then not before the answer', () => {
    const { ledger, give, came } = scene()
    give(...upTo(40))
    assert.deepEqual(came(), [...upTo(32), '?', ...upTo(8, 32)])
    give(...upTo(60, 40))
    assert.ok(!came().includes('?'))
    assert.ok(ledger.acknowledge(32))
    give(100)
    assert.deepEqual(came(), ['100', '?'])
  })

  it('is asked for behind 16 KiB', () => {
    const { core, romeo, came } = scene()
    const large = x('message', 'jabber:client', { id: 'large' }, x('body', 'jabber:client', 'x'.repeat(20_000)))
    core.send(large, romeo.session.jid, romeo.session.jid)
    assert.deepEqual(came(), ['large', '?'])
  })

  it('is asked for behind a stanza that comes five seconds after the first', () => {
    const { give, beats, came } = scene()
    give(1)
    beats(4)
    give(2)
    assert.deepEqual(came(), ['1', '2'])
    beats(1)
    give(3)
    assert.deepEqual(came(), ['3', '?'])
  })

  it('is asked for after a pause of ten seconds, once', () => {
    const { give, beats, came } = scene()
    give(1)
    beats(9)
    assert.deepEqual(came(), ['1'])
    beats(1)
    assert.deepEqual(came(), ['?'])
    beats(3)
    assert.deepEqual(came(), [])
  })

  it('costs no timer when nothing is open', () => {
    const { ledger, give, beats, clock } = scene()
    assert.equal(clock.pending, 0)
    give(1)
    assert.equal(clock.pending, 1)
    ledger.acknowledge(1)
    beats(1)
    assert.equal(clock.pending, 0)
    give(2)
    assert.equal(clock.pending, 1)
  })

  it('a client that does not answer is dropped, but not while the request is on its way', () => {
    const { give, beats, romeo, core } = scene()
    romeo.link.queuedBytes = 1
    give(1)
    beats(60)
    assert.equal(romeo.link.isDropped, false)
    romeo.link.queuedBytes = 0
    beats(4)
    assert.equal(romeo.link.isDropped, false)
    beats(1)
    assert.equal(romeo.link.isDropped, true)
    assert.equal(core.metrics.value('ratatosk_sessions_silent_total'), 1)
  })

  it('is counted modulo 2^32', () => {
    const { ledger, romeo, give, core } = scene()
    const data = { ...ledger.encode(), sent: 0xffff_fffe, handled: 0xffff_ffff }
    const old = Ledger.decode(data, core.ledgers, policyOf())
    romeo.session.keepLedger(old)
    give(1, 2, 3)
    assert.equal(old.sent, 1)
    assert.equal(old.acknowledge(2), false)
    assert.ok(old.acknowledge(0xffff_ffff))
    assert.equal(old.length, 2)
    assert.ok(old.acknowledge(0))
    assert.ok(old.acknowledge(1))
    assert.equal(old.length, 0)
    romeo.send(`<message to='${me}' type='headline'/>`)
    assert.equal(old.handled, 0)
  })

  for (const [name, limits, sent] of [
    ['stanzas', { stanzasMax: 10 }, 11],
    ['bytes', { bytesMax: 1_050 }, 11],
  ] as const) {
    it(`too many ${name} end the session, and all of them are undeliverable, the last too`, () => {
      const { give, romeo, kept, clock } = scene(limits)
      give(...upTo(sent))
      assert.equal(romeo.session.state.kind, 'closed')
      assert.ok(typeof romeo.link.closed === 'object' && romeo.link.closed.condition === 'policy-violation')
      while (clock.turn());
      assert.deepEqual(kept, upTo(sent))
    })
  }

  it('one large element is not counted', () => {
    const { core, romeo } = scene({ bytesMax: 65_536 })
    const large = x('message', 'jabber:client', x('body', 'jabber:client', 'x'.repeat(300_000)))
    core.send(large, romeo.session.jid, romeo.session.jid)
    assert.ok(romeo.session.isActive)
  })
})

describe('what is received', () => {
  it('counts from the beginning of the ledger, not what was under way then', async () => {
    const made = bench()
    const romeo = made.client(me)
    const { promise, resolve } = Promise.withResolvers<undefined>()
    made.core.hostType('default').hooks.on('stanza:sent', 'slow', () => promise)
    romeo.send(`<presence/>`)
    romeo.send(`<presence/>`)
    romeo.session.beginLedger(policyOf(), 'the name', 0)
    const { ledger } = romeo.session
    romeo.send(`<presence/>`)
    resolve(undefined)
    await settles()
    assert.equal(romeo.session.received, 3)
    assert.equal(ledger?.handled, 1)
  })

  it('is not settled while a handler waits, nor what comes behind it', async () => {
    const { core, romeo, ledger } = scene()
    const open: (() => void)[] = []
    const wait = () => new Promise<undefined>((resolve) => open.push(() => resolve(undefined)))
    core.hostType('default').hooks.on('stanza:sent', 'slow', wait, { kinds: ['message'] })
    romeo.send(`<presence/>`)
    romeo.send(`<message to='${me}'/>`)
    romeo.send(`<presence/>`)
    let told = 0
    romeo.session.whenSettled(() => told++)
    assert.equal(ledger.handled, 1)
    await settles()
    assert.deepEqual([ledger.handled, told], [1, 0])
    open[0]?.()
    await settles()
    assert.deepEqual([ledger.handled, told], [3, 1])
  })

  it('an iq set that others overtake is not passed either; an iq get is', async () => {
    const { core, romeo, ledger } = scene()
    const open: (() => void)[] = []
    const handler = () => new Promise<undefined>((resolve) => open.push(() => resolve(undefined)))
    const entry = { module: 'test', handler, concurrent: true, hidesAccounts: false }
    const { iq } = core.hostType('default')
    iq.add('set', { name: 'slow', ns: 'urn:test' }, 'host', entry)
    iq.add('get', { name: 'slow', ns: 'urn:test' }, 'host', entry)
    const ask = (type: string) =>
      romeo.send(`<iq type='${type}' id='1' to='montague.net'><slow xmlns='urn:test'/></iq>`)
    ask('get')
    assert.equal(ledger.handled, 1)
    ask('set')
    romeo.send(`<presence/>`)
    ask('set')
    romeo.send(`<presence/>`)
    assert.equal(ledger.handled, 1)
    open[1]?.()
    await settles()
    assert.equal(ledger.handled, 3)
    assert.ok(romeo.session.isBusy)
    open[2]?.()
    await settles()
    assert.equal(ledger.handled, 5)
    assert.ok(!romeo.session.isBusy)
  })

  it('a stanza that was answered before it came counts, and its answer too', () => {
    const { romeo, ledger, came } = scene()
    romeo.session.answered(parseElement(`<iq xmlns='jabber:client' type='result' id='s'/>`))
    assert.deepEqual([ledger.handled, ledger.sent], [1, 1])
    assert.deepEqual(came(), ['s'])
  })
})

const lost = { reason: 'lost', detail: '' } as const

describe('a session that has lost its link', () => {
  it('waits, takes what comes, and sends all that is open over the next', () => {
    const { core, romeo, ledger, give, came } = scene()
    give(1, 2)
    ledger.acknowledge(1)
    romeo.session.linkEnded(lost, romeo.link)
    assert.equal(core.sessions.find(romeo.session.jid), romeo.session)
    assert.equal(core.metrics.value('ratatosk_sessions_waiting'), 1)
    give(3)
    const link = new FakeLink()
    ledger.acknowledge(1)
    assert.ok(core.resumption.resume(romeo.session, link, fakeInfo))
    assert.deepEqual(came(link), ['2', '3', '?'])
    give(4)
    assert.deepEqual(came(link), ['4'])
    assert.equal(core.metrics.value('ratatosk_sessions_waiting'), 0)
    // What is heard of the old link later is nothing to it.
    romeo.session.linkGone({ bytes: '' as Octets, taken: 0, since: 0, heldBack: '' as Octets }, romeo.link)
    assert.ok(romeo.session.isActive)
  })

  it('ends when nobody comes, and what is open is undeliverable', () => {
    const { core, romeo, give, kept, clock } = scene()
    give(1, 2)
    romeo.session.linkEnded(lost, romeo.link)
    give(3)
    for (let i = 0; i < 59; i++) clock.advance(1_000)
    assert.deepEqual([core.sessions.count(), kept.length], [1, 0])
    clock.advance(1_000)
    assert.deepEqual([core.sessions.count(), kept], [0, ['1', '2', '3']])
    assert.equal(core.metrics.value('ratatosk_sessions_expired_total'), 1)
    assert.equal(core.metrics.value('ratatosk_unacknowledged_bytes'), 0)
  })

  it('ends at once where it may not be resumed, or its client has closed its stream', () => {
    for (const [resumeMs, reason] of [
      [0, 'lost'],
      [60_000, 'closed'],
      [60_000, 'error'],
    ] as const) {
      const { core, romeo, give, kept } = scene({}, resumeMs)
      give(1)
      romeo.session.linkEnded({ reason, detail: '' }, romeo.link)
      assert.deepEqual([core.sessions.count(), kept], [0, ['1']])
    }
  })

  it('what had not left before the ledger was begun is undeliverable when the link goes, and what is in it is not', () => {
    const made = scene()
    const { client, core, kept } = made
    const juliet = client('juliet@capulet.com/a')
    core.send(stanza('early'), made.romeo.session.jid, juliet.session.jid)
    const early = juliet.link.written.join('')
    juliet.session.beginLedger(policyOf(), 'another', 60_000)
    core.send(stanza('late'), made.romeo.session.jid, juliet.session.jid)
    const late = juliet.link.written[1] ?? ''
    juliet.session.linkEnded(lost, juliet.link)
    const bytes = `${early}<begun xmlns='urn:test'/>${late}` as Octets
    juliet.session.linkGone({ bytes, taken: 0, since: 0, heldBack: '' as Octets }, juliet.link)
    assert.deepEqual(kept, ['early'])
    assert.equal(juliet.session.ledger?.length, 1)
  })

  it('is resumed by nobody once that is forbidden', () => {
    const { core, romeo, ledger, give, kept } = scene()
    give(1)
    core.resumption.forbid(romeo.session, { reason: 'kicked', detail: '' })
    assert.ok(romeo.session.isActive)
    romeo.session.linkEnded(lost, romeo.link)
    assert.deepEqual([core.sessions.count(), kept], [0, ['1']])
    assert.equal(ledger.resumeMs, 0)
    const other = scene()
    other.romeo.session.linkEnded(lost, other.romeo.link)
    other.core.resumption.forbid(other.romeo.session, { reason: 'kicked', detail: '' })
    assert.equal(other.core.sessions.count(), 0)
  })

  it('tells when what was open was sent, to the second', () => {
    const { core, romeo, give, clock, beats } = scene()
    const told: number[] = []
    const begin = clock.wallMs()
    core.hostType('default').hooks.on('message:late', 'test', (el, { sentMs }) => {
      told.push(sentMs - begin)
      return el
    })
    give(1)
    beats(3)
    give(2, 3)
    romeo.session.ledger?.acknowledge(2)
    beats(5)
    give(4)
    romeo.session.close({ reason: 'kicked', detail: '' })
    assert.deepEqual(told, [3_000, 8_000])
  })
})

describe('a batch of a store', () => {
  const batchOf = (count: number) =>
    new Batch(upTo(count).map((id) => `<message from='a@b' to='${me}' id='${id}'><body/></message>` as Octets))

  it('has left when it is acknowledged, which is asked for at once', async () => {
    const { romeo, ledger, came } = scene()
    const batch = batchOf(3)
    romeo.session.handOver(batch)
    assert.deepEqual(came(), ['0', '1', '2', '?'])
    romeo.session.drained()
    ledger.acknowledge(2)
    assert.equal(batch.isDone, false)
    assert.deepEqual(came(), ['?'])
    ledger.acknowledge(3)
    assert.equal(await batch.done, 3)
  })

  it('what of it was not acknowledged when the session ends stays in the store, and is not undeliverable too', async () => {
    const { romeo, ledger, give, kept } = scene()
    const batch = batchOf(3)
    romeo.session.handOver(batch)
    give('live')
    ledger.acknowledge(1)
    romeo.session.close({ reason: 'kicked', detail: '' })
    assert.equal(await batch.done, 1)
    assert.deepEqual(kept, ['live'])
  })

  it('one with nothing in it has left', async () => {
    const { romeo } = scene()
    const batch = batchOf(0)
    romeo.session.handOver(batch)
    assert.equal(await batch.done, 0)
  })

  it('one that is too much ends the session in its middle', async () => {
    const { romeo, kept, clock } = scene({ stanzasMax: 2 })
    const batch = batchOf(5)
    romeo.session.handOver(batch)
    while (clock.turn());
    assert.equal(romeo.session.state.kind, 'closed')
    assert.equal(await batch.done, 0)
    assert.deepEqual(kept, [])
  })
})
