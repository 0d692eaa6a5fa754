/**
 * RFC 6121 section 2 (managing the roster) and section 3 (managing presence subscriptions). What a subscription means
 * for presence itself is the presence module's; both meet in the service and hooks of `core/services/roster.ts`.
 */
import { opt } from '../../core/config/opt.ts'
import { defineModule, type ModuleContext } from '../../core/module.ts'
import { hasFrom, type RosterService } from '../../core/services/roster.ts'
import { NS_CLIENT, NS_ROSTER } from '../../stanza/ns.ts'
import type { Store } from '../../store/define.ts'
import { x } from '../../xml/build.ts'
import { parseOctets } from '../../xml/parse.ts'
import { accountData } from './roster.account.ts'
import { RosterBook } from './roster.book.ts'
import { RosterPushes } from './roster.pushes.ts'
import { removeItem, rosterQueries } from './roster.queries.ts'
import { rosterStore } from './roster.store.ts'
import { subscriptions } from './subscriptions.ts'
import { UnderWay } from './under-way.ts'

const NS_ROSTERVER = 'urn:xmpp:features:rosterver'
const NS_PRE_APPROVAL = 'urn:xmpp:features:pre-approval'

export default defineModule({
  name: 'roster',
  xeps: [{ xep: 237, version: '1.3', status: 'complete', note: 'as RFC 6121 section 2.6' }],
  provides: ['roster'],
  options: {
    items_max: opt.int({ default: 2000, min: 1, description: 'Contacts that an account may have.', reload: 'hot' }),
    requests_max: opt.int({
      default: 200,
      min: 1,
      description: 'Requests of strangers that may wait for an account; further ones are dropped.',
      reload: 'hot',
    }),
    name_max: opt.int({
      default: 1023,
      min: 1,
      description: 'UTF-16 units of a handle or group name.',
      reload: 'hot',
    }),
    groups_max: opt.int({ default: 100, min: 0, description: 'Groups that a contact may be in.', reload: 'hot' }),
    request_size: opt.bytes({
      default: '4 KiB',
      description: 'A larger pending subscription request is kept without its extensions.',
      reload: 'hot',
    }),
    cache_accounts: opt.int({ default: 2000, min: 1, description: 'Rosters kept in memory.', reload: 'hot' }),
  },
  async setup(ctx) {
    const { options } = ctx
    const store = await ctx.store(rosterStore)
    const limits = () => ({ items: options.items_max, requests: options.requests_max })
    const counters = {
      itemsMax: ctx.counter('items_max', 'Contacts refused because the roster was full'),
      evicted: ctx.counter('cache_accounts', 'Rosters that made room for others in memory'),
    }
    const book = new RosterBook(store, ctx.clock, options.cache_accounts, ctx.epoch, limits, counters, {
      changed: (change) => ctx.tell('roster:changed', change),
      replaced: (host, local) => ctx.tell('roster:replaced', { host, local }),
    })
    ctx.gauge('cached', 'Rosters in memory; limit cache_accounts', () => book.cached)
    ctx.onReload(() => book.resize(options.cache_accounts))
    const pushes = new RosterPushes(ctx)
    const underWay = new UnderWay()

    ctx.features.add(NS_ROSTER)
    ctx.on('stream:features', (list) => [...list, x('ver', NS_ROSTERVER), x('sub', NS_PRE_APPROVAL)])

    rosterQueries(ctx, book, pushes, underWay, {
      limits: () => ({ nameMax: options.name_max, groupsMax: options.groups_max }),
      tooLong: ctx.counter('name_max', 'Contacts refused because a handle or a group name was too long'),
      tooManyGroups: ctx.counter('groups_max', 'Contacts refused because they were in too many groups'),
    })
    subscriptions(ctx, {
      book,
      pushes,
      underWay,
      requestSize: () => options.request_size,
      requestsCut: ctx.counter('request_size', 'Subscription requests kept without their extensions'),
      requestsDropped: ctx.counter('requests_max', 'Subscription requests dropped because too many waited'),
    })
    accountData(ctx, store, book)
    ctx.provide('roster', service(ctx, store, book, pushes, underWay))
  },
})

function service(
  ctx: Pick<ModuleContext, 'accountJid' | 'send' | 'tell'>,
  store: Store<typeof rosterStore>,
  book: RosterBook,
  pushes: RosterPushes,
  underWay: UnderWay,
): RosterService {
  return {
    items(host, local) {
      const roster = book.roster(host, local)
      return roster instanceof Promise ? roster.then((loaded) => loaded.items) : roster.items
    },
    settled: (host, local) => underWay.settled(host, local),
    set(host, local, item) {
      const contact = item.jid
      return underWay.run(host, local, async () => {
        const after = { ...item, listed: true }
        const changed = await book.change(host, local, contact, () => ({ kind: 'put', item: after }))
        const had = changed.before !== undefined && hasFrom(changed.before.subscription)
        const has = hasFrom(item.subscription)
        if (changed.isVisible && changed.after !== undefined) pushes.item(host, local, changed.version, changed.after)
        if (had && !has) ctx.tell('roster:revoked', { host, local, contact, before: changed.before })
        if (!had && has) ctx.tell('roster:granted', { host, local, contact, sent: undefined })
      })
    },
    async remove(host, local, contact) {
      await underWay.run(host, local, () => removeItem(ctx, book, pushes, host, local, contact))
    },
    async requests(host, local) {
      const rows = await store.requests({ host: host.domain, local })
      return rows.map((row) =>
        row.request === null
          ? x('presence', NS_CLIENT, { from: row.contact, type: 'subscribe' })
          : parseOctets(row.request),
      )
    },
    addSource: (source) => book.addSource(source),
    async sourceChanged(host, local, contacts) {
      book.forget(host, local)
      const roster = await book.current(host, local)
      const version = book.version(roster)
      contacts.forEach((contact, index) => {
        // Each push has a version of its own; who stops before the last gets the whole roster next time.
        const step = index === contacts.length - 1 ? version : `${version}~${index}`
        const item = roster.items.get(contact.toString())
        if (item?.listed) pushes.item(host, local, step, item)
        else pushes.removal(host, local, step, contact.toString())
      })
    },
  }
}
