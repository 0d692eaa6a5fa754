/**
 * RFC 6121 section 2 (managing the roster) and section 3 (managing presence subscriptions). What a subscription means
 * for presence itself is the presence module's; both meet in the service and hooks of `core/services/roster.ts`.
 */
import { opt } from '../../core/config/opt.ts'
import type { Host } from '../../core/host.ts'
import type { IqRequest } from '../../core/iq.ts'
import { defineModule } from '../../core/module.ts'
import type { RosterItem } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import { StanzaError } from '../../stanza/error.ts'
import { NS_CLIENT, NS_ROSTER } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { parseOctets } from '../../xml/parse.ts'
import { accountData } from './roster.account.ts'
import { newItem, type Roster, RosterBook } from './roster.book.ts'
import { rosterStore } from './roster.store.ts'
import { readSet, writeItem, writeQuery, writeRemoval } from './roster.wire.ts'
import { hasFrom, hasTo } from './subscription.ts'
import { subscriptions } from './subscriptions.ts'

const NS_ROSTERVER = 'urn:xmpp:features:rosterver'
const NS_PRE_APPROVAL = 'urn:xmpp:features:pre-approval'

const errorForeign = new StanzaError('RTK_ROSTER_FOREIGN', 'forbidden')
const errorMissing = new StanzaError('RTK_ROSTER_NO_ITEM', 'item-not-found', { type: 'modify' })
const errorSelf = new StanzaError('RTK_ROSTER_SELF', 'not-allowed', { text: 'an account is no contact of its own' })

