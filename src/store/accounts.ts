/**
 * Accounts of the internal back end, and their credentials as rows (account, mechanism, parameters, value), so that a new
 * mechanism needs no new column (DESIGN.md section 9). `host` and `name` are a prepared domainpart and localpart (RFC 7622).
 */
import {
  bytes,
  change,
  defineStore,
  each,
  guarded,
  integer,
  many,
  nullable,
  one,
  oneOf,
  type Store,
  text,
  type ValuesOf,
  write,
} from './define.ts'

/** `quarantined`: may not sign in until an administrator decides; `leaving`: being deleted. */
export const accountState = oneOf('active', 'disabled', 'quarantined', 'leaving')

const account = { host: text, name: text }
const credential = {
  /** The SASL mechanism without -PLUS, for instance SCRAM-SHA-256. */
  mechanism: text,
  /** What the mechanism needs beside the secret (salt, iterations), in a form of its own. */
  parameters: text,
  /** The secret as stored, for instance StoredKey and ServerKey. */
  value: bytes,
}
const details = {
  state: accountState,
  /** Who made it: `admin`, `registration`, the name of an import. */
  origin: text,
  /** Wall-clock milliseconds since 1970. */
  created: integer,
}

export type Credential = ValuesOf<typeof credential>
export type AccountDetails = ValuesOf<typeof details>

const exists = {
  sql: 'select 1 from account where host = :host and name = :name',
  expect: 'some',
  otherwise: 'absent',
} as const

const insertCredential = each(`
  insert into account_credential (host, name, mechanism, parameters, value)
  values (:host, :name, :mechanism, :parameters, :value)`)

/** The key of all its change notices. */
function changed(of: ValuesOf<typeof account>) {
  return change('account', of.host, of.name)
}

export const accounts = defineStore({
  name: 'account',
  migrations: [
    {
      version: 1,
      name: 'accounts and credentials',
      up: [
        `create table account (
          host text not null, name text not null, state text not null, origin text not null, created bigint not null,
          primary key (host, name),
          check (state in ('active', 'disabled', 'quarantined', 'leaving'))
        ) without rowid`,
        `create table account_credential (
          host text not null, name text not null, mechanism text not null, parameters text not null, value blob not null,
          primary key (host, name, mechanism),
          foreign key (host, name) references account (host, name) on delete cascade
        ) without rowid`,
      ],
    },
  ],
  operations: {
    /** With its credentials, or 'conflict' when the account exists. */
    create: guarded(
      { ...account, ...details },
      [
        `insert into account (host, name, state, origin, created)
         values (:host, :name, :state, :origin, :created)`,
        insertCredential,
      ],
      { items: credential, changes: changed },
    ),
    get: one(account, details, 'select state, origin, created from account where host = :host and name = :name'),
    /** All that a log-in needs, in one. Without such a credential its two columns are null. */
    forSignIn: one(
      { ...account, mechanism: text },
      { state: accountState, parameters: nullable(text), value: nullable(bytes) },
      `select a.state as state, c.parameters as parameters, c.value as value
       from account a
       left join account_credential c on c.host = a.host and c.name = a.name and c.mechanism = :mechanism
       where a.host = :host and a.name = :name`,
    ),
    credentials: many(
      account,
      credential,
      `select mechanism, parameters, value from account_credential
       where host = :host and name = :name order by mechanism`,
    ),
    /** In place of all it had, or 'absent'. */
    replaceCredentials: guarded(
      account,
      [exists, 'delete from account_credential where host = :host and name = :name', insertCredential],
      { items: credential, changes: changed },
    ),
    /** One more, or in place of the one for this mechanism; or 'absent'. */
    putCredential: guarded(
      { ...account, ...credential },
      [
        exists,
        `insert into account_credential (host, name, mechanism, parameters, value)
         values (:host, :name, :mechanism, :parameters, :value)
         on conflict (host, name, mechanism) do update set parameters = excluded.parameters, value = excluded.value`,
      ],
      { changes: changed },
    ),
    removeCredential: write(
      { ...account, mechanism: text },
      ['delete from account_credential where host = :host and name = :name and mechanism = :mechanism'],
      { changes: changed },
    ),
    setState: guarded(
      { ...account, state: accountState },
      [
        {
          sql: 'update account set state = :state where host = :host and name = :name',
          expect: 'some',
          otherwise: 'absent',
        },
      ],
      { changes: changed },
    ),
    /** With all its rows of this store, or 'absent'. */
    remove: guarded(
      account,
      [
        'delete from account_credential where host = :host and name = :name',
        { sql: 'delete from account where host = :host and name = :name', expect: 'some', otherwise: 'absent' },
      ],
      { changes: changed },
    ),
    /** The accounts after a name ('' for the first page), in the order of their names. */
    list: many(
      { host: text, after: text, limit: integer },
      { name: text, ...details },
      `select name, state, origin, created from account
       where host = :host and name > :after order by name limit :limit`,
    ),
    count: one({ host: text }, { accounts: integer }, 'select count(*) as accounts from account where host = :host'),
  },
})

export type AccountStore = Store<typeof accounts>

export interface NewAccount extends AccountDetails {
  readonly host: string
  readonly name: string
  readonly credentials: readonly Credential[]
}

/** So many creations are under way at once: enough for large commits, few enough to leave the queue to others. */
const WINDOW = 1000

/**
 * Creates many accounts, each for itself: what exists already stays as it is. Answers for each whether it was created.
 * Rejects when the store fails; accounts before that are kept.
 */
export async function createAccounts(store: AccountStore, list: readonly NewAccount[]): Promise<readonly boolean[]> {
  const created: boolean[] = []
  for (let from = 0; from < list.length; from += WINDOW) {
    const answers = await Promise.all(
      list.slice(from, from + WINDOW).map(({ credentials, ...params }) => store.create(params, credentials)),
    )
    for (const answer of answers) created.push(answer.outcome === 'kept')
  }
  return created
}
