/** Rows of every type and more than a page of them, for the tests of copying. */
import { accounts, createAccounts } from './accounts.ts'
import {
  bigint,
  boolean,
  bytes,
  defineStore,
  integer,
  many,
  nullable,
  octets,
  real,
  type StoreDefinition,
  text,
  write,
} from './define.ts'
import type { Stores } from './store.types.ts'

const every = { a: text, b: integer, t: nullable(text), i: bigint, r: real, f: boolean, y: bytes, x: nullable(octets) }

export const samples = defineStore({
  name: 'sample',
  migrations: [
    {
      version: 1,
      name: 'first',
      up: [
        `create table sample (a text not null, b bigint not null, t text, i bigint not null, r double precision not null,
           f boolean not null, y blob not null, x blob, primary key (b, a)) without rowid`,
      ],
    },
  ],
  operations: {
    put: write(every, ['insert into sample (a, b, t, i, r, f, y, x) values (:a, :b, :t, :i, :r, :f, :y, :x)']),
    all: many({}, every, 'select a, b, t, i, r, f, y, x from sample order by b, a'),
  },
})

/** More than two pages, with ties in the first part of the key. */
export async function fill(stores: Stores): Promise<void> {
  const store = await stores.open(samples)
  await Promise.all(
    Array.from({ length: 250 }, (_, index) =>
      store.put({
        a: `ž${index} '"`,
        b: Math.floor(index / 7) - 10,
        t: index % 2 === 0 ? null : `text ${index}`,
        i: 2n ** 63n - BigInt(index) - 1n,
        r: index / 3,
        f: index % 3 === 0,
        y: Uint8Array.of(0, index, 255),
        x: null,
      }),
    ),
  )
  await createAccounts(
    await stores.open(accounts),
    Array.from({ length: 120 }, (_, index) => ({
      host: 'example.org',
      name: `user${index}`,
      state: 'active' as const,
      origin: 'test',
      created: index,
      credentials: [{ mechanism: 'PLAIN', parameters: '', value: Uint8Array.of(index) }],
    })),
  )
}

export const definitions: readonly StoreDefinition[] = [samples, accounts]
