import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { jid } from '../jid/jid.ts'
import { decode } from '../xml/octets.ts'
import { parseElement } from '../xml/parse.ts'
import { serialise } from '../xml/serialise.ts'
import type { Json } from './command-result.ts'
import { bench, FakeLink, fakeInfo } from './core.testing.ts'
import type { Core } from './core.ts'
import type { Session } from './session.ts'
import { decodeSession, encodeSession, type SessionData, SessionFault } from './session-codec.ts'

const lost = { reason: 'lost', detail: '' } as const
const greeting = `<message to='romeo@montague.net/orchard' id='1'><body>hello</body></message>`

/** As it travels: JSON text. */
function encoded(core: Core, session: Session): SessionData {
  const data = encodeSession(core, session)
  if (data instanceof SessionFault) throw data
  return JSON.parse(JSON.stringify(data)) as SessionData
}

function decoded(core: Core, data: unknown, link?: FakeLink): Session {
  const session = decodeSession(core, data, link)
  if (session instanceof SessionFault) throw session
  return session
}

function faultOf(core: Core, data: unknown): string {
  const found = decodeSession(core, data, undefined)
  return found instanceof SessionFault ? found.code : 'no fault'
}

/** A bench with a kept slot of a list of words, and one that is not kept. */
function scene() {
  const made = bench()
  const words = made.core.slots.declare<Set<string>>('test.words', () => new Set(), {
    encode: (set) => [...set],
    decode: (data) => (Array.isArray(data) ? new Set(data.map(String)) : undefined),
  })
  const passing = made.core.slots.declare('test.passing', () => 0)
  return { ...made, words, passing, romeo: made.client('romeo@montague.net/orchard') }
}

