/**
 * Rows of rosters. Every change of an item that clients see takes the next version of its account, so that a client can
 * be told what changed since (RFC 6121 section 2.6); removed items leave a row behind for that.
 */
import {
  boolean,
  defineStore,
  each,
  guarded,
  integer,
  many,
  nullable,
  octets,
  one,
  text,
  write,
} from '../../store/define.ts'

const account = { host: text, local: text }

/** Of an account's first change: above those of all accounts of its name before. */
const firstVersion = 'coalesce((select version from roster_floor where host = :host), 0) + 1'

export const rosterStore = defineStore({
  name: 'roster',
  migrations: [
    {
      version: 1,
      name: 'items, removals and versions',
      up: [
        `create table roster_item (
           host text not null, local text not null, contact text not null,
           name text not null, subscription text not null,
           pending_out boolean not null, pending_in boolean not null, listed boolean not null, approved boolean not null,
           groups text not null, request blob, version bigint not null, edition bigint not null,
           primary key (host, local, contact)) without rowid`,
        `create table roster_removed (
           host text not null, local text not null, contact text not null, version bigint not null,
           primary key (host, local, contact)) without rowid`,
        `create table roster_version (
           host text not null, local text not null, version bigint not null,
           primary key (host, local)) without rowid`,
      ],
    },
    {
      version: 2,
      name: 'versions of accounts that were deleted',
      up: ['create table roster_floor (host text not null, version bigint not null, primary key (host)) without rowid'],
    },
  ],
  operations: {
    items: many(
      account,
      {
        contact: text,
        name: text,
        subscription: text,
        pending_out: boolean,
        pending_in: boolean,
        listed: boolean,
        approved: boolean,
        groups: text,
        version: integer,
        edition: integer,
      },
      `select contact, name, subscription, pending_out, pending_in, listed, approved, groups, version, edition
       from roster_item where host = :host and local = :local`,
      { maxRows: 100_000 },
    ),
    version: one(
      account,
      { version: integer },
      'select version from roster_version where host = :host and local = :local',
    ),
    removed: many(
      account,
      { contact: text, version: integer },
      'select contact, version from roster_removed where host = :host and local = :local order by version',
    ),
    requests: many(
      account,
      { contact: text, request: nullable(octets) },
      'select contact, request from roster_item where host = :host and local = :local and pending_in',
      { maxRows: 100_000 },
    ),
    /** Writes one item; `edition` is the one that was read (0: there was none), else the outcome is `conflict`. */
    put: guarded(
      {
        ...account,
        contact: text,
        name: text,
        subscription: text,
        pending_out: boolean,
        pending_in: boolean,
        listed: boolean,
        approved: boolean,
        groups: text,
        /** The pending request: new bytes, or null to leave what is there. */
        request: nullable(octets),
        edition: integer,
        /** A new item is refused (`conflict` as well) when the account has so many that are listed, or are not. */
        most: integer,
        /** 1 when clients see the change, else 0. */
        visible: integer,
      },
      [
        `insert into roster_version (host, local, version) values (:host, :local, ${firstVersion})
         on conflict (host, local) do update set version = roster_version.version + :visible`,
        {
          sql: `insert into roster_item (host, local, contact, name, subscription, pending_out, pending_in, listed,
                  approved, groups, request, version, edition)
                select :host, :local, :contact, :name, :subscription, :pending_out, :pending_in, :listed, :approved,
                  :groups, :request, version, :edition + 1 from roster_version
                where host = :host and local = :local and case when :edition = 0 then
                  (select count(*) from roster_item where host = :host and local = :local and listed = :listed) < :most
                  else exists (select 1 from roster_item
                    where host = :host and local = :local and contact = :contact and edition = :edition) end
                on conflict (host, local, contact) do update set
                  name = excluded.name, subscription = excluded.subscription, pending_out = excluded.pending_out,
                  pending_in = excluded.pending_in, listed = excluded.listed, approved = excluded.approved,
                  groups = excluded.groups,
                  request = case when excluded.pending_in then coalesce(excluded.request, roster_item.request) end,
                  version = case when :visible = 1 then excluded.version else roster_item.version end,
                  edition = excluded.edition
                where roster_item.edition = :edition`,
          expect: 'some',
        },
        'delete from roster_removed where host = :host and local = :local and contact = :contact',
        `update roster_version set version = version where host = :host and local = :local returning version`,
      ],
      { returns: { version: integer } },
    ),
    /** Removes one item of this edition, else `conflict`. */
    drop: guarded(
      { ...account, contact: text, edition: integer, visible: integer, keep: integer },
      [
        {
          sql: `delete from roster_item where host = :host and local = :local and contact = :contact and edition = :edition`,
          expect: 'some',
        },
        `insert into roster_version (host, local, version) values (:host, :local, ${firstVersion})
         on conflict (host, local) do update set version = roster_version.version + :visible`,
        `insert into roster_removed (host, local, contact, version)
         select :host, :local, :contact, version from roster_version
         where host = :host and local = :local and :visible = 1
         on conflict (host, local, contact) do update set version = excluded.version`,
        `delete from roster_removed where host = :host and local = :local and version <
           (select version from roster_version where host = :host and local = :local) - :keep`,
        `update roster_version set version = version where host = :host and local = :local returning version`,
      ],
      { returns: { version: integer } },
    ),
    /**
     * All rows of an account. The host remembers its version, so that whoever has the name next begins more than `keep`
     * versions above: what a client knows of the old roster is then too old to be told changes to.
     */
    deleteAccount: write({ ...account, keep: integer }, [
      `insert into roster_floor (host, version)
       select host, version + :keep from roster_version where host = :host and local = :local
       on conflict (host) do update set version =
         case when excluded.version > roster_floor.version then excluded.version else roster_floor.version end`,
      'delete from roster_item where host = :host and local = :local',
      'delete from roster_removed where host = :host and local = :local',
      'delete from roster_version where host = :host and local = :local',
    ]),
    /** Items as another server or a backup had them. */
    importItems: write(
      account,
      [
        `insert into roster_version (host, local, version) values (:host, :local, ${firstVersion})
         on conflict (host, local) do update set version = roster_version.version + 1`,
        each(`insert into roster_item (host, local, contact, name, subscription, pending_out, pending_in, listed,
                approved, groups, request, version, edition)
              select :host, :local, :contact, :name, :subscription, :pending_out, :pending_in, :listed, :approved,
                :groups, :request, version, 1 from roster_version where host = :host and local = :local
              on conflict (host, local, contact) do nothing`),
      ],
      {
        items: {
          contact: text,
          name: text,
          subscription: text,
          pending_out: boolean,
          pending_in: boolean,
          listed: boolean,
          approved: boolean,
          groups: text,
          request: nullable(octets),
        },
      },
    ),
  },
})
