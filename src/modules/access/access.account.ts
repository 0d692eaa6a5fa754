/** Export, import and removal of what is known of an account's clients (DESIGN.md section 6). */
import type { AccountData } from '../../core/hooks.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Store } from '../../store/define.ts'
import { legalText } from '../../xml/check.ts'
import type { accessStore } from './access.store.ts'

type Row = AccountData['rows'][number]

export function accountData(
  ctx: Pick<ModuleContext, 'log' | 'on'>,
  store: Store<typeof accessStore>,
  forget: (host: string, local: string) => void,
): void {
  ctx.on('account:export', async (data, { host, local }) => {
    return [...data, { store: 'access', rows: await store.ofAccount({ host: host.domain, local }) }]
  })

  ctx.on('account:import', async ({ host, local, data }) => {
    const rows = data.filter((part) => part.store === 'access').flatMap((part) => part.rows)
    const good = rows.flatMap((row) => readRow(row) ?? [])
    if (good.length < rows.length) {
      ctx.log.warn('clients of an account could not be read and were left out', {
        code: 'RTK_ACCESS_IMPORT',
        account: `${local}@${host.domain}`,
        rows: rows.length - good.length,
      })
    }
    for (const row of good) await store.importRow({ host: host.domain, local, ...row })
  })

  ctx.on('account:delete', async ({ host, local }) => {
    forget(host.domain, local)
    await store.remove({ host: host.domain, local })
  })
}

function readRow({ agent, software, device, since, seen, password, certificate, granted }: Row) {
  const times = { since, seen, password, certificate, granted }
  if (typeof agent !== 'string' || agent === '' || !areTimes(times)) return undefined
  return { agent: legalText(agent), software: textOf(software), device: textOf(device), ...times }
}

function textOf(value: Row[string] | undefined): string {
  return typeof value === 'string' ? legalText(value) : ''
}

type Times = Record<'since' | 'seen' | 'password' | 'certificate' | 'granted', number>

function areTimes(values: Readonly<Record<keyof Times, unknown>>): values is Times {
  return Object.values(values).every((value) => Number.isSafeInteger(value) && (value as number) >= 0)
}
