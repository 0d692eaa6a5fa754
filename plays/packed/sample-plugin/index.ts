/**
 * A plugin from outside the tree that uses every door. Users find acorns (iq set), ask how many they have (iq get), and
 * a second module hoards them through a service. What it does is silly; how it is written is meant to be copied.
 */
import {
  CommandError,
  defineCommand,
  defineModule,
  defineStore,
  drop,
  field,
  integer,
  iqResult,
  jid,
  many,
  type Notice,
  one,
  opt,
  refuse,
  StanzaError,
  text,
  write,
  x,
} from 'ratatosk/plugin'

const NS = 'urn:example:acorns'

/** A service and a hook of our own, known to everybody who imports this file's types. */
declare module 'ratatosk/plugin' {
  interface Services {
    acorns: { count(host: string, local: string): Promise<number> }
  }
  interface Hooks {
    'acorns:found': Notice<{ readonly host: string; readonly local: string }>
  }
}

const account = { host: text, local: text }

// At the top of the file, not in setup: one definition for all host types and all reloads.
const store = defineStore({
  name: 'acorns',
  migrations: [
    {
      version: 1,
      name: 'acorns of accounts',
      up: [
        'create table acorns (host text not null, local text not null, count bigint not null, primary key (host, local))',
      ],
    },
    { version: 2, name: 'where they were found', up: ["alter table acorns add column place text not null default ''"] },
  ],
  operations: {
    add: write({ ...account, place: text }, [
      `insert into acorns (host, local, count, place) values (:host, :local, 1, :place)
       on conflict (host, local) do update set count = acorns.count + 1, place = :place`,
    ]),
    get: one(
      account,
      { count: integer, place: text },
      'select count, place from acorns where host = :host and local = :local',
    ),
    all: many({ host: text }, { local: text, count: integer }, 'select local, count from acorns where host = :host'),
    restore: write({ ...account, count: integer }, [
      `insert into acorns (host, local, count) values (:host, :local, :count)
       on conflict (host, local) do update set count = :count`,
    ]),
    forget: write(account, ['delete from acorns where host = :host and local = :local']),
  },
})

const full = new StanzaError('RTK_ACORNS_MAX', 'resource-constraint', { text: 'your cheeks are full' })
const bad = new StanzaError('RTK_ACORNS_BAD', 'bad-request', { text: 'an acorn has a place' })
const poison = new StanzaError('RTK_ACORNS_POISON', 'not-acceptable')

