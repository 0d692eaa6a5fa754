/** The cache against a plain model, and its rules one by one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { BoundedCache } from './cache.ts'
import { engines, HandClock, withBench } from './contract/harness.test.ts'
import { change, defineStore, integer, one, text, write } from './define.ts'

/** A source whose loads land when the test says so. A load sees the value of the moment at which it was asked. */
class Source {
  readonly values = new Map<string, number>()
  readonly flying: { key: string; land: () => void; fail: () => void }[] = []

  load(key: string): Promise<number | undefined> {
    const value = this.values.get(key)
    return new Promise((resolve, reject) => {
      this.flying.push({ key, land: () => resolve(value), fail: () => reject(new Error('on purpose')) })
    })
  }
}

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
const step = fc.oneof(
  fc.record({ do: fc.constant('fetch' as const), key }),
  fc.record({ do: fc.constant('write' as const), key, value: fc.option(fc.nat(9), { nil: undefined }) }),
  fc.record({ do: fc.constant('land' as const), which: fc.nat(9), fails: fc.boolean() }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(60) }),
)

test('any run: never older than the call, never above the limit, one load a key at a time', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new HandClock()
      const source = new Source()
      const cache = new BoundedCache<number>(clock, { maxEntries: 3, ttlMs: 50, load: (k) => source.load(k) })
      // For each key the values it had since the oldest fetch that is still open; what a fetch yields must be among
      // those it had from the call on.
      const checks: Promise<void>[] = []
      const history: { key: string; value: number | null }[] = []
      for (const one of steps) {
        if (one.do === 'fetch') {
          const from = history.length
          const current = source.values.get(one.key) ?? null
          checks.push(
            cache.fetch(one.key).then(
              (value) => {
                const since = history.slice(from).filter((entry) => entry.key === one.key)
                assert.ok(value === current || since.some((entry) => entry.value === value), `${one.key}: ${value}`)
              },
              (error: Error) => assert.equal(error.message, 'on purpose'),
            ),
          )
        } else if (one.do === 'write') {
          if (one.value === undefined) source.values.delete(one.key)
          else source.values.set(one.key, one.value)
          history.push({ key: one.key, value: one.value ?? null })
          cache.invalidate(one.key)
          assert.equal(cache.get(one.key), undefined)
        } else if (one.do === 'land') {
          const [flight] = source.flying.splice(one.which % Math.max(source.flying.length, 1), 1)
          if (one.fails) flight?.fail()
          else flight?.land()
          await clock.turn()
        } else clock.advance(one.ms)
        assert.ok(cache.size <= 3)
        for (const k of 'abcde') {
          const known = cache.get(k)
          if (known !== undefined) assert.equal(known, source.values.get(k) ?? null, `${k} is known wrongly`)
        }
      }
      for (const flight of source.flying.splice(0)) flight.land()
      await Promise.all(checks)
      const { loads, hits, misses } = cache.counters
      assert.ok(loads <= misses && hits >= 0)
    }),
    { numRuns: 200 },
  )
})

test('single flight, absence, expiry, eviction by use, errors not remembered', async () => {
  const clock = new HandClock()
  const source = new Source()
  const cache = new BoundedCache<number>(clock, { maxEntries: 2, ttlMs: 1000, load: (k) => source.load(k) })
  source.values.set('a', 1)
  const both = [cache.fetch('a'), cache.fetch('a')]
  assert.equal(source.flying.length, 1)
  source.flying.shift()?.land()
  assert.deepEqual(await Promise.all(both), [1, 1])
  const absent = cache.fetch('b')
  source.flying.shift()?.land()
  assert.equal(await absent, null)
  assert.equal(cache.get('b'), null)
  assert.equal(cache.counters.absentHits, 1)
  assert.equal(cache.get('a'), 1)
  source.values.set('c', 3)
  const third = cache.fetch('c')
  source.flying.shift()?.land()
  await third
  assert.deepEqual([cache.get('b'), cache.get('a'), cache.get('c')], [undefined, 1, 3], 'b was used longest ago')
  clock.advance(1000)
  assert.equal(cache.get('a'), undefined)
  const failing = cache.fetch('a')
  source.flying.shift()?.fail()
  await assert.rejects(failing, /on purpose/)
  const again = cache.fetch('a')
  assert.equal(source.flying.length, 1)
  source.flying.shift()?.land()
  assert.equal(await again, 1)
  assert.equal(cache.counters.evictions, 1)
})

