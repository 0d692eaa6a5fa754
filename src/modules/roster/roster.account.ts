/** Export, import and removal of an account's roster (DESIGN.md section 6). */
import type { ModuleContext } from '../../core/module.ts'
import type { Subscription } from '../../core/services/roster.ts'
import { parseJid } from '../../jid/jid.ts'
import type { Store } from '../../store/define.ts'
import { legalText } from '../../xml/check.ts'
import { decode, encode, type Octets } from '../../xml/octets.ts'
import { parseElement } from '../../xml/parse.ts'
import { type RosterBook, removalsKept } from './roster.book.ts'
import { endSubscriptions } from './roster.queries.ts'
import type { rosterStore } from './roster.store.ts'

type Value = string | number | boolean | null | undefined

const subscriptionNames: ReadonlySet<string> = new Set<Subscription>(['both', 'from', 'none', 'to'])

export function accountData(
  ctx: Pick<ModuleContext, 'accountJid' | 'log' | 'on' | 'send'>,
  store: Store<typeof rosterStore>,
  book: RosterBook,
): void {
  ctx.on('account:export', async (data, { host, local }) => {
    const account = { host: host.domain, local }
    const [items, requests] = await Promise.all([store.items(account), store.requests(account)])
    const requestOf = new Map(requests.map(({ contact, request }) => [contact, request]))
    const rows = items.map(({ edition, version, ...row }) => {
      const request = requestOf.get(row.contact)
      return { ...row, request: request === undefined || request === null ? null : decode(request) }
    })
    return [...data, { store: 'roster', rows }]
  })

  ctx.on('account:import', async ({ host, local, data }) => {
    const rows = data.filter((part) => part.store === 'roster').flatMap((part) => part.rows)
    if (rows.length === 0) return
    const items = rows.flatMap((row) => readRow(row) ?? [])
    if (items.length < rows.length) {
      ctx.log.warn('rows of a roster could not be read and were left out', {
        code: 'RTK_ROSTER_IMPORT',
        account: `${local}@${host.domain}`,
        rows: rows.length - items.length,
      })
    }
    await store.importItems({ host: host.domain, local }, items)
    book.forget(host, local)
  })

  // The contacts learn of it, or whoever takes the name next would inherit their trust.
  ctx.on('account:delete', async ({ host, local }) => {
    const own = ctx.accountJid(host, local)
    const { own: items } = await book.roster(host, local)
    for (const item of items.values()) await endSubscriptions(ctx, own, item)
    await store.deleteAccount({ host: host.domain, local, keep: removalsKept })
    book.forget(host, local)
  })
}

interface ImportedItem {
  readonly contact: string
  readonly name: string
  readonly subscription: string
  readonly pending_out: boolean
  readonly pending_in: boolean
  readonly listed: boolean
  readonly approved: boolean
  readonly groups: string
  readonly request: Octets | null
}

function readRow(row: Readonly<Record<string, Value>>): ImportedItem | undefined {
  const contact = parseJid(String(row['contact'] ?? ''))
  const subscription = String(row['subscription'] ?? 'none')
  const groups = readGroups(String(row['groups'] ?? '[]'))
  if (contact === undefined || !subscriptionNames.has(subscription) || groups === undefined) return undefined
  const request = row['request']
  return {
    contact: contact.bare.toString(),
    name: legalText(String(row['name'] ?? '')),
    subscription,
    pending_out: row['pending_out'] === true,
    pending_in: row['pending_in'] === true,
    listed: row['listed'] !== false,
    approved: row['approved'] === true,
    groups,
    request: typeof request === 'string' ? readRequest(request) : null,
  }
}

/** The groups as the store has them: a list of texts in JSON. */
function readGroups(text: string): string | undefined {
  try {
    const groups: unknown = JSON.parse(text)
    if (!Array.isArray(groups) || !groups.every((group) => typeof group === 'string')) return undefined
    return JSON.stringify(groups.map(legalText))
  } catch {
    return undefined
  }
}

/** Null, as for a request without anything of its own, when it is none. */
function readRequest(text: string): Octets | null {
  try {
    const el = parseElement(text)
    return el.name === 'presence' && el.attr('type') === 'subscribe' ? encode(text) : null
  } catch {
    return null
  }
}
