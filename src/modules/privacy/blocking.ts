/** XEP-0191: Blocking Command, version 1.3: the default privacy list, seen as a list of blocked addresses (§5). */
import type { IqRequest } from '../../core/iq.ts'
import type { ModuleContext } from '../../core/module.ts'
import { parseJid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import type { Element } from '../../xml/element.types.ts'
import { NS_BLOCKING, type Pushes, writeBlocking } from './pushes.ts'
import { askerOf, ownOnly } from './queries.ts'
import { isBlock, orderMax, type Rule } from './rules.ts'
import type { Screens } from './screens.ts'
import { blocklist, type Plan, type Stored, type StoredLists } from './stored.ts'

const errorItems = new StanzaError('RTK_BLOCKING_ITEMS', 'bad-request', { text: 'an item with a jid is needed' })
const errorJid = new StanzaError('RTK_BLOCKING_JID', 'jid-malformed')

/** The name of a default list that a block makes; a number follows where it is taken. */
const listName = 'blocklist'

export interface BlockingParts {
  readonly stored: StoredLists
  readonly screens: Screens
  readonly pushes: Pushes
}

export type BlockingContext = Pick<ModuleContext, 'iq' | 'sessions'>

export function blockingCommand(ctx: BlockingContext, parts: BlockingParts): void {
  const { stored, pushes } = parts

  // §3.2
  ctx.iq.get(
    { name: 'blocklist', ns: NS_BLOCKING },
    async (request): Promise<Element | StanzaError> => {
      const session = askerOf(ctx, request)
      if (session instanceof StanzaError) return session
      return stored.inTurn(session.jid.bare, async () => {
        const lists = await stored.read(session.host, session.jid.local)
        pushes.asked(session)
        return writeBlocking('blocklist', blocklist(lists))
      })
    },
    ownOnly,
  )

  // §3.3
  ctx.iq.set(
    { name: 'block', ns: NS_BLOCKING },
    async (request) => {
      const addresses = readItems(request.payload)
      if (addresses instanceof StanzaError) return addresses
      if (addresses.length === 0) return errorItems
      return carryOut(ctx, parts, request, 'block', addresses, (lists) => blockPlan(lists, addresses))
    },
    ownOnly,
  )

  // §3.4 and §3.5
  ctx.iq.set(
    { name: 'unblock', ns: NS_BLOCKING },
    async (request) => {
      const addresses = readItems(request.payload)
      if (addresses instanceof StanzaError) return addresses
      return carryOut(ctx, parts, request, 'unblock', addresses, (lists) =>
        unblockPlan(ctx, parts, request, lists, addresses),
      )
    },
    ownOnly,
  )
}

/** Prepared, each once. */
function readItems(payload: Element): readonly string[] | StanzaError {
  const addresses = new Set<string>()
  for (const item of payload.elements) {
    const text = item.name === 'item' && item.ns === NS_BLOCKING ? item.attr('jid') : undefined
    // Nothing else is taken for less than it says: an `unblock` without items is one of all.
    if (text === undefined) return errorItems
    const address = parseJid(text)
    if (address === undefined) return errorJid
    addresses.add(address.toString())
  }
  return [...addresses]
}

async function carryOut(
  ctx: BlockingContext,
  { stored, screens, pushes }: BlockingParts,
  request: IqRequest,
  name: 'block' | 'unblock',
  addresses: readonly string[],
  plan: (lists: Stored) => Plan | undefined,
): Promise<StanzaError | undefined> {
  const session = askerOf(ctx, request)
  if (session instanceof StanzaError) return session
  const { host, jid } = session
  return stored.inTurn(jid.bare, async () => {
    let changedName = ''
    const changed = await stored.change(host, jid.local, (lists) => {
      const next = plan(lists)
      changedName = next === undefined ? '' : (next.put?.[0]?.name ?? next.removed ?? '')
      return next
    })
    if (changed instanceof StanzaError) return changed
    if (changedName !== '') {
      await screens.enforce(host, jid.bare, changed.after)
      pushes.list(jid.bare, changedName)
    }
    pushes.blocking(jid.bare, name, addresses)
    return undefined
  })
}

/** §5: the blocked addresses come first in the default list, which is made where there is none. */
function blockPlan(lists: Stored, addresses: readonly string[]): Plan | undefined {
  const name = lists.defaultName === '' ? freeName(lists) : lists.defaultName
  const rules = lists.lists.get(name)?.rules ?? []
  const next = withBlocked(rules, addresses)
  return next === undefined ? undefined : { defaultName: name, put: [{ name, rules: next }] }
}

function freeName({ lists }: Stored): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? listName : `${listName}-${n}`
    if (!lists.has(name)) return name
  }
}

/** Undefined when nothing changes. */
function withBlocked(rules: readonly Rule[], addresses: readonly string[]): readonly Rule[] | undefined {
  const wanted = new Set(addresses)
  let leading = rules.findIndex((rule) => !isBlock(rule))
  if (leading < 0) leading = rules.length
  const first = rules.slice(0, leading)
  for (const rule of first) wanted.delete(rule.value)
  if (wanted.size === 0) return undefined
  // One that stands behind another rule may have no effect there.
  const rest = rules.slice(leading).filter((rule) => !(isBlock(rule) && wanted.has(rule.value)))
  let order = first.at(-1)?.order ?? 0
  const added = [...wanted].map((value): Rule => ({ type: 'jid', value, deny: true, order: ++order, kinds: [] }))
  const next = [...first, ...added, ...rest]
  const isRoomFor = order < (rest[0]?.order ?? orderMax + 1)
  return isRoomFor ? next : next.map((rule, index) => ({ ...rule, order: index + 1 }))
}

/** A default list that has no rule left goes, unless a session has chosen it by its name. */
function unblockPlan(
  ctx: BlockingContext,
  { screens }: BlockingParts,
  { host, account }: IqRequest,
  lists: Stored,
  addresses: readonly string[],
): Plan | undefined {
  const name = lists.defaultName
  const rules = lists.lists.get(name)?.rules ?? []
  const wanted = new Set(addresses)
  const next = rules.filter((rule) => !(isBlock(rule) && (wanted.size === 0 || wanted.has(rule.value))))
  if (next.length === rules.length) return undefined
  const isChosen = ctx.sessions.ofAccount(host.domain, account).some((session) => screens.activeOf(session) === name)
  if (next.length === 0 && !isChosen) return { defaultName: '', removed: name }
  return { defaultName: name, put: [{ name, rules: next }] }
}
