/**
 * XEP-0016: Privacy Lists, version 1.7, and XEP-0191: Blocking Command, version 1.3: two views of one store. The rules are
 * in rules.ts, their application in gate.ts, what is in memory in screens.ts, and what clients ask in queries.ts and
 * blocking.ts. Who sees whose presence is the presence module's, which asks `core/services/privacy.ts`.
 */
import { opt } from '../../core/config/opt.ts'
import { defineModule } from '../../core/module.ts'
import type { Jid } from '../../jid/jid.ts'
import { blockingCommand } from './blocking.ts'
import { Gate } from './gate.ts'
import { accountData } from './privacy.account.ts'
import { privacyStore } from './privacy.store.ts'
import { NS_PRIVACY } from './privacy.wire.ts'
import { NS_BLOCKING, Pushes } from './pushes.ts'
import { privacyQueries } from './queries.ts'
import { Screens } from './screens.ts'
import { StoredLists } from './stored.ts'

export default defineModule({
  name: 'privacy',
  xeps: [
    { xep: 16, version: '1.7', status: 'complete' },
    { xep: 191, version: '1.3', status: 'complete' },
  ],
  needs: { roster: 'hard' },
  provides: ['privacy'],
  options: {
    items_max: opt.int({
      default: 1000,
      min: 1,
      description: 'Items that a privacy list or the blocklist may have.',
      reload: 'hot',
    }),
    lists_max: opt.int({ default: 16, min: 1, description: 'Privacy lists that an account may have.', reload: 'hot' }),
    bytes_max: opt.bytes({
      default: '128 KiB',
      description: 'Bytes that the privacy lists of an account may take in the store.',
      reload: 'hot',
    }),
    cache_accounts: opt.int({
      default: 2000,
      min: 1,
      description: 'Accounts that are not online whose privacy lists are kept in memory.',
      reload: 'hot',
    }),
  },
  async setup(ctx) {
    const { options, services, sessions } = ctx
    const store = await ctx.store(privacyStore)
    const stored = new StoredLists(store, options, {
      items: ctx.counter(
        'items_max',
        'Changes of a privacy list or the blocklist refused because it would have had too many items; limit modules.privacy.items_max',
      ),
      lists: ctx.counter(
        'lists_max',
        'Privacy lists refused because the account had too many; limit modules.privacy.lists_max',
      ),
      bytes: ctx.counter(
        'bytes_max',
        "Changes of a privacy list or the blocklist refused because the account's would have been too large; limit modules.privacy.bytes_max",
      ),
    })
    const screens = new Screens(ctx, {
      roster: services.roster,
      read: (host, local) => stored.read(host, local),
      cacheMax: options.cache_accounts,
      evicted: ctx.counter(
        'cache_evictions',
        'Accounts whose privacy lists in memory made room for others; limit modules.privacy.cache_accounts',
      ),
    })
    ctx.onReload(() => screens.resize(options.cache_accounts))
    ctx.gauge(
      'held',
      'Accounts that are online whose privacy lists, or that they have none, are in memory',
      () => screens.held,
    )
    const gate = new Gate(sessions, screens, {
      stopped: ctx.counter('stopped', 'Stanzas stopped by a privacy list or the blocklist'),
      failed: ctx.counter(
        'store_failures',
        'Stanzas stopped because the store failed to tell what the recipient has blocked',
      ),
    })

    ctx.on('stanza:sent', (packet, session) => gate.sent(packet, session), {
      phase: 'early',
      concerns: (from) => screens.concerns(from),
    })
    // XEP-0016 §2.2 rule 4: before anybody else looks at it.
    ctx.on('stanza:inbound', (packet) => gate.received(packet), {
      phase: 'early',
      before: ['carbons', 'offline'],
      concerns: (_from, to) => screens.concerns(to),
    })
    ctx.on('session:eligible', (packet, session) => gate.eligible(packet, session), {
      kinds: ['message', 'presence'],
      concerns: (_from, to) => screens.concernsSessions(to),
    })
    // Late: it may be that a resource had a copy before, and nothing is left to be delivered.
    ctx.on('message:astray', (packet) => gate.astray(packet), {
      phase: 'late',
      concerns: (_from, to) => screens.concerns(to),
    })
    ctx.on('session:bound', (session) => void screens.prefetch([session.jid.bare]))
    // Late: who asks at a session's end what applied to it shall be told.
    ctx.on('session:ended', ({ session }) => screens.left(session.jid.bare), { phase: 'late' })
    ctx.on('roster:changed', (change) => screens.rosterChanged(change))
    ctx.on('roster:replaced', ({ host, local }) => screens.rosterReplaced(host, local))
    // Those that were there before the module.
    const there: Jid[] = []
    for (const host of ctx.hosts()) sessions.each(host.domain, (session) => there.push(session.jid.bare))
    void screens.prefetch(there)

    ctx.features.add(NS_PRIVACY)
    ctx.features.add(NS_BLOCKING)
    const pushes = new Pushes(ctx)
    privacyQueries(ctx, { stored, screens, pushes, roster: services.roster })
    blockingCommand(ctx, { stored, screens, pushes })
    accountData(ctx, store, stored, screens)
    ctx.provide('privacy', {
      screen: (session) => screens.screen(session),
      read: (session) => {
        const own = session.jid.bare
        const lists = screens.known(own)
        if (lists !== undefined) return screens.screenIn(lists, session)
        return screens.load(own).then((loaded) => screens.screenIn(loaded, session))
      },
    })
  },
})
