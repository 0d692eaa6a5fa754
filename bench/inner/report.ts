/**
 * The table of bench/results/inner.tsv, for docs/benchmarks.md: of each row what was measured at its latest commit.
 *
 *     bin/node bench/inner/report.ts           prints
 *     bin/node bench/inner/report.ts --write   writes
 */

import { publish, rounded } from '../page.ts'
import { figureOf } from '../results.ts'
import { type Kept, readFigures } from './figure.ts'

/** A goal of DESIGN.md section 12, in the figure's unit. */
const GOALS: readonly { readonly row: string; readonly figure: string; readonly at: RegExp; readonly most: number }[] =
  [
    { row: 'hosts', figure: 'heap a host', at: /10,000/, most: 2_048 },
    { row: 'loop', figure: 'loop delay p99', at: /1,000 at once/, most: 20 },
  ]

const TITLES: Readonly<Record<string, string>> = {
  heap: 'Memory of an idle session',
  hosts: 'Hosts',
  table: 'The session table',
  senders: 'Routing, by the number of senders',
  loop: 'The event loop in a storm of log-ins',
  'loop-peers': 'The same storm at the peers: what clients see',
}

/** The figures of each row's latest commit: those of older ones stay in the file. */
export function latest(all: readonly Kept[]): Kept[] {
  const commits = new Map(all.map((one) => [one.row, one.commit]))
  return all.filter((one) => commits.get(one.row) === one.commit)
}

export function innerReport(all: readonly Kept[]): string {
  const parts: string[] = []
  const kept = latest(all)
  for (const [row, title] of Object.entries(TITLES)) {
    const mine = kept.filter((one) => one.row === row)
    if (mine.length === 0) continue
    const lines = [
      '| case | figure | unit | median (least–most) | n | goal |',
      '| --- | --- | --- | ---: | ---: | --- |',
    ]
    for (const key of new Set(mine.map((one) => `${one.case}\t${one.figure}`))) {
      const same = mine.filter((one) => `${one.case}\t${one.figure}` === key)
      const [first] = same
      const spread = figureOf(same.map((one) => one.value))
      if (first === undefined || spread === undefined) continue
      const goal = GOALS.find((one) => one.row === row && one.figure === first.figure && one.at.test(first.case))
      const verdict = goal === undefined ? '' : `≤ ${goal.most}: ${spread.median <= goal.most ? 'met' : 'missed'}`
      const shown = `${rounded(spread.median)} (${rounded(spread.least)}–${rounded(spread.most)})`
      lines.push(`| ${first.case} | ${first.figure} | ${first.unit} | ${shown} | ${spread.count} | ${verdict} |`)
    }
    const commits = [...new Set(mine.map((one) => one.commit))].join(', ')
    const loads = Math.max(...mine.map((one) => one.load))
    parts.push(`### ${title}`, lines.join('\n'), `Commit ${commits}, load average before at most ${loads}.`)
  }
  return parts.join('\n\n')
}

if (import.meta.main) publish('made by bench/inner/report.ts', innerReport(readFigures()))
