/** XEP-0115: what is learned from presence, who is asked, who is believed, and what the server says of itself. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CapsKnown, CapsService } from '../../core/services/caps.ts'
import { decodeSession, encodeSession, SessionFault } from '../../core/session-codec.ts'
import { jid } from '../../jid/jid.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { type Actor, type Elsewhere, House, type HouseOptions, show } from '../modules.testing.ts'
import { advertised, answerTo, exodus, feature, featured, form, type Program, program, psi } from './caps.testing.ts'

const INFO = 'http://jabber.org/protocol/disco#info'
const CAPS = 'http://jabber.org/protocol/caps'
const muc = 'http://jabber.org/protocol/muc'

interface Scene {
  readonly house: House
  readonly caps: CapsService
  /** What was told by `caps:known`. */
  readonly known: CapsKnown[]
  counter(name: string): number
}

async function scene(options: HouseOptions = {}): Promise<Scene> {
  const house = await House.build(options)
  const type = house.core.hostType('default')
  const caps = type.services.find('caps') ?? assert.fail('no service')
  const known: CapsKnown[] = []
  type.hooks.on('caps:known', 'test', (one) => void known.push(one))
  return { house, caps, known, counter: (name) => house.core.metrics.value(`ratatosk_caps_${name}`) }
}

const isQuestion = (el: Element) => el.name === 'iq' && el.hasChild('query', INFO)
const questions = async (one: Actor | Elsewhere) => (await one.drain()).filter(isQuestion)

/** Becomes available with these capabilities; gives what it was asked. */
async function arrives(house: House, address: string, { c }: Program): Promise<readonly [Actor, readonly Element[]]> {
  const actor = house.actor(address)
  actor.send(`<presence>${c}</presence>`)
  return [actor, await questions(actor)]
}

/** The same, and answers. */
async function tells(house: House, address: string, one: Program, told = one.told): Promise<Actor> {
  const [actor, [question]] = await arrives(house, address, one)
  actor.send(answerTo(show(question ?? assert.fail('nobody asked')), told))
  await house.settle()
  return actor
}

const featuresOf = ({ caps }: Scene, address: string) => {
  const set = caps.features(jid(address))
  return set === undefined ? undefined : [...set].sort()
}

