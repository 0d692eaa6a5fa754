/**
 * Makes the scanner's tables of docs/benchmarks.md from `bench/results/scanner.tsv`: everything between the two markers.
 *
 *     bin/node bench/xml/report.ts            prints
 *     bin/node bench/xml/report.ts --write    writes
 */
import { readMachine } from '../machine.ts'
import { publish, rounded } from '../page.ts'
import { figureOf } from '../results.ts'
import { chargedPerByte } from './charged.ts'
import { GOOD, MACHINE, type Row, readRows } from './scanner-rows.ts'

function spread(values: readonly number[]): string {
  const figure = figureOf(values)
  if (figure === undefined) return '–'
  return `${rounded(figure.median)} (${rounded(figure.least)}–${rounded(figure.most)})${figure.count < 5 ? ` n=${figure.count}` : ''}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, k) => (k < 2 ? '---' : '---:'))
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

const distinct = (values: readonly string[]): string[] => [...new Set(values)]

function speeds(rows: readonly Row[]): string {
  const good = rows.filter((row) => row.part === 'good')
  const of = (workload: string, variant: string): Row[] =>
    good.filter((row) => row.workload === workload && row.variant === variant)
  const lines = distinct(good.map((row) => row.workload)).flatMap((workload) =>
    distinct(good.map((row) => row.variant)).map((variant) => {
      const mine = of(workload, variant)
      const scan = figureOf(of(workload, 'scan').map((row) => row.nsAStanza))?.median
      const own = figureOf(mine.map((row) => row.nsAStanza))?.median
      return [
        `${workload}, ${Math.round(mine[0]?.bytes ?? 0)} B`,
        variant,
        spread(mine.map((row) => row.nsAStanza / 1000)),
        spread(mine.map((row) => row.mbPerSecond)),
        scan === undefined || own === undefined ? '–' : `${(own / scan).toFixed(1)}×`,
      ]
    }),
  )
  return table(['stanzas, mean size', 'parser', 'µs a stanza', 'MB/s', 'to our scan'], lines)
}

/** Each repetition against the median of the good mix: one disturbed measurement of that must not touch all the others. */
function ratios(rows: readonly Row[], workload: string, variant: string): number[] {
  const costs = (kind: string): number[] =>
    rows
      .filter((row) => row.part === 'hostile' && row.variant === variant && row.workload === kind)
      .map((row) => row.nsAByte)
  const good = figureOf(costs(GOOD))?.median ?? Number.NaN
  return costs(workload).map((cost) => cost / good / chargedPerByte(workload))
}

function hostileTable(rows: readonly Row[]): string {
  const kinds = distinct(rows.filter((row) => row.part === 'hostile').map((row) => row.workload))
  const lines = kinds
    .filter((kind) => kind !== GOOD)
    .map((kind) => {
      const charged = chargedPerByte(kind)
      return [
        kind,
        charged === 1 ? '' : `× ${charged.toFixed(1)}`,
        spread(ratios(rows, kind, 'scan')),
        spread(ratios(rows, kind, 'scan+rewrite')),
      ]
    })
  return table(['hostile bytes', 'charged', 'scan: good bytes', 'scan+rewrite: good bytes'], lines)
}

function report(): string {
  const rows = readRows()
  const machine = Object.entries(readMachine(MACHINE) ?? {}).map(([name, value]) => `- ${name}: ${value}`)
  const versions = distinct(rows.map((row) => row.version)).filter((version) => version !== 'ratatosk')
  const about = [
    ...machine,
    ...versions.map((version) => `- ${version}`),
    `- code: ${distinct(rows.map((row) => row.code)).join(', ')}`,
  ]
  return ['', '### Machine', about.join('\n'), '### Parsers', speeds(rows), '### Hostile bytes', hostileTable(rows), '']
    .join('\n\n')
    .trim()
}

publish('scanner', report())
