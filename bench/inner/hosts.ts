/**
 * DESIGN.md section 6: what 10,000 hosts cost: the heap of each, and the CPU and the longest turn of the event loop of a
 * reload in which they come, in which one more comes, and in which they go. The configuration is a file. Run with
 * `--expose-gc`.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer, type Server } from '../../src/index.ts'
import { settledHeap } from '../../tools/lib/heap.ts'
import { print } from './figure.ts'

const HOSTS = 10_000
/** The first rounds compile. */
const ROUNDS = 5

const folder = mkdtempSync(join(tmpdir(), 'rtk-hosts-'))
const file = join(folder, 'r.yaml')

function write(count: number): void {
  const head = 'store: { engine: memory }\nlisteners: []\nhosts:\n  localhost: default\n'
  writeFileSync(file, head + Array.from({ length: count }, (_, n) => `  host${n}.example.org: default\n`).join(''))
}

interface Cost {
  /** Milliseconds. */
  readonly cpu: number
  readonly turn: number
}

async function reload(server: Server, count: number): Promise<Cost> {
  write(count)
  await delay(20)
  // Of this thread alone: what else the machine does is no part of it.
  const spent = () => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1_000
  }
  let last = spent()
  let turn = 0
  const look = () => {
    const now = spent()
    turn = Math.max(turn, now - last)
    last = now
  }
  const ticking = setInterval(look, 1)
  const before = process.cpuUsage()
  await server.reload()
  const { user, system } = process.cpuUsage(before)
  look()
  clearInterval(ticking)
  return { cpu: (user + system) / 1_000, turn }
}

async function main(): Promise<void> {
  write(0)
  const server = await createServer({ config: { file } })
  try {
    const heaps: number[] = []
    const cases = { come: [] as Cost[], 'one more': [] as Cost[], go: [] as Cost[] }
    for (let round = 0; round < ROUNDS; round++) {
      const before = await settledHeap()
      cases.come.push(await reload(server, HOSTS))
      heaps.push((await settledHeap()) - before)
      cases['one more'].push(await reload(server, HOSTS + 1))
      cases.go.push(await reload(server, 0))
    }
    const name = `${HOSTS.toLocaleString('en')} hosts`
    print({ case: name, figure: 'heap a host', unit: 'bytes', value: Math.min(...heaps) / HOSTS })
    for (const [what, costs] of Object.entries(cases)) {
      const at = `${name}, ${what}`
      print(
        { case: at, figure: 'reload, CPU', unit: 'ms', value: Math.min(...costs.map(({ cpu }) => cpu)) },
        { case: at, figure: 'longest turn, CPU', unit: 'ms', value: Math.min(...costs.map(({ turn }) => turn)) },
      )
    }
  } finally {
    await server.close()
    rmSync(folder, { recursive: true })
  }
}

await main()
