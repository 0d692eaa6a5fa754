/** The contract of every engine: limits, time-outs, a full disk, the death of the engine, closing. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { WorldError } from '../../world/error.ts'
import { bytes, change, defineStore, integer, one, write } from '../define.ts'
import type { StoreState } from '../store.types.ts'
import { codeOf, engines, stateIs, withBench } from './harness.test.ts'

const blocks = defineStore({
  name: 'block',
  migrations: [{ version: 1, name: 'first', up: ['create table block (id bigint primary key, body blob not null)'] }],
  operations: {
    put: write({ id: integer, body: bytes }, ['insert into block (id, body) values (:id, :body)'], {
      changes: (p) => change('block', p.id),
    }),
    drop: write({ above: integer }, ['delete from block where id > :above']),
    count: one({}, { n: integer }, 'select count(*) as n from block'),
  },
})

const small = new Uint8Array(10)

for (const engine of engines) {
  describe(`store contract, ${engine.name}: limits and failures`, () => {
    test(
      'store.queue_operations and store.queue_bytes refuse at once, temporarily, and let go when the engine answers',
      withBench(engine, async (bench) => {
        const stores = await bench.open({ queueOperations: 5, queueBytes: 3000 })
        const store = await stores.open(blocks)
        bench.hang()
        const big = store.put({ id: 1, body: new Uint8Array(2500) })
        assert.equal(await codeOf(store.put({ id: 2, body: new Uint8Array(500) })), 'RTK_STORE_QUEUE_FULL')
        bench.resume()
        await big
        bench.hang()
        const asked = [3, 4, 5, 6, 7].map((id) => store.put({ id, body: small }))
        const refused = await store.put({ id: 8, body: small }).catch((error: unknown) => error)
        assert.ok(refused instanceof WorldError)
        assert.deepEqual([refused.code, refused.temporary], ['RTK_STORE_QUEUE_FULL', true])
        assert.equal(stores.metrics.queueOperations, 5)
        assert.equal(stores.metrics.rejectedFull, 2)
        bench.resume()
        await Promise.all(asked)
        await store.put({ id: 8, body: small })
        assert.equal((await store.count({}))?.n, 7)
        assert.deepEqual([stores.metrics.queueOperations, stores.metrics.queueBytes], [0, 0])
      }),
    )

    test(
      'store.operation_timeout rejects what waits; what was sent may be kept and is told, what was not is dropped',
      withBench(engine, async (bench) => {
        const stores = await bench.open({ operationTimeoutMs: 1000, batchOperations: 1 })
        const store = await stores.open(blocks)
        const heard: string[] = []
        stores.onChange((told) => heard.push(told.key))
        bench.hang()
        const old = [1, 2, 3, 4].map((id) => codeOf(store.put({ id, body: small })))
        await bench.clock.turn()
        bench.clock.advance(600)
        const young = store.put({ id: 5, body: small })
        await bench.clock.turn()
        bench.clock.advance(500)
        assert.deepEqual(
          await Promise.all(old),
          old.map(() => 'RTK_STORE_TIMEOUT'),
        )
        assert.deepEqual([stores.metrics.timeouts, stores.metrics.queueOperations], [4, 1])
        assert.equal(stores.state.name, 'stalled')
        const late = await store.count({}).catch((error: unknown) => error)
        assert.ok(late instanceof WorldError)
        assert.deepEqual([late.code, late.temporary], ['RTK_STORE_STALLED', true], 'who asks now does not wait in vain')
        assert.deepEqual([stores.metrics.rejectedStalled, stores.metrics.queueOperations], [1, 1])
        bench.resume()
        assert.equal((await young).outcome, 'kept')
        assert.equal(stores.state.name, 'ready')
        assert.deepEqual(heard, ['1', '2', '5'], 'two batches had left')
        assert.equal((await store.count({}))?.n, 3)
        assert.equal(stores.metrics.queueBytes, 0)
      }),
    )

    test(
      'a full database: writes fail temporarily, reads go on, and it recovers',
      withBench(engine, async (bench) => {
        const stores = await bench.open({ databaseBytes: 200_000 })
        const store = await stores.open(blocks)
        const states: StoreState['name'][] = []
        stores.onState((state) => states.push(state.name))
        await store.put({ id: 1, body: small })
        const [before, code, count, small2] = await Promise.all([
          codeOf(store.put({ id: 2, body: small })),
          codeOf(store.put({ id: 3, body: new Uint8Array(400_000) })),
          store.count({}),
          codeOf(store.put({ id: 4, body: small })),
        ])
        // One transaction: when the disk is full, nothing of it is kept, and the reads in it have seen nothing of it.
        assert.deepEqual([before, code, small2], ['RTK_STORE_DISK_FULL', 'RTK_STORE_DISK_FULL', 'RTK_STORE_DISK_FULL'])
        assert.equal(count?.n, 1)
        assert.deepEqual([stores.state.name, stores.state.code], ['full', 'RTK_STORE_DISK_FULL'])
        assert.equal((await store.count({}))?.n, 1)
        assert.equal(stores.state.name, 'full', 'a read proves nothing')
        await store.put({ id: 5, body: small })
        await store.drop({ above: 0 })
        assert.deepEqual(states, ['full', 'ready'])
      }),
    )

    test(
      'the engine dies: everything open is rejected, the state says so, and it comes back with all that was kept',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(blocks)
        const epoch = stores.epoch
        await store.put({ id: 1, body: small })
        bench.hang()
        const open = [2, 3].map((id) => codeOf(store.put({ id, body: small })))
        await bench.clock.turn()
        open.push(codeOf(store.count({})))
        bench.die()
        assert.deepEqual(await Promise.all(open), ['RTK_STORE_FAILED', 'RTK_STORE_FAILED', 'RTK_STORE_FAILED'])
        assert.deepEqual([stores.state.name, stores.state.code], ['failed', 'RTK_STORE_FAILED'])
        assert.equal(await codeOf(store.count({})), 'RTK_STORE_FAILED')
        assert.equal(await stores.open(blocks), store, 'what was open stays so')
        assert.equal(await codeOf(stores.renewEpoch()), 'RTK_STORE_FAILED')
        assert.deepEqual([stores.metrics.queueOperations, stores.metrics.queueBytes], [0, 0])
        bench.resume()
        if (!engine.survives) {
          bench.clock.advance(60_000)
          assert.equal(stores.state.name, 'failed', 'an empty database would be a lost one')
          return
        }
        const back = stateIs(stores, 'ready')
        bench.clock.advance(100)
        await back
        assert.equal(stores.metrics.restarts, 1)
        assert.equal(stores.epoch, epoch)
        assert.equal((await store.count({}))?.n, 1)
        await store.put({ id: 4, body: small })
      }),
    )

    test(
      'close finishes what was asked for, refuses what comes after, and leaves no timer',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(blocks)
        const asked = Array.from({ length: 3000 }, (_, id) => store.put({ id, body: small }))
        const closed = stores.close()
        assert.equal(stores.close(), closed)
        assert.equal(await codeOf(store.put({ id: 9999, body: small })), 'RTK_STORE_CLOSED')
        await closed
        const outcomes = await Promise.all(asked)
        assert.ok(outcomes.every((answer) => answer.outcome === 'kept'))
        assert.equal(stores.state.name, 'closed')
        assert.equal(bench.clock.timers, 0)
        assert.equal(await codeOf(stores.open(blocks)), 'RTK_STORE_CLOSED')
        if (!engine.survives) return
        const again = await (await bench.open()).open(blocks)
        assert.equal((await again.count({}))?.n, 3000)
      }),
    )

    test(
      'close does not wait for ever for an engine that hangs',
      withBench(engine, async (bench) => {
        const stores = await bench.open({ operationTimeoutMs: 1000 })
        const store = await stores.open(blocks)
        bench.hang()
        const asked = codeOf(store.put({ id: 1, body: small }))
        const closed = stores.close()
        bench.clock.advance(1000)
        assert.equal(await asked, 'RTK_STORE_TIMEOUT')
        await closed
      }),
    )
  })
}
