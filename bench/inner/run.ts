/**
 * Rows about the inside of our own server, each repetition in a process of its own; raw figures to bench/results/inner.tsv.
 *
 *     bin/node bench/inner/run.ts                  all rows, three repetitions, the peers' once: under four minutes
 *     bin/node bench/inner/run.ts --rows heap --repetitions 1
 *     bin/node bench/inner/report.ts --write       puts the table into docs/benchmarks.md
 *
 * What was measured at this commit is not measured again.
 */

import { spawnSync } from 'node:child_process'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeMachine } from '../machine.ts'
import { append, type Figure, INNER, readFigures } from './figure.ts'

interface Row {
  readonly name: string
  readonly args: readonly string[]
  /** So often at most: what is only shown beside ours needs no spread. */
  readonly most: number
}

const ROWS: readonly Row[] = [
  { name: 'heap', args: ['--expose-gc', 'heap.ts'], most: 9 },
  { name: 'hosts', args: ['--expose-gc', 'hosts.ts'], most: 9 },
  { name: 'table', args: ['table.ts'], most: 9 },
  { name: 'senders', args: ['senders.ts'], most: 9 },
  { name: 'loop', args: ['loop.ts'], most: 9 },
  { name: 'loop-peers', args: ['loop.ts', '--peers'], most: 1 },
]
/** Seconds after which a row is given up. */
const LIMIT = 180

const say = (text: string): void => void process.stderr.write(`${text}\n`)

function commitOf(): string {
  const git = (...args: string[]): string =>
    spawnSync('git', ['-C', import.meta.dirname, ...args], { encoding: 'utf8' }).stdout.trim()
  const changed = git('status', '--porcelain', '--untracked-files=no', '--', ':/src', ':/bench/inner')
  return git('rev-parse', '--short', 'HEAD') + (changed === '' ? '' : '+')
}

/** What one repetition printed. Throws with what it said when it failed. */
export function measure(row: Pick<Row, 'args'>): Figure[] {
  const args = row.args.map((arg) => (arg.endsWith('.ts') ? join(import.meta.dirname, arg) : arg))
  const result = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: LIMIT * 1000,
    maxBuffer: 2 ** 24,
    env: { ...process.env, NODE_COMPILE_CACHE: '' },
  })
  if (result.status !== 0)
    throw new Error(`${args.join(' ')} ended with ${result.signal ?? result.status}: ${result.stderr}`)
  return result.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Figure)
}

function main(): number {
  const options = { rows: { type: 'string', default: '' }, repetitions: { type: 'string', default: '3' } } as const
  const { values } = parseArgs({ options })
  const names = values.rows === '' ? ROWS.map((row) => row.name) : values.rows.split(',')
  const chosen = names.map((name) => {
    const row = ROWS.find((one) => one.name === name)
    if (row === undefined) throw new Error(`no such row: ${name} (${ROWS.map((one) => one.name).join(', ')})`)
    return row
  })
  const built = spawnSync(join(import.meta.dirname, '..', 'load', 'build.sh'), { encoding: 'utf8' })
  if (built.status !== 0) throw new Error(`bench/load/build.sh: ${built.stderr}`)
  const commit = commitOf()
  const done = readFigures()
  writeMachine(INNER.replace(/\.tsv$/, '.json'))
  let failed = 0
  for (let repetition = 1; repetition <= Number(values.repetitions); repetition++) {
    for (const row of chosen) {
      const isDone = done.some((one) => one.row === row.name && one.commit === commit && one.repetition === repetition)
      if (isDone || repetition > row.most) continue
      const started = new Date().toISOString()
      const load = Math.round((loadavg()[0] ?? 0) * 100) / 100
      const began = performance.now()
      try {
        const shared = { row: row.name, started, repetition, load, runtime: process.version, commit }
        append(measure(row).map((figure) => ({ ...figure, ...shared })))
        say(`${row.name} ${repetition}: ${Math.round((performance.now() - began) / 1000)} s`)
      } catch (error) {
        failed++
        say(`${row.name} ${repetition}: ${error}`)
      }
    }
  }
  return failed === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = main()