describe('capabilities are learned from presence', () => {
  it('§6.2: the full JID is asked, by its host, with node and ver', async () => {
    const { house } = await scene()
    const [, asked] = await arrives(house, 'romeo@montague.net/orchard', exodus)
    assert.equal(asked.length, 1)
    const [question] = asked
    assert.equal(question?.attr('type'), 'get')
    assert.equal(question?.attr('from'), 'montague.net')
    assert.equal(question?.attr('to'), 'romeo@montague.net/orchard')
    const node = question?.child('query', INFO)?.attr('node')
    assert.equal(node, 'http://code.google.com/p/exodus#QgayPKawpkPSDYmwT/WM94uAlu0=')
  })

  it('§5.4 rule 3.8: a hash that is verified is asked for once, and its features are one set', async () => {
    const it = await scene()
    const romeo = await tells(it.house, 'romeo@montague.net/orchard', exodus)
    assert.ok(it.caps.features(romeo.session.jid)?.has(muc))
    assert.equal(it.counter('verified_total'), 1)
    const [nurse, asked] = await arrives(it.house, 'nurse@capulet.com/chamber', exodus)
    assert.deepEqual(asked, [])
    assert.equal(it.caps.ofSession(nurse.session), it.caps.ofSession(romeo.session))
    assert.deepEqual(
      it.known.map((one) => one.jid.toString()),
      ['romeo@montague.net/orchard', 'nurse@capulet.com/chamber'],
    )
    assert.equal(it.house.core.metrics.value('ratatosk_caps_hashes'), 1)
  })

  it('a hundred at once are asked one question, and all are known by its answer', async () => {
    const it = await scene()
    const actors = Array.from({ length: 100 }, (_, n) => it.house.actor(`a${n}@montague.net/x`))
    for (const actor of actors) actor.send(`<presence>${exodus.c}</presence>`)
    const asked: (readonly [Actor, Element])[] = []
    for (const actor of actors) for (const question of await questions(actor)) asked.push([actor, question])
    assert.equal(asked.length, 1)
    const [[actor, question] = assert.fail()] = asked
    actor.send(answerTo(show(question), exodus.told))
    await it.house.settle()
    assert.equal(it.known.length, 100)
    for (const one of actors) assert.ok(it.caps.ofSession(one.session)?.has(muc))
  })

  it('a later presence with the same, or with none (§8.4), changes nothing and asks nothing', async () => {
    const it = await scene()
    const romeo = await tells(it.house, 'romeo@montague.net/orchard', exodus)
    romeo.send(`<presence><show>away</show>${exodus.c}</presence>`)
    romeo.send('<presence/>')
    romeo.send(`<presence to='juliet@capulet.com'>${exodus.c}</presence>`)
    assert.deepEqual(await questions(romeo), [])
    assert.ok(it.caps.ofSession(romeo.session)?.has(muc))
    assert.equal(it.known.length, 1)
  })

  it('§6.1: another ver counts from then on', async () => {
    const it = await scene()
    const romeo = await tells(it.house, 'romeo@montague.net/orchard', exodus)
    const next = featured('urn:next')
    romeo.send(`<presence>${next.c}</presence>`)
    const [question] = await questions(romeo)
    assert.equal(it.caps.ofSession(romeo.session), undefined)
    romeo.send(answerTo(show(question ?? assert.fail()), next.told))
    await it.house.settle()
    assert.deepEqual(featuresOf(it, 'romeo@montague.net/orchard'), ['urn:next'])
  })

  it('§8.3: directed presence tells too', async () => {
    const it = await scene()
    const romeo = it.house.actor('romeo@montague.net/orchard')
    romeo.send(`<presence to='juliet@capulet.com/balcony'>${exodus.c}</presence>`)
    assert.equal((await questions(romeo)).length, 1)
  })

  it('who goes is forgotten, by unavailable presence or the end of his session', async () => {
    const it = await scene()
    const romeo = await tells(it.house, 'romeo@montague.net/orchard', exodus)
    romeo.send(`<presence type='unavailable'/>`)
    await it.house.settle()
    assert.equal(it.caps.ofSession(romeo.session), undefined)
    romeo.send(`<presence>${exodus.c}</presence>`)
    await it.house.settle()
    assert.ok(it.caps.ofSession(romeo.session))
    romeo.drop()
    await it.house.settle()
    assert.equal(featuresOf(it, 'romeo@montague.net/orchard'), undefined)
  })

  it('§13: without a hash it is the legacy format, which nobody can verify', async () => {
    const it = await scene()
    const legacy = `<c xmlns='${CAPS}' node='http://psi-im.org' ver='0.11' ext='cs ep-notify'/>`
    const [romeo, asked] = await arrives(it.house, 'romeo@montague.net/orchard', { c: legacy, told: '' })
    assert.deepEqual(asked, [])
    assert.equal(it.caps.ofSession(romeo.session), undefined)
  })

  it('§5.3: forms count in the hash', async () => {
    const it = await scene()
    await tells(it.house, 'benvolio@montague.net/1', psi)
    const [, asked] = await arrives(it.house, 'nurse@capulet.com/1', psi)
    assert.deepEqual(asked, [])
    assert.equal(featuresOf(it, 'nurse@capulet.com/1')?.length, 4)
  })

  it('goes with the session when it moves, before its features are known and after', async () => {
    const it = await scene()
    for (const isKnown of [false, true]) {
      const address = `romeo@montague.net/${isKnown}`
      const one = featured(`urn:${isKnown}`)
      const [actor, [question = assert.fail()]] = await arrives(it.house, address, one)
      const answer = () => actor.send(answerTo(show(question), one.told))
      if (isKnown) answer()
      await it.house.settle()
      const data = encodeSession(it.house.core, actor.session)
      const moved = decodeSession(it.house.core, JSON.parse(JSON.stringify(data)), actor.link)
      if (moved instanceof SessionFault) throw moved
      if (!isKnown) answer()
      await it.house.settle()
      assert.deepEqual([...(it.caps.ofSession(moved) ?? [])], [`urn:${isKnown}`])
    }
  })
})

