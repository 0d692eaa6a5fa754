/** Secrets of the server itself, made once and kept: what they protect must look the same after a restart. */
import { bytes, defineStore, one, text, write } from '../store/define.ts'

export const secretStore = defineStore({
  name: 'secret',
  migrations: [
    {
      version: 1,
      name: 'secrets',
      up: ['create table secret (name text not null, value blob not null, primary key (name)) without rowid'],
    },
  ],
  operations: {
    get: one({ name: text }, { value: bytes }, 'select value from secret where name = :name'),
    /** Keeps what is there: of two servers that begin at once, one secret wins. */
    add: write({ name: text, value: bytes }, [
      'insert into secret (name, value) values (:name, :value) on conflict (name) do nothing',
    ]),
    replace: write({ name: text, value: bytes }, ['update secret set value = :value where name = :name']),
  },
})
