/** An inactive client (XEP-0352) whose session counts stanzas (XEP-0198): what waits stands before what is unacknowledged. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import '../../core/services/acknowledgements.ts'
import { FakeLink, fakeInfo } from '../../core/core.testing.ts'
import { NS_DELAY } from '../../stanza/delay.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Octets } from '../../xml/octets.ts'
import { parseElement } from '../../xml/parse.ts'
import { type Actor, House } from '../modules.testing.ts'
import { NS_CSI } from './csi.ts'

const bare = 'romeo@montague.net'
const phone = `${bare}/phone`
const chat = (id: string, to = bare) => `<message to='${to}' type='chat' id='${id}'><body>x</body></message>`
const receipt = (id: string, to = bare) =>
  `<message to='${to}' type='chat' id='${id}'><received xmlns='urn:xmpp:receipts' id='x'/></message>`
const nothing = { bytes: '' as Octets, taken: 0, since: 0, heldBack: '' as Octets }

async function scene(sm: Readonly<Record<string, unknown>> = {}) {
  const house = await House.build({ options: { sm } })
  const type = house.core.hostType('default')
  const romeo = await house.online(phone)
  const juliet = house.actor('juliet@capulet.com/b')
  type.services.find('acknowledgements')?.enable(romeo.session, parseElement(`<enable resume='true'/>`))
  const indicates = (name: 'active' | 'inactive') => {
    const el = parseElement(`<${name} xmlns='${NS_CSI}'/>`)
    const fail = () => assert.fail()
    type.streamElements.find(el)?.(el, {
      stage: 'established',
      to: house.host('montague.net'),
      account: romeo.session.jid.bare,
      session: romeo.session,
      send: fail,
      write: fail,
      takeOver: fail,
      close: fail,
    })
  }
  return { house, romeo, juliet, indicates }
}

async function says(house: House, from: Actor, ...stanzas: readonly string[]): Promise<void> {
  for (const text of stanzas) from.send(text)
  await house.settle()
}

/** The connection is gone; nothing of what was written is known to have come. */
function loses({ session, link }: Actor): void {
  session.linkEnded({ reason: 'lost', detail: '' }, link)
  session.linkGone(nothing, link)
}

/** Ids and stamps of the messages that a client was sent. */
function messages(all: readonly Element[]): readonly { readonly id: string; readonly stamp: string | undefined }[] {
  return all
    .filter(({ name }) => name === 'message')
    .map((el) => ({ id: el.attr('id') ?? '', stamp: el.child('delay', NS_DELAY)?.attr('stamp') }))
}

/** What was written to a client, but for what it was asked (XEP-0198 §4). */
function ids(link: FakeLink): readonly string[] {
  const stanzas = link.written.filter((bytes) => !bytes.startsWith('<r '))
  link.written.splice(0, link.written.length, ...stanzas)
  return messages(link.take()).map(({ id }) => id)
}

async function next(house: House): Promise<readonly { readonly id: string; readonly stamp: string | undefined }[]> {
  const one = house.actor(`${bare}/next`)
  one.send('<presence/>')
  await house.settle()
  return messages(await one.drain())
}

describe('a client that is inactive, and whose session counts', () => {
  it('loses its connection and comes back: it is sent what waited, in order, and is active (§5.2)', async () => {
    const { house, romeo, juliet, indicates } = await scene()
    indicates('inactive')
    await says(house, juliet, chat('m1'), receipt('r1'))
    assert.deepEqual(ids(romeo.link), ['m1'])
    loses(romeo)
    assert.equal(romeo.session.gate, undefined)
    await says(house, juliet, receipt('r2'), chat('m2'))
    const link = new FakeLink()
    assert.ok(house.core.resumption.resume(romeo.session, link, fakeInfo))
    await says(house, juliet, receipt('r3'))
    assert.deepEqual(ids(link), ['m1', 'r1', 'r2', 'm2', 'r3'])
  })

  it('ends: all that it has not acknowledged is kept, in order, what waited with the time at which it came', async () => {
    for (const end of ['kicked', 'expired'] as const) {
      const { house, romeo, juliet, indicates } = await scene({ resume_timeout: '1 minute' })
      indicates('inactive')
      await says(house, juliet, chat('m1'))
      await house.pass(5_000)
      await says(house, juliet, receipt('r1'))
      await house.pass(30_000)
      await says(house, juliet, receipt('r2'))
      if (end === 'kicked') romeo.session.close({ reason: 'kicked', detail: '' })
      loses(romeo)
      await house.settle()
      await house.pass(60_000)
      await house.settle()
      const found = await next(house)
      assert.deepEqual(
        found.map(({ id, stamp }) => `${id} ${stamp?.slice(14, 19)}`),
        ['m1 00:00', 'r1 00:05', 'r2 00:35'],
        end,
      )
    }
  })

  it('a resource that came after what waits has not had it', async () => {
    const { house, romeo, juliet, indicates } = await scene({ resume_timeout: '1 minute' })
    indicates('inactive')
    await says(house, juliet, receipt('r1'))
    await house.pass(10_000)
    const desk = await house.online(`${bare}/desk`)
    await house.pass(10_000)
    for (const how of ['let out', 'lost'] as const) {
      if (how === 'let out') indicates('active')
      else loses(romeo)
      await house.settle()
    }
    await house.pass(60_000)
    assert.deepEqual(ids(desk.link), ['r1'])
  })

  it('is sent too much at once: nothing of it is lost, and the order stays', async () => {
    const { house, romeo, juliet, indicates } = await scene({ queue_stanzas: 10 })
    indicates('inactive')
    const all = Array.from({ length: 25 }, (_, i) => `r${i}`)
    await says(house, juliet, ...all.map((id) => receipt(id)))
    indicates('active')
    assert.ok(romeo.session.hasEnded)
    await house.settle()
    assert.deepEqual(
      (await next(house)).map(({ id }) => id),
      all,
    )
  })

  it('is handed over what the store kept behind what waits', async () => {
    const { house, romeo, juliet, indicates } = await scene()
    await says(house, romeo, `<presence type='unavailable'/>`)
    await says(house, juliet, chat('m1'))
    indicates('inactive')
    await says(house, juliet, receipt('r1', phone))
    await says(house, romeo, '<presence/>')
    assert.deepEqual(ids(romeo.link), ['r1', 'm1'])
    assert.equal(house.core.metrics.value('ratatosk_csi_held_total'), 1)
  })
})
