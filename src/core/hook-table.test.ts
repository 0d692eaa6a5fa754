import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../jid/jid.ts'
import { StanzaError } from '../stanza/error.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { x } from '../xml/build.ts'
import { bench } from './core.testing.ts'
import { HookOrderError } from './hook-order.ts'
import { HookTable } from './hook-table.ts'
import { drop, refuse } from './packet.ts'

function table(): HookTable {
  return new HookTable(() => undefined)
}

function namesOf(hooks: HookTable): readonly string[] {
  return hooks.describe()[0]?.modules ?? []
}

describe('RTR-07: order of handlers', () => {
  it('is by phase, then by before and after, then by registration', () => {
    const hooks = table()
    const nothing = () => undefined
    hooks.on('stanza:route', 'last', nothing, { phase: 'late' })
    hooks.on('stanza:route', 'b', nothing)
    hooks.on('stanza:route', 'c', nothing)
    hooks.on('stanza:route', 'a', nothing, { before: 'b' })
    hooks.on('stanza:route', 'd', nothing, { after: ['c', 'absent'] })
    hooks.on('stanza:route', 'first', nothing, { phase: 'early' })
    assert.deepEqual(namesOf(hooks), ['first', 'c', 'a', 'b', 'd', 'last'])
  })

  it('a circle is an error that names the modules', () => {
    const hooks = table()
    hooks.on('stanza:route', 'a', () => undefined, { before: 'b' })
    assert.throws(
      () => hooks.on('stanza:route', 'b', () => undefined, { before: 'a' }),
      (error) => error instanceof HookOrderError && error.modules.join() === 'a,b',
    )
    assert.deepEqual(namesOf(hooks), ['a'])
  })

  it('a removed handler leaves nothing behind', () => {
    const hooks = table()
    const before = hooks.size
    const undo = [hooks.on('stanza:route', 'a', () => undefined), hooks.on('session:bound', 'a', () => undefined)]
    assert.equal(hooks.size, before + 2)
    for (const step of undo) step()
    assert.equal(hooks.size, before)
  })
})