describe('a session as data', () => {
  it('encoding and decoding is the identity on all that can be seen', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 }).map((one) => one.replace(/[^\P{C}\n\t]/gu, ''))
    const visible = fc.record({
      status: fc.option(text),
      priority: fc.integer({ min: -128, max: 127 }),
      received: fc.nat(),
      delivered: fc.nat(),
      words: fc.option(fc.array(text)),
      info: fc.record(
        {
          ...{ address: text, port: fc.nat(65_535), transport: text, tls: text, auth: text, listener: text },
          ...{ agent: text, resumedFrom: text },
        },
        { noNullPrototype: true, requiredKeys: ['address', 'port', 'transport', 'tls', 'auth', 'listener'] },
      ),
    })
    fc.assert(
      fc.property(visible, (seen) => {
        const { core, words, romeo } = scene()
        const { session, link } = romeo
        if (seen.status !== null) {
          session.presence = parseElement(
            `<presence xmlns='jabber:client' xml:lang='it'><status/><priority>${seen.priority}</priority></presence>`,
          ).withAttrs({ id: seen.status })
        }
        session.priority = seen.priority
        session.received = seen.received
        session.delivered = seen.delivered
        session.info = seen.info
        if (seen.words !== null) session.slots.set(words, new Set(seen.words))
        const data = encoded(core, session)
        const made = decoded(core, data, link)
        assert.notEqual(made, session)
        assert.deepEqual(encoded(core, made), data)
        assert.deepEqual(made.jid.toString(), session.jid.toString())
        assert.deepEqual(
          [made.id, made.host, made.createdMs, made.info, made.priority, made.received, made.delivered, made.state],
          [
            session.id,
            session.host,
            session.createdMs,
            seen.info,
            seen.priority,
            seen.received,
            seen.delivered,
            { kind: 'active', link },
          ],
        )
        assert.equal(made.isAvailable, seen.status !== null)
        assert.equal(made.presence?.attr('id'), seen.status ?? undefined)
        assert.equal(made.presence?.lang, seen.status === null ? undefined : 'it')
        const { presence } = session
        const asText = (el: typeof presence) => (el === undefined ? '' : decode(serialise(el, '')))
        assert.equal(asText(made.presence), asText(presence))
        assert.deepEqual(made.slots.peek(words), seen.words === null ? undefined : new Set(seen.words))
      }),
      { numRuns: 200 },
    )
  })

  it('a slot that is not kept begins anew', () => {
    const { core, passing, romeo } = scene()
    romeo.session.slots.set(passing, 3)
    const data = encoded(core, romeo.session)
    assert.deepEqual(data.slots, {})
    assert.equal(decoded(core, data, romeo.link).slots.get(passing), 0)
  })

  it('it takes the place of the old one, in its order, and no notice is told', () => {
    const { core, client, romeo } = scene()
    client('romeo@montague.net/balcony')
    const told: string[] = []
    for (const name of ['session:bound', 'session:ended'] as const) {
      core.hostType('default').hooks.on(name, 'witness', () => {
        told.push(name)
      })
    }
    const made = decoded(core, encoded(core, romeo.session), romeo.link)
    assert.deepEqual(
      core.sessions.ofAccount('montague.net', 'romeo').map((one) => one.jid.resource),
      ['orchard', 'balcony'],
    )
    assert.equal(core.sessions.find(made.jid), made)
    assert.equal(core.sessions.count(), 2)
    assert.deepEqual(told, [])
    assert.equal(romeo.link.closed, undefined)
    made.linkEnded(lost)
    assert.deepEqual(told, ['session:ended'])
    assert.equal(core.sessions.count(), 1)
  })

  it('who holds the old one reaches the new one, over any number of moves', () => {
    const { core, client, romeo } = scene()
    const juliet = client('juliet@capulet.com/balcony')
    let last = romeo.session
    for (let n = 0; n < 3; n++) last = decoded(core, encoded(core, last), romeo.link)
    assert.ok(romeo.session.hasEnded && !romeo.session.isActive)
    romeo.send(`<message to='juliet@capulet.com/balcony' id='1'/>`)
    assert.equal(juliet.take()[0]?.attr('from'), 'romeo@montague.net/orchard')
    assert.deepEqual([last.received, romeo.session.received], [1, 0])
    assert.deepEqual(romeo.session.state, { kind: 'moved', to: last })
    assert.ok(romeo.session.deliverFrom(parseElement(`<message xmlns='jabber:client'/>`), juliet.session.jid, last.jid))
    assert.equal(last.delivered, 1)
    romeo.session.linkEnded(lost, romeo.link)
    assert.equal(last.state.kind, 'closed')
    assert.equal(core.sessions.find(last.jid), undefined)
  })

  it('a busy session is refused until what it waits for is done', async () => {
    const { core, romeo } = scene()
    const { session } = romeo
    const data = encoded(core, session)
    const { promise, resolve } = Promise.withResolvers<void>()
    const codeNow = () => {
      const found = encodeSession(core, session)
      return found instanceof SessionFault ? found.code : 'no fault'
    }
    session.suspendUntil(promise)
    assert.equal(codeNow(), 'RTK_SESSION_BUSY')
    romeo.send(`<message to='juliet@capulet.com'/>`)
    assert.equal(faultOf(core, data), 'RTK_SESSION_TAKEN')
    resolve()
    await promise
    await Promise.resolve()
    assert.equal(codeNow(), 'no fault')
    session.takesMessages = false
    assert.equal(codeNow(), 'RTK_SESSION_BUSY')
    session.takesMessages = true
    session.linkEnded(lost)
    assert.equal(codeNow(), 'RTK_SESSION_ENDED')
  })

  it('data that is not understood makes no session, and leaves the old one as it was', () => {
    const { core, words, romeo } = scene()
    romeo.session.slots.set(words, new Set(['Tybalt']))
    const data = encoded(core, romeo.session)
    const rows: readonly (readonly [string, unknown])[] = [
      ['RTK_SESSION_DATA', null],
      ['RTK_SESSION_DATA', []],
      ['RTK_SESSION_VERSION', {}],
      ['RTK_SESSION_VERSION', { ...data, v: 1 }],
      ['RTK_SESSION_VERSION', { ...data, v: '2' }],
      ['RTK_SESSION_DATA', { ...data, ledger: {} }],
      ['RTK_SESSION_DATA', { ...data, ledger: undefined }],
      ['RTK_SESSION_LEDGER', { ...data, ledger: { id: 'x', resume: 0, handled: 0, sent: 0, kept: [], times: [] } }],
      ['RTK_SESSION_DATA', { ...data, received: '1' }],
      ['RTK_SESSION_DATA', { ...data, info: { ...data.info, port: undefined } }],
      ['RTK_SESSION_DATA', { ...data, slots: [] }],
      ['RTK_SESSION_DATA', { ...data, jid: 'romeo@montague.net' }],
      ['RTK_SESSION_DATA', { ...data, host: 'capulet.com' }],
      ['RTK_SESSION_DATA', { ...data, presence: '<presence' }],
      ['RTK_SESSION_DATA', { ...data, presence: '<message/>' }],
      ['RTK_SESSION_HOST', { ...data, host: 'verona.it' }],
      ['RTK_SESSION_SLOT_UNKNOWN', { ...data, slots: { 'test.letters': [] } }],
      ['RTK_SESSION_SLOT_UNKNOWN', { ...data, slots: { 'test.passing': 1 } }],
      ['RTK_SESSION_SLOT_DATA', { ...data, slots: { 'test.words': 'Tybalt' } }],
      ['RTK_SESSION_TAKEN', { ...data, id: 'another' }],
    ]
    for (const [code, row] of rows) assert.equal(faultOf(core, row), code, JSON.stringify(row))
    assert.equal(core.sessions.find(jid('romeo@montague.net/orchard')), romeo.session)
    assert.ok(romeo.session.isActive)
  })

  it("a slot's codec that throws is a fault with its cause", () => {
    const { core, romeo } = scene()
    const fault = new Error('no')
    const fails = (): Json => {
      throw fault
    }
    romeo.session.slots.set(
      core.slots.declare('test.bad', () => 0, { encode: fails, decode: () => undefined }),
      1,
    )
    const found = encodeSession(core, romeo.session)
    assert.ok(found instanceof SessionFault)
    assert.deepEqual([found.code, found.cause], ['RTK_SESSION_SLOT_DATA', fault])
  })
})

