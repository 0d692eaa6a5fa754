/** The raw rows of the scanner's bench: `bench/results/scanner.tsv`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const RESULTS = join(import.meta.dirname, '..', 'results')
export const ROWS = join(RESULTS, 'scanner.tsv')
export const MACHINE = join(RESULTS, 'scanner.json')
/** The workload among the hostile ones that they are compared with. */
export const GOOD = 'good mix'

export interface Row {
  readonly started: string
  readonly part: 'good' | 'hostile'
  readonly workload: string
  readonly variant: string
  readonly repetition: number
  /** Mean size of what is fed at once: a stanza, or all of a hostile text. */
  readonly bytes: number
  readonly nsAStanza: number
  readonly nsAByte: number
  readonly mbPerSecond: number
  readonly node: string
  /** Of the parser. */
  readonly version: string
  /** The last commit of src/xml and bench/xml. */
  readonly code: string
}

export const COLUMNS = [
  'started',
  'part',
  'workload',
  'variant',
  'repetition',
  'bytes',
  'nsAStanza',
  'nsAByte',
  'mbPerSecond',
  'node',
  'version',
  'code',
] as const satisfies readonly (keyof Row)[]

export function keyOf({
  part,
  workload,
  variant,
  repetition,
}: Pick<Row, 'part' | 'workload' | 'variant' | 'repetition'>): string {
  return [part, workload, variant, repetition].join('\t')
}

export function toLine(row: Row): string {
  return COLUMNS.map((column) => {
    const value = row[column]
    return typeof value === 'number' ? String(Number(value.toPrecision(6))) : value
  }).join('\t')
}

export function readRows(): Row[] {
  const [header = '', ...lines] = readFileSync(ROWS, 'utf8').trimEnd().split('\n')
  const names = header.split('\t')
  return lines.map((line) => {
    const cells = new Map(line.split('\t').map((cell, k) => [names[k] ?? '', cell]))
    const text = (column: string): string => cells.get(column) ?? ''
    return {
      started: text('started'),
      part: text('part') === 'hostile' ? 'hostile' : 'good',
      workload: text('workload'),
      variant: text('variant'),
      repetition: Number(text('repetition')),
      bytes: Number(text('bytes')),
      nsAStanza: Number(text('nsAStanza')),
      nsAByte: Number(text('nsAByte')),
      mbPerSecond: Number(text('mbPerSecond')),
      node: text('node'),
      version: text('version'),
      code: text('code'),
    }
  })
}
