/** A fold that may wait costs no promise where nobody waits. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { jid } from '../jid/jid.ts'
import { x } from '../xml/build.ts'
import { HookTable } from './hook-table.ts'
import { Packet } from './packet.ts'

const host = { domain: 'montague.net', jid: jid('montague.net'), type: 'default' }
const query = { host, account: '', node: '', from: host.jid }
const named = (name: string) => ({ jid: jid(name) })

function table(): HookTable {
  return new HookTable((_hook, _module, error) => {
    throw error
  })
}

describe('foldOrWait', () => {
  it('is a plain value when no handler waits', () => {
    const hooks = table()
    hooks.on('disco:items', 'one', (items = []) => [...items, named('one')])
    hooks.on('disco:items', 'two', (items = []) => [...items, named('two')])
    assert.deepEqual(hooks.foldOrWait('disco:items', undefined, query), [named('one'), named('two')])
  })

  it('is a promise from the first that waits on, in order', async () => {
    const hooks = table()
    hooks.on('disco:items', 'one', (items = []) => [...items, named('one')])
    hooks.on('disco:items', 'two', async (items = []) => [...items, named('two')])
    hooks.on('disco:items', 'three', (items = []) => [...items, named('three')])
    const waiting = hooks.foldOrWait('disco:items', undefined, query)
    assert.ok(waiting instanceof Promise)
    assert.deepEqual(await waiting, ['one', 'two', 'three'].map(named))
    assert.deepEqual(await hooks.waitingFold('disco:items', undefined, query), ['one', 'two', 'three'].map(named))
  })

  it('fails as its handlers do, at once or later', async () => {
    const hooks = table()
    const error = new Error('a fault of the test')
    const fails = () => {
      throw error
    }
    const off = hooks.on('disco:items', 'one', fails)
    assert.throws(() => hooks.foldOrWait('disco:items', undefined, query), error)
    await assert.rejects(hooks.waitingFold('disco:items', undefined, query), error)
    off()
    hooks.on('disco:items', 'one', async (items) => items)
    hooks.on('disco:items', 'two', fails)
    await assert.rejects(async () => hooks.foldOrWait('disco:items', undefined, query), error)
  })

  it('goes on with the handlers that it began with', async () => {
    const hooks = table()
    hooks.on('disco:items', 'one', async (items = []) => [...items, named('one')])
    const off = hooks.on('disco:items', 'two', (items = []) => [...items, named('two')])
    const waiting = hooks.foldOrWait('disco:items', undefined, query)
    off()
    assert.deepEqual(await waiting, [named('one'), named('two')])
  })
})

describe('a filter of what is foreign', () => {
  it('is not called for what the server makes, and a fan-out need not ask', () => {
    const hooks = table()
    const called: string[] = []
    hooks.on('stanza:inbound', 'one', (packet) => void called.push(packet.origin.label), { foreign: true })
    const point = hooks.point('stanza:inbound')
    const el = x('presence', 'jabber:client')
    for (const kind of ['server', 'session', 'service'] as const) {
      const packet = new Packet('presence', el, host.jid, host.jid, { kind, label: kind })
      hooks.filter<'stanza:inbound'>(point, packet, host)
    }
    assert.deepEqual(called, ['session', 'service'])
    assert.equal(point.wantsSome('presence', el), false)
  })
})