const unavailable = `<error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>`
const inPlaceOfQuery = (answer: string, other: string) => answer.replace(/<query .*<\/query>/s, other)

describe('nobody is believed for others (§5.4 rule 3.9, §9.3)', () => {
  it('whose answer makes another hash: another who advertises it is asked, and he is not again', async () => {
    const it = await scene()
    const mallory = await tells(it.house, 'mallory@montague.net/m', exodus, `${exodus.told}${feature('urn:evil')}`)
    assert.equal(it.counter('rejected_total'), 1)
    assert.equal(it.caps.ofSession(mallory.session), undefined)
    mallory.send(`<presence>${exodus.c}</presence>`)
    assert.deepEqual(await questions(mallory), [])
    const romeo = await tells(it.house, 'romeo@montague.net/orchard', exodus)
    assert.ok(it.caps.ofSession(romeo.session)?.has(muc))
    // What it stands for is known now, whoever says it.
    assert.equal(it.caps.ofSession(mallory.session), it.caps.ofSession(romeo.session))
    assert.deepEqual(await questions(mallory), [])
  })

  it('who waits for the answer of one who is not believed is asked next', async () => {
    const it = await scene()
    const [mallory, [question = assert.fail()]] = await arrives(it.house, 'mallory@montague.net/m', exodus)
    const [romeo, asked] = await arrives(it.house, 'romeo@montague.net/orchard', exodus)
    assert.deepEqual(asked, [])
    mallory.send(answerTo(show(question), ''))
    const [next = assert.fail()] = await questions(romeo)
    romeo.send(answerTo(show(next), exodus.told))
    await it.house.settle()
    assert.ok(it.caps.ofSession(romeo.session)?.has(muc))
  })

  const refused: readonly (readonly [string, (question: string) => string])[] = [
    ['refuses to answer', (question) => inPlaceOfQuery(answerTo(question, '').replace('result', 'error'), unavailable)],
    ['answers with nothing', (question) => inPlaceOfQuery(answerTo(question, ''), '')],
    ['tells a feature twice', (question) => answerTo(question, feature('urn:a').repeat(2))],
    ['tells more than `size_max`', (question) => answerTo(question, feature(`urn:${'x'.repeat(20_000)}`))],
  ]
  for (const [name, answer] of refused) {
    it(`one who ${name} is not asked again for the same`, async () => {
      const it = await scene()
      const [one, [question = assert.fail()]] = await arrives(it.house, 'romeo@montague.net/orchard', exodus)
      one.send(answer(show(question)))
      one.send(`<presence>${exodus.c}</presence>`)
      assert.deepEqual(await questions(one), [])
      assert.equal(it.counter('rejected_total'), 1)
      assert.equal(it.caps.ofSession(one.session), undefined)
    })
  }

  it('who has gone, or advertises something else, is not asked next', async () => {
    const it = await scene()
    const [mallory, [question = assert.fail()]] = await arrives(it.house, 'mallory@montague.net/m', exodus)
    const [gone] = await arrives(it.house, 'romeo@montague.net/orchard', exodus)
    const [changed] = await arrives(it.house, 'nurse@capulet.com/x', exodus)
    gone.drop()
    changed.send(`<presence>${psi.c}</presence>`)
    assert.equal((await questions(changed)).length, 1)
    mallory.send(answerTo(show(question), ''))
    assert.deepEqual(await questions(changed), [])
    assert.equal(it.counter('rejected_total'), 1)
    assert.equal(it.house.core.metrics.value('ratatosk_caps_queries_open'), 1)
  })

  it('what came too late, when he advertised something else, is not held against him', async () => {
    const it = await scene()
    const [romeo, [question = assert.fail()]] = await arrives(it.house, 'romeo@montague.net/orchard', exodus)
    romeo.send(`<presence>${psi.c}</presence>`)
    romeo.send(answerTo(show(question), ''))
    await questions(romeo)
    romeo.send(`<presence>${exodus.c}</presence>`)
    assert.equal((await questions(romeo)).length, 1)
  })

  it('an answer by somebody else is none', async () => {
    const it = await scene()
    const [romeo, [question = assert.fail()]] = await arrives(it.house, 'romeo@montague.net/orchard', exodus)
    it.house.actor('mallory@montague.net/m').send(answerTo(show(question), exodus.told))
    await it.house.settle()
    assert.equal(it.caps.ofSession(romeo.session), undefined)
  })

  it('who does not answer is asked again at his next presence, and another meanwhile', async () => {
    const it = await scene()
    const [mute] = await arrives(it.house, 'mute@montague.net/m', exodus)
    const [romeo] = await arrives(it.house, 'romeo@montague.net/orchard', exodus)
    await it.house.pass(15_000)
    assert.equal((await questions(romeo)).length, 1)
    assert.deepEqual(await questions(mute), [])
    await it.house.pass(15_000)
    mute.send(`<presence>${exodus.c}</presence>`)
    assert.equal((await questions(mute)).length, 1)
  })

  it('features that are passed off as a form count for the one who did it alone', async () => {
    const it = await scene()
    const honest = featured('urn:a', 'urn:b', 'urn:c')
    const forged = `<identity category='client' type='pc'/>${feature('urn:a')}${form('urn:b', { 'urn:c': [] })}`
    await tells(it.house, 'mallory@montague.net/m', honest, forged)
    assert.deepEqual(featuresOf(it, 'mallory@montague.net/m'), ['urn:a'])
    assert.equal(it.house.core.metrics.value('ratatosk_caps_hashes'), 0)
    await tells(it.house, 'romeo@montague.net/orchard', honest)
    assert.deepEqual(featuresOf(it, 'romeo@montague.net/orchard'), ['urn:a', 'urn:b', 'urn:c'])
  })

  it('§5.4 rule 2: a hash of an unknown kind counts for the one who was asked alone', async () => {
    const it = await scene()
    const odd: Program = { c: advertised('urn:odd', 'whatever', 'md5'), told: feature('urn:odd') }
    await tells(it.house, 'romeo@montague.net/orchard', odd)
    assert.deepEqual(featuresOf(it, 'romeo@montague.net/orchard'), ['urn:odd'])
    const [nurse, asked] = await arrives(it.house, 'nurse@capulet.com/x', odd)
    assert.equal(asked.length, 1)
    assert.equal(it.caps.ofSession(nurse.session), undefined)
  })

  it('§9.1: SHA-256 is verified like SHA-1', async () => {
    const it = await scene()
    const one = program(`<identity category='client' type='web'/>${feature('urn:a')}`, 'sha-256')
    await tells(it.house, 'romeo@montague.net/orchard', one)
    const [, asked] = await arrives(it.house, 'nurse@capulet.com/x', one)
    assert.deepEqual(asked, [])
  })
})

