/** Export, import and removal of an account's lists (DESIGN.md section 6). */
import type { ModuleContext } from '../../core/module.ts'
import { StanzaError } from '../../stanza/error.ts'
import type { Store } from '../../store/define.ts'
import { legalText } from '../../xml/check.ts'
import type { privacyStore } from './privacy.store.ts'
import { decodeRules, type Rule } from './rules.ts'
import type { Screens } from './screens.ts'
import { nothingStored, type Stored, type StoredLists } from './stored.ts'

interface Imported {
  readonly name: string
  readonly rules: readonly Rule[]
  readonly isDefault: boolean
}

export function accountData(
  ctx: Pick<ModuleContext, 'accountJid' | 'log' | 'on'>,
  store: Store<typeof privacyStore>,
  stored: StoredLists,
  screens: Screens,
): void {
  ctx.on('account:export', async (data, { host, local }) => {
    const { defaultName, lists } = await stored.read(host, local)
    const rows = [...lists.values()].map(({ name, text }) => ({ name, rules: text, default: name === defaultName }))
    return [...data, { store: 'privacy', rows }]
  })

  // What the account has already stays as it is.
  ctx.on('account:import', async ({ host, local, data }) => {
    const rows = data.filter((part) => part.store === 'privacy').flatMap((part) => part.rows)
    if (rows.length === 0) return
    const lists = rows.flatMap((row) => readRow(row) ?? [])
    if (lists.length < rows.length) {
      ctx.log.warn('privacy lists could not be read and were left out', {
        code: 'RTK_PRIVACY_IMPORT',
        account: `${local}@${host.domain}`,
        rows: rows.length - lists.length,
      })
    }
    const own = ctx.accountJid(host, local)
    await stored.inTurn(own, async () => {
      // Whoever imports decides how much.
      const changed = await stored.change(host, local, (before) => merged(before, lists), false)
      if (changed instanceof StanzaError) throw changed
      await screens.enforce(host, own, changed.after)
    })
  })

  ctx.on('account:delete', async ({ host, local }) => {
    const own = ctx.accountJid(host, local)
    await stored.inTurn(own, async () => {
      await store.deleteAccount({ host: host.domain, local })
      await screens.enforce(host, own, nothingStored)
    })
  })
}

function merged(before: Stored, lists: readonly Imported[]) {
  const put = lists.filter(({ name }) => !before.lists.has(name))
  const byDefault = put.find(({ isDefault }) => isDefault)?.name ?? ''
  return { defaultName: before.defaultName === '' ? byDefault : before.defaultName, put }
}

function readRow(row: Readonly<Record<string, string | number | boolean | null>>): Imported | undefined {
  const { name, rules: text, default: isDefault } = row
  const rules = typeof text === 'string' ? decodeRules(text) : undefined
  if (typeof name !== 'string' || name === '' || rules === undefined) return undefined
  // Both come out again as XML.
  const legal = rules.map((rule) => ({ ...rule, value: legalText(rule.value) }))
  return { name: legalText(name), rules: legal, isDefault: isDefault === true }
}
