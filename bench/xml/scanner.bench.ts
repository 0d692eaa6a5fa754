/**
 * The scanner against ltx and saxes, and hostile bytes against good ones: raw rows into `bench/results/scanner.tsv`, the machine beside
 * them. CPU of the whole process; five repetitions, within each all variants in turn. A row that is in the file and of the same code is
 * not measured again, so a run may be stopped and started. `bench/xml/report.ts` makes the tables of docs/benchmarks.md.
 *
 *     bin/node bench/xml/scanner.bench.ts [--fresh] [--repetitions 5] && bin/node bench/xml/report.ts --write
 */
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeMachine } from '../machine.ts'
import { hostile } from './hostile.ts'
import { type Kind, mix, stanzasOf } from './mix.ts'
import { COLUMNS, GOOD, keyOf, MACHINE, ROWS, type Row, readRows, toLine } from './scanner-rows.ts'
import { type Variant, variants } from './variants.ts'

/** Bytes that a measured run scans, at least; a quarter of them before, to warm up. */
const RUN_BYTES = 12_000_000
const HOSTILE_BYTES = 4_000_000

const root = join(import.meta.dirname, '..', '..')
const { values: options } = parseArgs({
  options: { fresh: { type: 'boolean', default: false }, repetitions: { type: 'string', default: '5' } },
})

const versionOf = (name: string): string => {
  const path = join(root, 'node_modules', name, 'package.json')
  return `${name} ${(JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version}`
}
const commit = execFileSync('git', ['log', '-1', '--format=%h', '--', 'src/xml', 'bench/xml'], {
  cwd: root,
  encoding: 'utf8',
})
const code = commit.trim()

interface Task {
  readonly part: Row['part']
  readonly workload: string
  readonly variant: Variant
  readonly pieces: readonly Buffer[]
  readonly atLeast: number
}

const kinds: readonly Kind[] = ['chat218', 'chat586', 'presence396', 'pubsub', 'roster']
const workloads: Readonly<Record<string, readonly string[]>> = {
  mix: mix(),
  ...Object.fromEntries(kinds.map((kind) => [kind, stanzasOf(kind, 50)])),
}
const buffers = (texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text))

/** In the order of a repetition. Hostile bytes come last, so that what they teach the optimiser does not touch the other rows. */
function tasks(): Task[] {
  const out: Task[] = []
  for (const [workload, stanzas] of Object.entries(workloads)) {
    const pieces = buffers(stanzas)
    for (const variant of Object.keys(variants) as Variant[])
      out.push({ part: 'good', workload, variant, pieces, atLeast: RUN_BYTES })
  }
  return out
}

function hostileTasks(): Task[] {
  const out: Task[] = []
  for (const variant of ['scan', 'scan+rewrite'] as const)
    for (const [workload, text] of [[GOOD, mix().join('')], ...Object.entries(hostile)] as const)
      out.push({ part: 'hostile', workload, variant, pieces: buffers([text]), atLeast: HOSTILE_BYTES })
  return out
}

function measure({ variant, pieces, atLeast }: Task): { readonly nsAStanza: number; readonly nsAByte: number } {
  let stanzas = 0
  const feed = variants[variant](() => {
    stanzas++
  })
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const rounds = Math.max(1, Math.ceil(atLeast / bytes))
  for (let k = 0; k < rounds / 4; k++) for (const piece of pieces) feed(piece)
  stanzas = 0
  const before = process.cpuUsage()
  for (let k = 0; k < rounds; k++) for (const piece of pieces) feed(piece)
  const { user, system } = process.cpuUsage(before)
  const total = (user + system) * 1000
  return { nsAStanza: total / stanzas, nsAByte: total / (rounds * bytes) }
}

/** The file with a header line, without rows of other code. */
function begin(): Map<string, Row> {
  const rows = options.fresh || !existsSync(ROWS) ? [] : readRows().filter((row) => row.code === code)
  writeFileSync(ROWS, `${[COLUMNS.join('\t'), ...rows.map(toLine)].join('\n')}\n`)
  return new Map(rows.map((row) => [keyOf(row), row]))
}

const known = begin()
writeMachine(MACHINE)
const version: Readonly<Record<string, string>> = { ltx: versionOf('ltx'), saxes: versionOf('saxes') }
let measured = 0
for (const list of [tasks(), hostileTasks()]) {
  for (let repetition = 1; repetition <= Number(options.repetitions); repetition++) {
    for (const task of list) {
      const { part, workload, variant, pieces } = task
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0) / pieces.length
      const place = { part, workload, variant, repetition }
      if (known.has(keyOf(place))) continue
      const { nsAStanza, nsAByte } = measure(task)
      const row: Row = {
        started: new Date().toISOString(),
        ...place,
        bytes,
        nsAStanza,
        nsAByte,
        mbPerSecond: 1000 / nsAByte,
        node: process.version,
        version: version[variant.split(' ')[0] ?? ''] ?? 'ratatosk',
        code,
      }
      appendFileSync(ROWS, `${toLine(row)}\n`)
      measured++
    }
    process.stderr.write(
      `${list[0]?.part} ${repetition}: ${measured} rows measured in ${performance.now().toFixed(0)} ms\n`,
    )
  }
}
