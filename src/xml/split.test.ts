/** Any split of the bytes gives the same events, the same copies and the same fault, in every framing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mutated, randomDocument, randomElement } from './generated.ts'
import { defaultLimits } from './limits.ts'
import { eventsOf, recording } from './recorded.ts'
import type { Framing } from './scanner.types.ts'

const RUNS = process.env['RATATOSK_LONG'] === '1' ? 20_000 : 600

const HEADER =
  "<?xml version='1.0'?> <s:stream xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' xmlns:p='urn:p' to='é'  xml:lang='de'>"

function streamed(seed: number): Buffer {
  let out = HEADER
  for (let k = 0; k < 4; k++) out += `${randomElement(seed * 4 + k, ['s', 'p'])}${k % 2 === 0 ? ' \n' : ''}`
  return Buffer.from(`${out}</s:stream >\n`)
}

const limits = {
  ...defaultLimits,
  stanzaBytes: 700,
  depth: 7,
  nameBytes: 12,
  attributes: 6,
  prefixes: 3,
  elements: 12,
  headerBytes: 160,
}

function bytesFor(framing: Framing, seed: number): Buffer {
  const whole = framing === 'frame' || framing === 'document' ? Buffer.from(randomDocument(seed)) : streamed(seed)
  return seed % 3 === 0 ? whole : mutated(whole, seed)
}

for (const framing of ['stream', 'wrapper', 'frame', 'document'] as const) {
  test(`RCV-01: any split, ${framing}`, () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.nat({ max: 2000 }), { maxLength: 12 }), fc.boolean(), (seed, cuts, tight) => {
        const bytes = bytesFor(framing, seed)
        const used = tight ? limits : defaultLimits
        const whole = eventsOf(bytes, [], framing, used)
        const sorted = cuts.filter((cut) => cut <= bytes.length).sort((a, b) => a - b)
        assert.deepEqual(eventsOf(bytes, sorted, framing, used), whole)
        assert.deepEqual(eventsOf(bytes, [...bytes.keys()], framing, used), whole)
      }),
      { numRuns: RUNS },
    )
  })
}

test('RCV-01: a stop after any stanza loses and repeats nothing', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(fc.nat({ max: 2000 }), { maxLength: 6 }), (seed, cuts) => {
      const bytes = streamed(seed)
      const whole = eventsOf(bytes, [])
      const { events, scanner } = recording('stream', defaultLimits, {}, (made) => made.stop())
      let from = 0
      for (const cut of [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]) {
        while (from < cut) {
          const before = events.length
          from += scanner.write(bytes, from, cut)
          assert.ok(events.length <= before + 1, 'one event a write')
        }
      }
      assert.deepEqual(events, whole)
      assert.equal(scanner.position, bytes.length)
    }),
    { numRuns: RUNS / 4 },
  )
})
