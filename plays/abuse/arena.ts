/**
 * Where a server is abused while innocent people talk on it, and on a twin that nobody attacks. What an attack cost is entered
 * as a row, and held to its bounds.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createWorld } from '../../src/world/index.ts'
import { fixedLimits, limits } from '../../tools/docs/limits.ts'
import { root } from '../../tools/lib/repository.ts'
import { p99 } from './bystander.ts'
import { AbusedServer, type Start } from './server.ts'
import { type AbuseRow, tableOf } from './table.ts'

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

/** How often it is looked what memory is in use. */
const weighEveryMs = 1_000
const afterWeighingMs = 100

export type Done = Readonly<Record<string, number>> & string

interface Attack {
  readonly ready: unknown
  readonly done: Promise<Done>
  /** Ends the attacker. */
  stop(): void
}

export interface Case {
  readonly attack: string
  /** In the table of limits, which gives its metric; or what there is in place of one, with its metric. */
  readonly limit: string
  readonly metric?: string
  /** By how much the metric moves; without it by one at least. */
  readonly moves?: number
  /** Of memory that is in use. */
  readonly growthMaxMiB: number
  /**
   * The attack may be run so many times until the innocent waited no more than was fair; default: once. What the server is at
   * fault for is there each time, what else the machine does is not.
   */
  readonly rounds?: number
  /** Returns what the attacker was told. */
  run(): Promise<string>
}

/** `3 × policy-violation`, in the order of the conditions. */
export const counted = (ends: Readonly<Record<string, number>>): string =>
  Object.entries(ends)
    .sort()
    .map(([condition, count]) => `${count} × ${condition}`)
    .join(', ')

export class Arena {
  readonly folder: string
  readonly server: AbusedServer
  readonly #twin: AbusedServer
  readonly #rows: AbuseRow[] = []
  readonly #attackers = new Set<ChildProcess>()

  /** Starts both servers; `attacked` is for the one alone. */
  static async open(both: Start = {}, attacked: Start = {}): Promise<Arena> {
    const folder = mkdtempSync(join(tmpdir(), 'ratatosk-abuse-'))
    const world = createWorld()
    const server = await AbusedServer.start(world, join(folder, 'attacked'), { ...both, ...attacked })
    try {
      return new Arena(folder, server, await AbusedServer.start(world, join(folder, 'twin'), both))
    } catch (error) {
      server.kill()
      throw error
    }
  }

  private constructor(folder: string, server: AbusedServer, twin: AbusedServer) {
    this.folder = folder
    this.server = server
    this.#twin = twin
  }

  /** Ends the attackers and the servers, and prints the table. */
  close(): void {
    for (const attacker of this.#attackers) attacker.kill('SIGKILL')
    this.server.kill()
    this.#twin.kill()
    rmSync(this.folder, { recursive: true, force: true })
    process.stdout.write(`\n${tableOf(this.#rows)}\n\n`)
  }

  /** Starts an attacker; resolves when it is in place. `wrapper`: a command that runs it. */
  async attack(
    mode: string,
    task: Readonly<Record<string, unknown>>,
    wrapper: readonly string[] = [],
  ): Promise<Attack> {
    const { host, port, ca } = this.server
    const given = JSON.stringify({ host, port, ca, user: 'attacker', password: 'secret', ...task })
    const [command = '', ...args] = [
      ...wrapper,
      join(root, 'bin/node'),
      join(root, 'plays/abuse/attacker.ts'),
      mode,
      given,
    ]
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#attackers.add(child)
    const ready = Promise.withResolvers<unknown>()
    const done = Promise.withResolvers<Done>()
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as { ready?: unknown; done?: Done }
      if (said.ready !== undefined) ready.resolve(said.ready)
      if (said.done !== undefined) done.resolve(said.done)
    })
    child.on('exit', (code) => {
      this.#attackers.delete(child)
      const error = new Error(`the attacker ended with ${code}`)
      ready.reject(error)
      done.reject(error)
    })
    done.promise.catch(() => undefined)
    return { ready: await ready.promise, done: done.promise, stop: () => void child.kill('SIGKILL') }
  }

  /** Runs an attack while the innocent talk, enters its row, and holds it to its bounds. */
  async row(given: Case): Promise<void> {
    for (let left = given.rounds ?? 1; left > 0; left--) {
      const { during, mostMs } = await this.#round(given)
      if (during <= mostMs) return
      assert.ok(left > 1, `the innocent waited ${during} ms, and no more than ${mostMs} was fair`)
    }
  }

  async #round(given: Case): Promise<{ readonly during: number; readonly mostMs: number }> {
    const { server } = this
    const metric = given.metric ?? (limits[given.limit] ?? fixedLimits[given.limit])?.metric
    assert.ok(metric !== undefined, `no limit ${given.limit}`)
    const before = p99(await server.bystanders.talk(100))
    const memoryBefore = await server.memory()
    const metricBefore = await server.metric(metric)
    let peak = memoryBefore
    let isOver = false
    let weighed = 0
    const running = given.run().finally(() => {
      isOver = true
    })
    // Awaited below; the innocent may fail before it.
    running.catch(() => undefined)
    const times: number[] = []
    const twins: number[] = []
    do {
      const [here, there] = await Promise.all([server.bystanders.talk(20), this.#twin.bystanders.talk(20)])
      times.push(...here)
      twins.push(...there)
      if (Date.now() - weighed < weighEveryMs) continue
      peak = Math.max(peak, await server.memory())
      weighed = Date.now()
      // It stops the server for some 20 ms: the innocent are silent until what waited behind it was handled.
      await server.bystanders.pause(afterWeighingMs)
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
    this.#rows.push(entered)
    if (given.moves === undefined) assert.ok(entered.moved > 0, `${metric} did not move`)
    else assert.equal(entered.moved, given.moves, metric)
    assert.ok(entered.growthMiB <= given.growthMaxMiB, `memory grew by ${entered.growthMiB} MiB`)
    const mostMs = Math.max(unnoticedMs, beforeFactor * before, twinFactor * entered.twin)
    return { during: entered.during, mostMs }
  }
}
