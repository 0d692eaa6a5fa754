/** RFC 6121 sections 2.2 to 2.6: getting and setting a roster. */
import type { Host } from '../../core/host.ts'
import type { IqRequest } from '../../core/iq.ts'
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import { hasFrom, hasTo, type RosterItem } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import { NS_CLIENT, NS_ROSTER } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import { newItem, type Roster, type RosterBook } from './roster.book.ts'
import type { RosterPushes } from './roster.pushes.ts'
import {
  errorGroups,
  errorName,
  type RosterLimits,
  readSet,
  writeItem,
  writeQuery,
  writeRemoval,
} from './roster.wire.ts'
import type { UnderWay } from './under-way.ts'

const errorForeign = new StanzaError('RTK_ROSTER_FOREIGN', 'forbidden')
const errorMissing = new StanzaError('RTK_ROSTER_NO_ITEM', 'item-not-found', { type: 'modify' })
const errorSelf = new StanzaError('RTK_ROSTER_SELF', 'not-allowed', { text: 'an account is no contact of its own' })

export type RosterContext = Pick<ModuleContext, 'accountJid' | 'iq' | 'send' | 'sessions' | 'tell'>

export interface SetLimits {
  limits(): RosterLimits
  /** Refused by `name_max`, and by `groups_max`. */
  readonly tooLong: Counter
  readonly tooManyGroups: Counter
}

export function rosterQueries(
  ctx: RosterContext,
  book: RosterBook,
  pushes: RosterPushes,
  underWay: UnderWay,
  { limits, tooLong, tooManyGroups }: SetLimits,
): void {
  const payload = { name: 'query', ns: NS_ROSTER }
  // Section 2.3.3: to everybody else's roster `forbidden`, which tells nobody whether the account exists.
  const options = { on: 'account', hidesAccounts: true } as const

  function asker({ packet, account, host }: IqRequest): Session | undefined {
    if (packet.from.local !== account || packet.from.domain !== host.domain) return undefined
    return ctx.sessions.find(packet.from)
  }

  ctx.iq.get(
    payload,
    (request) => {
      const session = asker(request)
      if (session === undefined) return errorForeign
      const { host, account } = request
      const roster = book.current(host, account)
      if (!(roster instanceof Promise)) return answerGet(request, session, roster)
      return roster.then((loaded) => answerGet(request, session, loaded))
    },
    options,
  )

  /**
   * Sections 2.1.4 and 2.6.3: the whole roster, or an empty result and one push for each item that changed. In one go
   * with the session's becoming interested, so that no push falls between or overtakes.
   */
  function answerGet(request: IqRequest, session: Session, roster: Roster): void {
    const known = request.payload.attr('ver')
    const steps = known === undefined || known === '' ? undefined : book.changesSince(roster, known)
    pushes.interest(session)
    if (steps === undefined) {
      const items = [...roster.items.values()].filter((item) => item.listed)
      request.answer(writeQuery(book.version(roster), items.map(writeItem)))
      return
    }
    request.answer()
    for (const { version, item, removed } of steps) {
      pushes.to(session, version, item === undefined ? writeRemoval(removed ?? '') : writeItem(item))
    }
  }

  ctx.iq.set(
    payload,
    async (request) => {
      const session = asker(request)
      if (session === undefined) return errorForeign
      const set = readSet(request.payload, limits())
      if (set === errorName) tooLong.value++
      if (set === errorGroups) tooManyGroups.value++
      if (set instanceof StanzaError) return set
      const { host, account } = request
      if (set.contact.equals(session.jid.bare)) return errorSelf
      if (set.kind === 'remove') {
        return await underWay.run(host, account, () => removeItem(ctx, book, pushes, host, account, set.contact))
      }
      const changed = await book.change(host, account, set.contact, (item) => ({
        kind: 'put',
        item: { ...(item ?? newItem(set.contact)), name: set.name, groups: set.groups, listed: true },
        isTold: true,
      }))
      if (changed.after !== undefined) pushes.item(host, account, changed.version, changed.after)
      return undefined
    },
    options,
  )
}

/** Section 2.5.2: with the item go the subscriptions in both directions, and a request is denied. */
export async function removeItem(
  ctx: Pick<RosterContext, 'accountJid' | 'send' | 'tell'>,
  book: RosterBook,
  pushes: RosterPushes,
  host: Host,
  local: string,
  contact: Jid,
): Promise<StanzaError | undefined> {
  const changed = await book.change(host, local, contact, (item) =>
    item?.listed ? { kind: 'remove' } : { kind: 'keep' },
  )
  const before = changed.before
  if (before === undefined || !before.listed) return errorMissing
  pushes.removal(host, local, changed.version, contact.toString())
  if (hasFrom(before.subscription)) ctx.tell('roster:revoked', { host, local, contact, before })
  await endSubscriptions(ctx, ctx.accountJid(host, local), before)
  return undefined
}

/** Tells a contact that nothing is left between him and the account. */
export async function endSubscriptions(ctx: Pick<RosterContext, 'send'>, own: Jid, item: RosterItem): Promise<void> {
  if (hasTo(item.subscription) || item.pendingOut) {
    await ctx.send(x('presence', NS_CLIENT, { type: 'unsubscribe' }), own, item.jid)
  }
  if (hasFrom(item.subscription) || item.pendingIn) {
    await ctx.send(x('presence', NS_CLIENT, { type: 'unsubscribed' }), own, item.jid)
  }
}
