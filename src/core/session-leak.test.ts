/**
 * SES-05: a session and its connection end together, and nothing of them stays. One client connects, signs in and dies at
 * another point each round; afterwards the server has what it had before. `RATATOSK_LONG=1` makes it 10,000 rounds.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { collectedHeap } from '../../tools/lib/heap.ts'
import type { Server } from '../server/server.ts'
import type { SimWorld } from '../sim/world.ts'
import { inVirtualTime, type TestServer, type VirtualTime } from '../test.ts'
import type { Clock, Timer } from '../world/clock.types.ts'

const address = 'romeo@localhost/orchard'
const isLong = process.env['RATATOSK_LONG'] === '1'
const rounds = isLong ? 10_000 : 200
/** Virtual milliseconds in which the other side has to follow. */
const graceMs = 1_000
/** The store has one timer for all its operations, which outlasts the last of them. */
const serverTimers = 1
/**
 * Bytes that a round may leave on the heap, in the long form; a session is ten times as much. V8's own part of it comes and
 * goes by a megabyte, so the least of the first half is compared with the least of the second: a leak raises both.
 */
const heapBound = 512

function grownByEach(heaps: readonly number[], apart: number): number {
  const half = heaps.length / 2
  const early = heaps.indexOf(Math.min(...heaps.slice(0, half)))
  const late = heaps.lastIndexOf(Math.min(...heaps.slice(half)))
  return ((heaps[late] ?? Number.NaN) - (heaps[early] ?? Number.NaN)) / ((late - early) * apart)
}

/** Counts the timers on the wheel of a simulated process. */
function watchTimers(clock: Clock): { readonly count: number } {
  const live = new Set<object>()
  const after = clock.after.bind(clock)
  clock.after = <T>(ms: number, fn: (arg: T) => void, arg: T): Timer => {
    const key = {}
    live.add(key)
    const fire = (given: T): void => {
      live.delete(key)
      fn(given)
    }
    const timer = after(ms, fire, arg)
    return {
      cancel() {
        live.delete(key)
        timer.cancel()
      },
    }
  }
  return {
    get count() {
      return live.size
    },
  }
}

/** Everything that a session could leave behind. */
function remains(server: Server, timers: { readonly count: number }): Record<string, number> {
  const { core } = server
  return {
    sessions: core.sessions.count(),
    ofAccount: core.sessions.ofAccount('localhost', 'romeo').length,
    ofHost: core.sessions.count(core.host('localhost')),
    connections: core.metrics.value('ratatosk_connections'),
    requests: core.requests.openCount,
    gauges: core.metrics.gaugeCount,
    hooks: core.hostTypes.reduce((sum, type) => sum + type.hooks.size, 0),
    iqHandlers: core.hostTypes.reduce((sum, type) => sum + type.iq.size, 0),
    storeQueue: core.metrics.value('ratatosk_store_queue_operations'),
    faults: core.metrics.value('ratatosk_handler_faults_total'),
    timers: timers.count,
  }
}

type Death = 'the client dies' | 'the client dies online' | 'the server ends the session' | 'the client leaves'
const deaths: readonly Death[] = [
  'the client dies',
  'the client dies online',
  'the server ends the session',
  'the client leaves',
]

const ends: Readonly<Record<Death, (stage: TestServer, time: VirtualTime, signInMs: number) => Promise<void>>> = {
  /** At any point from the first SYN to the bound resource. */
  async 'the client dies'(stage, { simulation, advance }, signInMs) {
    void stage.connect(address).catch(() => undefined)
    await advance(simulation.random.below(Math.ceil(signInMs * 1_000)) / 1_000)
    simulation.world(address).crash()
  },
  /** With stanzas on their way in both directions, and a handler that waits for its store. */
  async 'the client dies online'(stage, { simulation, advance }) {
    const client = await stage.connect(address)
    client.send('<presence/>')
    client.send("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>")
    client.send(`<message to='${client.jid}'><body>to myself</body></message>`)
    await advance(simulation.random.below(10_000) / 1_000)
    simulation.world(address).crash()
  },
  async 'the server ends the session'(stage, { simulation, advance }) {
    const client = await stage.connect(address)
    client.send('<presence/>')
    await advance(simulation.random.below(10_000) / 1_000)
    const [session] = stage.server.core.sessions.ofAccount('localhost', 'romeo')
    assert.ok(session, 'signed in')
    const endedBy = simulation.now + graceMs
    session.close({ reason: 'kicked', detail: 'SES-05' })
    await client.client.ended
    assert.ok(simulation.now <= endedBy, `the client ended ${simulation.now - endedBy} ms too late`)
  },
  async 'the client leaves'(stage) {
    const client = await stage.connect(address)
    client.send('<presence/>')
    await client.close()
  },
}

it(`SES-05: after ${rounds} connections that die, nothing of them is left`, { timeout: 600_000 }, async () => {
  await inVirtualTime({ accounts: { 'romeo@localhost': 'secret' }, seed: 5 }, async (stage, time) => {
    const { simulation } = time
    const world: SimWorld = simulation.world('server')
    const timers = watchTimers(world.clock)
    const began = simulation.now
    const first = await stage.connect(address)
    const signInMs = simulation.now - began
    await first.close()
    await time.advance(60_000)
    const before = remains(stage.server, timers)
    assert.deepEqual([before['sessions'], before['connections'], before['timers']], [0, 0, 0])
    const warm = rounds / 10
    const heaps: number[] = []
    let unfinished = 0
    for (let round = 0; round < rounds; round++) {
      const death = deaths[round % deaths.length] as Death
      await ends[death](stage, time, signInMs)
      if (stage.server.core.sessions.count() > 0) unfinished++
      await time.advance(graceMs)
      const { timers: waiting = 0, ...left } = remains(stage.server, timers)
      assert.deepEqual({ ...left, timers: 0 }, before, `round ${round}: ${death}`)
      assert.ok(waiting <= serverTimers, `round ${round}: ${death}: ${waiting} timers`)
      // The simulator's own memory is not the server's.
      world.log.entries.length = 0
      if (isLong && round % warm === warm - 1) heaps.push(collectedHeap())
    }
    await time.advance(60_000)
    assert.deepEqual(remains(stage.server, timers), before)
    assert.ok(unfinished > rounds / 4, `only ${unfinished} rounds killed a living session`)
    if (!isLong) return
    const grown = grownByEach(heaps, warm)
    assert.ok(grown < heapBound, `a round leaves ${grown} bytes; after ${warm} each: ${heaps.join(', ')}`)
  })
})
