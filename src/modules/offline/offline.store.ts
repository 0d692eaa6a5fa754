/**
 * Messages that wait for their account. `seq` gives the order within one account and has no gaps: messages are added at the end and
 * removed from the beginning. So the first and the last row tell how many there are, and by `total`, which adds up their
 * bytes, how large they are together: adding one does not read them all.
 */
import { defineStore, each, guarded, integer, many, octets, one, text, write } from '../../store/define.ts'

const account = { host: text, local: text }

/** Behind the last one; a condition may follow. */
const insertNext = `
  insert into offline_message (host, local, seq, received, stanza, total)
  select :host, :local, coalesce(newest.seq, 0) + 1, :received, :stanza, coalesce(newest.total, 0) + length(:stanza)
  from (select 1 as one) as always
    left join (select seq, total from offline_message
      where host = :host and local = :local order by seq desc limit 1) as newest on true
    left join (select seq, total - length(stanza) as before from offline_message
      where host = :host and local = :local order by seq limit 1) as oldest on true`

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
    {
      version: 2,
      name: 'running totals of bytes',
      up: [
        'alter table offline_message add column total bigint not null default 0',
        `update offline_message set total = sums.total from (
           select host, local, seq, sum(length(stanza)) over (partition by host, local order by seq) as total
           from offline_message) as sums
         where sums.host = offline_message.host and sums.local = offline_message.local and sums.seq = offline_message.seq`,
      ],
    },
  ],
  operations: {
    /** Adds at the end; `full` when the account has `max` messages already, or would have more than `bytesMax` bytes. */
    add: guarded({ ...account, received: integer, stanza: octets, max: integer, bytesMax: integer }, [
      {
        sql: `${insertNext}
              where coalesce(newest.seq - oldest.seq + 1, 0) < :max
                and coalesce(newest.total - oldest.before, 0) + length(:stanza) <= :bytesMax`,
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
    importMessages: write(account, [each(insertNext)], { items: { received: integer, stanza: octets } }),
  },
})
