/** XEP-0352: what an inactive client is sent, and when; and that order is kept and nothing lost, whatever happens to him. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ClientStream } from '../../core/client-stream.ts'
import { FakeLink, fakeInfo } from '../../core/core.testing.ts'
import type { Session } from '../../core/session.ts'
import { decodeSession, encodeSession, SessionFault } from '../../core/session-codec.ts'
import { NS_DELAY } from '../../stanza/delay.ts'
import { StreamError } from '../../stanza/error.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import { parseElement } from '../../xml/parse.ts'
import { House } from '../modules.testing.ts'
import { NS_CSI } from './csi.ts'
import { Waiting, waitingCodec } from './waiting.ts'

const phone = 'romeo@montague.net/phone'
const state = (name: string) => `<${name} xmlns='http://jabber.org/protocol/chatstates'/>`

/** The client says so; its session may have moved. Gives the error that ends the stream; false when the element is nobody's. */
function indicate(house: House, session: Session | undefined, name: string): StreamError | boolean {
  const el = parseElement(`<${name} xmlns='${NS_CSI}'/>`)
  const handler = house.core.hostType('default').streamElements.find(el)
  let answer: StreamError | boolean = handler !== undefined
  const stream: ClientStream = {
    stage: session === undefined ? 'bind' : 'established',
    to: house.host('montague.net'),
    account: session?.jid.bare,
    session,
    send: () => assert.fail('it is not answered (§4.2)'),
    write: () => assert.fail(),
    takeOver: () => assert.fail(),
    close(error) {
      answer = error
    },
  }
  handler?.(el, stream)
  return answer
}

async function scene(options: Readonly<Record<string, unknown>> = {}) {
  const house = await House.build({ options: { csi: options } })
  const romeo = await house.online(phone)
  const juliet = house.actor('juliet@capulet.com/b')
  const tybalt = house.actor('tybalt@capulet.com/b')
  // Their privacy lists are read: the first stanzas of two clients would wait differently long.
  await house.settle()
  const says = (name: string) => assert.equal(indicate(house, romeo.session, name), true)
  return { house, romeo, juliet, tybalt, says }
}

const shows = (show: string, to = phone) => `<presence to='${to}'><show>${show}</show></presence>`
const types = (name: string, to = phone) => `<message to='${to}' type='chat'>${state(name)}</message>`
const chat = (id: string, to = phone) => `<message to='${to}' type='chat' id='${id}'><body>x</body></message>`
const receipt = (id: string, to = phone) =>
  `<message to='${to}' type='chat' id='${id}'><received xmlns='urn:xmpp:receipts' id='x'/></message>`

/** A stanza in a word. */
function word(el: Element): string {
  return el.attr('id') ?? el.childText('show') ?? el.attr('type') ?? el.name
}

async function words(actor: { drain(): Promise<readonly Element[]> }): Promise<string[]> {
  return (await actor.drain()).map(word)
}

describe('the state of a client', () => {
  it('is offered after sign-in (§4.1)', async () => {
    const { house } = await scene()
    const stream = { host: house.host('montague.net'), session: undefined }
    const features = house.core.hostType('default').hooks.fold('stream:features', [], stream)
    assert.ok(features.some((el) => el.name === 'csi' && el.ns === NS_CSI))
  })

  it('is active until he says otherwise (§5)', async () => {
    const { romeo, juliet } = await scene()
    juliet.send(shows('away'))
    assert.deepEqual(await words(romeo), ['away'])
  })

  it('may be said twice; another element of the namespace is nobody’s', async () => {
    const { house, romeo, juliet, says } = await scene()
    for (const name of ['active', 'inactive', 'inactive']) says(name)
    juliet.send(shows('away'))
    assert.deepEqual(await words(romeo), [])
    says('active')
    says('active')
    assert.deepEqual(await words(romeo), ['away'])
    assert.equal(indicate(house, romeo.session, 'asleep'), false)
  })

  it('is nothing to say before there is a session, or after it', async () => {
    const { house, romeo } = await scene()
    for (const name of ['active', 'inactive']) assert.ok(indicate(house, undefined, name) instanceof StreamError)
    romeo.session.close({ reason: 'kicked', detail: '' })
    assert.ok(indicate(house, romeo.session, 'inactive') instanceof StreamError)
    assert.equal(romeo.session.gate, undefined)
  })

  it('is nothing to others: presence goes on as it is (§5, §6)', async () => {
    const { romeo, juliet, says } = await scene()
    const ask = () => juliet.ask('get', `<query xmlns='http://jabber.org/protocol/disco#items'/>`, 'romeo@montague.net')
    const before = (await ask()).payload
    says('inactive')
    assert.equal((await ask()).payload, before)
    assert.ok(romeo.session.isAvailable)
  })
})

