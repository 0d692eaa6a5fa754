/** Export, import and removal of an account's private data (DESIGN.md section 6). */
import type { ModuleContext } from '../../core/module.ts'
import type { Store } from '../../store/define.ts'
import { decode, encode } from '../../xml/octets.ts'
import type { privateStore } from './private.store.ts'
import { queryBytes, readKept } from './private.wire.ts'

/** Rows read from the store at once. */
const pageSize = 50

export function accountData(ctx: Pick<ModuleContext, 'log' | 'on'>, store: Store<typeof privateStore>): void {
  ctx.on('account:export', async (data, { host, local }) => {
    const rows: { data: string }[] = []
    let after = ''
    for (;;) {
      const page = await store.page({ host: host.domain, local, after, limit: pageSize })
      for (const row of page) rows.push({ data: decode(row.data) })
      const last = page.at(-1)
      if (last === undefined) break
      after = last.ns
    }
    return [...data, { store: 'private', rows }]
  })

  ctx.on('account:import', async ({ host, local, data }) => {
    const rows = data.filter((part) => part.store === 'private').flatMap((part) => part.rows)
    const kept = rows.flatMap((row) => readKept(encode(String(row['data'] ?? ''))) ?? [])
    if (kept.length < rows.length) {
      ctx.log.warn('private data could not be read and were left out', {
        code: 'RTK_PRIVATE_IMPORT',
        account: `${local}@${host.domain}`,
        rows: rows.length - kept.length,
      })
    }
    for (const query of kept) {
      await store.importData({ host: host.domain, local, ns: query.ns, data: queryBytes(query) })
    }
  })

  ctx.on('account:delete', async ({ host, local }) => {
    await store.deleteAccount({ host: host.domain, local })
  })
}
