import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulate } from '../sim/index.ts'
import { openStores } from '../store/index.ts'
import { SimulatedEngine } from '../store/sim-engine.ts'
import { openDecoys } from './decoys.ts'
import { secretStore } from './secrets.store.ts'

const names = Array.from({ length: 400 }, (_, n) => `name${n}`)

test('after scram_iterations has changed, names that do not exist have old and new counts as accounts do', () =>
  simulate(1, async (simulation) => {
    const world = simulation.world('server')
    const stores = await openStores(world, new SimulatedEngine(world.clock))
    const store = await stores.open(secretStore)
    const { hashing, random } = world
    const open = async (iterations: number, type = 'default') => {
      const decoys = await openDecoys({ store, hashing, random }, type, iterations)
      return (name: string, mechanism: 'SCRAM-SHA-1' | 'SCRAM-SHA-512' = 'SCRAM-SHA-1') =>
        decoys.for(mechanism, name, 'example.org')
    }
    const first = await open(4096)
    assert.ok(names.every((name) => first(name).iterations === 4096))

    const second = await open(10_000)
    const old = names.filter((name) => second(name).iterations === 4096)
    assert.ok(old.length > 120 && old.length < 280, `${old.length} of 400 look as if their password is old`)
    for (const name of names) {
      const [now, before] = [second(name), first(name)]
      // All mechanisms of an account were stretched at once, and a new password has a new salt.
      assert.equal(second(name, 'SCRAM-SHA-512').iterations, now.iterations)
      assert.equal(Buffer.compare(now.salt, before.salt) === 0, now.iterations === 4096)
    }

    // A restart and a return to what was change nothing.
    for (const iterations of [10_000, 4096]) {
      const again = await open(iterations)
      for (const name of names) assert.deepEqual(again(name), second(name))
    }
    const other = await open(20_000, 'other')
    assert.ok(names.every((name) => other(name).iterations === 20_000))
    await stores.close()
  }))
