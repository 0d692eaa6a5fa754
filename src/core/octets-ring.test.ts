import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Octets } from '../xml/octets.ts'
import { OctetsRing } from './octets-ring.ts'

const octets = (text: string) => text as Octets

function all(ring: OctetsRing): string[] {
  return Array.from({ length: ring.length }, (_, i) => ring.at(i))
}

describe('a ring of byte strings', () => {
  it('is a queue, whatever is done to it', () => {
    const act = fc.oneof(
      { weight: 5, arbitrary: fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 3 }) },
      { weight: 2, arbitrary: fc.nat(20) },
      { weight: 1, arbitrary: fc.constantFrom('own' as const, 'release' as const).map((does) => ({ does })) },
    )
    fc.assert(
      fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
        const ring = new OctetsRing()
        let model: string[] = []
        for (const one of acts) {
          if (typeof one === 'string') {
            ring.push(octets(one))
            model.push(one)
          } else if (typeof one === 'number') {
            const count = Math.min(one, model.length)
            const gone = model.slice(0, count).join('').length
            model = model.slice(count)
            assert.equal(ring.drop(count), gone)
          } else ring[one.does]()
          assert.deepEqual(all(ring), model)
          assert.equal(ring.bytes, model.join('').length)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('knows how many it has not copied', () => {
    const ring = new OctetsRing()
    for (let i = 0; i < 10; i++) ring.push(octets('x'))
    assert.equal(ring.foreign, 10)
    ring.own()
    ring.push(octets('y'))
    assert.equal(ring.foreign, 1)
    ring.drop(10)
    assert.equal(ring.foreign, 1)
    ring.drop(1)
    assert.equal(ring.foreign, 0)
    assert.throws(() => ring.at(0), RangeError)
  })
})
