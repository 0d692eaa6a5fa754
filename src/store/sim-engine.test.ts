/** The simulated engine's own faults: crashes at any moment, lost tails, slowness, failing disks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codeOf, HandClock, testWorld } from './contract/harness.test.ts'
import { defineStore, integer, many, write } from './define.ts'
import { storeError } from './errors.ts'
import { openStores } from './front.ts'
import { SimulatedEngine } from './sim-engine.ts'

const marks = defineStore({
  name: 'mark',
  migrations: [{ version: 1, name: 'first', up: ['create table mark (id bigint primary key)'] }],
  operations: {
    put: write({ id: integer }, ['insert into mark (id) values (:id)']),
    all: many({}, { id: integer }, 'select id from mark order by id'),
  },
})

async function opened(engine: SimulatedEngine, clock: HandClock) {
  const stores = await openStores(testWorld(clock), engine)
  return { stores, store: await stores.open(marks) }
}

/** Lets the promises of what the clock has fired run. */
async function elapse(clock: HandClock, ms: number): Promise<void> {
  await clock.turn()
  clock.advance(ms)
  await clock.turn()
}

test('a slow engine answers when its time has come, two steps a batch, in order', async () => {
  const clock = new HandClock()
  const engine = new SimulatedEngine(clock, { latencyMs: 50 })
  const { store } = await opened(engine, clock)
  const done: number[] = []
  for (const id of [1, 2]) void store.put({ id }).then(() => done.push(id))
  await clock.turn()
  for (const id of [3]) void store.put({ id }).then(() => done.push(id))
  await elapse(clock, 99)
  assert.deepEqual(done, [])
  await elapse(clock, 1)
  assert.deepEqual(done, [1, 2])
  await elapse(clock, 100)
  assert.deepEqual(done, [1, 2, 3])
})

test('a crash loses what was not carried out, keeps what was, acknowledged or not', async () => {
  const fates: string[] = []
  for (const [after, left] of [
    [0, []],
    [49, []],
    [50, [1]],
    [99, [1]],
    [100, [1]],
  ] as const) {
    const clock = new HandClock()
    const engine = new SimulatedEngine(clock, { latencyMs: 50 })
    const before = await opened(engine, clock)
    let acknowledged = false
    void before.store.put({ id: 1 }).then(() => {
      acknowledged = true
    })
    await elapse(clock, after)
    engine.crash()
    await elapse(clock, 1000)
    fates.push(acknowledged ? 'kept' : 'unknown')
    engine.latencyMs = 0
    const again = await opened(engine, clock)
    assert.deepEqual(
      (await again.store.all({})).map((row) => row.id),
      left,
    )
    assert.equal(again.stores.epoch, before.stores.epoch)
  }
  assert.deepEqual(fates, ['unknown', 'unknown', 'unknown', 'unknown', 'kept'])
})

test('with rarer sync points a crash loses the tail, and the epoch tells', async () => {
  const clock = new HandClock()
  const engine = new SimulatedEngine(clock, { syncEvery: 3 })
  const { stores, store } = await opened(engine, clock)
  // The definition was the first commit since the database was made.
  for (const id of [1, 2, 3, 4]) await store.put({ id })
  engine.crash()
  const again = await opened(engine, clock)
  assert.deepEqual(
    (await again.store.all({})).map((row) => row.id),
    [1, 2],
  )
  assert.notEqual(again.stores.epoch, stores.epoch)
  await again.store.put({ id: 5 })
  await again.store.put({ id: 6 })
  const epoch = again.stores.epoch
  engine.crash()
  const third = await opened(engine, clock)
  assert.deepEqual(
    (await third.store.all({})).map((row) => row.id),
    [1, 2, 5, 6],
  )
  assert.equal(third.stores.epoch, epoch, 'nothing was lost')
})

test('a failing disk answers writes with its error and reads as ever', async () => {
  const clock = new HandClock()
  const engine = new SimulatedEngine(clock)
  const { stores, store } = await opened(engine, clock)
  await store.put({ id: 1 })
  engine.failing = storeError('RTK_STORE_DISK_FULL', 'on purpose')
  const [code, rows] = await Promise.all([codeOf(store.put({ id: 2 })), store.all({})])
  assert.deepEqual([code, rows, stores.state.name], ['RTK_STORE_DISK_FULL', [{ id: 1 }], 'full'])
  engine.failing = undefined
  await store.put({ id: 2 })
  assert.equal(stores.state.name, 'ready')
})

test('fifty definitions of one store in a row leave as many prepared operations as one', async () => {
  const clock = new HandClock()
  const engine = new SimulatedEngine(clock)
  const { stores, store } = await opened(engine, clock)
  const asked = [store.put({ id: 0 })]
  for (let reload = 1; reload <= 50; reload++) {
    const next = await stores.open(defineStore({ ...marks }))
    asked.push(next.put({ id: reload }))
  }
  await Promise.all(asked)
  assert.equal((await (await stores.open(marks)).all({})).length, 51)
  assert.equal(engine.preparedOperations, 2)
})
