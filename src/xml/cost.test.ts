/** What hostile bytes cost, in the long set only (RATATOSK_LONG=1): times are no matter for a quick test. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chargedPerByte } from '../../bench/xml/charged.ts'
import { hostile } from '../../bench/xml/hostile.ts'
import { HEADER, mix } from '../../bench/xml/mix.ts'
import { least } from '../../tools/lib/least.ts'
import { defaultLimits } from './limits.ts'
import { Scanner } from './scanner.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'

/** Good bytes that a hostile byte may cost. A byte is one that is sent; of stanzas below the least that a shaper charges, that. */
const MOST = 2
/** A busy machine shares its caches: a quarter more is still the same. A kind made quadratic costs many times as much. */
const TOLERANCE = 1.25
/** The best of so many attempts counts: what disturbs a measurement never makes it cheaper. */
const ATTEMPTS = 15
const SLICE_BYTES = 1_000_000

/** Scans about a megabyte of one kind again and again, by one scanner. */
class Load {
  readonly #bytes: Buffer
  readonly #scanner: Scanner
  readonly #rounds: number

  constructor(text: string) {
    this.#bytes = Buffer.from(text)
    this.#rounds = Math.ceil(SLICE_BYTES / this.#bytes.length)
    this.#scanner = new Scanner('stream', defaultLimits, {
      streamOpen: () => undefined,
      stanza: () => undefined,
      streamClose: () => undefined,
      fault: ({ code }) => assert.fail(code),
    })
    this.#scanner.write(Buffer.from(HEADER))
  }

  /** CPU nanoseconds a byte. */
  run(): number {
    const before = process.cpuUsage()
    for (let k = 0; k < this.#rounds; k++) this.#scanner.write(this.#bytes)
    const { user, system } = process.cpuUsage(before)
    return ((user + system) * 1000) / (this.#rounds * this.#bytes.length)
  }
}

/** Least of some runs each, the two in turn, so that both meet the same machine. */
function ratio(load: Load, good: Load): number {
  let [cost, goodCost] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let run = 0; run < 5; run++) {
    goodCost = Math.min(goodCost, good.run())
    cost = Math.min(cost, load.run())
  }
  return cost / goodCost
}

if (isLong)
  test('a hostile byte costs at most twice a good one', (t) => {
    const good = new Load(mix().join(''))
    const loads = Object.entries(hostile).map(([name, text]) => ({ name, load: new Load(text) }))
    // All are met once before any is measured, so that the optimiser has seen what there is.
    for (let k = 0; k < 3; k++) for (const { load } of [{ load: good }, ...loads]) load.run()
    for (const { name, load } of loads) {
      let times = Number.POSITIVE_INFINITY
      for (let k = 0; k < ATTEMPTS && times > MOST; k++)
        times = Math.min(times, ratio(load, good) / chargedPerByte(name))
      t.diagnostic(`${name}: ${times.toFixed(2)}`)
      assert.ok(times <= MOST * TOLERANCE, `${name} costs ${times.toFixed(2)} good bytes a byte`)
    }
  })

if (isLong)
  test('RCV-02: memory stays flat over 200 MB of all kinds', async () => {
    const sink = {
      streamOpen: () => undefined,
      stanza: () => undefined,
      streamClose: () => undefined,
      fault: () => undefined,
    }
    const kinds = [mix().join(''), ...Object.values(hostile)].map((text) => Buffer.from(text))
    const scanner = new Scanner('stream', defaultLimits, sink)
    scanner.write(Buffer.from(HEADER))
    let seen = 0
    const pour = (bytes: number): void => {
      for (let poured = 0; poured < bytes; ) {
        for (const kind of kinds) {
          // Cut at odd places, so that the accumulating path is as much in use as the direct one.
          for (let from = 0; from < kind.length; from += 3001)
            scanner.write(kind, from, Math.min(kind.length, from + 3001))
          poured += kind.length
          seen += kind.length
        }
      }
    }
    pour(20_000_000)
    let before = process.memoryUsage().rss
    const grown = await least(24_000_000, () => {
      pour(200_000_000)
      const { rss } = process.memoryUsage()
      const grown = rss - before
      before = rss
      return grown
    })
    assert.ok(seen > 200_000_000 && grown < 24_000_000, `${grown} bytes more`)
  })
