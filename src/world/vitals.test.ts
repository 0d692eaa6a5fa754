import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Delays, RealVitals } from './vitals.ts'
import { DELAY_BOUNDS } from './vitals.types.ts'

/** Keeps the loop busy. */
function burn(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !isSo(); await turn()) {
    assert.ok(performance.now() < end, 'it did not come to that within 10 seconds')
  }
}

describe('the vitals of the real process', () => {
  it('count CPU, busy time and memory in base units', async () => {
    const vitals = new RealVitals()
    const before = [vitals.cpuSeconds(), vitals.loopCpuSeconds(), vitals.loopBusySeconds()] as const
    burn(50)
    await turn()
    const after = [vitals.cpuSeconds(), vitals.loopCpuSeconds(), vitals.loopBusySeconds()] as const
    for (const [i, value] of after.entries()) {
      assert.ok(value > (before[i] ?? 0) && value < 3_600, `${i}: ${before[i]} to ${value}`)
    }
    const { resident, heap, heapUsed, external } = vitals.memory()
    assert.ok(resident > heap && heap >= heapUsed && heapUsed > 1_000_000 && external > 0)
    assert.ok(Math.abs(Date.now() / 1_000 - vitals.startSeconds) < 3_600)
  })

  it('see that the loop was held, while somebody watches and no longer', async () => {
    const vitals = new RealVitals()
    const over = (bound: number) => {
      const { buckets, count } = vitals.delays()
      return count - (buckets.find(({ atMost }) => atMost === bound)?.count ?? 0)
    }
    const [first, second] = [vitals.watch(), vitals.watch()]
    burn(350)
    await until(() => over(0.1) > 0)
    assert.ok(vitals.delays().sum > 0.2)
    first()
    first()
    const { count } = vitals.delays()
    await until(() => vitals.delays().count > count)
    second()
    const last = vitals.delays().count
    burn(250)
    for (let i = 0; i < 20; i++) await turn()
    assert.equal(vitals.delays().count, last)
  })

  it('see collections of garbage by their kind, while somebody watches', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const vitals = new RealVitals()
    const major = () => vitals.collections().find(({ kind }) => kind === 'major') ?? assert.fail()
    assert.equal(major().runs, 0)
    const end = vitals.watch()
    collect()
    await until(() => major().runs > 0)
    assert.ok(major().seconds > 0)
    end()
  })
})

describe('a histogram of delays', () => {
  it('sums up its buckets, and counts what is beyond all of them', () => {
    const delays = new Delays()
    for (const seconds of [-0.001, 0.0005, 0.001, 0.0011, 3, 7]) delays.add(seconds)
    const { buckets, count, sum } = delays.counts
    assert.deepEqual(
      buckets.map(({ atMost }) => atMost),
      [...DELAY_BOUNDS],
    )
    assert.deepEqual(
      buckets.map((bucket) => bucket.count),
      [3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5],
    )
    assert.equal(count, 6)
    assert.ok(Math.abs(sum - 10.0026) < 1e-9)
  })
})
