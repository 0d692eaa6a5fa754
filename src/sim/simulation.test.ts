import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RealHashing, stretchNow } from '../world/hashing.ts'
import type { Place } from '../world/net.types.ts'
import { ascii } from '../xml/octets.ts'
import { BEGINNING } from './clock.ts'
import { End, pattern } from './net-harness.ts'
import { ROUGH } from './network.ts'
import { Simulation, simulate } from './simulation.ts'
import type { SimWorld } from './world.ts'

const SERVER: Place = { kind: 'tcp', host: 'server', port: 5222 }
const closedAlready = ({ cause }: End): boolean => cause !== undefined

/** A server on one host and a client on another. */
async function meet(
  simulation: Simulation,
): Promise<{ server: End; client: End; serverWorld: SimWorld; clientWorld: SimWorld }> {
  const [serverWorld, clientWorld] = [simulation.world('server'), simulation.world('client')]
  const server = new End()
  await serverWorld.net.listen(SERVER, { backlog: 8 }, (transport) => {
    server.transport = transport
    return server
  })
  const client = new End()
  client.transport = await clientWorld.net.connect(SERVER, client, 10_000)
  return { server, client, serverWorld, clientWorld }
}

describe('virtual time', () => {
  it('does events by time, and equal times in the order they were asked for', () => {
    const simulation = new Simulation(1)
    const { clock } = simulation.world()
    const done: string[] = []
    const note = (name: string): void => void done.push(`${name}@${clock.monoMs()}`)
    clock.after(20, note, 'c')
    clock.after(10, note, 'a')
    clock.after(20, note, 'd')
    clock.after(10, (name: string) => clock.soon(note, name), 'b')
    clock.after(15, note, 'never').cancel()
    simulation.advanceNow(19)
    assert.deepEqual(done, ['a@10', 'b@10'])
    assert.equal(clock.monoMs(), 19)
    simulation.advanceNow(1)
    assert.deepEqual(done, ['a@10', 'b@10', 'c@20', 'd@20'])
  })

  it('passes while a play waits, and only then; promises get on between two events', () =>
    simulate(1, async (simulation) => {
      const { clock } = simulation.world()
      const order: string[] = []
      clock.after(
        5,
        async () => {
          order.push('first')
          for (let i = 0; i < 20; i++) await undefined
          order.push('first, twenty promises on')
        },
        undefined,
      )
      clock.after(5, () => order.push('second'), undefined)
      assert.equal(clock.monoMs(), 0)
      await simulation.advance(3_600_000)
      assert.deepEqual(order, ['first', 'first, twenty promises on', 'second'])
      assert.equal(clock.monoMs(), 3_600_000)
      assert.equal(clock.wallMs(), BEGINNING + 3_600_000)
    }))

  it('has wall clocks that are wrong and jump, and a monotonic one that does neither', () =>
    simulate(1, async (simulation) => {
      const right = simulation.world('a').clock
      const wrong = simulation.world('b', { skewMs: -90_000 }).clock
      assert.equal(right.wallMs() - wrong.wallMs(), 90_000)
      wrong.jump(-1_000_000)
      assert.equal(right.wallMs() - wrong.wallMs(), 1_090_000)
      await simulation.advance(10)
      assert.equal(wrong.monoMs(), right.monoMs())
    }))

  it('settles when all but timers is done', () =>
    simulate(1, async (simulation) => {
      const { server, client, serverWorld } = await meet(simulation)
      let fired = false
      serverWorld.clock.after(
        60_000,
        () => {
          fired = true
        },
        undefined,
      )
      server.onData = (text) => server.write(`re: ${text}`)
      client.write('hello')
      await simulation.settle()
      assert.equal(client.heard, 're: hello')
      assert.equal(fired, false)
      assert.ok(simulation.now < 100)
    }))

  it('says which seed failed and when, when nothing is left to happen, or time or events run out', async () => {
    const never = (): Promise<void> => new Promise(() => {})
    await assert.rejects(simulate(7, never), /\[seed 7 at 0\.0 ms\] nothing is left to happen/)
    const busy = (simulation: Simulation): Promise<void> => {
      const { clock } = simulation.world()
      const again = (): void => void clock.after(10, again, undefined)
      again()
      return new Promise(() => {})
    }
    await assert.rejects(
      simulate(8, busy, { virtualMs: 1_000 }),
      /\[seed 8 at 1000\.0 ms\] no end within 1000 virtual ms/,
    )
    await assert.rejects(simulate(9, busy, { events: 50 }), /\[seed 9 at 500\.0 ms\] more than 50 events/)
    const wrong = async (simulation: Simulation): Promise<void> => {
      await simulation.advance(12)
      assert.equal(1, 2)
    }
    await assert.rejects(simulate(10, wrong), { name: 'AssertionError', message: /^\[seed 10 at 12\.0 ms\]/ })
  })

  it('passes on what an event throws', async () => {
    await assert.rejects(
      simulate(1, (simulation) => {
        simulation.world().clock.after(
          5,
          () => {
            throw new Error('a handler failed')
          },
          undefined,
        )
        return simulation.advance(10)
      }),
      /a handler failed/,
    )
  })
})