describe('what waits (§3.2)', () => {
  it('is the last presence of each, in the order in which they came, with a note of delay', async () => {
    const { house, romeo, juliet, tybalt, says } = await scene()
    says('inactive')
    juliet.send(shows('away'))
    await house.pass(1_000)
    tybalt.send(shows('dnd'))
    await house.pass(1_000)
    juliet.send(shows('xa'))
    juliet.send(types('composing'))
    await house.pass(60_000)
    assert.deepEqual(await words(romeo), [])
    juliet.send(types('paused'))
    await house.settle()
    says('active')
    const all = await romeo.drain()
    assert.deepEqual(all.map(word), ['dnd', 'xa', 'chat'])
    assert.ok(all[2]?.hasChild('paused', 'http://jabber.org/protocol/chatstates'))
    const notes = all.map((el) => el.child('delay', NS_DELAY))
    assert.deepEqual(
      notes.map((note) => note?.attr('stamp')),
      ['2026-01-01T00:00:01.000Z', '2026-01-01T00:00:02.000Z', '2026-01-01T00:01:02.000Z'],
    )
    assert.deepEqual(
      notes.map((note) => note?.attr('from')),
      ['montague.net', 'montague.net', 'montague.net'],
    )
    assert.equal(house.core.metrics.value('ratatosk_csi_held_total'), 5)
    assert.equal(house.core.metrics.value('ratatosk_csi_replaced_total'), 2)
    juliet.send(shows('chat'))
    assert.deepEqual(await words(romeo), ['chat'], 'and nothing waits any more')
  })

  it('goes before what cannot wait, and the client is inactive still', async () => {
    const { romeo, juliet, tybalt, says } = await scene()
    says('inactive')
    juliet.send(shows('away'))
    juliet.send(receipt('r1'))
    tybalt.send(chat('m1'))
    juliet.send(shows('xa'))
    assert.deepEqual(await words(romeo), ['away', 'r1', 'm1'])
    tybalt.send(chat('m2'))
    assert.deepEqual(await words(romeo), ['xa', 'm2'])
  })

  it('goes before the answer to a request behind <active/> (§5.1)', async () => {
    const { romeo, juliet, says } = await scene()
    says('inactive')
    juliet.send(shows('away'))
    await romeo.drain()
    says('active')
    romeo.send(`<iq type='get' id='ping1' to='montague.net'><ping xmlns='urn:xmpp:ping'/></iq>`)
    assert.deepEqual(await words(romeo), ['away', 'ping1'])
  })

  it('leaves in one call, so in one write', async () => {
    const { house, romeo, juliet, tybalt, says } = await scene()
    says('inactive')
    juliet.send(shows('away'))
    tybalt.send(shows('away'))
    await house.settle()
    assert.equal(romeo.link.written.length, 0)
    says('active')
    assert.equal(romeo.link.written.length, 2)
  })

  it('keeps a note of delay that it has', async () => {
    const { romeo, juliet, says } = await scene()
    says('inactive')
    const note = `<delay xmlns='${NS_DELAY}' from='capulet.com' stamp='2020-01-01T00:00:00Z'/>`
    juliet.send(`<presence to='${phone}'>${note}</presence>`)
    await romeo.drain()
    says('active')
    const [el] = await romeo.drain()
    assert.deepEqual(
      el?.childrenNamed('delay', NS_DELAY).map((one) => one.attr('from')),
      ['capulet.com'],
    )
  })

  it('with more than held_bytes all of it goes; with 0 nothing waits', async () => {
    const { house, romeo, juliet, says } = await scene({ held_bytes: '300 B' })
    says('inactive')
    for (const id of ['r1', 'r2', 'r3']) juliet.send(receipt(id))
    assert.deepEqual(await words(romeo), ['r1', 'r2', 'r3'])
    assert.equal(house.core.metrics.value('ratatosk_csi_full_total'), 1)
    house.modules.configure('csi', { held_bytes: 0 })
    juliet.send(shows('away'))
    assert.deepEqual(await words(romeo), ['away'])
    assert.equal(house.core.metrics.value('ratatosk_csi_full_total'), 1)
  })

  it('costs the memory of its own bytes: what replaces another leaves none of it', async () => {
    const { house, romeo, juliet, says } = await scene({ held_bytes: '300 B' })
    says('inactive')
    for (let i = 0; i < 50; i++) juliet.send(shows(`s${i}`))
    assert.deepEqual(await words(romeo), [])
    assert.equal(house.core.metrics.value('ratatosk_csi_full_total'), 0)
  })
})

