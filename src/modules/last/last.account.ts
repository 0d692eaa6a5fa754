/** Export, import and removal of an account's last departure (DESIGN.md section 6). */
import type { ModuleContext } from '../../core/module.ts'
import type { Store } from '../../store/define.ts'
import { legalText } from '../../xml/check.ts'
import type { lastStore } from './last.store.ts'

export function accountData(ctx: Pick<ModuleContext, 'log' | 'on'>, store: Store<typeof lastStore>): void {
  ctx.on('account:export', async (data, { host, local }) => {
    const row = await store.get({ host: host.domain, local })
    return [...data, { store: 'last', rows: row === undefined ? [] : [row] }]
  })

  ctx.on('account:import', async ({ host, local, data }) => {
    const rows = data.filter((part) => part.store === 'last').flatMap((part) => part.rows)
    const good = rows.flatMap(({ at, status }) => {
      const isTime = typeof at === 'number' && Number.isSafeInteger(at) && at >= 0
      return isTime ? [{ at, status: typeof status === 'string' ? legalText(status) : '' }] : []
    })
    if (good.length < rows.length) {
      ctx.log.warn('a last activity could not be read and was left out', {
        code: 'RTK_LAST_IMPORT',
        account: `${local}@${host.domain}`,
        rows: rows.length - good.length,
      })
    }
    for (const row of good) await store.importRow({ host: host.domain, local, ...row })
  })

  ctx.on('account:delete', async ({ host, local }) => {
    await store.remove({ host: host.domain, local })
  })
}
