import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CommandRegistry, type Json, type Row } from '../../core/commands.ts'
import { bench, type Client } from '../../core/core.testing.ts'
import { DELAY_BOUNDS } from '../../world/vitals.types.ts'
import { Best } from './best.ts'
import type { CommandServices } from './services.ts'
import { topCommand } from './top.ts'
import { rise } from './traffic.ts'

type Rows = readonly Readonly<Record<string, Json>>[]

/** A server whose clock stands still, and a `top` that looks for ten seconds. */
function stage(hosts: readonly string[] = ['localhost', 'b.example']) {
  const ground = bench(hosts)
  const registry = new CommandRegistry()
  registry.add(topCommand(ground as unknown as CommandServices))
  const abort = new AbortController()
  const caller = { name: 'test', permits: () => true, signal: abort.signal }
  const turns = async () => {
    for (let i = 0; i < 20; i++) {
      await Promise.resolve()
      ground.clock.turn()
    }
  }
  /** What there is to see while `happens` does. */
  const top = async (args: Readonly<Record<string, Json>>, happens: () => void): Promise<Row> => {
    const outcome = registry.call('top', { interval: '10 seconds', ...args }, caller)
    await turns()
    happens()
    ground.clock.advance(10_000)
    // Those that come by turns.
    for (let i = 0; i < 50; i++) await turns()
    const { ok, result } = await outcome
    assert.ok(ok)
    return result[0] ?? assert.fail()
  }
  return { ...ground, registry, abort, caller, turns, top }
}

const says = (client: Client, count: number) => {
  for (let i = 0; i < count; i++)
    client.send(`<message to='nobody@nowhere.example' type='chat'><body>${i}</body></message>`)
}

const column = (rows: Json | undefined, name: string) => (rows as Rows).map((row) => row[name])

