/**
 * Rows of privacy lists: XEP-0016's lists and XEP-0191's blocklist are one (§5). A list is one row, for a client always
 * sends the whole of it (XEP-0016 §2.1); its rules are JSON (`rules.ts`).
 */
import { defineStore, each, guarded, integer, many, nullable, text, write } from '../../store/define.ts'

const account = { host: text, local: text }

export const privacyStore = defineStore({
  name: 'privacy',
  migrations: [
    {
      version: 1,
      name: 'accounts and lists',
      up: [
        `create table privacy_account (
           host text not null, local text not null, edition bigint not null, default_list text not null,
           primary key (host, local)) without rowid`,
        `create table privacy_list (
           host text not null, local text not null, name text not null, rules text not null, version bigint not null,
           primary key (host, local, name)) without rowid`,
      ],
    },
  ],
  operations: {
    /** An account's row with each of its lists, or with nulls when it has none. `default_list` is '' for none. */
    lists: many(
      account,
      { edition: integer, default_list: text, name: nullable(text), rules: nullable(text), version: nullable(integer) },
      `select a.edition as edition, a.default_list as default_list, l.name as name, l.rules as rules,
         l.version as version
       from privacy_account a left join privacy_list l on l.host = a.host and l.local = a.local
       where a.host = :host and a.local = :local order by l.name`,
    ),
    /**
     * One change of an account's lists: those that are written, and the one that is removed ('': none). `edition` is the
     * one that was read (0: there was no row), else the outcome is `conflict`.
     */
    change: guarded(
      { ...account, edition: integer, default_list: text, removed: text },
      [
        `insert into privacy_account (host, local, edition, default_list) values (:host, :local, 0, '')
         on conflict (host, local) do nothing`,
        {
          sql: `update privacy_account set edition = edition + 1, default_list = :default_list
                where host = :host and local = :local and edition = :edition`,
          expect: 'some',
        },
        'delete from privacy_list where host = :host and local = :local and name = :removed',
        each(`insert into privacy_list (host, local, name, rules, version) values (:host, :local, :name, :rules, :version)
              on conflict (host, local, name) do update set rules = excluded.rules, version = excluded.version`),
      ],
      { items: { name: text, rules: text, version: integer } },
    ),
    deleteAccount: write(account, [
      'delete from privacy_list where host = :host and local = :local',
      'delete from privacy_account where host = :host and local = :local',
    ]),
  },
})
