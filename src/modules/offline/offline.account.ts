/** Export, import and removal of what waits for an account (DESIGN.md section 6). */
import type { ModuleContext } from '../../core/module.ts'
import type { Store } from '../../store/define.ts'
import { decode, encode } from '../../xml/octets.ts'
import { pageSize, readMessage } from './mailboxes.ts'
import type { offlineStore } from './offline.store.ts'

export function accountData(ctx: Pick<ModuleContext, 'log' | 'on'>, store: Store<typeof offlineStore>): void {
  ctx.on('account:export', async (data, { host, local }) => {
    const rows: { received: number; stanza: string }[] = []
    let after = 0
    for (;;) {
      const page = await store.page({ host: host.domain, local, after, limit: pageSize })
      for (const row of page) rows.push({ received: row.received, stanza: decode(row.stanza) })
      const last = page.at(-1)
      if (last === undefined) break
      after = last.seq
    }
    return [...data, { store: 'offline', rows }]
  })

  ctx.on('account:import', async ({ host, local, data }) => {
    const rows = data.filter((part) => part.store === 'offline').flatMap((part) => part.rows)
    if (rows.length === 0) return
    const items = rows
      .map((row) => ({ received: Number(row['received'] ?? 0), stanza: encode(String(row['stanza'] ?? '')) }))
      .filter(({ received, stanza }) => Number.isSafeInteger(received) && readMessage(stanza) !== undefined)
    if (items.length < rows.length) {
      ctx.log.warn('messages could not be read and were left out', {
        code: 'RTK_OFFLINE_IMPORT',
        account: `${local}@${host.domain}`,
        rows: rows.length - items.length,
      })
    }
    await store.importMessages({ host: host.domain, local }, items)
  })

  ctx.on('account:delete', async ({ host, local }) => {
    await store.deleteAccount({ host: host.domain, local })
  })
}