describe('top', () => {
  it('shows what each session said and heard a second, the busiest first, and nobody who was silent', async () => {
    const { client, top, vitals } = stage()
    const [romeo, juliet] = [client('romeo@localhost/orchard'), client('juliet@localhost/balcony')]
    client('silent@localhost/here')
    says(romeo, 7)
    vitals.figures = { ...vitals.figures, resident: 5_000_000 }
    const seen = await top({}, () => {
      says(romeo, 20)
      says(juliet, 50)
      romeo.link.traffic = { receivedBytes: 1_000, sentBytes: 30_000 }
      romeo.link.queuedBytes = 77
      vitals.cpu += 2.5
      vitals.busy += 1
    })
    assert.deepEqual(seen['sessions'], [
      // Each got an error back.
      { jid: 'juliet@localhost/balcony', address: '127.0.0.1', in: 5, out: 5, bytes_in: 0, bytes_out: 0, waiting: 0 },
      {
        jid: 'romeo@localhost/orchard',
        address: '127.0.0.1',
        in: 2,
        out: 2,
        bytes_in: 100,
        bytes_out: 3_000,
        waiting: 77,
      },
    ])
    const { sessions: _, hosts: __, modules: ___, at: ____, ...whole } = seen
    assert.deepEqual(whole, {
      seconds: 10,
      online: 3,
      connections: 0,
      in: 7,
      out: 7,
      bytes_in: 100,
      bytes_out: 3_000,
      routed: 14,
      cpu: 25,
      loop: 10,
      delay: 0,
      memory: 5_000_000,
      store_queue: 0,
    })
  })

  it('puts first what --by asks for, and as many as --count', async () => {
    const { client, top } = stage()
    const clients = ['a', 'b', 'c'].map((name) => client(`${name}@localhost/x`))
    const happens = () => {
      for (const [i, one] of clients.entries()) {
        says(one, i + 1)
        const { receivedBytes, sentBytes } = one.link.traffic
        one.link.traffic = { receivedBytes: receivedBytes + (i === 0 ? 9_000 : 100), sentBytes }
      }
    }
    assert.deepEqual(column((await top({}, happens))['sessions'], 'jid'), [
      'c@localhost/x',
      'b@localhost/x',
      'a@localhost/x',
    ])
    assert.deepEqual(column((await top({ by: 'bytes', count: 1 }, happens))['sessions'], 'jid'), ['a@localhost/x'])
    assert.deepEqual(column((await top({ by: 'in', count: 2 }, happens))['sessions'], 'in'), [0.3, 0.2])
  })

  it('sums up hosts, with sessions that came and those that ended meanwhile', async () => {
    const { client, top, clock } = stage()
    const romeo = client('romeo@localhost/orchard')
    client('x@b.example/y')
    const seen = await top({}, () => {
      says(romeo, 30)
      romeo.session.close({ reason: 'closed', detail: '' })
      const juliet = client('juliet@localhost/balcony')
      says(juliet, 10)
      clock.turn()
    })
    assert.deepEqual(seen['hosts'], [
      { host: 'localhost', sessions: 1, ended: 1, in: 4, out: 4, bytes_in: 0, bytes_out: 0 },
    ])
    assert.deepEqual(column(seen['sessions'], 'jid'), ['juliet@localhost/balcony'])
  })

  it('shows how often the handlers of a module are called, and what they take of the loop', async () => {
    const { core, client, clock, top } = stage()
    const { hooks } = core.hostType('default')
    hooks.on('stanza:sent', 'slow', () => void clock.advance(20), { kinds: ['message'] })
    hooks.on('stanza:sent', 'quick', () => undefined, { kinds: ['message'] })
    hooks.on('session:bound', 'idle', () => undefined)
    const romeo = client('romeo@localhost/orchard')
    says(romeo, 5)
    const seen = await top({}, () => says(romeo, 50))
    // The clock went on by 50 times 20 ms within the handler.
    assert.deepEqual(seen['modules'], [
      { module: 'slow', calls: 4.5, percent: 9.09, us_a_call: 20_000 },
      { module: 'quick', calls: 4.5, percent: 0, us_a_call: 0 },
    ])
  })

  it('tells the longest delay of a timer by its bucket', async () => {
    const { top, vitals } = stage()
    const counts = (...of: number[]) => {
      let count = 0
      const buckets = DELAY_BOUNDS.map((atMost, i) => ({ atMost, count: (count += of[i] ?? 0) }))
      return { buckets, count: count + (of[DELAY_BOUNDS.length] ?? 0), sum: 0 }
    }
    vitals.counts = counts(3, 0, 0, 0, 0, 0, 9)
    const seen = await top({}, () => {
      vitals.counts = counts(5, 0, 1, 0, 0, 0, 9)
    })
    assert.equal(seen['delay'], 5)
    const beyond = await top({}, () => {
      vitals.counts = counts(5, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 1)
    })
    assert.equal(beyond['delay'], 10_000)
  })

  it('costs nothing before and after: no handler, no watcher, no timer stays', async () => {
    const { core, client, clock, vitals, registry, caller, abort, turns, top } = stage()
    const { hooks } = core.hostType('default')
    hooks.on('stanza:sent', 'one', () => undefined)
    const point = hooks.point('stanza:sent')
    const rest = () => [hooks.size, vitals.watchers, clock.pending, point.all === point.registered] as const
    assert.deepEqual(rest(), [1, 0, 0, true])
    await top({}, () => assert.deepEqual(rest(), [2, 1, 1, false]))
    assert.deepEqual(rest(), [1, 0, 0, true])
    // Who asked has gone.
    const outcome = registry.call('top', { interval: '1 hour' }, caller)
    await turns()
    assert.deepEqual(rest(), [2, 1, 1, false])
    client('romeo@localhost/orchard')
    abort.abort()
    await outcome
    assert.deepEqual(rest(), [1, 0, 0, true])
    await registry.call('top', {}, caller)
    assert.deepEqual(rest(), [1, 0, 0, true])
  })

  it('looks at many sessions in several turns of the event loop', async () => {
    const { core, client, clock, registry, caller, turns } = stage()
    for (let i = 0; i < 12_000; i++) client(`u${i}@localhost/x`)
    let looks = 0
    const { each } = core.sessions
    core.sessions.each = (domain, fn) => {
      looks++
      each.call(core.sessions, domain, fn)
    }
    const outcome = registry.call('top', { interval: '1 second' }, caller)
    // Two ends of a turn are asked for before the interval begins.
    await Promise.resolve()
    assert.equal(clock.pending, 0)
    await turns()
    assert.equal(clock.pending, 1)
    clock.advance(1_000)
    await turns()
    assert.ok((await outcome).ok)
    assert.equal(looks, 2)
  })
})

describe('what a counter rose by', () => {
  it('is what it is now where it began anew', () => {
    const now = { received: 5, delivered: 2, bytesIn: 10, bytesOut: 3 }
    assert.deepEqual(rise(now, { received: 2, delivered: 2, bytesIn: 1_000, bytesOut: 0 }), {
      received: 3,
      delivered: 0,
      bytesIn: 10,
      bytesOut: 3,
    })
  })
})

describe('the best of many', () => {
  it('are those that a sort would put first', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20)), fc.integer({ min: 1, max: 8 }), (sizes, most) => {
        const best = new Best<readonly [size: number, at: number]>(most)
        for (const [at, size] of sizes.entries()) best.add(size, [size, at])
        const sorted = sizes.map((size, at) => [size, at] as const).filter(([size]) => size > 0)
        assert.deepEqual(best.list, sorted.sort(([a, i], [b, j]) => b - a || i - j).slice(0, most))
      }),
    )
  })
})
