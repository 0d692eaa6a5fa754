/** One vCard an account. */
import { defineStore, octets, one, text, write } from '../../store/define.ts'

const account = { host: text, local: text }

export const vcardStore = defineStore({
  name: 'vcard',
  migrations: [
    {
      version: 1,
      name: 'vCards',
      // With a rowid: rows are large.
      up: [
        `create table vcard (
           host text not null, local text not null, card blob not null,
           primary key (host, local))`,
      ],
    },
  ],
  operations: {
    get: one(account, { card: octets }, 'select card from vcard where host = :host and local = :local'),
    put: write({ ...account, card: octets }, [
      `insert into vcard (host, local, card) values (:host, :local, :card)
       on conflict (host, local) do update set card = excluded.card`,
    ]),
    remove: write(account, ['delete from vcard where host = :host and local = :local']),
    /** As another server or a backup had it; what the account has already stays. */
    importCard: write({ ...account, card: octets }, [
      `insert into vcard (host, local, card) values (:host, :local, :card)
       on conflict (host, local) do nothing`,
    ]),
  },
})
