/** Raw results: one TSV line a measurement, appended as they come, so that a run can be resumed row by row. */

import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** In the order of the file. `marked` is 1 when more than a quarter of a core was busy with something else. */
export const COLUMNS = [
  ...[
    'started',
    'server',
    'version',
    'profile',
    'group',
    'row',
    'repetition',
    'valid',
    'marked',
    'users',
    'pairs',
    'active',
  ],
  ...['cpu_us', 'units', 'units_per_s', 'wall_s', 'server_cpu_s', 'server_core_pct', 'load_us', 'load_core_pct'],
  ...['foreign_core_pct', 'steal_core_pct', 'latency_p50_us', 'latency_p90_us', 'latency_p99_us', 'latency_p999_us'],
  ...[
    'latency_max_us',
    'late_p99_us',
    'session_kb',
    'session_settled_kb',
    'rss_empty_kb',
    'rss_before_kb',
    'rss_after_kb',
  ],
  ...[
    'processes',
    'threads',
    'start_ms',
    'loop_p99_us',
    'loop_max_us',
    'cipher',
    'runtime',
    'commit',
    'command',
    'fault',
  ],
] as const

export type Column = (typeof COLUMNS)[number]
export type Measurement = Readonly<Partial<Record<Column, string>>>

const clean = (text: string): string => text.replaceAll(/[\t\n\r]+/g, ' ')

export function appendMeasurement(path: string, measurement: Measurement): void {
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${COLUMNS.join('\t')}\n`)
  }
  appendFileSync(path, `${COLUMNS.map((column) => clean(measurement[column] ?? '')).join('\t')}\n`)
}

/** Throws when the file has other columns than those of today: what was appended would stand below the wrong names. */
export function assertColumns(path: string): void {
  if (!existsSync(path)) return
  const [header] = readFileSync(path, 'utf8').split('\n')
  if (header !== COLUMNS.join('\t')) throw new Error(`${path} has other columns: choose another --name`)
}

/** An absent file is no measurements. Columns are read by the file's own header, so that older files stay readable. */
export function readMeasurements(path: string): Measurement[] {
  if (!existsSync(path)) return []
  const [header = '', ...lines] = readFileSync(path, 'utf8').split('\n')
  const names = header.split('\t')
  return lines
    .filter((line) => line !== '')
    .map((line) => Object.fromEntries(line.split('\t').map((value, i) => [names[i] ?? '', value])))
}

export interface Figure {
  readonly median: number
  readonly least: number
  readonly most: number
  readonly count: number
}

/** Median (the lower of two middle ones is averaged with the upper), least and most; undefined of no values. */
export function figureOf(values: readonly number[]): Figure | undefined {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b)
  const [least, most] = [sorted[0], sorted.at(-1)]
  if (least === undefined || most === undefined) return undefined
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? most
  const median = sorted.length % 2 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
  return { median, least, most, count: sorted.length }
}

/** A measurement that counts: no fault, and nothing else was running. */
export const isClean = (m: Measurement): boolean => m.valid === '1' && m.marked !== '1'

/**
 * A measurement that need not be repeated: a clean one, or one that found a fault in the server while nothing else was
 * running. A row that the generator could not measure at all has no figures.
 */
export const isSettled = (m: Measurement): boolean => m.marked !== '1' && (m.valid === '1' || !!m.cpu_us)
