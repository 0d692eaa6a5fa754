/** XEP-0198 with SASL2 and Bind 2 when a client waits for no answer, asks twice, or asks in another order. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Wire } from '../../../plays/language/wire.ts'
import { Ledger } from '../../core/ledger.ts'
import { jid } from '../../jid/index.ts'
import { bind, type Ground, listener, message } from '../../server/limits.testing.ts'
import { play } from '../../server/slow-readers.testing.ts'

const NS = `xmlns='urn:xmpp:sm:3'`
const enable = `<enable ${NS} resume='true'/>`
const resume = (id: string, h: number) => `<resume ${NS} previd='${id}' h='${h}'/>`
const a = (h: number) => `<a ${NS} h='${h}'/>`
const r = `<r ${NS}/>`
const ping = (id: string) => `<iq type='get' id='${id}' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>`
const bind2 = (inside: string) => `<bind xmlns='urn:xmpp:bind:0'>${inside}</bind>`

function authenticate(inside: string): string {
  const response = `<initial-response>${btoa('\0juliet\0secret')}</initial-response>`
  return `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'>${response}${inside}</authenticate>`
}

/** The elements that were heard until this, by what tells them apart. */
async function heard(wire: Wire, until: RegExp): Promise<readonly string[]> {
  const text = (await wire.hears(until)).replace(/<stream:features>.*?<\/stream:features>/g, '<features/>')
  const names =
    /<(success|features|resumed|failed|enabled|a|message|presence|iq|stream:error)(?: [^>]*?(?:\b(?:h|id)='([^']*)')[^>]*)?[ />]/g
  return [...text.matchAll(names)].map(([, name = '', mark = '']) => (mark === '' ? name : `${name} ${mark}`))
}

const idOf = (text: string) => /<enabled [^>]* id='([^']*)' resume/.exec(text)?.[1] ?? assert.fail(text)

/** juliet with a resource, counted from here on. */
async function counted(ground: Ground, resource = 'here'): Promise<{ wire: Wire; id: string }> {
  const wire = await ground.bound('juliet', resource)
  wire.says(enable)
  return { wire, id: idOf(await wire.hears(/<enabled [^>]*>/)) }
}

describe('what a client says before it is answered', () => {
  it('behind <authenticate/>: is of the session that is bound, counted, and answered behind the features', () =>
    play({}, async (ground) => {
      const wire = await ground.secured('juliet')
      wire.says(`${authenticate(bind2(enable))}<presence/>${ping('p')}\n ${ping('q')}${r}`)
      const all = (await heard(wire, /<a [^>]*h='3'\/>/)).map((one) => one.replace(/^enabled .*/, 'enabled'))
      // What is under way when he asks is not handled yet; then he is told twice.
      const last = ['presence', 'iq p', 'iq q', 'a 3']
      assert.deepEqual(
        all.filter((one) => one !== 'a 0'),
        ['success', 'enabled', 'features', ...last],
      )
    }))

  it('behind an inline <resume/>: is answered behind what was missed', () =>
    play({}, async (ground) => {
      const { wire, id } = await counted(ground)
      wire.closes()
      await ground.passes(100)
      const romeo = await ground.bound()
      romeo.says(message('juliet@localhost/here', 'x', 'missed'))
      await ground.passes(100)
      const back = await ground.secured('juliet')
      back.says(`${authenticate(resume(id, 0) + bind2(enable))}${ping('p')}${r}`)
      assert.deepEqual(await heard(back, /<a [^>]*>/), ['success', 'resumed 0', 'message missed', 'iq p', 'a 1'])
    }))

  it('behind <resume/>: a request to bind is refused and counts, as it was counted by who sent it', () =>
    play({}, async (ground) => {
      const { wire, id } = await counted(ground)
      wire.closes()
      await ground.passes(100)
      const back = await ground.signedIn('juliet')
      back.says(`${resume(id, 0)}${bind('other')}${ping('p')}${r}`)
      assert.deepEqual(await heard(back, /<a [^>]*>/), ['resumed 0', 'iq bind', 'iq p', 'a 2'])
      // The refusal is counted with the rest of what he was sent.
      back.says(a(2) + ping('q'))
      await back.hears(/id='q'/)
    }))

  it('behind a <resume/> that fails: binding and <enable/> go on at once', () =>
    play({}, async (ground) => {
      const wire = await ground.signedIn('juliet')
      wire.says(`${resume('gone', 0)}${bind('here')}${enable}${ping('p')}${r}`)
      const all = await wire.hears(/<a [^>]*h='1'\/>/)
      assert.match(all, /^<failed [^>]*><item-not-found .*<jid>juliet@localhost\/here<.*<enabled [^>]*>.*id='p'/)
    }))

  it('the end of the stream behind <authenticate/>: it is bound, and nobody may resume it', () =>
    play({}, async (ground) => {
      const wire = await ground.secured('juliet')
      wire.says(`${authenticate(bind2(enable))}</stream:stream>`)
      const all = await wire.hears(/<\/stream:stream>/)
      assert.equal(ground.counter('ratatosk_sessions'), 0)
      const back = await ground.signedIn('juliet')
      back.says(resume(idOf(all), 0))
      await back.hears(/<failed [^>]*h='0'[^>]*><item-not-found /)
    }))

  it('of two <resume/> the first is meant, of two <enable/> the first too', () =>
    play({}, async (ground) => {
      const { wire, id } = await counted(ground)
      wire.closes()
      await ground.passes(100)
      const back = await ground.secured('juliet')
      back.says(authenticate(resume('gone', 0) + resume(id, 0) + bind2(`${enable}<enable ${NS}/>`)))
      const all = await back.hears(/<\/success>/)
      assert.match(all, /<failed [^>]*><item-not-found .*<bound [^>]*><enabled [^>]*resume='true'[^>]*\/><\/bound>/)
      assert.doesNotMatch(all, /<resumed /)
    }))
})