describe('others elsewhere', () => {
  const far = 'far@example.org/x'
  const presence = ({ c }: Program, from = far, more = '') =>
    `<presence from='${from}' to='romeo@montague.net'>${c}${more}</presence>`

  async function abroad(options: HouseOptions = {}) {
    const it = await scene(options)
    return { ...it, there: it.house.elsewhere() }
  }

  it('are asked by the host that they wrote to, and forgotten when they go', async () => {
    const it = await abroad()
    it.there.send(presence(exodus))
    const [question = assert.fail()] = await questions(it.there)
    assert.equal(question.attr('from'), 'montague.net')
    it.there.send(answerTo(show(question), exodus.told).replace('<iq ', `<iq from='${far}' `))
    await it.house.settle()
    assert.ok(it.caps.features(jid(far))?.has(muc))
    it.there.send(`<presence from='${far}' to='romeo@montague.net' type='unavailable'/>`)
    await it.house.settle()
    assert.equal(it.caps.features(jid(far)), undefined)
  })

  it('in a room are not asked: the room speaks for them', async () => {
    const it = await abroad()
    it.there.send(presence(exodus, 'room@example.org/nick', `<x xmlns='http://jabber.org/protocol/muc#user'/>`))
    assert.deepEqual(await questions(it.there), [])
  })

  it('cannot speak for a session here', async () => {
    const it = await abroad()
    const romeo = await tells(it.house, 'romeo@montague.net/orchard', exodus)
    it.there.send(presence(featured('urn:evil'), 'romeo@montague.net/orchard'))
    assert.deepEqual(await questions(it.there), [])
    assert.deepEqual(await questions(romeo), [])
    assert.equal(it.house.core.metrics.value('ratatosk_caps_elsewhere'), 0)
    assert.ok(it.caps.ofSession(romeo.session)?.has(muc))
  })

  it('of one domain are asked `queries_per_peer` at a time; the others wait, those of other domains not', async () => {
    const it = await abroad({ options: { caps: { queries_per_peer: 2 } } })
    for (let n = 0; n < 5; n++) it.there.send(presence(featured(`urn:${n}`), `far@example.org/${n}`))
    it.there.send(presence(featured('urn:other'), 'other@example.com/x'))
    const asked = await questions(it.there)
    assert.deepEqual(
      asked.map((one) => one.attr('to')),
      ['far@example.org/0', 'far@example.org/1', 'other@example.com/x'],
    )
    assert.equal(it.counter('queries_per_peer_total'), 3)
    const [first = assert.fail()] = asked
    it.there.send(answerTo(show(first), featured('urn:0').told).replace('<iq ', `<iq from='far@example.org/0' `))
    assert.equal((await questions(it.there)).length, 1)
    await it.house.pass(15_000)
    assert.equal((await questions(it.there)).length, 2)
    await it.house.pass(15_000)
    assert.equal(it.house.core.metrics.value('ratatosk_caps_queries_open'), 0)
  })

  it('are remembered up to `elsewhere_max`', async () => {
    const it = await abroad({ options: { caps: { elsewhere_max: 2 } } })
    for (let n = 0; n < 3; n++) it.there.send(presence(exodus, `far@example.org/${n}`))
    await it.house.settle()
    assert.equal(it.house.core.metrics.value('ratatosk_caps_elsewhere'), 2)
    assert.equal(it.counter('elsewhere_max_total'), 1)
  })

  it('and what those advertised who made room, or went, is not wondered about any more', async () => {
    const it = await abroad({ options: { caps: { elsewhere_max: 2 } } })
    const unknown = () => it.house.core.metrics.value('ratatosk_caps_unknown')
    for (let n = 0; n < 10; n++) it.there.send(presence(featured(`urn:${n}`), `far@example.org/${n}`))
    // Nobody answers, and some were asked later than others.
    for (let n = 0; n < 4; n++) await it.house.pass(15_000)
    assert.equal(unknown(), 2)
    it.there.send(`<presence from='far@example.org/9' to='romeo@montague.net' type='unavailable'/>`)
    await it.house.settle()
    assert.equal(unknown(), 1)
  })
})

