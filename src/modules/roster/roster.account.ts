/** Export, import and removal of an account's roster (DESIGN.md section 6). */
import type { ModuleContext } from '../../core/module.ts'
import type { Store } from '../../store/define.ts'
import type { RosterBook } from './roster.book.ts'
import type { rosterStore } from './roster.store.ts'

export function accountData(ctx: Pick<ModuleContext, 'on'>, store: Store<typeof rosterStore>, book: RosterBook): void {
  ctx.on('account:export', async (data, { host, local }) => {
    const rows = await store.items({ host: host.domain, local })
    const listed = rows.filter((row) => row.listed)
    return [
      ...data,
      {
        store: 'roster',
        rows: listed.map(({ contact, name, subscription, pending_out, approved, groups }) => ({
          contact,
          name,
          subscription,
          pending_out,
          approved,
          groups,
        })),
      },
    ]
  })

  ctx.on('account:import', async ({ host, local, data }) => {
    const rows = data.filter((part) => part.store === 'roster').flatMap((part) => part.rows)
    if (rows.length === 0) return
    await store.importItems(
      { host: host.domain, local },
      rows.map((row) => ({
        contact: String(row['contact']),
        name: String(row['name'] ?? ''),
        subscription: String(row['subscription'] ?? 'none'),
        pending_out: row['pending_out'] === true,
        approved: row['approved'] === true,
        groups: String(row['groups'] ?? '[]'),
      })),
    )
    book.forget(host, local)
  })

  ctx.on('account:delete', async ({ host, local }) => {
    await store.deleteAccount({ host: host.domain, local })
    book.forget(host, local)
  })
}