describe('when the connection is gone', () => {
  const bare = 'romeo@montague.net'

  it('what waits is undeliverable like the rest, and behind it', async () => {
    const { house, romeo, juliet, says } = await scene()
    says('inactive')
    juliet.send(chat('m1', bare))
    juliet.send(receipt('r1', bare))
    juliet.send(shows('away', bare))
    await house.settle()
    const bytes = romeo.link.written.splice(0).join('') as Octets
    const heldBack = chat('m2', bare).replace(' ', ` from='${juliet.session.jid}' `) as Octets
    romeo.session.linkEnded({ reason: 'lost', detail: '' }, romeo.link)
    romeo.session.linkGone({ bytes, taken: 0, since: 0, heldBack }, romeo.link)
    await house.settle()
    assert.equal(house.core.metrics.value('ratatosk_offline_kept_total'), 3)
    const next = house.actor(`${bare}/next`)
    next.send('<presence/>')
    const messages = (await next.drain()).filter(({ name }) => name === 'message')
    assert.deepEqual(messages.map(word), ['m1', 'm2', 'r1'])
  })

  it('what waits alone is not lost', async () => {
    const { house, romeo, juliet, says } = await scene()
    says('inactive')
    juliet.send(receipt('r1', bare))
    await house.settle()
    romeo.drop()
    await house.settle()
    assert.equal(house.core.metrics.value('ratatosk_offline_kept_total'), 1)
  })

  it('another stream begins active, and is sent what waits (§5.2)', async () => {
    const { house, romeo, juliet, says } = await scene()
    says('inactive')
    juliet.send(shows('away'))
    await house.settle()
    const old = romeo.session.detach()
    const link = new FakeLink()
    romeo.session.attach(link, fakeInfo)
    romeo.session.linkGone({ bytes: '' as Octets, taken: 0, since: 0, heldBack: '' as Octets }, old)
    juliet.send(shows('xa'))
    await house.settle()
    assert.deepEqual(link.take().map(word), ['away', 'xa'])
    // Moved after that it is active too.
    moved(house, romeo.session, link)
    juliet.send(shows('dnd'))
    await house.settle()
    assert.deepEqual(link.take().map(word), ['dnd'])
    says('inactive')
    juliet.send(shows('chat'))
    await house.settle()
    assert.deepEqual(link.take(), [])
  })
})

/** The session once more, of its data. */
function moved(house: House, session: Session, link: FakeLink): Session {
  const data = encodeSession(house.core, house.core.sessions.find(session.jid) ?? session)
  if (data instanceof SessionFault) throw data
  const made = decodeSession(house.core, JSON.parse(JSON.stringify(data)), link)
  if (made instanceof SessionFault) throw made
  return made
}

