/** The clients of accounts that said which they are (XEP-0388 section 2.3): what they are, and when they signed in, and by what. */
import { defineStore, integer, many, text, write } from '../../store/define.ts'

const account = { host: text, local: text }
/** `agent` is the UUID of the installation. */
const client = { ...account, agent: text }
const details = {
  software: text,
  device: text,
  /** Milliseconds since 1970: of its first sign-in, and the last to the hour. */
  since: integer,
  seen: integer,
  /** When it last showed the account's present password, a certificate, a token of an issuer; 0: never. */
  password: integer,
  certificate: integer,
  granted: integer,
}

const ofAccount = 'host = :host and local = :local'
const ofClient = `${ofAccount} and agent = :agent`
const insert = `insert into access_client (host, local, agent, software, device, since, seen, password, certificate, granted)
  values (:host, :local, :agent, :software, :device, :since, :seen, :password, :certificate, :granted)`

export const accessStore = defineStore({
  name: 'access',
  migrations: [
    {
      version: 1,
      name: 'clients of accounts',
      up: [
        `create table access_client (
          host text not null, local text not null, agent text not null, software text not null, device text not null,
          since bigint not null, seen bigint not null, password bigint not null, certificate bigint not null,
          granted bigint not null,
          primary key (host, local, agent)
        ) without rowid`,
        'create index access_client_seen on access_client (seen)',
      ],
    },
  ],
  operations: {
    ofAccount: many(
      account,
      { agent: text, ...details },
      `select agent, software, device, since, seen, password, certificate, granted from access_client
       where ${ofAccount} order by agent`,
    ),
    /** A sign-in; of an account's clients those stay that were seen last, `max` of them. */
    note: write(
      { ...client, ...details, max: integer },
      [
        `${insert}
         on conflict (host, local, agent) do update set
           software = excluded.software, device = excluded.device, seen = excluded.seen,
           password = case when excluded.password > 0 then excluded.password else access_client.password end,
           certificate = case when excluded.certificate > 0 then excluded.certificate else access_client.certificate end,
           granted = case when excluded.granted > 0 then excluded.granted else access_client.granted end`,
        `delete from access_client where ${ofAccount} and agent not in (
           select agent from access_client where ${ofAccount} order by seen desc, agent limit :max)
         returning agent`,
      ],
      { returns: { agent: text } },
    ),
    /** It was still there; nothing where it is not known. */
    see: write({ ...client, seen: integer }, [`update access_client set seen = :seen where ${ofClient}`]),
    /** The password that clients have shown is another now. */
    newPassword: write(account, [`update access_client set password = 0 where ${ofAccount}`]),
    forget: write(client, [`delete from access_client where ${ofClient}`]),
    /** Clients that were not seen since `seen`. */
    expire: write({ seen: integer }, ['delete from access_client where seen < :seen']),
    remove: write(account, [`delete from access_client where ${ofAccount}`]),
    /** As another server or a backup had it; what is known already stays. */
    importRow: write({ ...client, ...details }, [`${insert} on conflict (host, local, agent) do nothing`]),
  },
})