describe('filters', () => {
  it('reach only the kinds, types and payloads they asked for', () => {
    const { core, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const { hooks } = core.hostType('default')
    const seen: string[] = []
    const note = (name: string) => () => {
      seen.push(name)
      return undefined
    }
    hooks.on('stanza:sent', 'messages', note('message'), { kinds: ['message'] })
    hooks.on('stanza:sent', 'chat', note('chat'), { kinds: ['message'], types: ['chat'] })
    hooks.on('stanza:sent', 'payload', note('payload'), { wants: [{ name: 'x', ns: 'urn:x' }] })
    romeo.send(`<message to='a@montague.net' type='chat'><body>urn:x</body></message>`)
    romeo.send(`<message to='a@montague.net'><x xmlns='urn:x'/></message>`)
    romeo.send(`<presence to='a@montague.net'/>`)
    assert.deepEqual(seen, ['message', 'chat', 'message', 'payload'])
  })

  it('reach only the addresses that are their business, and a fan-out makes packets for these alone', () => {
    const { core, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const juliet = client('juliet@capulet.com/balcony')
    const nurse = client('nurse@capulet.com/kitchen')
    for (const one of [romeo, juliet, nurse]) one.send('<presence/>')
    for (const one of [romeo, juliet, nurse]) one.take()
    const seen: string[] = []
    core.hostType('default').hooks.on(
      'stanza:inbound',
      'some',
      (packet) => {
        seen.push(`${packet.kind} ${packet.from} ${packet.to}`)
        return undefined
      },
      { concerns: (_from, to) => to.local === 'juliet' },
    )
    romeo.send(`<message to='juliet@capulet.com'><body>x</body></message>`)
    romeo.send(`<message to='nurse@capulet.com'><body>x</body></message>`)
    assert.deepEqual(seen.splice(0), ['message romeo@montague.net/orchard juliet@capulet.com'])
    for (const one of [juliet, nurse]) assert.equal(one.take().length, 1)
    const copies = () => core.metrics.value('ratatosk_fan_out_copies_total') ?? 0
    const before = copies()
    const recipients = ['juliet@capulet.com', 'nurse@capulet.com', 'nobody@capulet.com', 'juliet@capulet.com/balcony']
    core.fanOut.send([{ el: x('presence', NS_CLIENT), from: romeo.session.jid, recipients: recipients.map(jid) }])
    assert.deepEqual(seen, [
      'presence romeo@montague.net/orchard juliet@capulet.com',
      'presence romeo@montague.net/orchard juliet@capulet.com/balcony',
    ])
    assert.equal(copies() - before, 1)
    assert.deepEqual([juliet.take().length, nurse.take().length], [2, 1])
  })

  it('take resources out of the choice for a stanza to a bare JID', () => {
    const { core, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const high = client('juliet@capulet.com/high')
    const low = client('juliet@capulet.com/low')
    high.send('<presence><priority>5</priority></presence>')
    low.send('<presence/>')
    core
      .hostType('default')
      .hooks.on('session:eligible', 'picky', (packet, session) =>
        packet.el.attr('id') === `not ${session.jid.resource}` || packet.el.attr('id') === 'nobody'
          ? drop('RTK_TEST_PASSED_OVER')
          : undefined,
      )
    for (const one of [high, low]) one.take()
    const takers = (stanza: string) => {
      romeo.send(stanza)
      return [high.take().length, low.take().length]
    }
    const to = `to='juliet@capulet.com'`
    assert.deepEqual(takers(`<message ${to}><body>x</body></message>`), [1, 0])
    assert.deepEqual(takers(`<message ${to} id='not high'><body>x</body></message>`), [0, 1])
    assert.deepEqual(takers(`<presence ${to} id='not low'/>`), [1, 0])
    assert.deepEqual(romeo.take(), [])
    assert.deepEqual(takers(`<message ${to} id='nobody'><body>x</body></message>`), [0, 0])
    assert.equal(romeo.take()[0]?.child('error')?.elements[0]?.name, 'service-unavailable', 'as if nobody were there')
    assert.deepEqual(takers(`<message to='juliet@capulet.com/high' id='nobody'><body>x</body></message>`), [1, 0])
  })

  it('one that throws costs its stanza, and the sender is told', () => {
    const { core, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const juliet = client('juliet@capulet.com/balcony')
    core.hostType('default').hooks.on('stanza:inbound', 'broken', (packet) => {
      if (packet.el.attr('id') === 'bad' && packet.to.local === 'juliet') throw new Error('broken')
      return undefined
    })
    romeo.send(`<message to='juliet@capulet.com/balcony' id='bad'><body>1</body></message>`)
    romeo.send(`<message to='juliet@capulet.com/balcony' id='good'><body>2</body></message>`)
    assert.deepEqual(
      juliet.take().map((el) => el.attr('id')),
      ['good'],
    )
    assert.equal(romeo.take()[0]?.child('error')?.elements[0]?.name, 'internal-server-error')
    assert.equal(core.metrics.value('ratatosk_handler_faults_total'), 1)
  })

  it('one that always throws writes one line a second, which tells how many it stands for', () => {
    const { core, client, clock, log } = bench()
    const romeo = client('romeo@montague.net/orchard')
    core.hostType('default').hooks.on('stanza:sent', 'broken', () => {
      throw new Error('broken')
    })
    const lines = () => log.lines.filter((line) => line.fields['code'] === 'RTK_HANDLER_FAILED')
    for (let i = 0; i < 100; i++) romeo.send(`<message to='juliet@capulet.com' id='${i}'/>`)
    assert.equal(lines().length, 1)
    clock.advance(1_000)
    romeo.send(`<message to='juliet@capulet.com' id='100'/>`)
    assert.equal(lines().at(-1)?.fields['leftOut'], 99)
    assert.equal(core.metrics.value('ratatosk_handler_faults_total'), 101)
  })

  it('RTR-06: that wait keep the order of their source, and hold up nobody else', async () => {
    const { core, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const nurse = client('nurse@montague.net/house')
    const juliet = client('juliet@capulet.com/balcony')
    let answer: (value: undefined) => void = () => undefined
    core
      .hostType('default')
      .hooks.on('stanza:sent', 'slow', (packet) =>
        packet.el.attr('id') === '1' ? new Promise((resolve) => (answer = resolve)) : undefined,
      )
    const say = (id: string) => `<message to='juliet@capulet.com/balcony' id='${id}'><body>x</body></message>`
    for (const id of ['1', '2', '3']) romeo.send(say(id))
    nurse.send(say('nurse'))
    assert.deepEqual(
      juliet.take().map((el) => el.attr('id')),
      ['nurse'],
    )
    answer(undefined)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(
      juliet.take().map((el) => el.attr('id')),
      ['1', '2', '3'],
    )
  })

  it('that never answer end at hook_timeout with internal-server-error', async () => {
    const { core, client, clock } = bench()
    const romeo = client('romeo@montague.net/orchard')
    core.hostType('default').hooks.on('stanza:sent', 'stuck', () => new Promise(() => undefined))
    romeo.send(`<message to='juliet@capulet.com/balcony' id='1'><body>x</body></message>`)
    clock.advance(core.limits.hookTimeoutMs)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(romeo.take()[0]?.child('error')?.elements[0]?.name, 'internal-server-error')
    assert.equal(core.metrics.value('ratatosk_hook_timeouts_total'), 1)
    assert.equal(clock.pending, 0)
  })

  it('too many stanzas behind a waiting one hold the reading of that client', async () => {
    const { core, client } = bench(undefined, { limits: { pendingStanzasMax: 4 } })
    const romeo = client('romeo@montague.net/orchard')
    let answer: (value: undefined) => void = () => undefined
    core
      .hostType('default')
      .hooks.on('stanza:sent', 'slow', (packet) =>
        packet.el.attr('id') === '0' ? new Promise((resolve) => (answer = resolve)) : undefined,
      )
    for (let id = 0; id < 4; id++) romeo.send(`<message to='juliet@capulet.com/balcony' id='${id}'/>`)
    assert.equal(romeo.link.holds, 0)
    romeo.send(`<message to='juliet@capulet.com/balcony' id='4'/>`)
    assert.equal(romeo.link.holds, 1)
    answer(undefined)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(romeo.link.holds, 0)
  })

  it('RTR-07: a verdict is carried out: error, drop, done, replace', () => {
    const { core, client } = bench()
    const romeo = client('romeo@montague.net/orchard')
    const juliet = client('juliet@capulet.com/balcony')
    core.hostType('default').hooks.on('stanza:inbound', 'judge', (packet) => {
      if (packet.to.local !== 'juliet') return undefined
      switch (packet.el.attr('id')) {
        case 'error':
          return refuse(new StanzaError('RTK_TEST', 'not-acceptable'))
        case 'drop':
          return { kind: 'drop', reason: 'RTK_TEST' }
        case 'done':
          return { kind: 'done', how: 'handed' }
        default:
          return { kind: 'replace', el: packet.el.withAttrs({ id: 'replaced' }) }
      }
    })
    for (const id of ['error', 'drop', 'done', 'other'])
      romeo.send(`<message to='juliet@capulet.com/balcony' id='${id}'/>`)
    assert.deepEqual(
      juliet.take().map((el) => el.attr('id')),
      ['replaced'],
    )
    const errors = romeo.take()
    assert.deepEqual(
      errors.map((el) => [el.attr('id'), el.child('error')?.elements[0]?.name]),
      [['error', 'not-acceptable']],
    )
  })
})
