/** Sessions that outlive the server (`durable`). Stanzas stand together as they were kept together, by their place among all. */
import { defineStore, each, integer, many, octets, text, write } from '../../store/define.ts'

const session = { host: text, local: text, id: text }
const mine = 'host = :host and local = :local and id = :id'

export const smStore = defineStore({
  name: 'sm',
  migrations: [
    {
      version: 1,
      name: 'sessions and what they have not acknowledged',
      up: [
        `create table sm_session (
           host text not null, local text not null, id text not null,
           data text not null, handled bigint not null, acked bigint not null,
           primary key (host, local, id)) without rowid`,
        `create table sm_part (
           host text not null, local text not null, id text not null, first bigint not null, last bigint not null,
           sizes text not null, stanzas blob not null, at bigint not null,
           primary key (host, local, id, first)) without rowid`,
      ],
    },
  ],
  operations: {
    /** Of many sessions at once. `data` is '' where it is as before; `over` is 1 for those that go. */
    keep: write(
      {},
      [
        each(`insert into sm_session (host, local, id, data, handled, acked)
              select :host, :local, :id, :data, :handled, :acked where :over = 0
              on conflict (host, local, id) do update set
                data = case when excluded.data = '' then sm_session.data else excluded.data end,
                handled = excluded.handled, acked = excluded.acked`),
        each(`insert into sm_part (host, local, id, first, last, sizes, stanzas, at)
              select :host, :local, :id, :first, :last, :sizes, :stanzas, :at where :first < :last
              on conflict (host, local, id, first) do update set
                last = excluded.last, sizes = excluded.sizes, stanzas = excluded.stanzas, at = excluded.at`),
        each(`delete from sm_part where ${mine} and (last <= :acked or :over = 1)`),
        each(`delete from sm_session where ${mine} and :over = 1`),
      ],
      {
        joins: true,
        items: {
          ...session,
          over: integer,
          data: text,
          handled: integer,
          acked: integer,
          first: integer,
          last: integer,
          sizes: text,
          stanzas: octets,
          at: integer,
        },
      },
    ),
    sessions: many(
      { ...session, limit: integer },
      { local: text, id: text, data: text, handled: integer, acked: integer },
      `select local, id, data, handled, acked from sm_session
       where host = :host and (local, id) > (:local, :id) order by local, id limit :limit`,
    ),
    parts: many(
      { ...session, after: integer, limit: integer },
      { first: integer, sizes: text, stanzas: octets, at: integer },
      `select first, sizes, stanzas, at from sm_part where ${mine} and first > :after order by first limit :limit`,
    ),
    deleteAccount: write({ host: text, local: text }, [
      'delete from sm_part where host = :host and local = :local',
      'delete from sm_session where host = :host and local = :local',
    ]),
  },
})
