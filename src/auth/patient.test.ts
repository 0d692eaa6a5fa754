import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Host } from '../core/host.ts'
import { simulate } from '../sim/index.ts'
import { accounts } from '../store/accounts.ts'
import { openStores } from '../store/index.ts'
import { SimulatedEngine } from '../store/sim-engine.ts'
import { Decoys } from '../stream/sasl/index.ts'
import type { Hashing } from '../world/hashing.types.ts'
import { InternalBackend } from './internal.ts'
import { PATIENT_AT_ONCE, PatientHashing } from './patient.ts'

/** Counts the stretchings that were asked for and not answered yet. */
function counting(hashing: Hashing) {
  const counts = { open: 0, most: 0, all: 0 }
  const counted: Hashing = {
    hash: (name, data) => hashing.hash(name, data),
    hmac: (name, key, data) => hashing.hmac(name, key, data),
    equal: (a, b) => hashing.equal(a, b),
    pbkdf2: async (...args) => {
      counts.all++
      counts.most = Math.max(counts.most, ++counts.open)
      try {
        return await hashing.pbkdf2(...args)
      } finally {
        counts.open--
      }
    },
  }
  return { counted, counts }
}

test('forty new accounts stand before a sign-in with two stretchings, not with 120', () =>
  simulate(1, async (simulation) => {
    const world = simulation.world('server')
    const stores = await openStores(world, new SimulatedEngine(world.clock))
    const store = await stores.open(accounts)
    const { counted, counts } = counting(world.hashing)
    const { random, clock } = world
    const decoys = new Decoys(world.hashing, new Uint8Array(32), 4096)
    const backend = new InternalBackend({ store, hashing: counted, random, clock, decoys, iterations: 4096 })
    const host = { domain: 'localhost' } as Host
    const names = Array.from({ length: 40 }, (_, n) => `name${n}`)
    const making = names.map((name) => backend.create(host, name, `secret of ${name}`, 'admin'))
    assert.deepEqual([...new Set(await Promise.all(making))], [true])
    assert.equal(counts.all, 120)
    assert.equal(counts.most, PATIENT_AT_ONCE)

    // What is there already costs a look.
    const again = names.map((name) => backend.create(host, name, 'another', 'admin'))
    assert.deepEqual([...new Set(await Promise.all(again))], [false])
    assert.equal(counts.all, 120)
    assert.equal(await backend.verify(host, 'name7', 'secret of name7'), 'right')
    assert.equal(await backend.verify(host, 'name7', 'another'), 'wrong')
    await stores.close()
  }))

test('a stretching that fails makes room for the next', async () => {
  const answers: PromiseWithResolvers<Uint8Array>[] = []
  const patient = new PatientHashing({
    pbkdf2: () => {
      const answer = Promise.withResolvers<Uint8Array>()
      answers.push(answer)
      return answer.promise
    },
  } as unknown as Hashing)
  const all = Array.from({ length: 5 }, (_, n) => patient.pbkdf2('sha1', String(n), new Uint8Array(1), 1))
  const settled = Promise.allSettled(all)
  for (let n = 0; n < 5; n++) {
    while (answers.length <= n) await Promise.resolve()
    assert.ok(answers.length <= n + PATIENT_AT_ONCE)
    if (n % 2 === 0) answers[n]?.reject(new RangeError('no'))
    else answers[n]?.resolve(new Uint8Array(1))
    await all[n]?.catch(() => undefined)
  }
  assert.deepEqual(
    (await settled).map(({ status }) => status),
    ['rejected', 'fulfilled', 'rejected', 'fulfilled', 'rejected'],
  )
})
