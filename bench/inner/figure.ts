/** What a row of `bench/inner` prints, one JSON line a figure, and the file that keeps them: bench/results/inner.tsv. */

import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const INNER = join(import.meta.dirname, '..', 'results', 'inner.tsv')

export interface Figure {
  /** What of the row: a size, a transport, a server. */
  readonly case: string
  readonly figure: string
  readonly unit: string
  readonly value: number
}

export interface Kept extends Figure {
  readonly row: string
  readonly started: string
  readonly repetition: number
  /** Load average of the minute before: above 1 something else ran. */
  readonly load: number
  readonly runtime: string
  readonly commit: string
}

const COLUMNS = [
  'started',
  'row',
  'case',
  'figure',
  'unit',
  'value',
  'repetition',
  'load',
  'runtime',
  'commit',
] as const

export function print(...figures: readonly Figure[]): void {
  for (const figure of figures) process.stdout.write(`${JSON.stringify(figure)}\n`)
}

export function append(rows: readonly Kept[], path = INNER): void {
  if (!existsSync(path)) writeFileSync(path, `${COLUMNS.join('\t')}\n`)
  appendFileSync(path, rows.map((row) => `${COLUMNS.map((column) => String(row[column])).join('\t')}\n`).join(''))
}

/** An absent file is no figures. */
export function readFigures(path = INNER): Kept[] {
  if (!existsSync(path)) return []
  const [header = '', ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n')
  const names = header.split('\t')
  return lines.map((line) => {
    const cells = Object.fromEntries(line.split('\t').map((cell, i) => [names[i] ?? '', cell]))
    const { value, repetition, load } = cells
    return { ...cells, value: Number(value), repetition: Number(repetition), load: Number(load) } as unknown as Kept
  })
}
