/** When an account was left by its last resource, and with what status. */
import { defineStore, integer, one, text, write } from '../../store/define.ts'

const account = { host: text, local: text }
const row = { ...account, at: integer, status: text }

export const lastStore = defineStore({
  name: 'last',
  migrations: [
    {
      version: 1,
      name: 'departures',
      up: [
        `create table last_departure (
           host text not null, local text not null, at bigint not null, status text not null,
           primary key (host, local)) without rowid`,
      ],
    },
  ],
  operations: {
    get: one(
      account,
      { at: integer, status: text },
      'select at, status from last_departure where host = :host and local = :local',
    ),
    /** `at`: wall-clock milliseconds since 1970; `status`: '' for none. */
    put: write(row, [
      `insert into last_departure (host, local, at, status) values (:host, :local, :at, :status)
       on conflict (host, local) do update set at = excluded.at, status = excluded.status`,
    ]),
    remove: write(account, ['delete from last_departure where host = :host and local = :local']),
    /** As another server or a backup had it; what the account has already stays. */
    importRow: write(row, [
      `insert into last_departure (host, local, at, status) values (:host, :local, :at, :status)
       on conflict (host, local) do nothing`,
    ]),
  },
})
