import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { TimerWheel } from './wheel.ts'

type Step =
  | { readonly kind: 'add'; readonly delay: number }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'advance'; readonly ticks: number }

/** Delays around the edges of the levels (64, 64², 64³, 64⁴) and far beyond the wheel's span (64⁵). */
const delay = fc.oneof(
  fc.integer({ min: 0, max: 70 }),
  fc.constantFrom(
    63,
    64,
    65,
    4095,
    4096,
    4097,
    262_143,
    262_144,
    16_777_215,
    16_777_216,
    1_073_741_823,
    1_073_741_824,
    3_000_000_000,
  ),
  fc.integer({ min: 0, max: 20_000_000 }),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: delay.map((ticks) => ({ kind: 'add', delay: ticks }) as const) },
  { weight: 2, arbitrary: fc.nat(30).map((which) => ({ kind: 'cancel', which }) as const) },
  { weight: 3, arbitrary: delay.map((ticks) => ({ kind: 'advance', ticks }) as const) },
)

describe('timer wheel', () => {
  it('fires what a plain list fires, at the same tick, whatever is added, cancelled and passed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const wheel = new TimerWheel()
        const fired: [id: number, tick: number][] = []
        const expected: [id: number, tick: number][] = []
        let model: { id: number; tick: number }[] = []
        const timers: { cancel(): void }[] = []
        let now = 0
        for (const one of steps) {
          if (one.kind === 'add') {
            const id = timers.length
            const tick = Math.max(now + one.delay, now + 1)
            timers.push(wheel.add(now + one.delay, (fired_) => fired.push([fired_, tick]), id))
            model.push({ id, tick })
          } else if (one.kind === 'cancel') {
            timers[one.which]?.cancel()
            model = model.filter(({ id }) => id !== one.which)
          } else {
            now += one.ticks
            const due = model.filter(({ tick }) => tick <= now)
            model = model.filter(({ tick }) => tick > now)
            for (const { id, tick } of due) expected.push([id, tick])
            // Stepping from wake to wake, as the clock does, must neither fire early nor late.
            for (let wake = wheel.nextWake(); wake < now; wake = wheel.nextWake()) {
              const before = fired.length
              wheel.advance(wake)
              for (const [, tick] of fired.slice(before)) assert.equal(tick, wake)
            }
            wheel.advance(now)
          }
          assert.equal(wheel.size, model.length)
          const nearest = Math.min(...model.map(({ tick }) => tick))
          assert.ok(wheel.nextWake() <= nearest)
          if (model.length === 0) assert.equal(wheel.nextWake(), Number.POSITIVE_INFINITY)
        }
        const order = (a: readonly number[], b: readonly number[]): number =>
          (a[1] as number) - (b[1] as number) || (a[0] as number) - (b[0] as number)
        assert.deepEqual(fired.sort(order), expected.sort(order))
      }),
      { numRuns: 400 },
    )
  })

  it('keeps the other timers of a tick when a callback throws', () => {
    const wheel = new TimerWheel()
    const fired: string[] = []
    wheel.add(5, (name) => fired.push(name), 'first')
    wheel.add(
      5,
      () => {
        throw new Error('bad')
      },
      undefined,
    )
    wheel.add(5, (name) => fired.push(name), 'third')
    assert.throws(() => wheel.advance(5), /bad/)
    assert.deepEqual(fired, ['first'])
    assert.equal(wheel.nextWake(), 5)
    wheel.advance(5)
    assert.deepEqual(fired, ['first', 'third'])
    assert.equal(wheel.size, 0)
  })

  it('lets a callback cancel a timer of its own tick, and add one', () => {
    const wheel = new TimerWheel()
    const fired: string[] = []
    wheel.add(3, () => other.cancel(), undefined)
    const other = wheel.add(3, (name) => fired.push(name), 'never')
    wheel.add(3, () => wheel.add(0, (name) => fired.push(name), 'later'), undefined)
    wheel.advance(3)
    assert.deepEqual(fired, [])
    wheel.advance(4)
    assert.deepEqual(fired, ['later'])
  })

  it('tells when the last timer was cancelled, not when it fired', () => {
    const wheel = new TimerWheel()
    let emptied = 0
    wheel.emptied = () => emptied++
    const timer = wheel.add(3, () => {}, undefined)
    timer.cancel()
    timer.cancel()
    assert.equal(emptied, 1)
    wheel.add(3, () => {}, undefined)
    wheel.advance(3)
    assert.equal(emptied, 1)
  })
})