describe('a session that moves', () => {
  it('takes with it what waits, and goes on waiting', async () => {
    const { house, romeo, juliet, tybalt, says } = await scene()
    says('inactive')
    juliet.send(shows('ёж'))
    juliet.send(receipt('r1'))
    tybalt.send(receipt('r2'))
    await house.settle()
    const made = moved(house, romeo.session, romeo.link)
    assert.notEqual(made, romeo.session)
    juliet.send(shows('xa'))
    tybalt.send(receipt('r3'))
    await house.settle()
    assert.deepEqual(romeo.link.take(), [])
    says('active')
    assert.deepEqual(await words(romeo), ['r1', 'r2', 'xa', 'r3'])
  })

  it('data of another form is refused', () => {
    const waiting = new Waiting()
    assert.deepEqual(waitingCodec.encode(waiting), { lifted: false, held: [] })
    const bad = [
      null,
      1,
      [],
      {},
      { lifted: 1, held: [] },
      { lifted: false, held: [1] },
      { lifted: false, held: [['', '', '']] },
    ]
    for (const data of bad) assert.equal(waitingCodec.decode(data), undefined, JSON.stringify(data))
  })
})

describe('the module', () => {
  it('lets go of what waits when it goes', async () => {
    const { house, romeo, juliet, says } = await scene()
    says('inactive')
    juliet.send(shows('away'))
    await house.settle()
    await house.wait(house.modules.unload('csi'))
    juliet.send(shows('xa'))
    assert.deepEqual(await words(romeo), ['away', 'xa'])
    assert.equal(romeo.session.gate, undefined)
  })

  it('hands over what the store kept at once, behind what waits', async () => {
    const { house, romeo, juliet, says } = await scene()
    romeo.send(`<presence type='unavailable'/>`)
    await romeo.drain()
    juliet.send(receipt('r1', 'romeo@montague.net'))
    await house.settle()
    says('inactive')
    // His own presence cannot wait; what comes while the store is asked can.
    romeo.send('<presence/>')
    juliet.send(shows('away'))
    assert.equal(house.core.metrics.value('ratatosk_offline_handed_total'), 0)
    const all = (await romeo.drain()).filter((el) => el.attr('from') !== phone)
    assert.deepEqual(all.map(word), ['away', 'r1'])
    assert.equal(house.core.metrics.value('ratatosk_offline_handed_total'), 1)
    assert.equal(house.core.metrics.value('ratatosk_csi_held_total'), 1)
  })
})

describe('any interleaving', () => {
  it('keeps the order between any two, and loses nothing that nothing replaced', async () => {
    const from = fc.constantFrom('juliet' as const, 'tybalt' as const)
    const kinds = ['presence', 'typing', 'receipt', 'chat'] as const
    const step = fc.oneof(
      fc.record({ from, kind: fc.constantFrom(...kinds) }),
      fc.record({ say: fc.constantFrom('active', 'inactive', 'inactive') }),
      fc.record({ move: fc.constant(true) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { house, romeo, juliet, tybalt, says } = await scene({ held_bytes: '1 KiB' })
        const actors = { juliet, tybalt }
        /** What was sent: its name, and what replaces it. */
        const sent: { readonly name: string; readonly key: string }[] = []
        for (const one of steps) {
          if ('say' in one) says(one.say)
          else if ('move' in one) moved(house, romeo.session, romeo.link)
          else {
            const name = `${one.from}${sent.length}`
            const key = one.kind === 'presence' || one.kind === 'typing' ? `${one.from} ${one.kind}` : ''
            sent.push({ name, key })
            const thread = `<thread>${name}</thread>`
            const stanza = {
              presence: shows(name),
              typing: `<message to='${phone}' type='chat'>${state('composing')}${thread}</message>`,
              receipt: `<message to='${phone}' type='chat'><received xmlns='urn:xmpp:receipts' id='x'/>${thread}</message>`,
              chat: `<message to='${phone}' type='chat'><body>x</body>${thread}</message>`,
            }[one.kind]
            actors[one.from].send(stanza)
          }
          await house.settle()
        }
        says('active')
        const came = (await romeo.drain()).map((el) => el.childText('show') ?? el.childText('thread') ?? '')
        const order = sent.map(({ name }) => name).filter((name) => came.includes(name))
        assert.deepEqual(came, order, 'in the order in which they were sent, each once')
        for (const [i, { name, key }] of sent.entries()) {
          if (came.includes(name)) continue
          assert.ok(key !== '' && sent.slice(i + 1).some((later) => later.key === key), `${name} is lost`)
        }
      }),
      { numRuns: 60 },
    )
  })
})
