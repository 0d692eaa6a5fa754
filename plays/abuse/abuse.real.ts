/**
 * Abuse of a running server. Each row names the limit, the error on the wire, the metric that moved and the bound on
 * memory, and what an innocent user noticed: his p99 before and during. The table of all rows is printed at the end.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { createWorld } from '../../src/world/index.ts'
import { fixedLimits, limits } from '../../tools/docs/limits.ts'
import { root } from '../../tools/lib/repository.ts'
import { p99 } from './bystander.ts'
import { AbusedServer } from './server.ts'
import { type AbuseRow, tableOf } from './table.ts'

const folder = mkdtempSync(join(tmpdir(), 'ratatosk-abuse-'))

/** A delay that nobody notices in a conversation: below it no factor is asked for. */
const unnoticedMs = 50
/** An attack may cost an innocent user so many times what he waited before it. */
const beforeFactor = 10
/**
 * The attacker, the server and the innocent share a few cores with whatever else the machine does, so that all of them wait for
 * reasons that are not the server's. How much that is, is seen at the same time on a twin: the same program with the same
 * settings, which nobody attacks. Only what the innocent wait beyond so many times the twin's is the server's fault.
 */
const twinFactor = 5

const rows: AbuseRow[] = []
let server: AbusedServer
let twin: AbusedServer

type Done = Readonly<Record<string, number>> & string

interface Attack {
  readonly ready: unknown
  readonly done: Promise<Done>
}

/** Starts an attacker; resolves when it is in place. */
async function attack(mode: string, task: Readonly<Record<string, unknown>>): Promise<Attack> {
  const { port, ca } = server
  const given = JSON.stringify({ port, ca, user: 'attacker', password: 'secret', ...task })
  const child = spawn(join(root, 'bin/node'), [join(root, 'plays/abuse/attacker.ts'), mode, given], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ready = Promise.withResolvers<unknown>()
  const done = Promise.withResolvers<Done>()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as { ready?: unknown; done?: Done }
    if (said.ready !== undefined) ready.resolve(said.ready)
    if (said.done !== undefined) done.resolve(said.done)
  })
  child.on('exit', (code) => {
    const error = new Error(`the attacker ended with ${code}`)
    ready.reject(error)
    done.reject(error)
  })
  done.promise.catch(() => undefined)
  return { ready: await ready.promise, done: done.promise }
}

before(async () => {
  const world = createWorld()
  server = await AbusedServer.start(world, join(folder, 'attacked'))
  twin = await AbusedServer.start(world, join(folder, 'twin'))
})

after(() => {
  server.kill()
  twin.kill()
  rmSync(folder, { recursive: true, force: true })
  process.stdout.write(`\n${tableOf(rows)}\n\n`)
})

interface Case {
  readonly attack: string
  /** In the table of limits, which gives its metric; or what there is in place of one, with its metric. */
  readonly limit: string
  readonly metric?: string
  /** By how much the metric moves; without it by one at least. */
  readonly moves?: number
  readonly growthMaxMiB: number
  /** Returns what the attacker was told. */
  run(): Promise<string>
}

/** Runs an attack while the innocent talk, enters its row, and holds it to its bounds. */
async function row(given: Case): Promise<void> {
  const metric = given.metric ?? (limits[given.limit] ?? fixedLimits[given.limit])?.metric
  assert.ok(metric !== undefined, `no limit ${given.limit}`)
  const before = p99(await server.bystanders.talk(100))
  const memoryBefore = server.memory()
  const metricBefore = await server.metric(metric)
  let peak = memoryBefore
  let isOver = false
  const running = given.run().finally(() => {
    isOver = true
  })
  const times: number[] = []
  const twins: number[] = []
  do {
    const [here, there] = await Promise.all([server.bystanders.talk(20), twin.bystanders.talk(20)])
    times.push(...here)
    twins.push(...there)
    peak = Math.max(peak, server.memory())
  } while (!isOver)
  const wire = await running
  const entered: AbuseRow = {
    attack: given.attack,
    limit: given.limit,
    wire,
    metric,
    moved: (await server.metric(metric)) - metricBefore,
    growthMiB: peak - memoryBefore,
    growthMaxMiB: given.growthMaxMiB,
    before,
    during: p99(times.sort((a, b) => a - b)),
    twin: p99(twins.sort((a, b) => a - b)),
  }
  rows.push(entered)
  if (given.moves === undefined) assert.ok(entered.moved > 0, `${metric} did not move`)
  else assert.equal(entered.moved, given.moves, metric)
  assert.ok(entered.growthMiB <= given.growthMaxMiB, `memory grew by ${entered.growthMiB} MiB`)
  const mostMs = Math.max(unnoticedMs, beforeFactor * before, twinFactor * entered.twin)
  assert.ok(entered.during <= mostMs, `the innocent waited ${entered.during} ms, and no more than ${mostMs} was fair`)
}

