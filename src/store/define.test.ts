/** Definitions: what compiles, what does not, and what is refused when it is made. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ascii, type Octets } from '../xml/octets.ts'
import {
  bigint,
  change,
  defineStore,
  each,
  guarded,
  integer,
  many,
  nullable,
  octets,
  one,
  oneOf,
  type Store,
  text,
  write,
} from './define.ts'
import { StoreDefinitionError } from './errors.ts'
import { parseSql } from './sql.ts'

const notes = defineStore({
  name: 'note',
  migrations: [{ version: 1, name: 'first', up: ['create table note (owner text, id bigint, body blob)'] }],
  operations: {
    get: one(
      { owner: text },
      { id: integer, body: octets, state: oneOf('a', 'b') },
      'select id, body, state from note where owner = :owner',
    ),
    list: many(
      { owner: text },
      { big: bigint, maybe: nullable(text) },
      'select big, maybe from note where owner = :owner',
    ),
    put: write({ owner: text, body: octets }, ['insert into note (owner, body) values (:owner, :body)'], {
      returns: { id: integer },
      changes: (p) => change('note', p.owner),
    }),
    claim: guarded({ owner: text }, [
      { sql: 'update note set id = 1 where owner = :owner', expect: 'some', otherwise: 'absent' },
    ]),
    addAll: write({ owner: text }, [each('insert into note (owner, id) values (:owner, :id)')], {
      items: { id: integer },
    }),
  },
})

// Never called: it has only to compile, and each line under an expected error has not to.
export async function types(store: Store<typeof notes>): Promise<void> {
  const row = await store.get({ owner: 'a' })
  const body: Octets | undefined = row?.body
  const state: 'a' | 'b' | undefined = row?.state
  // @ts-expect-error: a wrong name
  await store.get({ user: 'a' })
  // @ts-expect-error: a wrong type
  await store.get({ owner: 1 })
  // @ts-expect-error: a missing parameter
  await store.put({ owner: 'a' })
  // @ts-expect-error: text is not XML
  await store.put({ owner: 'a', body: 'text' })
  // @ts-expect-error: no such column
  void row?.nothing
  // @ts-expect-error: no such operation
  await store.drop({})
  const [first] = await store.list({ owner: 'a' })
  const maybe: string | null | undefined = first?.maybe
  const big: bigint | undefined = first?.big
  const put = await store.put({ owner: 'a', body: ascii('<a/>') })
  const id: number | undefined = put.rows[0]?.id
  const outcome: 'kept' = put.outcome
  const claim = await store.claim({ owner: 'a' })
  // @ts-expect-error: it may have been refused
  void claim.changed
  if (claim.outcome === 'kept') void claim.changed
  else if (claim.outcome === 'absent' || claim.outcome === 'conflict') void claim.statement
  else {
    const never: never = claim
    void never
  }
  await store.addAll({ owner: 'a' }, [{ id: 1 }])
  // @ts-expect-error: the items are missing
  await store.addAll({ owner: 'a' })
  // @ts-expect-error: no such item value
  await store.addAll({ owner: 'a' }, [{ number: 1 }])
  // @ts-expect-error: an expectation belongs into guarded
  void write({ a: text }, [{ sql: 'delete from t where a = :a', expect: 'some' }])
  void [body, state, maybe, big, id, outcome]
}

function faults(definition: Parameters<typeof defineStore>[0]): readonly string[] {
  try {
    defineStore(definition)
  } catch (error) {
    assert.ok(error instanceof StoreDefinitionError)
    assert.equal(error.code, 'RTK_STORE_DEFINITION')
    return error.faults
  }
  return []
}

test('a definition with mistakes names all of them at once', () => {
  assert.deepEqual(
    faults({
      name: 'x',
      migrations: [
        {
          version: 1,
          name: 'a',
          up: ['create table if not exists account (a text)', 'create unique index x_i on x (a)'],
        },
        { version: 3, name: 'b', up: [] },
      ],
      operations: {
        a: one({ used: text, spare: text }, { n: integer }, 'select 1 as n where :used = :unknown'),
        b: write({ id: text }, [each('insert into x values (:id)')], { items: { id: text } }),
        c: write({}, []),
      },
    }),
    [
      'account does not begin with x_',
      'migration 3 stands where 2 is due',
      'operation a: :unknown is not declared',
      'operation a: :spare is declared and not used',
      'operation b: :id is a parameter and of an item',
      'operation c: no statement',
    ],
  )
  assert.match(faults({ name: 'two words', migrations: [], operations: {} })[0] ?? '', /one lower-case word/)
})

test('parameters are found, and not in literals, names, comments and casts', () => {
  const { names, pieces } = parseSql(
    `select ':no' || ":no" || a::text /* :no */ -- :no\n from t where a = :a and b=:b or :a is null`,
  )
  assert.deepEqual(names, ['a', 'b', 'a'])
  assert.equal(pieces.join('?').endsWith('where a = ? and b=? or ? is null'), true)
})
