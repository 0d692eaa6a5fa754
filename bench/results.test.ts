import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { latest, report, verdict } from './report.ts'
import {
  appendMeasurement,
  assertColumns,
  figureOf,
  isClean,
  isSettled,
  type Measurement,
  readMeasurements,
} from './results.ts'
import { FULL, groupsOf, QUICK, type Row, rowsFor } from './rows.ts'

test('the median of an even count is between the middle two, and what is no number does not count', () => {
  assert.deepEqual(figureOf([4, 1, 3, Number.NaN, 2]), { median: 2.5, least: 1, most: 4, count: 4 })
  assert.deepEqual(figureOf([7]), { median: 7, least: 7, most: 7, count: 1 })
  assert.equal(figureOf([Number.NaN]), undefined)
})

test('of two runs a group comes whole from the later that has it', () => {
  const of = (group: string, server: string, commit: string): Measurement => ({ group, server, commit })
  const earlier = [of('chat-tcp', 'ratatosk', 'a'), of('storm-tls', 'ratatosk', 'a'), of('storm-tls', 'prosody', 'a')]
  const later = [of('storm-tls', 'ratatosk', 'b')]
  assert.deepEqual(latest([earlier, later]), [earlier[0], later[0]])
})

test('what is appended is read back, tabs and line ends in a fault become blanks', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ratatosk-results-'))
  const path = join(directory, 'deep', 'a.tsv')
  try {
    assert.deepEqual(readMeasurements(path), [])
    appendMeasurement(path, { server: 'prosody', row: 'storm', fault: 'a\tb\nc', valid: '0' })
    appendMeasurement(path, { server: 'ejabberd', cpu_us: '34.5', valid: '1', marked: '0' })
    const read = readMeasurements(path)
    assert.equal(read.length, 2)
    assert.equal(read[0]?.fault, 'a b c')
    assert.deepEqual([read[1]?.server, read[1]?.cpu_us, read.map(isClean)], ['ejabberd', '34.5', [false, true]])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a file with other columns is read, but nothing is appended to it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ratatosk-results-'))
  const path = join(directory, 'old.tsv')
  try {
    assertColumns(path)
    appendMeasurement(path, { server: 'prosody' })
    assertColumns(path)
    writeFileSync(path, 'server\trow\nprosody\tstorm\n')
    assert.deepEqual(readMeasurements(path), [{ server: 'prosody', row: 'storm' }])
    assert.throws(() => assertColumns(path), /other columns/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('a row is met only within its budget and its ratio to the better peer', () => {
  const row: Row = { id: 'r', title: 'r', figure: 'cpu_us', unit: 'µs', budget: 6, ratio: 3 }
  assert.deepEqual(verdict(row, 5, [49, 34]), { ratio: '6.8×', goal: '≤ 6.00, 3×', met: 'met' })
  assert.equal(verdict(row, 7, [49, 34]).met, 'over budget')
  assert.equal(verdict(row, 5, [14, 49]).met, 'below 3×')
  assert.equal(verdict({ ...row, ratio: 1 }, 5, [4, 9]).met, 'worse than a peer')
  assert.equal(verdict(row, undefined, [34]).met, 'not measured')
})

test('marked and void measurements stay out of a figure as long as there is a clean one', () => {
  const one = (server: string, cpu_us: string, more: Measurement = {}): Measurement => {
    return { server, cpu_us, profile: 'fair', group: 'chat-tcp', row: 'window:16/50', valid: '1', marked: '0', ...more }
  }
  const all = [
    one('ratatosk', '5'),
    one('ratatosk', '50', { marked: '1' }),
    one('ratatosk', '1', { valid: '0', fault: 'lost one' }),
    one('prosody', '60', { marked: '1' }),
  ]
  const text = report(all, undefined, groupsOf(FULL))
  const line = text.split('\n').find((row) => row.startsWith('| chat, window 16 (50 pairs at a time), TCP | µs'))
  assert.match(line ?? '', /\| 5\.00 \(5\.00–5\.00\) n=1 \| 60\.0 \(60\.0–60\.0\) n=1 † \|/)
  assert.match(text, /4 measurements, 1 void, 2 marked/)
  assert.match(text, /ratatosk fair chat-tcp window:16\/50 .*lost one/)
})

test('a fault of a server is a result; what was disturbed or not measured at all is repeated', () => {
  const measured: Measurement = { cpu_us: '5', valid: '1', marked: '0' }
  const cases: [Measurement, boolean][] = [
    [measured, true],
    [{ ...measured, valid: '0', fault: '8 messages never arrived' }, true],
    [{ ...measured, marked: '1' }, false],
    [{ ...measured, valid: '0', marked: '1' }, false],
    [{ valid: '0', marked: '0', fault: 'the generator ended with 1' }, false],
  ]
  for (const [measurement, expected] of cases)
    assert.equal(isSettled(measurement), expected, JSON.stringify(measurement))
})

test('stock settings of the peers are a column of their own beside the fair ones and ours', () => {
  const one = (server: string, profile: string, cpu_us: string): Measurement => {
    return { server, profile, cpu_us, group: 'storm-tcp', row: 'storm', valid: '1', marked: '0' }
  }
  const fair = [one('ratatosk', 'fair', '300'), one('prosody', 'fair', '4000'), one('ejabberd', 'fair', '1000')]
  assert.doesNotMatch(report(fair, undefined, groupsOf(FULL)), /stock/)
  const text = report([...fair, one('ejabberd', 'stock', '2000')], undefined, groupsOf(FULL))
  const rows = text.slice(text.indexOf('Prosody, stock')).split('\n')
  assert.equal(
    rows[2],
    '| log-in storm, to initial presence, TCP | µs a log-in | 300 (300–300) n=1 | 4,000 (4,000–4,000) n=1 | – ' +
      '| 1,000 (1,000–1,000) n=1 | 2,000 (2,000–2,000) n=1 |',
  )
})

test('what the peers cannot do is ours alone, and stands beside their other row', () => {
  const storm = groupsOf(FULL).find((group) => group.id === 'storm-tls')
  assert.ok(storm)
  assert.deepEqual(rowsFor(storm, false), ['storm'])
  assert.deepEqual(rowsFor(storm, true), ['storm', 'storm:sasl2', 'storm:fast'])
  const one = (server: string, row: string, cpu_us: string): Measurement => {
    return { server, row, cpu_us, profile: 'fair', group: 'storm-tls', valid: '1', marked: '0' }
  }
  const all = [
    ...[one('ratatosk', 'storm', '900'), one('ratatosk', 'storm:sasl2', '700'), one('ratatosk', 'storm:fast', '500')],
    ...[one('prosody', 'storm', '6000'), one('ejabberd', 'storm', '2000')],
  ]
  const line = report(all, undefined, groupsOf(FULL))
    .split('\n')
    .find((row) => row.includes('FAST (peers: classic SCRAM)'))
  assert.match(line ?? '', /\| 500 .*\| 6,000 .*\| 2,000 .*\| 4\.0× \| 3× \| met \|/)
})

test('every row and group has a name of its own, in full size and in quick', () => {
  for (const scale of [FULL, QUICK]) {
    const groups = groupsOf(scale)
    const rows = groups.flatMap((group) => Object.values(group.rows).flat())
    assert.equal(new Set(groups.map(({ id }) => id)).size, groups.length)
    assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length)
    assert.equal(new Set(rows.map(({ title }) => title)).size, rows.length)
  }
})
