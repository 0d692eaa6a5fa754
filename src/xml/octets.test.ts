import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leftByEach } from '../../tools/lib/heap.ts'
import { decode, encode, fromBytes, type Octets, own } from './octets.ts'

test('decode is the reverse of encode, whatever the first character is', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => decode(encode(text)) === text))
  assert.equal(decode(encode('\ufeffa')), '\ufeffa')
  assert.equal(encode('é'), '\u00c3\u00a9')
})

test('lone surrogates become U+FFFD, as TextEncoder has it', () => {
  assert.equal(decode(encode('a\ud800b')), 'a\ufffdb')
})

/** What each slice of 20 characters holds of the heap, each of another string of 64 KiB, in bytes. */
async function held(keep: (slice: Octets) => Octets): Promise<number> {
  const kept: Octets[] = []
  const bytes = await leftByEach(500, most, () => {
    const k = kept.length
    const read = fromBytes(Buffer.alloc(65_536, 0x61 + (k % 26)))
    kept.push(keep(read.substring(k, k + 20) as Octets))
  })
  assert.equal(kept[499], 'f'.repeat(20))
  return bytes
}

const most = 16_384

test('what own has copied does not hold the bytes it was cut from; a bare slice does', async () => {
  const owned = await held(own)
  assert.ok(owned < most, `own holds ${owned} bytes`)
  // The rule would be idle talk if slices did not hold their parents.
  const sliced = await held((slice) => slice)
  assert.ok(sliced > 32_768, `slices hold ${sliced} bytes`)
})
