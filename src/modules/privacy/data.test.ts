/** The lists as data: kept, moved, exported, lost with their account; limits; and stores that fail. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeLink } from '../../core/core.testing.ts'
import { decodeSession, encodeSession, SessionFault } from '../../core/session-codec.ts'
import { storeError } from '../../store/errors.ts'
import type { Actor, House } from '../modules.testing.ts'
import { offlineStore } from '../offline/offline.store.ts'
import {
  active,
  block,
  blocklist,
  byDefault,
  granted,
  isResult,
  knows,
  list,
  NS,
  names,
  romeo,
  scene,
  seen,
  told,
  unblock,
} from './privacy.testing.ts'

const say = (from: string, to = romeo) => `<message from='${from}' to='${to}'><body>x</body></message>`

async function namesOf(actor: Actor): Promise<string[]> {
  return ((await actor.ask('get', names)).elements[0]?.elements ?? []).map((el) => `${el.name} ${el.attr('name')}`)
}

async function blocked(actor: Actor): Promise<string[]> {
  return ((await actor.ask('get', blocklist)).elements[0]?.elements ?? []).map((el) => el.attr('jid') ?? '')
}

describe('the data of an account', () => {
  async function exported(house: House, local: string) {
    const { hooks } = house.core.hostType('default')
    return house.wait(hooks.waitingFold('account:export', [], { host: house.host('montague.net'), local }))
  }

  it('export and import give the same lists; deletion leaves nothing, and counts at once', async () => {
    const { house, elsewhere, one } = await scene()
    const { hooks } = house.core.hostType('default')
    const host = house.host('montague.net')
    await knows(house, romeo, 'x@y.lit', { subscription: 'none', groups: ['G'] })
    await granted(one, list('mine', 'deny jid a@b.lit', 'deny group G message iq', 'allow subscription both', 'deny'))
    await granted(one, byDefault('mine'))
    await granted(one, list('other', 'allow'))
    const data = await exported(house, 'romeo')
    const copy = await house.online('copy@montague.net/one')
    await granted(copy, list('other', 'deny'))
    assert.equal(await house.wait(hooks.waitingNotice('account:import', { host, local: 'copy', data })), 0)
    assert.deepEqual(await namesOf(copy), ['default mine', 'list mine', 'list other'])
    const get = `<query xmlns='${NS}'><list name='mine'/></query>`
    const [mine, its] = [await one.ask('get', get), await copy.ask('get', get)]
    assert.equal(String(its.elements[0]?.payload), String(mine.elements[0]?.payload))
    const other = await copy.ask('get', get.replace('mine', 'other'))
    assert.equal(other.elements[0]?.elements[0]?.elements[0]?.attr('action'), 'deny', 'what is there stays')
    await copy.drain()
    elsewhere.send(say('a@b.lit/x', 'copy@montague.net'))
    assert.deepEqual(seen(await copy.drain()), [], 'what was imported counts')

    assert.equal(await house.wait(hooks.waitingNotice('account:delete', { host, local: 'romeo' })), 0)
    const left = (await exported(house, 'romeo')).filter((part) => part.store === 'privacy')
    assert.deepEqual(
      left.flatMap((part) => part.rows),
      [],
    )
    await one.drain()
    elsewhere.send(say('a@b.lit/x'))
    assert.deepEqual(seen(await one.drain()), ['message a@b.lit/x'])
    assert.deepEqual(await blocked(await house.online(`${romeo}/new`)), [])
  })

  it('rows that make no sense are left out and logged, and nothing that XML cannot hold comes in', async () => {
    const { house, one } = await scene()
    const { hooks } = house.core.hostType('default')
    const host = house.host('montague.net')
    const rows = [
      { name: '', rules: '[]', default: false },
      { name: 'a', rules: '{', default: true },
      { name: 'b', rules: '[["jid","@",1,1]]', default: true },
      { name: 5, rules: '[]', default: true },
      { name: 'bell \u0007', rules: '[["group","a\\u0001",1,1]]', default: true },
    ]
    const data = [{ store: 'privacy', rows }]
    assert.equal(await house.wait(hooks.waitingNotice('account:import', { host, local: 'romeo', data })), 0)
    assert.deepEqual(await namesOf(one), ['default bell \ufffd', 'list bell \ufffd'])
    assert.deepEqual(
      house.log.lines.filter((line) => line.fields['code'] === 'RTK_PRIVACY_IMPORT').map((line) => line.fields['rows']),
      [4],
    )
  })
})

describe('a session that moves', () => {
  it('keeps its active list and its wish for pushes', async () => {
    const { house, elsewhere, one } = await scene()
    await granted(one, list('mine', 'deny jid a@b.lit'))
    await granted(one, active('mine'))
    await blocked(one)
    const data = encodeSession(house.core, one.session)
    assert.ok(!(data instanceof SessionFault))
    const link = new FakeLink()
    const moved = decodeSession(house.core, JSON.parse(JSON.stringify(data)), link)
    assert.ok(!(moved instanceof SessionFault))
    elsewhere.send(say('a@b.lit/x', `${romeo}/one`))
    assert.deepEqual(seen(await elsewhere.drain()), [`message error ${romeo}/one service-unavailable`])
    const two = await house.online(`${romeo}/two`)
    link.take()
    await granted(two, block('c@b.lit'))
    assert.ok(link.take().some((el) => el.elements[0]?.name === 'block'))
  })
})

describe('the module', () => {
  it('reloaded, goes on with the lists of those who are there', async () => {
    const { house, elsewhere, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    await granted(one, list('mine', 'deny jid a@b.lit'))
    await granted(one, active('mine'))
    await granted(one, block('c@b.lit'))
    await house.wait(house.modules.reload('privacy'))
    for (const actor of [one, two]) await actor.drain()
    elsewhere.send(say('a@b.lit/x'))
    assert.deepEqual([seen(await one.drain()), seen(await two.drain())], [[], ['message a@b.lit/x']])
    elsewhere.send(say('c@b.lit/x'))
    assert.deepEqual([seen(await one.drain()), seen(await two.drain())], [['message c@b.lit/x'], []])
  })

  it('unloaded, leaves nothing behind: all pass', async () => {
    const { house, elsewhere, one } = await scene()
    await granted(one, block('a@b.lit'))
    await house.wait(house.modules.unload('privacy'))
    await one.drain()
    elsewhere.send(say('a@b.lit/x'))
    assert.deepEqual(seen(await one.drain()), ['message a@b.lit/x'])
    one.send('<presence/>')
    assert.equal(seen(await one.drain()).length, 1)
  })

  it('holds in memory who is online, and forgets who has gone', async () => {
    const { house, elsewhere, one } = await scene()
    const held = () => house.core.metrics.value('ratatosk_privacy_held')
    assert.equal(held(), 1)
    const two = await house.online(`${romeo}/two`)
    assert.equal(held(), 1)
    one.drop()
    assert.equal(held(), 1)
    two.drop()
    assert.equal(held(), 0)
    for (let n = 0; n < 10; n++) elsewhere.send(say('a@b.lit/x', `user${n}@montague.net`))
    await elsewhere.drain()
    assert.equal(held(), 0)
  })
})

describe('limits', () => {
  const tight = { options: { privacy: { items_max: 2, lists_max: 2, bytes_max: '300 B' } } }

  it('items_max is for lists and for the blocklist, lists_max for lists, bytes_max for all together', async () => {
    const { house, one } = await scene(tight)
    const value = (name: string) => house.core.metrics.value(`ratatosk_privacy_${name}_total`)
    await granted(one, block('a@b.lit', 'b@b.lit'))
    for (const payload of [
      block('c@b.lit'),
      list('mine', 'deny', 'allow', 'deny'),
      list('blocklist', 'deny', 'allow', 'deny'),
    ]) {
      assert.equal(told(await one.ask('set', payload)), 'not-allowed')
    }
    assert.deepEqual(await blocked(one), ['a@b.lit', 'b@b.lit'])
    await granted(one, list('mine', 'deny'))
    assert.equal(told(await one.ask('set', list('third', 'deny'))), 'not-allowed')
    await granted(one, list('mine', 'allow'))
    assert.equal(told(await one.ask('set', list('mine', `deny jid ${'x'.repeat(300)}@b.lit`))), 'not-allowed')
    assert.equal(told(await one.ask('set', list('mine', `deny jid ${'ß'.repeat(120)}@b.lit`))), 'not-allowed')
    assert.deepEqual([value('items_max'), value('lists_max'), value('bytes_max')], [3, 1, 2])
    await granted(one, unblock('a@b.lit'))
    await granted(one, block('c@b.lit'))
  })

  it('who is above a limit that was lowered may still take away', async () => {
    const { house, one } = await scene()
    await granted(one, block('a@b.lit', 'b@b.lit', 'c@b.lit', 'd@b.lit'))
    const options = house.modules.options('privacy') as Readonly<Record<string, unknown>>
    house.modules.configure('privacy', { ...options, items_max: 1, lists_max: 1, bytes_max: 1 })
    assert.equal(told(await one.ask('set', block('e@b.lit'))), 'not-allowed')
    await granted(one, unblock('a@b.lit'))
    assert.deepEqual(await blocked(one), ['b@b.lit', 'c@b.lit', 'd@b.lit'])
    await granted(one, unblock())
  })

  it('a list of a thousand is one change, and one look a stanza', async () => {
    const { elsewhere, one } = await scene()
    const many = Array.from({ length: 1000 }, (_, n) => `user${n}@b.lit`)
    await granted(one, block(...many))
    await one.drain()
    elsewhere.send(say('user999@b.lit/x'))
    elsewhere.send(say('user1000@b.lit/x'))
    assert.deepEqual(seen(await one.drain()), ['message user1000@b.lit/x'])
  })
})

describe('two resources at once', () => {
  it('each block counts, whichever comes first', async () => {
    const { house, one } = await scene()
    const two = await house.online(`${romeo}/two`)
    for (let n = 0; n < 5; n++) {
      one.send(`<iq type='set' id='a${n}'>${block(`a${n}@b.lit`)}</iq>`)
      two.send(`<iq type='set' id='b${n}'>${block(`b${n}@b.lit`)}</iq>`)
    }
    const answers = [...(await one.drain()), ...(await two.drain())].filter((el) =>
      /^[ab]\d$/.test(el.attr('id') ?? ''),
    )
    assert.equal(answers.filter(isResult).length, 10)
    assert.equal((await blocked(one)).length, 10)
  })
})

describe('a store that fails', () => {
  it('a change that is not kept does not count', async () => {
    const { house, elsewhere, one } = await scene()
    house.engine.failing = storeError('RTK_STORE_DISK_FULL', 'full')
    assert.equal(told(await one.ask('set', block('a@b.lit'))), 'resource-constraint')
    house.engine.failing = undefined
    await one.drain()
    elsewhere.send(say('a@b.lit/x'))
    assert.deepEqual(seen(await one.drain()), ['message a@b.lit/x'])
    assert.deepEqual(await blocked(one), [])
  })

  it('a store that is silent: who is online goes on, what needs the lists of others waits and is refused, never let through', async () => {
    const { house, elsewhere, one } = await scene()
    const store = await house.wait(house.stores.open(offlineStore))
    await granted(one, block('a@b.lit'))
    const away = await house.online('juliet@capulet.com/x')
    await granted(away, block('a@b.lit'))
    away.drop()
    await one.drain()
    await elsewhere.drain()
    house.engine.hang()
    elsewhere.send(say('a@b.lit/x'))
    elsewhere.send(say('c@b.lit/x'))
    assert.deepEqual(seen(await one.drain()), ['message c@b.lit/x'], 'his lists are in memory')
    assert.deepEqual(seen(await elsewhere.drain()), [`message error ${romeo} service-unavailable`])
    elsewhere.send(say('a@b.lit/x', 'juliet@capulet.com'))
    elsewhere.send(`<presence type='subscribe' from='a@b.lit' to='juliet@capulet.com'/>`)
    await house.pass(60_000)
    const messages = seen(await elsewhere.drain()).filter((text) => text.startsWith('message'))
    assert.deepEqual(messages, ['message error juliet@capulet.com internal-server-error'])
    house.engine.resume()
    await house.pass(60_000)
    assert.equal((await house.wait(store.count({ host: 'capulet.com', local: 'juliet' })))?.count, 0)
    elsewhere.send(say('a@b.lit/x', 'juliet@capulet.com'))
    assert.deepEqual(seen(await elsewhere.drain()), ['message error juliet@capulet.com service-unavailable'])
  })

  it('a client that comes meanwhile is not available until its lists are known', async () => {
    const { house, elsewhere, one } = await scene()
    await granted(one, block('a@b.lit'))
    one.drop()
    await elsewhere.drain()
    house.engine.hang()
    const two = house.actor(`${romeo}/two`)
    two.send('<presence/>')
    await house.pass(60_000)
    assert.deepEqual(seen(await two.drain()), [`presence error ${romeo} internal-server-error`])
    assert.ok(!two.session.isAvailable)
    house.engine.resume()
    await house.pass(60_000)
    two.send('<presence/>')
    assert.deepEqual(seen(await two.drain()), [`presence ${romeo}/two`])
    elsewhere.send(say('a@b.lit/x'))
    assert.deepEqual(seen(await two.drain()), [])
  })
})