/** `3 × policy-violation`, in the order of the conditions. */
const counted = (ends: Readonly<Record<string, number>>) =>
  Object.entries(ends)
    .sort()
    .map(([condition, count]) => `${count} × ${condition}`)
    .join(', ')

describe('abuse', { timeout: 150_000 }, () => {
  it('10,000 connections that never speak', () =>
    row({
      attack: '10,000 silent connections',
      limit: 'limits.sign_in_timeout',
      moves: 10_000,
      // 20 KB for each.
      growthMaxMiB: 200,
      async run() {
        const { ready, done } = await attack('silent', { count: 10_000, perAddress: 250 })
        assert.equal(ready, 10_000)
        // The kernel is the first to connect them: some hundreds are still in its queue.
        let held = 0
        for (let asked = 0; asked < 100 && held < 10_000; asked++) held = await server.metric('ratatosk_connections')
        assert.ok(held >= 10_000, `the server holds ${held}`)
        const ends = await done
        assert.deepEqual(ends, { 'policy-violation': 10_000 })
        return counted(ends)
      },
    }))

  it('more connections than one address may have', () =>
    row({
      attack: '400 from one address',
      limit: 'limits.connections_per_address',
      moves: 100,
      growthMaxMiB: 50,
      async run() {
        const { done } = await attack('silent', { count: 400, perAddress: 400 })
        const ends = await done
        // A hundred of them at once, the others when their time to sign in was over.
        assert.deepEqual(ends, { 'policy-violation': 400 })
        return '100 × policy-violation'
      },
    }))

  it('RCV-09: a slow reader', () =>
    row({
      attack: 'slow reader',
      limit: 'limits.session_queue_bytes',
      moves: 1,
      growthMaxMiB: 60,
      async run() {
        const slow = await attack('slow', { holdMs: 8_000 })
        const { done } = await attack('flood', { user: 'sender', holdMs: 4_000, to: slow.ready })
        await done
        const errors = await server.metric('ratatosk_refusals_total{code="RTK_SESSION_QUEUE_FULL"}')
        assert.equal(errors, 1, 'the stream error was sent')
        // It stands behind a megabyte that he never read; after `linger` the connection is dropped under it.
        const end = await slow.done
        assert.match(end, /^(policy-violation|lost)$/)
        return end === 'lost' ? 'policy-violation (unread)' : end
      },
    }))

  it('a flood: a turn has 64 stanzas', () =>
    row({
      attack: 'flood',
      limit: 'turn_stanzas',
      growthMaxMiB: 60,
      async run() {
        const { done } = await attack('flood', { holdMs: 4_000 })
        const { sent = 0, errors = 0 } = await done
        assert.ok(sent > 1000 && errors > 1000)
        return `${errors} × service-unavailable`
      },
    }))

  it('a flood that a shaper holds', () =>
    row({
      attack: 'shaped flood',
      limit: 'shapers.NAME.rate',
      growthMaxMiB: 30,
      async run() {
        const { done } = await attack('flood', { port: server.shapedPort, holdMs: 4_000 })
        const { errors = 0 } = await done
        // 200 KB at once and 100 KB a second after that, at some 230 bytes a stanza; and what TLS adds.
        assert.ok(errors < 3_500, `${errors} got through`)
        return `nothing: ${errors} stanzas in 4 s`
      },
    }))

  it('RCV-02: a stanza without an end', () =>
    row({
      attack: 'endless stanza',
      limit: 'limits.stanza_bytes',
      moves: 1,
      growthMaxMiB: 30,
      async run() {
        const { done } = await attack('endless', {})
        const { end } = (await done) as unknown as { end: string }
        assert.equal(end, 'policy-violation')
        return end
      },
    }))

  it('a handler that throws: each stanza gets its error, the process lives', () => {
    const count = 2_000
    return row({
      attack: 'handler that throws',
      limit: 'one stanza a fault',
      metric: 'ratatosk_handler_faults_total',
      moves: count,
      growthMaxMiB: 60,
      async run() {
        const { done } = await attack('poison', { count })
        const answers = await done
        assert.deepEqual(answers, { 'internal-server-error': count })
        return counted(answers)
      },
    })
  })
})
