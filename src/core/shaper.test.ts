import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Shaper } from './shaper.ts'

/** Reads `total` bytes in chunks as a paused and resumed transport would; the virtual milliseconds it took. */
function timeFor(shaper: Shaper, total: number, chunk: number): number {
  let now = 0
  for (let left = total; left > 0; left -= chunk) now += shaper.take(Math.min(chunk, left), now)
  return now
}

test('LST-11: 1 MiB at 3,000 B/s with a burst of 20,000 B takes the computed time', () => {
  const computed = ((1_048_576 - 20_000) / 3_000) * 1_000
  for (const chunk of [1, 250, 1_460, 65_536, 1_048_576]) {
    const took = timeFor(new Shaper(3_000, 20_000, 0), 1_048_576, chunk)
    assert(Math.abs(took - computed) < 1, `${took} ms in chunks of ${chunk}, computed ${computed}`)
  }
})

test('at no time more passes than burst and rate allow', () => {
  const shaper = new Shaper(1_000, 5_000, 0)
  let now = 0
  let passed = 0
  for (let i = 0; i < 1_000; i++) {
    const bytes = (i * 7_919) % 900
    passed += bytes
    now += shaper.take(bytes, now) + (i % 50 === 0 ? 3_000 : 0)
    assert(passed <= 5_000 + now + 1e-6, `${passed} bytes by ${now} ms`)
  }
})

test('the burst comes back with silence, and not beyond itself', () => {
  const shaper = new Shaper(1_000, 5_000, 100)
  assert.equal(shaper.take(5_000, 100), 0)
  assert.equal(shaper.take(1_000, 100), 1_000)
  assert.equal(shaper.take(0, 1_100), 0)
  assert.equal(shaper.take(5_000, 3_600_000), 0)
  assert.equal(shaper.take(2_000, 3_600_000), 2_000)
})

test('a clock that stands still or goes back gives nothing away', () => {
  const shaper = new Shaper(1_000, 0, 1_000)
  assert.equal(shaper.take(500, 1_000), 500)
  assert.equal(shaper.take(500, 0), 1_000)
})

test('no shaping costs no delay; figures may change while running', () => {
  const none = Number.POSITIVE_INFINITY
  const shaper = new Shaper(none, none, 0)
  assert.equal(shaper.take(1e9, 0), 0)
  shaper.change(1_000, 2_000, 10)
  assert.equal(shaper.take(3_000, 10), 1_000)
  shaper.change(2_000, 2_000, 10)
  assert.equal(shaper.take(0, 10), 500, 'what is owed stays owed')
  shaper.change(none, none, 10)
  assert.equal(shaper.take(1e9, 10), 0)
  assert.throws(() => new Shaper(0, 1, 0), RangeError)
  assert.throws(() => new Shaper(1, Number.NaN, 0), RangeError)
})