export default defineModule({
  name: 'roster',
  xeps: [{ xep: 237, version: '1.3', status: 'complete', note: 'as RFC 6121 section 2.6' }],
  provides: ['roster'],
  options: {
    items_max: opt.int({ default: 2000, min: 1, description: 'Contacts that an account may have.', reload: 'hot' }),
    name_max: opt.int({ default: 1023, min: 1, description: 'Characters of a handle or group name.', reload: 'hot' }),
    groups_max: opt.int({ default: 100, min: 0, description: 'Groups that a contact may be in.', reload: 'hot' }),
    request_size: opt.bytes({
      default: '4 KiB',
      description: 'A larger pending subscription request is kept without its extensions.',
      reload: 'hot',
    }),
    cache_accounts: opt.int({ default: 2000, min: 1, description: 'Rosters kept in memory.', reload: 'restart' }),
  },
  async setup(ctx) {
    const { iq, options, sessions } = ctx
    const store = await ctx.store(rosterStore)
    const book = new RosterBook(store, ctx.clock, options.cache_accounts, ctx.epoch, () => options.items_max)
    const limits = { nameMax: options.name_max, groupsMax: options.groups_max }
    /** A resource that asked for the roster gets the pushes (section 2.1.6). */
    const interested = ctx.slot('interested', () => false, { kept: true })

    ctx.features.add(NS_ROSTER)
    ctx.on('stream:features', (list) => [...list, x('ver', NS_ROSTERVER), x('sub', NS_PRE_APPROVAL)])

    function interestedOf(host: Host, local: string): readonly Session[] {
      return sessions.ofAccount(host.domain, local).filter((session) => session.slots.peek(interested) === true)
    }

    function push(host: Host, local: string, version: string, item: Element): void {
      for (const session of interestedOf(host, local)) pushTo(session, version, item)
    }

    function pushTo(session: Session, version: string, item: Element): void {
      const request = x('iq', NS_CLIENT, { id: `push-${ctx.random.id()}`, type: 'set' }, writeQuery(version, [item]))
      ctx.send(request, session.jid.bare, session.jid)
    }

    function pushItem(host: Host, local: string, version: string, item: RosterItem): void {
      push(host, local, version, writeItem(item))
    }

    function session({ packet, account, host }: IqRequest): Session | undefined {
      if (packet.from.local !== account || packet.from.domain !== host.domain) return undefined
      return sessions.find(packet.from)
    }

    // Section 2.1.3 and 2.6.2: retrieving the roster, whole or as what changed since a version.
    iq.get(
      { name: 'query', ns: NS_ROSTER },
      async (request) => {
        const asker = session(request)
        if (asker === undefined) return errorForeign
        const { host, account } = request
        const roster = await book.roster(host, account)
        asker.slots.set(interested, true)
        const known = request.payload.attr('ver')
        const steps =
          known === undefined || known === '' ? undefined : await book.changesSince(host, account, roster, known)
        if (steps === undefined) {
          const items = [...roster.items.values()].filter((item) => item.listed)
          return writeQuery(book.version(roster), items.map(writeItem))
        }
        // Section 2.6.3: an empty result, then one push for each item that changed.
        for (const step of steps) {
          pushTo(asker, step.version, step.item === undefined ? writeRemoval(step.removed ?? '') : writeItem(step.item))
        }
        return undefined
      },
      { on: 'account' },
    )

    // Sections 2.3 to 2.5: adding, updating and deleting an item.
    iq.set(
      { name: 'query', ns: NS_ROSTER },
      async (request) => {
        const asker = session(request)
        if (asker === undefined) return errorForeign
        const set = readSet(request.payload, limits)
        if (set instanceof StanzaError) return set
        const { host, account } = request
        if (set.contact.equals(asker.jid.bare)) return errorSelf
        if (set.kind === 'remove') return await remove(host, account, set.contact)
        const changed = await book.change(host, account, set.contact, (item) => ({
          kind: 'put',
          item: { ...(item ?? newItem(set.contact)), name: set.name, groups: set.groups, listed: true },
        }))
        if (changed.after !== undefined) pushItem(host, account, changed.version, changed.after)
        return undefined
      },
      { on: 'account' },
    )

    /** Section 2.5.2: with the item go the subscriptions in both directions. */
    async function remove(host: Host, local: string, contact: RosterItem['jid']): Promise<StanzaError | undefined> {
      const changed = await book.change(host, local, contact, (item) =>
        item?.listed ? { kind: 'remove' } : { kind: 'keep' },
      )
      const before = changed.before
      if (before === undefined || !before.listed) return errorMissing
      push(host, local, changed.version, writeRemoval(contact.toString()))
      const own = ctx.accountJid(host, local)
      if (hasFrom(before.subscription)) ctx.tell('roster:revoked', { host, local, contact })
      if (hasTo(before.subscription) || before.pendingOut) {
        ctx.send(x('presence', NS_CLIENT, { type: 'unsubscribe' }), own, contact)
      }
      if (hasFrom(before.subscription) || before.pendingIn) {
        ctx.send(x('presence', NS_CLIENT, { type: 'unsubscribed' }), own, contact)
      }
      return undefined
    }

    subscriptions(ctx, { book, interestedOf, pushItem, requestSize: options.request_size })
    accountData(ctx, store, book)

    ctx.provide('roster', {
      items(host, local) {
        const roster = book.roster(host, local)
        return roster instanceof Promise ? roster.then((loaded) => loaded.items) : roster.items
      },
      async set(host, local, item) {
        const changed = await book.change(host, local, item.jid, () => ({
          kind: 'put',
          item: { ...item, listed: true },
        }))
        if (changed.isVisible && changed.after !== undefined) pushItem(host, local, changed.version, changed.after)
      },
      async remove(host, local, contact) {
        await remove(host, local, contact)
      },
      async requests(host, local) {
        const rows = await store.requests({ host: host.domain, local })
        return rows.flatMap((row) =>
          row.request === null
            ? [x('presence', NS_CLIENT, { from: row.contact, type: 'subscribe' })]
            : [parseOctets(row.request)],
        )
      },
      addSource: (source) => book.addSource(source),
      sourceChanged(host, local) {
        book.forget(host, local)
        const loaded = book.roster(host, local)
        const tell = (roster: Roster) => {
          for (const item of roster.items.values()) {
            if (item.listed && !roster.own.has(item.jid.toString())) pushItem(host, local, book.version(roster), item)
          }
        }
        if (loaded instanceof Promise)
          loaded.then(tell, (error) => ctx.log.warn('a roster could not be read', { error }))
        else tell(loaded)
      },
    })
  },
})
