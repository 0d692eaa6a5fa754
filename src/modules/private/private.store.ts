/** Private data of accounts, one row a namespace. */
import { defineStore, guarded, integer, many, octets, one, text, write } from '../../store/define.ts'

const account = { host: text, local: text }
const key = { ...account, ns: text }

export const privateStore = defineStore({
  name: 'private',
  migrations: [
    {
      version: 1,
      name: 'data by namespace',
      // With a rowid: rows are large.
      up: [
        `create table private_data (
           host text not null, local text not null, ns text not null, data blob not null,
           primary key (host, local, ns))`,
      ],
    },
  ],
  operations: {
    get: one(key, { data: octets }, 'select data from private_data where host = :host and local = :local and ns = :ns'),
    /** In place of what the namespace had; `full` when the account would have more than `bytesMax` bytes in all. */
    put: guarded({ ...key, data: octets, bytesMax: integer }, [
      {
        sql: `insert into private_data (host, local, ns, data)
              select :host, :local, :ns, :data
              where length(:data) + (select coalesce(sum(length(data)), 0) from private_data
                where host = :host and local = :local and ns <> :ns) <= :bytesMax
              on conflict (host, local, ns) do update set data = excluded.data`,
        expect: 'some',
        otherwise: 'full',
      },
    ]),
    remove: write(key, ['delete from private_data where host = :host and local = :local and ns = :ns']),
    page: many(
      { ...account, after: text, limit: integer },
      { ns: text, data: octets },
      `select ns, data from private_data
       where host = :host and local = :local and ns > :after order by ns limit :limit`,
    ),
    /** As another server or a backup had it; what the account has already stays. */
    importData: write({ ...key, data: octets }, [
      `insert into private_data (host, local, ns, data) values (:host, :local, :ns, :data)
       on conflict (host, local, ns) do nothing`,
    ]),
    deleteAccount: write(account, ['delete from private_data where host = :host and local = :local']),
  },
})
