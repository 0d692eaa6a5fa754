/** The contract of every engine: any run of operations, cut into turns anywhere, agrees with a plain model. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { defineStore, each, guarded, integer, many, one, text, write } from '../define.ts'
import type { Stores } from '../store.types.ts'
import { engines, withBench } from './harness.test.ts'

const cells = defineStore({
  name: 'cell',
  migrations: [
    {
      version: 1,
      name: 'first',
      up: ['create table cell (run bigint, name text, v bigint not null, primary key (run, name), check (v < 100))'],
    },
  ],
  operations: {
    add: guarded({ run: integer, name: text, v: integer }, [
      'insert into cell (run, name, v) values (:run, :name, :v)',
    ]),
    set: write({ run: integer, name: text, v: integer }, [
      'insert into cell (run, name, v) values (:run, :name, :v) on conflict (run, name) do update set v = excluded.v',
    ]),
    move: guarded({ run: integer, from: text, to: text, v: integer }, [
      {
        sql: 'delete from cell where run = :run and name = :from and v = :v',
        expect: 'some',
        otherwise: 'outdated',
      },
      'insert into cell (run, name, v) values (:run, :to, :v)',
    ]),
    addAll: guarded({ run: integer }, [each('insert into cell (run, name, v) values (:run, :name, :v)')], {
      items: { name: text, v: integer },
    }),
    get: one({ run: integer, name: text }, { v: integer }, 'select v from cell where run = :run and name = :name'),
    all: many({ run: integer }, { name: text, v: integer }, 'select name, v from cell where run = :run order by name'),
  },
})

const name = fc.constantFrom('a', 'b', 'c', 'd')
/** 100 violates the table's check. */
const v = fc.constantFrom(1, 2, 3, 100)
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), name, v }),
  fc.record({ do: fc.constant('set' as const), name, v }),
  fc.record({ do: fc.constant('move' as const), from: name, to: name, v }),
  fc.record({ do: fc.constant('addAll' as const), items: fc.array(fc.record({ name, v }), { maxLength: 4 }) }),
  fc.record({ do: fc.constant('get' as const), name }),
  fc.record({ do: fc.constant('turn' as const) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What an operation does to the model, as a word. */
function modelled(model: Map<string, number>, one: Step): string {
  switch (one.do) {
    case 'add':
    case 'addAll': {
      const copy = new Map(model)
      for (const item of one.do === 'add' ? [one] : one.items) {
        if (item.v >= 100) return 'RTK_STORE_CONSTRAINT'
        if (copy.has(item.name)) return 'conflict'
        copy.set(item.name, item.v)
      }
      for (const [key, value] of copy) model.set(key, value)
      return 'kept'
    }
    case 'set':
      if (one.v >= 100) return 'RTK_STORE_CONSTRAINT'
      model.set(one.name, one.v)
      return 'kept'
    case 'move':
      if (model.get(one.from) !== one.v) return 'outdated'
      if (one.from !== one.to && model.has(one.to)) return 'conflict'
      model.delete(one.from)
      model.set(one.to, one.v)
      return 'kept'
    case 'get':
      return String(model.get(one.name))
    case 'turn':
      return ''
  }
}

async function check(stores: Stores, turn: () => Promise<void>, run: number, steps: readonly Step[]): Promise<void> {
  const store = await stores.open(cells)
  const asked = async (one: Step): Promise<string> => {
    switch (one.do) {
      case 'add':
        return (await store.add({ run, name: one.name, v: one.v })).outcome
      case 'set':
        return (await store.set({ run, name: one.name, v: one.v })).outcome
      case 'move':
        return (await store.move({ run, from: one.from, to: one.to, v: one.v })).outcome
      case 'addAll':
        return (await store.addAll({ run }, one.items)).outcome
      case 'get':
        return String((await store.get({ run, name: one.name }))?.v)
      case 'turn':
        return ''
    }
  }
  const model = new Map<string, number>()
  const expected: string[] = []
  const answers: Promise<string>[] = []
  for (const one of steps) {
    expected.push(modelled(model, one))
    answers.push(asked(one).catch((error: { code: string }) => error.code))
    if (one.do === 'turn') await turn()
  }
  assert.deepEqual(await Promise.all(answers), expected)
  const left = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => ({ name: key, v: value }))
  assert.deepEqual(await store.all({ run }), left)
}

for (const engine of engines) {
  describe(`store contract, ${engine.name}: model`, () => {
    test(
      'any run of operations agrees with the model',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        let run = 0
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) =>
            check(stores, () => bench.clock.turn(), ++run, steps),
          ),
          { numRuns: 150 },
        )
      }),
    )
  })
}
