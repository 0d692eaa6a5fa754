/** Messages that wait for their account. `seq` gives the order within one account. */
import { defineStore, each, guarded, integer, many, octets, one, text, write } from '../../store/define.ts'

const account = { host: text, local: text }

export const offlineStore = defineStore({
  name: 'offline',
  migrations: [
    {
      version: 1,
      name: 'messages',
      up: [
        `create table offline_message (
           host text not null, local text not null, seq bigint not null, received bigint not null, stanza blob not null,
           primary key (host, local, seq)) without rowid`,
      ],
    },
  ],
  operations: {
    /** Adds at the end; `full` when the account has `max` messages already, or would have more than `bytesMax` bytes. */
    add: guarded({ ...account, received: integer, stanza: octets, max: integer, bytesMax: integer }, [
      {
        sql: `insert into offline_message (host, local, seq, received, stanza)
              select :host, :local, coalesce(max(seq), 0) + 1, :received, :stanza from offline_message
              where host = :host and local = :local
              having count(*) < :max and coalesce(sum(length(stanza)), 0) + length(:stanza) <= :bytesMax`,
        expect: 'some',
        otherwise: 'full',
      },
    ]),
    page: many(
      { ...account, after: integer, limit: integer },
      { seq: integer, received: integer, stanza: octets },
      `select seq, received, stanza from offline_message
       where host = :host and local = :local and seq > :after order by seq limit :limit`,
    ),
    removeUpTo: write({ ...account, seq: integer }, [
      'delete from offline_message where host = :host and local = :local and seq <= :seq',
    ]),
    count: one(
      account,
      { count: integer },
      'select count(*) as count from offline_message where host = :host and local = :local',
    ),
    deleteAccount: write(account, ['delete from offline_message where host = :host and local = :local']),
    importMessages: write(
      account,
      [
        each(`insert into offline_message (host, local, seq, received, stanza)
              select :host, :local, coalesce(max(seq), 0) + 1, :received, :stanza from offline_message
              where host = :host and local = :local`),
      ],
      { items: { received: integer, stanza: octets } },
    ),
  },
})
