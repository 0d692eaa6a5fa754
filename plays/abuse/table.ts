/** The rows of the abuse tests, for whoever reads the run. */

export interface AbuseRow {
  readonly attack: string
  readonly limit: string
  /** What the attacker was told. */
  readonly wire: string
  readonly metric: string
  readonly moved: number
  readonly growthMiB: number
  readonly growthMaxMiB: number
  /** Milliseconds: of the innocent before and during, and of those of the twin that nobody attacks. */
  readonly before: number
  readonly during: number
  readonly twin: number
}

const titles = [
  'attack',
  'limit',
  'on the wire',
  'metric',
  'memory in use (bound)',
  'innocent p99 before',
  'during',
  'twin',
]

export function tableOf(rows: readonly AbuseRow[]): string {
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const cells = rows.map((row) => [
    row.attack,
    row.limit,
    row.wire,
    `${row.metric} +${row.moved}`,
    `+${row.growthMiB.toFixed(1)} MiB (${row.growthMaxMiB})`,
    ms(row.before),
    ms(row.during),
    ms(row.twin),
  ])
  const widths = titles.map((title, column) =>
    Math.max(...[titles, ...cells].map((line) => (line[column] ?? title).length)),
  )
  const written = (line: readonly string[]) => `| ${line.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return [written(titles), rule, ...cells.map(written)].join('\n')
}