describe('a session and its link', () => {
  it('detached it takes nothing and stays in the table; attached it goes on', () => {
    const { core, client, romeo } = scene()
    const juliet = client('juliet@capulet.com/balcony')
    const { session } = romeo
    assert.equal(session.detach(), romeo.link)
    assert.equal(session.detach(), undefined)
    assert.equal(core.sessions.find(session.jid), session)
    assert.deepEqual([session.isActive, session.hasEnded], [false, false])
    juliet.send(greeting)
    assert.equal(juliet.take()[0]?.attr('type'), 'error')
    assert.deepEqual(romeo.take(), [])

    const link = new FakeLink()
    const info = { ...fakeInfo, address: '127.0.0.2' }
    assert.ok(session.attach(link, info))
    assert.ok(!session.attach(new FakeLink(), info))
    assert.equal(session.info, info)
    juliet.send(greeting)
    assert.equal(link.take()[0]?.attr('id'), '1')
    assert.equal(session.delivered, 1)

    // The end of the link it has left is nothing to it.
    session.linkEnded(lost, romeo.link)
    assert.ok(session.isActive)
    session.linkEnded(lost, link)
    assert.equal(session.state.kind, 'closed')
    assert.ok(!session.attach(link, info))
  })

  it('a message to the account goes to a resource with a link, though one without is more available', () => {
    const { core, client, romeo } = scene()
    const juliet = client('juliet@capulet.com/balcony')
    const other = client('romeo@montague.net/street')
    romeo.send('<presence><priority>5</priority></presence>')
    other.send('<presence/>')
    romeo.session.detach()
    juliet.send(`<message to='romeo@montague.net' type='chat' id='1'/>`)
    assert.equal(other.take()[0]?.attr('id'), '1')

    const kept: (string | undefined)[] = []
    core.hostType('default').hooks.on('message:undelivered', 'store', ({ el }) => {
      kept.push(el.attr('id'))
      return { kind: 'done', how: 'kept' }
    })
    other.session.detach()
    juliet.send(`<message to='romeo@montague.net' type='chat' id='2'/>`)
    assert.deepEqual(kept, ['2'])
  })

  it('a detached session can be closed, and moves as it is', () => {
    const { core, romeo } = scene()
    romeo.session.detach()
    const made = decoded(core, encoded(core, romeo.session))
    assert.equal(made.state.kind, 'detached')
    made.close({ reason: 'kicked', detail: '' })
    assert.equal(core.sessions.count(), 0)
    assert.equal(romeo.link.closed, undefined)
  })

  it('the reading of a new link is held while stanzas of the old one wait', async () => {
    const { romeo, core } = scene()
    const { promise, resolve } = Promise.withResolvers<void>()
    romeo.session.suspendUntil(promise)
    for (let n = 0; n < core.limits.pendingStanzasMax; n++) romeo.send(`<message to='juliet@capulet.com'/>`)
    assert.equal(romeo.link.holds, 1)
    romeo.session.detach()
    const link = new FakeLink()
    romeo.session.attach(link, fakeInfo)
    assert.equal(link.holds, 1)
    resolve()
    await promise
    await Promise.resolve()
    assert.equal(link.holds, 0)
    assert.equal(romeo.session.received, core.limits.pendingStanzasMax)
  })
})
