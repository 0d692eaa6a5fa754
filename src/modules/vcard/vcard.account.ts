/** Export, import and removal of an account's vCard (DESIGN.md section 6). */
import type { ModuleContext } from '../../core/module.ts'
import { stanzaBytes } from '../../stanza/keep.ts'
import type { Store } from '../../store/define.ts'
import { decode, encode } from '../../xml/octets.ts'
import type { vcardStore } from './vcard.store.ts'
import { readCard } from './vcard.wire.ts'

export function accountData(ctx: Pick<ModuleContext, 'log' | 'on'>, store: Store<typeof vcardStore>): void {
  ctx.on('account:export', async (data, { host, local }) => {
    const row = await store.get({ host: host.domain, local })
    return [...data, { store: 'vcard', rows: row === undefined ? [] : [{ card: decode(row.card) }] }]
  })

  ctx.on('account:import', async ({ host, local, data }) => {
    const rows = data.filter((part) => part.store === 'vcard').flatMap((part) => part.rows)
    const cards = rows.flatMap((row) => readCard(encode(String(row['card'] ?? ''))) ?? [])
    if (cards.length < rows.length) {
      ctx.log.warn('a vCard could not be read and was left out', {
        code: 'RTK_VCARD_IMPORT',
        account: `${local}@${host.domain}`,
        rows: rows.length - cards.length,
      })
    }
    for (const card of cards) await store.importCard({ host: host.domain, local, card: stanzaBytes(card) })
  })

  ctx.on('account:delete', async ({ host, local }) => {
    await store.remove({ host: host.domain, local })
  })
}