describe('what is kept is bounded', () => {
  it('hashes up to `hashes_max`, the least recently met goes; who has it keeps it', async () => {
    const it = await scene({ options: { caps: { hashes_max: 1 } } })
    const romeo = await tells(it.house, 'romeo@montague.net/orchard', exodus)
    await tells(it.house, 'benvolio@montague.net/1', psi)
    assert.equal(it.counter('hashes_max_total'), 1)
    assert.ok(it.caps.ofSession(romeo.session)?.has(muc))
    assert.equal((await arrives(it.house, 'nurse@capulet.com/x', exodus))[1].length, 1)
  })

  it('a <c/> of more than `size_max` is not kept', async () => {
    const it = await scene()
    const c = advertised(`urn:${'x'.repeat(16_384)}`, 'v')
    const [, asked] = await arrives(it.house, 'romeo@montague.net/orchard', { c, told: '' })
    assert.deepEqual(asked, [])
    assert.equal(it.counter('size_max_total'), 1)
  })

  it('nothing is left when all have gone, asked or not', async () => {
    const it = await scene()
    const actors: Actor[] = []
    for (let n = 0; n < 20; n++)
      actors.push((await arrives(it.house, `a${n % 3}@montague.net/${n}`, featured(`urn:${n}`)))[0])
    for (const actor of actors) actor.drop()
    await it.house.pass(60_000)
    assert.equal(it.house.core.metrics.value('ratatosk_caps_queries_open'), 0)
    assert.equal(it.house.core.metrics.value('ratatosk_caps_unknown'), 0)
    assert.equal(it.house.core.metrics.value('ratatosk_requests_open'), 0)
  })
})