describe('seeds', () => {
  /** A run with everything in it, as a list of what happened when. */
  async function trace(seed: number): Promise<string> {
    const events: string[] = []
    await simulate(seed, async (simulation) => {
      simulation.network.everywhere = ROUGH
      const { server, client, serverWorld, clientWorld } = await meet(simulation)
      const note = (what: string): void => void events.push(`${simulation.now.toFixed(6)} ${what}`)
      server.onData = (text) => {
        note(`server ${text.length}`)
        server.write(text.toUpperCase())
      }
      client.onData = (text) => note(`client ${text.length}`)
      for (let i = 0; i < 5; i++) {
        client.live.write(pattern(clientWorld.random.below(3_000)))
        await simulation.advance(clientWorld.random.below(50))
        note(`${serverWorld.random.id()} ${clientWorld.random.uuid()}`)
      }
      await serverWorld.hashing.pbkdf2('sha1', 'secret', new Uint8Array(4), 10_000)
      await simulation.settle()
      note(`${client.heard.length}`)
    })
    return events.join('\n')
  }

  it('give the same run again, event for event', async () => {
    assert.equal(await trace(42), await trace(42))
    assert.notEqual(await trace(42), await trace(43))
  })
})

describe('faults of the network', () => {
  it('a partition stalls both ways and heals without loss', () =>
    simulate(3, async (simulation) => {
      const { server, client, clientWorld } = await meet(simulation)
      simulation.network.part('client', 'server')
      client.live.write(pattern(1_000))
      server.write('welcome')
      await simulation.advance(5_000)
      assert.deepEqual([server.heard, client.heard], ['', ''])
      await assert.rejects(clientWorld.net.connect(SERVER, new End(), 2_000), {
        code: 'RTK_NET_TIMEOUT',
        temporary: true,
      })
      simulation.network.heal('client', 'server')
      await simulation.settle()
      assert.equal(server.heard, pattern(1_000))
      assert.equal(client.heard, 'welcome')
    }))

  it('a cut is an error at both ends', () =>
    simulate(3, async (simulation) => {
      const { server, client } = await meet(simulation)
      simulation.network.cut('server', 'client')
      await Promise.all([server.until(closedAlready), client.until(closedAlready)])
      assert.deepEqual([server.cause?.kind, client.cause?.kind], ['error', 'error'])
    }))

  it('a lost connection is noticed by neither end', () =>
    simulate(3, async (simulation) => {
      const { server, client } = await meet(simulation)
      simulation.network.lose('server', 'client')
      client.live.write(pattern(1_000_000))
      await simulation.advance(60_000)
      assert.equal(server.heard, '')
      assert.deepEqual([server.cause, client.cause], [undefined, undefined])
      assert.ok(client.live.queuedBytes > 0)
      client.live.close(1_000)
      await client.until(closedAlready)
      assert.deepEqual(client.cause, { kind: 'local' })
    }))

  it('a narrow link takes its time', () =>
    simulate(3, async (simulation) => {
      const { server, client } = await meet(simulation)
      simulation.network.setProfile('client', 'server', { bytesPerSecond: 1_000, windowBytes: 1_000 })
      const begin = simulation.now
      client.live.write(pattern(10_000))
      await server.until(({ heard }) => heard.length === 10_000)
      const took = simulation.now - begin
      assert.ok(took >= 10_000 && took < 10_200, `${took} ms`)
    }))

  it('a handler that keeps the buffer finds rubbish in it', () =>
    simulate(3, async (simulation) => {
      const { server, client } = await meet(simulation)
      let kept: Uint8Array | undefined
      server.data = (bytes, start, end) => {
        kept = bytes.subarray(start, end)
      }
      client.live.write(ascii('secret'))
      await simulation.settle()
      assert.equal(Buffer.from(kept ?? []).toString(), '??????')
    }))
})

