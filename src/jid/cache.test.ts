import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leftByEach } from '../../tools/lib/heap.ts'
import { ascii, encode, type Octets } from '../xml/octets.ts'
import { JidCache, jid, parseJid } from './index.ts'

test('the same bytes give the same object, other spellings an equal one', () => {
  const cache = new JidCache(100)
  const first = cache.parse(ascii('romeo@example.net/orchard'))
  assert.ok(first)
  assert.equal(cache.parse(ascii('romeo@example.net/orchard')), first)
  assert.ok(cache.parse(ascii('Romeo@EXAMPLE.net/orchard'))?.equals(first))
})

test('references and white space of the attribute are resolved', () => {
  const cache = new JidCache(100)
  const rows: readonly [string, string | undefined][] = [
    ['a@b/&lt;&amp;&quot;&gt;&apos;', 'a@b/<&">\''],
    ['a@b/&#x41;&#66;', 'a@b/AB'],
    ['a@b/&#x1F98A;', 'a@b/\u{1f98a}'],
    ['a@b/&amp;lt;', 'a@b/&lt;'],
    ['a@b/x\ty', 'a@b/x y'],
    ['a@b/x&#9;y', undefined],
    ['a&#64;b', 'a@b'],
    ['a@b/&#xD800;', undefined],
    ['a@b/&#x110000;', 'a@b/&#x110000;'],
    ['a b@c', undefined],
  ]
  for (const [raw, expected] of rows) assert.equal(cache.parse(encode(raw))?.toString(), expected, raw)
})

test('property: the octets of a JID lead back to it', () => {
  const cache = new JidCache(50)
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), (resource) => {
      const made = parseJid(`a@b/${resource}`)
      if (made !== undefined) assert.ok(cache.parse(made.octets)?.equals(made))
    }),
    { numRuns: 1000 },
  )
})

test('bounded: never more than its size, what is used stays', () => {
  const cache = new JidCache(100)
  const hot = cache.parse(ascii('hot@example.org'))
  for (let i = 0; i < 10_000; i++) {
    assert.ok(cache.parse(ascii(`user${i}@example.org`)))
    assert.equal(cache.parse(ascii('hot@example.org')), hot)
    assert.ok(cache.size <= 100)
  }
  assert.ok(cache.size >= 50)
})

test('values that are no JIDs, and very long ones, are not kept', () => {
  const cache = new JidCache(100)
  assert.equal(cache.parse(ascii('a@b@c')), undefined)
  const long = ascii(`a@b/${'x'.repeat(1000)}`)
  assert.equal(cache.parse(long)?.resource.length, 1000)
  assert.equal(cache.size, 0)
})

test('neither a cached nor a parsed address keeps the chunk alive that it was cut from', async () => {
  const chunk = 65_536
  const cache = new JidCache(10_000)
  // Each way has its own chunk, because a Map look-up makes V8 copy (intern) a slice.
  const ways: readonly ((slice: string) => unknown)[] = [
    (slice) => cache.parse(slice as Octets),
    (slice) => jid(slice),
    (slice) => jid(slice).bare,
    (slice) => jid(slice).withResource('other'),
  ]
  const measure = async (way: (slice: string) => unknown) => {
    const kept: unknown[] = []
    const each = await leftByEach(100, chunk / 4, () => {
      const address = `somebody-number-${kept.length}@some-domain.example/resource-number-${kept.length}`
      kept.push(
        way(
          Buffer.from(`${address}${' '.repeat(chunk)}`)
            .toString('latin1')
            .slice(0, address.length),
        ),
      )
    })
    assert.ok(kept.length >= 100)
    return each
  }
  for (const way of ways) {
    const each = await measure(way)
    assert.ok(each < chunk / 4, `${Math.round(each)} bytes an address`)
  }
  // The measurement would be idle if a slice did not hold its chunk.
  assert.ok((await measure((slice) => slice)) > chunk / 2)
})

test('another size counts at once, and it never holds more', () => {
  const cache = new JidCache(100)
  const fill = (from: number, to: number) => {
    for (let n = from; n < to; n++) cache.parse(ascii(`n${n}@example.net`))
  }
  fill(0, 60)
  cache.resize(200)
  assert.equal(cache.size, 60)
  fill(60, 150)
  assert.equal(cache.size, 150)
  const { evicted } = cache
  cache.resize(20)
  assert.equal(cache.size, 0)
  assert.equal(cache.evicted, evicted + 150)
  fill(0, 50)
  assert.ok(cache.size <= 20)
})
