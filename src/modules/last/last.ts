/**
 * XEP-0012: Last Activity, version 2.0: of an account when it was left (§3), of a host since when it runs (§5). What a
 * resource tells of itself is its client's (§4); here it is only seen to that nobody asks who may not see its presence.
 */
import { opt } from '../../core/config/opt.ts'
import type { Host } from '../../core/host.ts'
import { defineModule } from '../../core/module.ts'
import { type Packet, refuse, type Verdict } from '../../core/packet.ts'
import type { Screen } from '../../core/services/privacy.ts'
import { sees } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { noteDepartures } from './departures.ts'
import { accountData } from './last.account.ts'
import { lastStore } from './last.store.ts'

export const NS_LAST = 'jabber:iq:last'

// §3, §4: the same answer for an account that does not exist.
const errorForbidden = new StanzaError('RTK_LAST_FORBIDDEN', 'forbidden')
const errorNever = new StanzaError('RTK_LAST_NEVER', 'item-not-found', { text: 'nobody has signed in yet' })
const forbidden = refuse(errorForbidden)
// As the core says it of a resource that is not there.
const absent = refuse(new StanzaError('RTK_LAST_HIDDEN', 'service-unavailable'))

export default defineModule({
  name: 'last',
  xeps: [{ xep: 12, version: '2.0', status: 'complete' }],
  needs: { roster: 'soft', privacy: 'soft' },
  options: {
    status_size: opt.bytes({
      default: '1 KiB',
      description: 'A longer status of somebody who leaves is not kept.',
      reload: 'hot',
    }),
  },
  async setup(ctx) {
    const { clock, options, services, sessions } = ctx
    const store = await ctx.store(lastStore)
    const sinceMs = clock.monoMs()
    noteDepartures(ctx, {
      store,
      statusSize: () => options.status_size,
      tooLong: ctx.counter(
        'statuses_too_long',
        'Status texts of those who left, not kept because they were too long; limit modules.last.status_size',
      ),
      failures: ctx.counter('store_failures', 'Departures whose time could not be kept because the store failed'),
    })
    const payload = { name: 'query', ns: NS_LAST }

    // §6
    ctx.features.add(NS_LAST, ['host', 'account'])

    /** §8: the account itself, or who is subscribed to its presence. */
    function maySee(host: Host, local: string, asker: Jid): boolean | Promise<boolean> {
      if (asker.local === local && asker.domain === host.domain) return true
      const items = services.roster?.items(host, local)
      return items instanceof Promise ? items.then((loaded) => sees(loaded, asker)) : sees(items, asker)
    }

    /** §8: who hides from somebody (XEP-0016 §2.11) is not there for him. */
    function isShown(session: Session, asker: Jid): boolean | Promise<boolean> {
      const passes = (screen: Screen | undefined) => screen?.passes('presence-out', asker) !== false
      const screen = services.privacy?.read(session)
      return screen instanceof Promise ? screen.then(passes) : passes(screen)
    }

    /** §4; undefined: it is asked itself. */
    async function resourceRefusal({ from, to }: Packet, host: Host): Promise<Verdict | undefined> {
      if (!(await maySee(host, to.local, from))) return forbidden
      const session = sessions.find(to)
      return session === undefined || (await isShown(session, from)) ? undefined : absent
    }

    ctx.iq.get(payload, () => answer(clock.monoMs() - sinceMs))

    ctx.iq.get(
      payload,
      async ({ host, account, packet }) => {
        if (!(await maySee(host, account, packet.from))) return errorForbidden
        for (const session of [...sessions.ofAccount(host.domain, account)]) {
          if (await isShown(session, packet.from)) return answer(0)
        }
        const row = await store.get({ host: host.domain, local: account })
        return row === undefined ? errorNever : answer(clock.wallMs() - row.at, row.status)
      },
      { on: 'account', hidesAccounts: true },
    )

    // §4: before the rule of RFC 6121 section 8.5.3.1, which has another error for it.
    ctx.on(
      'stanza:inbound',
      (packet, host): Promise<Verdict | undefined> | undefined =>
        packet.to.isBare ? undefined : resourceRefusal(packet, host),
      { kinds: ['iq'], types: ['get'], wants: [payload], before: 'presence' },
    )

    accountData(ctx, store)
  },
})

/** The wall clock may have been set back since. */
function answer(ms: number, status?: string): Element {
  return x('query', NS_LAST, { seconds: String(Math.max(0, Math.floor(ms / 1000))) }, status)
}