describe('numbers', () => {
  it('§4: a session is resumed across 2^32, and what was not acknowledged is sent again', () =>
    play({}, async (ground) => {
      const { wire, id } = await counted(ground)
      const { core } = ground.symbolic.server
      const session = core.sessions.find(jid('juliet@localhost/here')) ?? assert.fail()
      const { policy } = session.ledger ?? assert.fail()
      const data = { ...(session.ledger as Ledger).encode(), sent: 0xffff_fffe, handled: 0xffff_fffe }
      session.keepLedger(Ledger.decode(data, core.ledgers, policy))
      session.ledger?.goesOver(undefined)
      wire.closes()
      await ground.passes(100)
      const romeo = await ground.bound()
      for (const one of ['1', '2', '3', '4']) romeo.says(message('juliet@localhost/here', 'x', one))
      await ground.passes(100)
      const early = await ground.signedIn('juliet')
      early.says(resume(id, 3))
      await early.hears(/<handled-count-too-high [^>]*h='3' send-count='2'/)
      const back = await ground.signedIn('juliet')
      back.says(`${resume(id, 0)}${ping('p')}${ping('q')}${ping('r')}${r}`)
      assert.deepEqual(await heard(back, /<a [^>]*>/), [
        'resumed 4294967294',
        'message 3',
        'message 4',
        'iq p',
        'iq q',
        'iq r',
        'a 1',
      ])
    }))
})

describe('which client it is', () => {
  it('XEP-0386 section 3.2: is not forgotten when it resumes without saying so', () =>
    play({}, async (ground) => {
      const agent = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>"
      const first = await ground.secured('juliet')
      first.says(authenticate(agent + bind2(`<tag>A</tag>${enable}`)))
      const id = idOf(await first.hears(/<\/success>/))
      first.closes()
      await ground.passes(100)
      const back = await ground.signedIn('juliet')
      back.says(resume(id, 0))
      await back.hears(/<resumed /)
      const other = await ground.secured('juliet')
      other.says(authenticate(agent + bind2('<tag>B</tag>')))
      await other.hears(/<bound /)
      await back.hears(/<stream:error><conflict /)
    }))
})

describe('sessions that nobody may resume', () => {
  it('after a reload that allows none: new ones; one that was promised it goes on', () =>
    play({}, async (ground) => {
      const { wire, id } = await counted(ground)
      wire.closes()
      await ground.passes(100)
      await ground.symbolic.reload({ listeners: [listener], modules: { sm: { resume_timeout: '0 seconds' } } })
      const back = await ground.signedIn('juliet')
      back.says(resume(id, 0))
      await back.hears(/<resumed /)
      const other = await ground.bound('nurse')
      other.says(enable)
      await other.hears(new RegExp(`<enabled ${NS}/>`))
    }))

  it('one whose account got another password goes on where it is, whoever asks for it', () =>
    play({}, async (ground) => {
      const { wire, id } = await counted(ground)
      await ground.symbolic.server.accounts.setPassword(jid('juliet@localhost'), 'secret')
      const other = await ground.signedIn('juliet')
      other.says(resume(id, 0))
      await other.hears(/<failed [^>]*><item-not-found /)
      wire.says(ping('p'))
      assert.doesNotMatch(await wire.hears(/id='p'/), /stream:error/)
    }))

  it('a guest (XEP-0175) is not told that it may: it never signs in as the same again', () =>
    play({ auth: { anonymous: true } }, async (ground) => {
      const wire = await ground.secured()
      wire.says(`<authenticate xmlns='urn:xmpp:sasl:2' mechanism='ANONYMOUS'>${bind2(enable)}</authenticate>`)
      assert.match(await wire.hears(/<\/success>/), new RegExp(`<bound [^>]*><enabled ${NS}/></bound>`))
      wire.closes()
      await ground.passes(100)
      assert.deepEqual([ground.counter('ratatosk_sessions'), ground.counter('ratatosk_sessions_waiting')], [0, 0])
    }))
})
