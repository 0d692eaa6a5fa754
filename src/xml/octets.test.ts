import assert from 'node:assert/strict'
import { test } from 'node:test'
import v8 from 'node:v8'
import vm from 'node:vm'
import fc from 'fast-check'
import { decode, encode, fromBytes, type Octets, own } from './octets.ts'

v8.setFlagsFromString('--expose-gc')
const gc = vm.runInNewContext('gc') as () => void

test('decode is the reverse of encode, whatever the first character is', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => decode(encode(text)) === text))
  assert.equal(decode(encode('\ufeffa')), '\ufeffa')
  assert.equal(encode('é'), '\u00c3\u00a9')
})

test('lone surrogates become U+FFFD, as TextEncoder has it', () => {
  assert.equal(decode(encode('a\ud800b')), 'a\ufffdb')
})

/** Heap that is held by 1,000 slices of 20 characters, each of another string of 64 KiB, in bytes. */
function held(keep: (slice: Octets) => Octets): number {
  const kept: Octets[] = []
  gc()
  const before = process.memoryUsage().heapUsed
  for (let k = 0; k < 1000; k++) {
    const read = fromBytes(Buffer.alloc(65_536, 0x61 + (k % 26)))
    kept.push(keep(read.substring(k, k + 20) as Octets))
  }
  gc()
  const bytes = process.memoryUsage().heapUsed - before
  assert.equal(kept.length, 1000)
  assert.equal(kept[999], 'l'.repeat(20))
  return bytes
}

test('what own has copied does not hold the bytes it was cut from; a bare slice does', () => {
  const owned = held(own)
  assert.ok(owned < 1_000_000, `own holds ${owned} bytes`)
  // The rule would be idle talk if slices did not hold their parents.
  const sliced = held((slice) => slice)
  assert.ok(sliced > 60_000_000, `slices hold ${sliced} bytes`)
})
