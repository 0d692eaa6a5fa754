/**
 * Abuse of a running server. Each row names the limit, the error on the wire, the metric that moved and the bound on
 * memory, and what an innocent user noticed: his p99 before and during. The table of all rows is printed at the end.
 *
 * The bounds are of memory in use, after a collection (`AbusedServer.memory`). What is resident without one grows by as much as an
 * attack makes garbage, until V8 collects at a heap of 128 MiB: the slow reader cost 15 to 66 MiB by that measure, the more the
 * quicker his friend wrote, of which 2 to 8 were in use. Some MiB of each are the program's, where its code runs for the first time.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Arena, counted } from './arena.ts'

let arena: Arena

before(async () => {
  arena = await Arena.open()
})

after(() => arena.close())

describe('abuse', { timeout: 150_000 }, () => {
  it('10,000 connections that never speak', () =>
    arena.row({
      attack: '10,000 silent connections',
      limit: 'limits.sign_in_timeout',
      moves: 10_000,
      // 6 KB for each, with its socket.
      growthMaxMiB: 60,
      rounds: 3,
      async run() {
        const { ready, done } = await arena.attack('silent', { count: 10_000, perAddress: 250 })
        assert.equal(ready, 10_000)
        // The kernel is the first to connect them: some hundreds are still in its queue.
        let held = 0
        for (let asked = 0; asked < 100 && held < 10_000; asked++)
          held = await arena.server.metric('ratatosk_connections')
        assert.ok(held >= 10_000, `the server holds ${held}`)
        const ends = await done
        assert.deepEqual(ends, { 'policy-violation': 10_000 })
        return counted(ends)
      },
    }))

  it('more connections than one address may have', () =>
    arena.row({
      attack: '400 from one address',
      limit: 'limits.connections_per_address',
      moves: 100,
      growthMaxMiB: 10,
      async run() {
        const { done } = await arena.attack('silent', { count: 400, perAddress: 400 })
        const ends = await done
        // A hundred of them at once, the others when their time to sign in was over.
        assert.deepEqual(ends, { 'policy-violation': 400 })
        return '100 × policy-violation'
      },
    }))

  it('RCV-09: a slow reader', () =>
    arena.row({
      attack: 'slow reader',
      limit: 'limits.session_queue_bytes',
      moves: 1,
      // His queue is 1 MiB, and as much again once he is cut; it is joined, and read again as stanzas, some of which are kept.
      growthMaxMiB: 20,
      async run() {
        const slow = await arena.attack('slow', { holdMs: 8_000 })
        const { done } = await arena.attack('flood', { user: 'sender', holdMs: 4_000, to: slow.ready })
        await done
        const errors = await arena.server.metric('ratatosk_refusals_total{code="RTK_SESSION_QUEUE_FULL"}')
        assert.equal(errors, 1, 'the stream error was sent')
        // It stands behind a megabyte that he never read; after `linger` the connection is dropped under it.
        const end = await slow.done
        assert.match(end, /^(policy-violation|lost)$/)
        return end === 'lost' ? 'policy-violation (unread)' : end
      },
    }))

  it('a flood: a turn has 64 stanzas', () =>
    arena.row({
      attack: 'flood',
      limit: 'turn_stanzas',
      growthMaxMiB: 15,
      async run() {
        const { done } = await arena.attack('flood', { holdMs: 4_000 })
        const { sent = 0, errors = 0 } = await done
        assert.ok(sent > 1000 && errors > 1000)
        return `${errors} × service-unavailable`
      },
    }))

  it('a flood that a shaper holds', () =>
    arena.row({
      attack: 'shaped flood',
      limit: 'shapers.NAME.rate',
      growthMaxMiB: 10,
      async run() {
        const { done } = await arena.attack('flood', { port: arena.server.shapedPort, holdMs: 4_000 })
        const { errors = 0 } = await done
        // 200 KB at once and 100 KB a second after that, at some 230 bytes a stanza; and what TLS adds.
        assert.ok(errors < 3_500, `${errors} got through`)
        return `nothing: ${errors} stanzas in 4 s`
      },
    }))

  it('RCV-02: a stanza without an end', () =>
    arena.row({
      attack: 'endless stanza',
      limit: 'limits.stanza_bytes',
      moves: 1,
      growthMaxMiB: 10,
      async run() {
        const { done } = await arena.attack('endless', {})
        const { end } = (await done) as unknown as { end: string }
        assert.equal(end, 'policy-violation')
        return end
      },
    }))

  it('a handler that throws: each stanza gets its error, the process lives', () => {
    const count = 2_000
    return arena.row({
      attack: 'handler that throws',
      limit: 'one stanza a fault',
      metric: 'ratatosk_handler_faults_total',
      moves: count,
      growthMaxMiB: 15,
      async run() {
        const { done } = await arena.attack('poison', { count })
        const answers = await done
        assert.deepEqual(answers, { 'internal-server-error': count })
        return counted(answers)
      },
    })
  })
})