describe('a process that crashes', () => {
  it('is silent from then on, its peers get a reset, and a new one starts on its disk', () =>
    simulate(4, async (simulation) => {
      const { server, client, serverWorld, clientWorld } = await meet(simulation)
      await serverWorld.disk.makeDirectory('/data', 0o700)
      await serverWorld.disk.writeText('/data/kept', 'kept', 0o600)
      await serverWorld.disk.lock('/data')
      let spoke = false
      const speak = (): void => {
        spoke = true
      }
      serverWorld.clock.after(10, speak, undefined)
      serverWorld.clock.soon(speak, undefined)
      serverWorld.disk.writeText('/data/lost', 'lost', 0o600).then(speak, speak)
      server.write('last words that never leave')
      const throws = serverWorld.random.id()
      serverWorld.crash()
      await client.until(closedAlready)
      await simulation.advance(1_000)
      assert.equal(spoke, false)
      assert.equal(client.heard, '')
      assert.deepEqual(client.cause, { kind: 'error', code: 'RTK_NET_RESET', text: 'ECONNRESET' })
      assert.deepEqual(server.events, [])
      await assert.rejects(clientWorld.net.connect(SERVER, new End(), 1_000), { code: 'RTK_NET_REFUSED' })
      const again = simulation.world('server')
      assert.notEqual(again, serverWorld)
      assert.equal(again.alive, true)
      await again.disk.lock('/data')
      assert.deepEqual(await again.disk.list('/data'), ['kept'])
      assert.notEqual(again.random.id(), throws)
      await again.net.listen(SERVER, { backlog: 1 }, () => new End())
      await clientWorld.net.connect(SERVER, new End(), 1_000)
    }))

  it('with its machine: its peers learn nothing', () =>
    simulate(4, async (simulation) => {
      const { client, serverWorld } = await meet(simulation)
      serverWorld.crash('power')
      client.write('anybody there?')
      await simulation.advance(60_000)
      assert.equal(client.cause, undefined)
    }))
})

describe('simulated hashes and log', () => {
  it('are real but for the cost of stretching, which depends on every input', () =>
    simulate(5, async (simulation) => {
      const { hashing } = simulation.world()
      const real = new RealHashing()
      const salt = Buffer.from('salt')
      assert.deepEqual(hashing.hash('sha256', salt), real.hash('sha256', salt))
      const keys = await Promise.all([
        hashing.pbkdf2('sha1', 'pencil', salt, 4_096),
        hashing.pbkdf2('sha1', 'pencil', salt, 4_096),
        hashing.pbkdf2('sha1', 'pencil', salt, 10_000),
        hashing.pbkdf2('sha1', 'pencils', salt, 4_096),
        hashing.pbkdf2('sha1', 'pencil', Buffer.from('salz'), 4_096),
      ])
      const texts = keys.map((key) => Buffer.from(key).toString('hex'))
      assert.equal(texts[0], texts[1])
      assert.equal(new Set(texts).size, 4)
      hashing.exact = true
      assert.deepEqual(await hashing.pbkdf2('sha1', 'pencil', salt, 100), stretchNow('sha1', 'pencil', salt, 100))
    }))

  it('are kept for questions, secrets redacted', () =>
    simulate(5, async (simulation) => {
      const { log } = simulation.world()
      await simulation.advance(7)
      log.with({ session: 's1' }).warn('refused', { password: 'x' })
      assert.deepEqual(log.at('warn'), [
        { atMs: 7, level: 'warn', message: 'refused', fields: { session: 's1', password: '[redacted]' } },
      ])
    }))
})