describe('the server’s own capabilities (§6.3)', () => {
  const featuresNow = (house: House, domain = 'montague.net') =>
    house.core.hostType('default').hooks.fold('stream:features', [], { host: house.host(domain), session: undefined })
  const ownOf = (house: House, domain?: string) => featuresNow(house, domain).find((el) => el.ns === CAPS)
  const verOf = (house: House, domain?: string) => ownOf(house, domain)?.attr('ver') ?? assert.fail('no <c/>')

  /** What a client makes of the host's answer. */
  async function checked(house: House, node?: string): Promise<string | undefined> {
    const asked = `<query xmlns='${INFO}'${node === undefined ? '' : ` node='${node}'`}/>`
    const answer = await house.actor('romeo@montague.net/orchard').ask('get', asked, 'montague.net')
    const query = answer.elements[0]
    if (answer.attr('type') !== 'result' || query === undefined) return undefined
    const c = program(query.elements.map((el) => show(el)).join('')).c
    return /ver='([^']*)'/.exec(c)?.[1]
  }

  it('are what disco#info of the host tells, with and without the node', async () => {
    const { house } = await scene()
    const c = ownOf(house)
    assert.equal(c?.attr('hash'), 'sha-1')
    assert.equal(await checked(house), verOf(house))
    assert.equal(await checked(house, `${c?.attr('node')}#${c?.attr('ver')}`), verOf(house))
    assert.equal(await checked(house, `${c?.attr('node')}#other`), undefined)
    assert.equal(verOf(house), verOf(house, 'capulet.com'))
    // §6.2: a node of the host; an account has none of that name.
    const client = await house.online('romeo@montague.net/x')
    const node = `${c?.attr('node')}#${c?.attr('ver')}`
    const query = `<query xmlns='http://jabber.org/protocol/disco#info' node='${node}'/>`
    const answer = await client.ask('get', query, 'romeo@montague.net')
    assert.equal(answer.child('error')?.elements[0]?.name, 'item-not-found')
  })

  it('§7: are a feature themselves', async () => {
    const { house } = await scene()
    assert.ok(house.core.hostType('default').features.list('host').includes(CAPS))
  })

  it('count the forms of XEP-0128, of each host', async () => {
    const { house } = await scene()
    const before = verOf(house)
    const field = (name: string, value: string, type?: string) =>
      x('field', 'jabber:x:data', { var: name, type }, x('value', 'jabber:x:data', value))
    house.core.hostType('default').hooks.on('disco:info', 'contact', (info, { host, node }) => {
      if (info === undefined || node !== '' || host.domain !== 'montague.net') return info
      const type = field('FORM_TYPE', 'http://jabber.org/network/serverinfo', 'hidden')
      const extension = x(
        'x',
        'jabber:x:data',
        { type: 'result' },
        type,
        field('abuse-addresses', 'mailto:a@montague.net'),
      )
      return { ...info, extensions: [...info.extensions, extension] }
    })
    assert.notEqual(verOf(house), before)
    assert.equal(verOf(house, 'capulet.com'), before)
    assert.equal(await checked(house), verOf(house))
  })

  it('change when modules come and go', async () => {
    const { house } = await scene()
    const before = verOf(house)
    await house.wait(house.modules.unload('time'))
    assert.notEqual(verOf(house), before)
    assert.equal(await checked(house), verOf(house))
    await house.wait(house.modules.unload('disco'))
    assert.equal(ownOf(house), undefined, 'nobody would answer')
  })

  it('are left out while a module must wait to tell of the host', async () => {
    const { house } = await scene()
    house.core.hostType('default').hooks.on('disco:info', 'slow', async (info) => info)
    assert.equal(ownOf(house), undefined)
    assert.ok(await checked(house))
  })
})
