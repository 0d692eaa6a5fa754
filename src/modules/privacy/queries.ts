/** XEP-0016 §2.3 to §2.8: reading and changing lists, and choosing the active and the default one. */
import type { IqRequest } from '../../core/iq.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { RosterService } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import type { Element } from '../../xml/element.types.ts'
import { NS_PRIVACY, type PrivacySet, readGet, readSet, writeList, writeNames } from './privacy.wire.ts'
import type { Pushes } from './pushes.ts'
import type { Screens } from './screens.ts'
import type { Plan, Stored, StoredLists } from './stored.ts'

const errorForeign = new StanzaError('RTK_PRIVACY_FOREIGN', 'forbidden')
const errorMissing = new StanzaError('RTK_PRIVACY_NO_LIST', 'item-not-found')
const errorGroup = new StanzaError('RTK_PRIVACY_NO_GROUP', 'item-not-found')
const errorInUse = new StanzaError('RTK_PRIVACY_IN_USE', 'conflict', { text: 'another resource uses the list' })

export interface QueryParts {
  readonly stored: StoredLists
  readonly screens: Screens
  readonly pushes: Pushes
  readonly roster: RosterService
}

export type QueryContext = Pick<ModuleContext, 'iq' | 'sessions'>

/** Nobody else's lists: `forbidden`, which tells nobody whether the account exists. */
export const ownOnly = { on: 'account', hidesAccounts: true } as const

/** The session that asks for its own account; an error for anybody else. */
export function askerOf(ctx: Pick<ModuleContext, 'sessions'>, request: IqRequest): Session | StanzaError {
  const { from } = request.packet
  if (from.local !== request.account || from.domain !== request.host.domain) return errorForeign
  return ctx.sessions.find(from) ?? errorForeign
}

export function privacyQueries(ctx: QueryContext, parts: QueryParts): void {
  const payload = { name: 'query', ns: NS_PRIVACY }
  const { stored, screens } = parts

  ctx.iq.get(
    payload,
    async (request): Promise<Element | StanzaError> => {
      const session = askerOf(ctx, request)
      if (session instanceof StanzaError) return session
      const name = readGet(request.payload)
      if (name instanceof StanzaError) return name
      return stored.inTurn(session.jid.bare, async () => {
        const lists = await stored.read(session.host, session.jid.local)
        if (name === '') return writeNames(lists, screens.activeOf(session))
        const list = lists.lists.get(name)
        return list === undefined ? errorMissing : writeList(name, list.rules)
      })
    },
    ownOnly,
  )

  ctx.iq.set(
    payload,
    async (request) => {
      const session = askerOf(ctx, request)
      if (session instanceof StanzaError) return session
      const set = readSet(request.payload)
      if (set instanceof StanzaError) return set
      if (set.kind === 'list' && !(await hasGroups(parts.roster, session, set))) return errorGroup
      return stored.inTurn(session.jid.bare, () =>
        set.kind === 'active' ? choose(parts, session, set.name) : change(ctx, parts, session, set),
      )
    },
    ownOnly,
  )
}

/** §2.1: a rule for a group that is not in the roster is a mistake. */
async function hasGroups(
  roster: RosterService,
  session: Session,
  { rules }: Extract<PrivacySet, { kind: 'list' }>,
): Promise<boolean> {
  const missing = new Set(rules.flatMap((rule) => (rule.type === 'group' ? [rule.value] : [])))
  if (missing.size === 0) return true
  const items = await roster.items(session.host, session.jid.local)
  for (const item of items.values()) for (const group of item.groups) missing.delete(group)
  return missing.size === 0
}

/** §2.4: it counts before the result is sent. */
async function choose(
  { stored, screens }: QueryParts,
  session: Session,
  name: string,
): Promise<StanzaError | undefined> {
  const lists = await stored.read(session.host, session.jid.local)
  if (name !== '' && !lists.lists.has(name)) return errorMissing
  await screens.enforce(session.host, session.jid.bare, lists, { session: session.jid, name })
  return undefined
}

/** §2.5 to §2.8. */
async function change(
  ctx: QueryContext,
  { stored, screens, pushes }: QueryParts,
  session: Session,
  set: Exclude<PrivacySet, { kind: 'active' }>,
): Promise<StanzaError | undefined> {
  const { host, jid } = session
  const isUsed = (name: string, lists: Stored) => isUsedByOther(ctx, screens, session.jid, name, lists)
  const changed = await stored.change(host, jid.local, (lists) =>
    set.kind === 'default' ? defaultPlan(lists, set.name, isUsed) : listPlan(lists, set, isUsed),
  )
  if (changed instanceof StanzaError) return changed
  await screens.enforce(host, jid.bare, changed.after, gone(screens, session, changed.after))
  if (set.kind === 'list') pushes.list(jid.bare, set.name)
  pushes.difference(jid.bare, changed.before, changed.after)
  return undefined
}

type IsUsed = (name: string, lists: Stored) => boolean

/** §2.5 */
function defaultPlan(lists: Stored, name: string, isUsed: IsUsed): Plan | StanzaError {
  if (name !== '' && !lists.lists.has(name)) return errorMissing
  if (name !== lists.defaultName && lists.defaultName !== '' && isUsed(lists.defaultName, lists)) return errorInUse
  return { defaultName: name }
}

/** §2.6 to §2.8 */
function listPlan(
  lists: Stored,
  { name, rules }: Extract<PrivacySet, { kind: 'list' }>,
  isUsed: IsUsed,
): Plan | StanzaError {
  if (rules.length > 0) return { defaultName: lists.defaultName, put: [{ name, rules }] }
  if (!lists.lists.has(name)) return errorMissing
  if (isUsed(name, lists)) return errorInUse
  return { defaultName: lists.defaultName === name ? '' : lists.defaultName, removed: name }
}

/** §2.2 rule 11: whether the list applies to a connected resource besides this one. */
function isUsedByOther(ctx: QueryContext, screens: Screens, asker: Jid, name: string, lists: Stored): boolean {
  return ctx.sessions.ofAccount(asker.domain, asker.local).some((other) => {
    if (other.jid.equals(asker)) return false
    const active = screens.activeOf(other)
    return (active !== '' && lists.lists.has(active) ? active : lists.defaultName) === name
  })
}

/** The asker's own active list may be the one that is gone. */
function gone(screens: Screens, session: Session, lists: Stored): { session: Jid; name: string } | undefined {
  const name = screens.activeOf(session)
  return name !== '' && !lists.lists.has(name) ? { session: session.jid, name: '' } : undefined
}
