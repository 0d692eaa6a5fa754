import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SimRandom } from '../sim/random.ts'
import { RealRandom } from './random.ts'
import type { Random } from './random.types.ts'

const dice: readonly [string, () => Random][] = [
  ['real', () => new RealRandom()],
  ['simulated', () => new SimRandom(7)],
]

for (const [name, make] of dice) {
  describe(`${name} dice`, () => {
    it('gives ids of 22 characters, all different, every character in use', () => {
      const random = make()
      const ids = new Set<string>()
      const characters = new Set<string>()
      for (let i = 0; i < 3_000; i++) {
        const id = random.id()
        assert.match(id, /^[A-Za-z0-9_-]{22}$/)
        ids.add(id)
        for (const character of id) characters.add(character)
      }
      assert.equal(ids.size, 3_000)
      assert.equal(characters.size, 64)
    })

    it('gives bytes in any count, spread evenly', () => {
      const random = make()
      for (const count of [0, 1, 17, 4095, 4096, 4097, 10_000]) assert.equal(random.bytes(count).length, count)
      const seen = new Uint32Array(256)
      for (let i = 0; i < 64; i++) for (const byte of random.bytes(1_000)) seen[byte] = (seen[byte] as number) + 1
      // 250 expected of each; eight standard deviations.
      for (const count of seen) assert.ok(count > 120 && count < 380, `${count}`)
    })

    it('gives bytes that are the caller’s own', () => {
      const random = make()
      const first = random.bytes(16)
      const copy = [...first]
      random.bytes(5_000)
      random.id()
      assert.deepEqual([...first], copy)
    })

    it('gives numbers below a limit, and uuids', () => {
      const random = make()
      const seen = new Set<number>()
      for (let i = 0; i < 200; i++) seen.add(random.below(5))
      assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4])
      assert.equal(random.below(1), 0)
      assert.throws(() => random.below(0), RangeError)
      assert.match(random.uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    })
  })
}
