/**
 * SES-10: the memory of an idle session is published and may not grow by more than a tenth. The long form measures anew and
 * compares with the committed figure; a change that makes sessions dearer commits a new figure and says why.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { append, type Figure, type Kept, readFigures } from '../bench/inner/figure.ts'
import { innerReport, latest } from '../bench/inner/report.ts'
import { measure } from '../bench/inner/run.ts'
import { figureOf } from '../bench/results.ts'
import { least } from './lib/least.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'
/** Bytes of a session, inside and outside the heap. */
const bytesOf = (figures: readonly Figure[]): number | undefined =>
  figureOf(figures.filter((one) => one.figure === 'both').map((one) => one.value))?.median
/** Whether so much more than was published that it must be explained. */
const hasGrown = (published: number, now: number): boolean => now > published * 1.1

test('SES-10: a figure for an idle session is published, within the budget of 8 KB', () => {
  const published = bytesOf(latest(readFigures()).filter((one) => one.row === 'heap'))
  assert.ok(published !== undefined, 'bench/results/inner.tsv has no row heap: bin/node bench/inner/run.ts --rows heap')
  assert.ok(published > 1_000 && published < 8 * 1024, `${published} bytes a session`)
  assert.equal(hasGrown(published, published * 1.09), false)
  assert.equal(hasGrown(published, published * 1.11), true)
})

if (isLong) {
  test('SES-10: a session takes no more than a tenth above what was published', { timeout: 300_000 }, async () => {
    const published = bytesOf(latest(readFigures()).filter((one) => one.row === 'heap')) ?? 0
    const bytes = () => bytesOf(measure({ args: ['--expose-gc', 'heap.ts'] })) ?? Number.POSITIVE_INFINITY
    const now = await least(published * 1.1, bytes)
    assert.ok(!hasGrown(published, now), `${now} bytes a session, published were ${published}`)
  })
}

/** The median of what was published of a row, by its case. */
const published = (row: string, figure: string): Map<string, number> => {
  const rows = latest(readFigures()).filter((one) => one.row === row && one.figure === figure)
  return new Map(
    rows.map((one) => {
      const same = rows.filter((other) => other.case === one.case)
      return [one.case, figureOf(same.map((other) => other.value))?.median ?? Number.NaN] as const
    }),
  )
}

test('RTR-06: a message of one of 1,000 senders is published to cost less than twice that of a sole one', () => {
  const costs = published('senders', 'cost of a message')
  const [alone = Number.NaN, crowd = Number.NaN] = [costs.get('1 sender'), costs.get('1,000 senders')]
  assert.ok(crowd < 2 * alone, `${crowd} µs, alone ${alone} µs`)
})

test('SM-09: what the session table costs to write and to read is published, at two sizes', () => {
  for (const figure of [
    'write: entered into the table',
    'write: taken out',
    'read: session of a full JID',
    'read: is the account online',
  ]) {
    const costs = published('table', figure)
    assert.deepEqual([...costs.keys()].sort(), ['10,000 sessions', '100,000 sessions'], figure)
    for (const cost of costs.values()) assert.ok(cost > 0 && cost < 10, `${figure}: ${cost} µs`)
  }
})

test('figures are read back as they were appended, and the report takes those of the latest commit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ratatosk-inner-'))
  const path = join(folder, 'inner.tsv')
  const one = (value: number, commit: string): Kept => ({
    ...{ row: 'loop', case: 'ratatosk: 1,000 at once, TCP', figure: 'loop delay p99', unit: 'ms', value, commit },
    ...{ started: '2026-11-21T15:00:00.000Z', repetition: 1, load: 0.1, runtime: 'v26.10.0' },
  })
  try {
    assert.deepEqual(readFigures(path), [])
    const rows = [one(90, 'old'), one(12, 'new'), one(14, 'new')]
    append(rows.slice(0, 1), path)
    append(rows.slice(1), path)
    assert.deepEqual(readFigures(path), rows)
    assert.match(innerReport(rows), /\| 13\.0 \(12\.0–14\.0\) \| 2 \| ≤ 20: met \|/)
    assert.match(innerReport(rows.slice(0, 1)), /≤ 20: missed/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