test('whatever is used, loaded and forgotten: what goes was used longest ago', async () => {
  const use = fc.record({ do: fc.constantFrom('fetch' as const, 'get' as const, 'invalidate' as const), key })
  await fc.assert(
    fc.asyncProperty(fc.array(use, { maxLength: 60 }), fc.nat(3), async (uses, most) => {
      const options = { maxEntries: 4, load: (k: string) => Promise.resolve(k) }
      const cache = new BoundedCache<string>(new HandClock(), options)
      let order: string[] = []
      const has = () => [...'abcde'].filter((k) => order.includes(k))
      for (const { do: what, key: k } of uses) {
        if (what === 'fetch') await cache.fetch(k)
        else if (what === 'invalidate') cache.invalidate(k)
        else assert.equal(cache.get(k), order.includes(k) ? k : undefined)
        const isThere = what === 'fetch' || (what === 'get' && order.includes(k))
        order = [...order.filter((one) => one !== k), ...(isThere ? [k] : [])].slice(-4)
        assert.equal(cache.size, order.length)
      }
      cache.resize(most)
      order = most === 0 ? [] : order.slice(-most)
      assert.deepEqual(
        [...'abcde'].filter((k) => cache.get(k) !== undefined),
        has(),
      )
    }),
  )
})

test('a hit leaves nothing to be collected in the old generation', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const names = /^(?:old|large_object)_space$/
  const oldBytes = () =>
    getHeapSpaceStatistics().reduce((sum, space) => sum + (names.test(space.space_name) ? space.space_used_size : 0), 0)
  const options = { maxEntries: 1_000, load: (k: string) => Promise.resolve(k) }
  const cache = new BoundedCache<string>(new HandClock(), options)
  const keys = Array.from({ length: 1_000 }, (_, n) => `account${n}`)
  for (const k of keys) await cache.fetch(k)
  // Twice, so that all of it is old.
  collect()
  collect()
  const before = oldBytes()
  for (let n = 0; n < 400_000; n++) cache.get(keys[n % keys.length] as string)
  const grown = oldBytes() - before
  // The order of a Map would have cost some 20 MB.
  assert.ok(grown < 2_000_000, `${grown} bytes`)
})

test('a load that a write overtakes answers who asked before, and is not kept', async () => {
  const source = new Source()
  const cache = new BoundedCache<number>(new HandClock(), { maxEntries: 2, load: (k) => source.load(k) })
  source.values.set('a', 1)
  const before = cache.fetch('a')
  source.values.set('a', 2)
  cache.invalidate('a')
  const after = cache.fetch('a')
  const [older, newer] = source.flying
  newer?.land()
  assert.equal(await after, 2)
  older?.land()
  assert.equal(await before, 1)
  assert.equal(cache.get('a'), 2)
  assert.equal(cache.counters.staleLoads, 1)
})

const pairs = defineStore({
  name: 'pair',
  migrations: [{ version: 1, name: 'first', up: ['create table pair (k text primary key, v bigint not null)'] }],
  operations: {
    set: write(
      { k: text, v: integer },
      ['insert into pair (k, v) values (:k, :v) on conflict (k) do update set v = excluded.v'],
      { changes: (p) => change('pair', p.k) },
    ),
    get: one({ k: text }, { v: integer }, 'select v from pair where k = :k'),
  },
})

for (const engine of engines) {
  test(
    `follows the changes of a store and forgets all when its engine dies (${engine.name})`,
    withBench(engine, async (bench) => {
      const stores = await bench.open()
      const store = await stores.open(pairs)
      const load = async (k: string) => (await store.get({ k }))?.v
      const cache = new BoundedCache<number>(bench.clock, { maxEntries: 100, load })
      const off = cache.follow(stores, 'pair', 'pair')
      assert.equal(await cache.fetch('x'), null)
      for (let v = 1; v <= 20; v++) {
        const written = store.set({ k: 'x', v })
        const racing = cache.fetch('x')
        await written
        assert.equal(await cache.fetch('x'), v)
        assert.ok([v - 1 || null, v].includes(await racing))
      }
      assert.equal(cache.size, 1)
      const failed = new Promise((resolve) => stores.onState(resolve))
      bench.die()
      await failed
      assert.equal(cache.size, 0)
      off()
    }),
  )
}

test('another size counts at once: the least recently used go', async () => {
  const cache = new BoundedCache<number>(new HandClock(), { maxEntries: 3, load: (key) => Promise.resolve(key.length) })
  for (const key of ['a', 'b', 'c', 'a']) await cache.fetch(key)
  cache.resize(1)
  assert.deepEqual([cache.size, cache.get('a'), cache.counters.evictions], [1, 1, 2])
  cache.resize(2)
  for (const key of ['b', 'c']) await cache.fetch(key)
  assert.deepEqual([cache.size, cache.get('b'), cache.get('a')], [2, 1, undefined])
})
