/** What hostile bytes cost, in the long set only (RATATOSK_LONG=1): times are no matter for a quick test. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostile } from '../../bench/xml/hostile.ts'
import { HEADER, mix } from '../../bench/xml/mix.ts'
import { defaultLimits } from './limits.ts'
import { Scanner } from './scanner.ts'

const isLong = process.env['RATATOSK_LONG'] === '1'

/** CPU nanoseconds a byte: the least of some runs, since others only ever add to it. */
function perByte(bytes: Buffer, runs: number): number {
  let least = Number.POSITIVE_INFINITY
  const rounds = Math.ceil(2_000_000 / bytes.length)
  const sink = {
    streamOpen: () => undefined,
    stanza: () => undefined,
    streamClose: () => undefined,
    fault: ({ code }: { code: string }) => assert.fail(code),
  }
  const scanner = new Scanner('stream', defaultLimits, sink)
  scanner.write(Buffer.from(HEADER))
  for (let run = 0; run < runs; run++) {
    const before = process.cpuUsage()
    for (let k = 0; k < rounds; k++) scanner.write(bytes)
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, ((user + system) * 1000) / (rounds * bytes.length))
  }
  return least
}

/** Good bytes that each stanza may cost on top of its own: it is an object and an event, however small. */
const STANZA_BYTES = 150
const stanzaSize: Readonly<Record<string, number>> = { 'tiny stanzas': 4, 'tiny stanzas with a namespace': 14 }

/** Beyond twice a good byte, because they hold a tag, a declaration and a prefix to each handful of bytes. */
const dearer: Readonly<Record<string, number>> = {
  'default declarations': 2.5,
  declarations: 4.5,
  'declarations with references': 5,
  'prefixed elements': 4.5,
  'prefixed attributes, one local name': 5,
}

if (isLong)
  test('a hostile byte costs at most twice a good one, but for what the table names', (t) => {
    const good = perByte(Buffer.from(mix().join('')), 12)
    for (const [name, text] of Object.entries(hostile)) {
      const times = perByte(Buffer.from(text), 12) / good
      t.diagnostic(`${name}: ${times.toFixed(2)}`)
      const size = stanzaSize[name]
      const bound = (dearer[name] ?? 2) + (size === undefined ? 0 : STANZA_BYTES / size)
      // Half as much again for the noise of a shared machine.
      assert.ok(times < bound * 1.5, `${name} costs ${times.toFixed(2)} good bytes a byte`)
    }
  })

if (isLong)
  test('memory stays flat over 200 MB of all kinds', () => {
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
    const before = process.memoryUsage().rss
    pour(200_000_000)
    const grown = process.memoryUsage().rss - before
    assert.ok(seen > 200_000_000 && grown < 24_000_000, `${grown} bytes more`)
  })
