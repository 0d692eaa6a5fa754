/**
 * Tokens for quick sign-in (XEP-0484). Each client of an account has two places at most (section 5.1): 'current', and 'new' for one
 * that it has not used yet. A token is kept as it is: the mechanism needs it to prove the server too.
 */
import { defineStore, integer, many, oneOf, text, write } from '../store/define.ts'

const account = { host: text, local: text }
/** `agent` is the UUID of the client. */
const client = { ...account, agent: text }
const details = {
  id: text,
  slot: oneOf('current', 'new'),
  mechanism: text,
  token: text,
  /** Milliseconds since 1970. */
  created: integer,
  expires: integer,
  used: integer,
}

const columns = 'id, slot, mechanism, token, created, expires, used'
const ofClient = 'host = :host and local = :local and agent = :agent'

export const tokenStore = defineStore({
  name: 'token',
  migrations: [
    {
      version: 1,
      name: 'tokens for quick sign-in',
      up: [
        `create table token_client (
          host text not null, local text not null, agent text not null, slot text not null,
          id text not null, mechanism text not null, token text not null, software text not null, device text not null,
          created bigint not null, expires bigint not null, used bigint not null,
          primary key (host, local, agent, slot),
          check (slot in ('current', 'new'))
        ) without rowid`,
      ],
    },
  ],
  operations: {
    ofClient: many(client, details, `select ${columns} from token_client where ${ofClient} order by slot desc`),
    /**
     * A new token, in place of one that was not used. Of an account's clients those stay that came last, `max` of them; what
     * has expired before `expired` goes.
     */
    issue: write(
      {
        ...client,
        id: text,
        mechanism: text,
        token: text,
        software: text,
        device: text,
        created: integer,
        expires: integer,
        expired: integer,
        max: integer,
      },
      [
        'delete from token_client where host = :host and local = :local and expires < :expired',
        `insert into token_client
           (host, local, agent, slot, id, mechanism, token, software, device, created, expires, used)
         values (:host, :local, :agent, 'new', :id, :mechanism, :token, :software, :device, :created, :expires, :created)
         on conflict (host, local, agent, slot) do update set
           id = excluded.id, mechanism = excluded.mechanism, token = excluded.token, software = excluded.software,
           device = excluded.device, created = excluded.created, expires = excluded.expires, used = excluded.used`,
        `delete from token_client where host = :host and local = :local and agent not in (
           select agent from token_client where host = :host and local = :local
           group by agent order by max(used) desc, agent limit :max)
         returning agent`,
      ],
      { returns: { agent: text } },
    ),
    /** A token was used: one in 'new' takes the place of the one in 'current'. Nothing where it is there no more. */
    use: write({ ...client, id: text, used: integer }, [
      `delete from token_client where ${ofClient} and slot = 'current' and exists (
         select 1 from token_client where ${ofClient} and slot = 'new' and id = :id)`,
      `update token_client set slot = 'current', used = :used where ${ofClient} and id = :id`,
    ]),
    invalidate: write({ ...client, id: text }, [`delete from token_client where ${ofClient} and id = :id`]),
    /** The clients of an account, with the newest token of each. */
    clients: many(
      { ...account, after: text, limit: integer },
      { agent: text, software: text, device: text, created: integer, expires: integer, used: integer },
      `select agent, max(software) as software, max(device) as device, min(created) as created,
              max(expires) as expires, max(used) as used
       from token_client where host = :host and local = :local and agent > :after
       group by agent order by agent limit :limit`,
    ),
    revoke: write(client, [`delete from token_client where ${ofClient}`]),
    revokeAll: write(account, ['delete from token_client where host = :host and local = :local']),
  },
})