const acorns = defineModule({
  name: 'acorns',
  provides: ['acorns'],
  options: {
    acorns_max: opt.int({ default: 3, min: 1, description: 'Acorns of one account; one more is refused.' }),
    patience: opt.duration({ default: '1 second', description: 'How long a slow answer takes.' }),
    may_ask: opt.access({ default: 'all', description: 'Who may ask over HTTP.' }),
  },
  async setup(ctx) {
    const { options, clock, log } = ctx
    const rows = await ctx.store(store)
    const found = ctx.counter('found', 'Acorns found')
    const sent = ctx.slot('sent', () => 0)
    const count = async (host: string, local: string) => (await rows.get({ host, local }))?.count ?? 0
    ctx.provide('acorns', { count })
    let bound = 0

    // Notices.
    ctx.on('session:bound', () => {
      bound++
    })
    ctx.on('session:ended', () => {
      bound--
    })
    ctx.gauge('sessions', 'Sessions that the acorns know of', () => bound)

    // A filter at once: refuses one payload, drops another.
    ctx.on('stanza:route', () => refuse(poison), { kinds: ['message'], wants: [{ name: 'poison', ns: NS }] })
    ctx.on('stanza:route', () => drop('RTK_ACORNS_LOST'), { kinds: ['message'], wants: [{ name: 'lost', ns: NS }] })

    // A filter that waits for the store and replaces the stanza; later stanzas of the session wait behind it.
    ctx.on(
      'stanza:sent',
      async (packet, session) => {
        session.slots.set(sent, session.slots.get(sent) + 1)
        const has = await count(session.host.domain, session.jid.local)
        const mark = x('acorns', NS, { count: String(has), sent: String(session.slots.get(sent)) })
        return { kind: 'replace', el: packet.el.withChild(mark) }
      },
      { kinds: ['message'], wants: [{ name: 'count', ns: NS }], after: 'disco' },
    )

    // Folds, one at once and one that may wait.
    ctx.on('stream:features', (features) => [...features, x('acorns', NS)])
    ctx.on('disco:info', async (info, { node, account: local, host }) => {
      if (node !== NS) return info
      const name = `${await count(host.domain, local)} acorns`
      return { identities: [{ category: 'store', type: 'acorns', name }], features: [NS], extensions: [] }
    })
    ctx.features.add(NS, ['host', 'account'])
    ctx.features.identity({ category: 'store', type: 'acorns', name: 'The old oak' })

    // Requests: in order, waiting, refused by a return and by a throw, answered out of order.
    ctx.iq.get(
      { name: 'acorns', ns: NS },
      async ({ packet, host }) => x('acorns', NS, { count: String(await count(host.domain, packet.from.local)) }),
      { on: ['host', 'account'] },
    )
    ctx.iq.set({ name: 'acorn', ns: NS }, async ({ packet, payload, host }) => {
      const place = payload.attr('place')
      if (place === undefined) throw bad
      const { local } = packet.from
      if ((await count(host.domain, local)) >= options.acorns_max) return full
      await rows.add({ host: host.domain, local, place })
      found.add()
      ctx.tell('acorns:found', { host: host.domain, local })
      return undefined
    })
    ctx.iq.get(
      { name: 'slow', ns: NS },
      () =>
        new Promise((resolve) => {
          clock.after(options.patience, (answer) => resolve(answer), x('slow', NS))
        }),
      { concurrent: true },
    )

    // To everybody at once, serialised once.
    ctx.iq.set({ name: 'shout', ns: NS }, ({ host }) => {
      const recipients: ReturnType<typeof jid>[] = []
      ctx.sessions.each(host.domain, (session) => recipients.push(session.jid))
      const el = x('message', 'jabber:client', { type: 'headline' }, x('shout', NS))
      ctx.fanOut([{ el, from: host.jid, recipients }])
    })

    // A domain of our own for each host.
    for (const host of ctx.hosts()) {
      const domain = `acorns.${host.domain}`
      ctx.route(domain, {
        name: 'acorns',
        receive: (packet) => {
          if (packet.kind === 'iq') ctx.send(iqResult(packet.el, x('oak', NS)), jid(domain), packet.from)
          packet.settle('handed')
          return undefined
        },
      })
    }

    ctx.command(
      defineCommand({
        name: 'acorns count',
        summary: 'Counts the acorns of an account.',
        permission: 'acorns:read',
        positional: ['jid'],
        args: { jid: opt.jid({ description: 'The account.' }) },
        result: { acorns: field.int('Acorns', 'How many it has.') },
        run: async ({ jid: who }) => {
          if (who.local === '') return new CommandError('RTK_ACORNS_NOBODY', `${who} is no account`)
          return { acorns: await count(who.domain, who.local) }
        },
      }),
    )
    ctx.command(
      defineCommand({
        name: 'acorns list',
        summary: 'Lists who has acorns.',
        permission: 'acorns:read',
        args: {},
        result: { account: field.text('Account', 'Bare JID.'), acorns: field.int('Acorns', 'How many it has.') },
        run: async function* () {
          for (const host of ctx.hosts()) {
            for (const { local, count: acorns } of await rows.all({ host: host.domain })) {
              yield { account: `${local}@${host.domain}`, acorns }
            }
          }
        },
      }),
    )

    ctx.http({
      method: 'GET',
      path: '/acorns/:name',
      access: options.may_ask,
      cors: true,
      handle: async (request, { name = '' }) =>
        Response.json({ acorns: await count(new URL(request.url).hostname, name) }),
    })

    // Data of accounts is exported, imported and deleted with them.
    ctx.on('account:export', async (data, { host, local }) => {
      const row = await rows.get({ host: host.domain, local })
      return row === undefined ? data : [...data, { store: 'acorns', rows: [{ count: row.count }] }]
    })
    ctx.on('account:import', async ({ host, local, data }) => {
      for (const part of data) {
        const rowCount = part.store === 'acorns' ? part.rows[0]?.['count'] : undefined
        if (typeof rowCount === 'number') await rows.restore({ host: host.domain, local, count: rowCount })
      }
    })
    ctx.on('account:delete', async ({ host, local }) => {
      await rows.forget({ host: host.domain, local })
    })

    // A timer needs no onStop: those of `ctx.clock` go with the module.
    clock.after(86_400_000, () => log.info('a day without acorns'), undefined)
    ctx.onStop(() => log.debug('the acorns are put away'))
  },
})

const hoard = defineModule({
  name: 'hoard',
  needs: { acorns: 'hard', roster: 'soft' },
  setup(ctx) {
    const known = new Map<string, number>()
    ctx.on('acorns:found', ({ host, local }) => {
      const key = `${local}@${host}`
      known.set(key, (known.get(key) ?? 0) + 1)
    })
    ctx.iq.get({ name: 'hoard', ns: NS }, async ({ packet, host }) => {
      const { local } = packet.from
      const kept = await ctx.services.acorns.count(host.domain, local)
      const contacts = await ctx.services.roster?.items(host, local)
      return x('hoard', NS, {
        kept: String(kept),
        seen: String(known.get(`${local}@${host.domain}`) ?? 0),
        contacts: String(contacts?.size ?? -1),
      })
    })
  },
})

export default [acorns, hoard]
