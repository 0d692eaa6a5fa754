/**
 * Makes the tables of docs/benchmarks.md from the raw rows: everything between its two marker lines is replaced.
 *
 *     bin/node bench/report.ts --name 2026-11            prints
 *     bin/node bench/report.ts --name 2026-11 --write    writes
 *     bin/node bench/report.ts --name ONE --name OTHER   a group that both have is taken from the later
 */

import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Machine, readMachine } from './machine.ts'
import { publish, rounded } from './page.ts'
import { type Column, type Figure, figureOf, isClean, type Measurement, readMeasurements } from './results.ts'
import { FULL, type Group, groupsOf, QUICK, type Row } from './rows.ts'

const SERVERS = ['ratatosk', 'prosody', 'ejabberd', 'relay'] as const
const WANTED = 5

type Server = (typeof SERVERS)[number]
interface Cell {
  readonly figure: Figure
  /** No clean measurement: these were made while something else ran. */
  readonly marked: boolean
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

export class Results {
  readonly all: readonly Measurement[]

  constructor(all: readonly Measurement[]) {
    this.all = all
  }

  /** Valid measurements, clean ones if there are any; undefined when there is none. */
  cell(server: Server, profile: string, row: string, group: string, column: Column): Cell | undefined {
    const mine = this.all.filter(
      (m) => m.server === server && m.profile === profile && m.row === row && m.group === group,
    )
    const valid = mine.filter((m) => m.valid === '1' && m[column])
    const clean = valid.filter(isClean)
    const figure = figureOf((clean.length > 0 ? clean : valid).map((m) => Number(m[column])))
    return figure && { figure, marked: clean.length === 0 }
  }
}

function show(cell: Cell | undefined): string {
  if (!cell) return '–'
  const { median, least, most, count } = cell.figure
  const few = count < WANTED ? ` n=${count}` : ''
  return `${rounded(median)} (${rounded(least)}–${rounded(most)})${few}${cell.marked ? ' †' : ''}`
}

/** The verdict on our figure: budget first, then the ratio to the better peer. */
export function verdict(
  row: Row,
  ours: number | undefined,
  peers: readonly number[],
): { ratio: string; goal: string; met: string } {
  const better = peers.length > 0 ? Math.min(...peers) : undefined
  const goals = [
    row.budget === undefined ? '' : `≤ ${rounded(row.budget)}`,
    row.ratio === undefined ? '' : row.ratio === 1 ? '≤ the better peer' : `${row.ratio}×`,
  ]
  const goal = goals.filter((text) => text !== '').join(', ')
  if (ours === undefined) return { ratio: '–', goal, met: 'not measured' }
  const missed = [
    row.budget !== undefined && ours > row.budget ? 'over budget' : '',
    row.ratio !== undefined && better !== undefined && better / ours < row.ratio
      ? row.ratio === 1
        ? 'worse than a peer'
        : `below ${row.ratio}×`
      : '',
  ].filter((text) => text !== '')
  return { ratio: better === undefined ? '–' : `${(better / ours).toFixed(1)}×`, goal, met: missed.join(', ') || 'met' }
}

function rowsOf(groups: readonly Group[]): { group: Group; name: string; row: Row }[] {
  return groups.flatMap((group) =>
    Object.entries(group.rows).flatMap(([name, rows]) => rows.map((row) => ({ group, name, row }))),
  )
}

function figures(results: Results, groups: readonly Group[]): string {
  const rows = rowsOf(groups).map(({ group, name, row }) => {
    const cells = SERVERS.map((server) =>
      results.cell(server, 'fair', server === 'ratatosk' ? name : (row.beside ?? name), group.id, row.figure),
    )
    const peers = cells.slice(1, 3).flatMap((cell) => (cell ? [cell.figure.median] : []))
    const { ratio, goal, met } = verdict(row, cells[0]?.figure.median, peers)
    return [row.title, row.unit, ...cells.map(show), ratio, goal, met]
  })
  return table(['row', 'unit', 'Ratatosk', 'Prosody', 'ejabberd', 'C relay', 'to the better peer', 'goal', ''], rows)
}

/** Our figure beside both peers as Debian configures them and as rule 2 does. */
function stock(results: Results, groups: readonly Group[]): string {
  const peers = ['prosody', 'ejabberd'] as const
  const rows = rowsOf(groups).flatMap(({ group, name, row }) => {
    const cell = (server: Server, profile: string) => results.cell(server, profile, name, group.id, row.figure)
    const stocks = peers.map((peer) => cell(peer, 'stock'))
    if (stocks.every((one) => one === undefined)) return []
    const pairs = peers.flatMap((peer, i) => [show(cell(peer, 'fair')), show(stocks[i])])
    return [[row.title, row.unit, show(cell('ratatosk', 'fair')), ...pairs]]
  })
  return table(['row', 'unit', 'Ratatosk', 'Prosody', 'Prosody, stock', 'ejabberd', 'ejabberd, stock'], rows)
}

function latencies(results: Results, groups: readonly Group[], profile: string): string {
  const timed = rowsOf(groups).filter(({ group, row }) => !group.id.startsWith('idle') && row.figure === 'cpu_us')
  const columns: Column[] = ['latency_p50_us', 'latency_p99_us', 'latency_max_us']
  const rows = timed.map(({ group, name, row }) => [
    row.title,
    ...SERVERS.map((server) => {
      const points = columns.map((column) => results.cell(server, profile, name, group.id, column)?.figure.median)
      return points.every((point) => point === undefined)
        ? '–'
        : points.map((point) => (point === undefined ? '–' : rounded(point))).join(' / ')
    }),
  ])
  return table(['µs: p50 / p99 / max (medians)', 'Ratatosk', 'Prosody', 'ejabberd', 'C relay'], rows)
}

function processes(results: Results, groups: readonly Group[], profile: string): string {
  const idle = groups.filter((group) => group.id.startsWith('idle'))
  const columns: [string, Column, number][] = [
    ['memory before the first log-in, MB', 'rss_empty_kb', 1024],
    ['start to listening, ms', 'start_ms', 1],
    ['processes', 'processes', 1],
    ['threads', 'threads', 1],
  ]
  const rows = columns.map(([title, column, divisor]) => [
    title,
    ...SERVERS.slice(0, 3).map((server) => {
      const found = idle
        .map((group) => results.cell(server, profile, 'idle', group.id, column))
        .find((cell) => cell !== undefined)
      return found ? rounded(found.figure.median / divisor) : '–'
    }),
  ])
  return table(['process', 'Ratatosk', 'Prosody', 'ejabberd'], rows)
}

function generator(results: Results, groups: readonly Group[]): string {
  const rows = rowsOf(groups)
    .filter(({ row }) => row.figure === 'cpu_us')
    .map(({ group, name, row }) => [
      row.title,
      ...SERVERS.map((server) => show(results.cell(server, 'fair', name, group.id, 'load_us'))),
    ])
  return table(['µs of CPU a unit in the generator', 'Ratatosk', 'Prosody', 'ejabberd', 'C relay'], rows)
}

function faults(all: readonly Measurement[]): string {
  const voids = all.filter((m) => m.valid !== '1')
  const marked = all.filter((m) => m.marked === '1').length
  const lines = voids.map((m) => `- ${m.server} ${m.profile} ${m.group} ${m.row} ${m.repetition}: ${m.fault}`)
  return [
    `${all.length} measurements, ${voids.length} void, ${marked} marked (†: only marked ones exist).`,
    '',
    ...lines,
  ]
    .join('\n')
    .trimEnd()
}

function commands(all: readonly Measurement[]): string {
  const seen = new Map(
    all.filter((m) => m.server === 'prosody' || m.server === 'ratatosk').map((m) => [m.group, m.command ?? '']),
  )
  const plain = [...seen.values()].map((text) =>
    text
      .replace(/--port \d+/, '--port PORT')
      .replace(/--pid \d+/g, '--pid PID')
      .replaceAll(/\S*\/(\S+\.(?:pem|scram))/g, '$1'),
  )
  return ['```', ...plain, '```'].join('\n')
}

function about(machine: Machine | undefined, all: readonly Measurement[]): string {
  const versions = new Map(all.map((m) => [m.server, m.version]))
  const lines = [
    ...Object.entries(machine ?? {}).map(([key, value]) => `- ${key}: ${value}`),
    ...[...versions].map(([server, version]) => `- ${server}: ${version}`),
    `- cipher of the TLS rows: ${all.find((m) => m.cipher)?.cipher ?? '–'}`,
    `- commit: ${[...new Set(all.map((m) => m.commit))].join(', ')}`,
  ]
  return lines.join('\n')
}

export function report(all: readonly Measurement[], machine: Machine | undefined, groups: readonly Group[]): string {
  const results = new Results(all)
  const parts = [
    ...['### Machine and versions', about(machine, all)],
    ...['### Cost, median (least–most)', figures(results, groups)],
    ...['### Latency', latencies(results, groups, 'fair')],
    ...['### Processes', processes(results, groups, 'fair')],
  ]
  if (all.some((m) => m.profile === 'stock'))
    parts.push('### Beside the peers with their stock settings', stock(results, groups))
  parts.push(
    '### The generator beside them',
    generator(results, groups),
    '### Faults',
    faults(all),
    '### Commands',
    commands(all),
  )
  return parts.join('\n\n')
}

/** Figures of different hours do not stand in one ratio: a group comes whole from the last run that has it. */
export function latest(runs: readonly (readonly Measurement[])[]): readonly Measurement[] {
  const from = new Map(runs.flatMap((run) => run.map((m) => [m.group, run] as const)))
  return runs.flatMap((run) => run.filter((m) => from.get(m.group) === run))
}

function main(): void {
  const options = {
    name: { type: 'string', multiple: true },
    write: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  } as const
  const { values } = parseArgs({ options })
  const last = values.name?.at(-1)
  if (values.name === undefined || last === undefined) throw new Error('which results? --name NAME')
  const file = (name: string) => join(import.meta.dirname, 'results', name)
  const text = report(
    latest(values.name.map((name) => readMeasurements(file(`${name}.tsv`)))),
    readMachine(file(`${last}.json`)),
    groupsOf(values.quick ? QUICK : FULL),
  )
  publish('made by bench/report.ts', text, values.write)
}

if (import.meta.main) main()
