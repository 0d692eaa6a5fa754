/**
 * XEP-0054: vcard-temp, version 1.3.0. Everybody may read an account's vCard (§5), only the account itself writes it. There
 * is no cache: one read of the store answers, and the asker's later stanzas wait for it, so that nobody fills the server's
 * memory with large answers.
 */
import { opt } from '../../core/config/opt.ts'
import type { IqRequest } from '../../core/iq.ts'
import { defineModule } from '../../core/module.ts'
import { StanzaError } from '../../stanza/error.ts'
import { stanzaBytes } from '../../stanza/keep.ts'
import { parseOctets } from '../../xml/parse.ts'
import { accountData } from './vcard.account.ts'
import { vcardStore } from './vcard.store.ts'
import { NS_VCARD } from './vcard.wire.ts'

// §3.1
const errorNone = new StanzaError('RTK_VCARD_NONE', 'item-not-found')
// §3.3: the same answer for an account without a vCard and for one that does not exist.
const errorHidden = new StanzaError('RTK_VCARD_HIDDEN', 'service-unavailable')
// §3.2
const errorForeign = new StanzaError('RTK_VCARD_FOREIGN', 'forbidden')
const errorBytes = new StanzaError('RTK_VCARD_BYTES_MAX', 'policy-violation', { text: 'the vCard is too large' })

export default defineModule({
  name: 'vcard',
  xeps: [{ xep: 54, version: '1.3.0', status: 'complete' }],
  options: {
    bytes_max: opt.bytes({
      default: '128 KiB',
      description: 'Bytes of a vCard; a larger one is refused with policy-violation.',
      reload: 'hot',
    }),
  },
  async setup(ctx) {
    const { accounts, options } = ctx
    const store = await ctx.store(vcardStore)
    const tooLarge = ctx.counter(
      'bytes_max',
      'vCards refused because they were too large; limit modules.vcard.bytes_max',
    )
    const payload = { name: 'vCard', ns: NS_VCARD }
    const target = { on: 'account', hidesAccounts: true } as const

    // §4
    ctx.features.add(NS_VCARD, ['host', 'account'])

    ctx.iq.get(
      payload,
      async (request) => {
        const { host, account } = request
        const row = await store.get({ host: host.domain, local: account })
        if (isOwn(request)) return row === undefined ? errorNone : parseOctets(row.card)
        // An account that is being removed is nobody's any more.
        if (row === undefined || !(await accounts.exists(host, account))) return errorHidden
        return parseOctets(row.card)
      },
      target,
    )

    // §3.2: always the whole vCard. An empty one takes it away.
    ctx.iq.set(
      payload,
      async (request) => {
        if (!isOwn(request)) return errorForeign
        const account = { host: request.host.domain, local: request.account }
        if (request.payload.elements.length === 0) {
          await store.remove(account)
          return undefined
        }
        const card = stanzaBytes(request.payload)
        if (card.length > options.bytes_max) {
          tooLarge.value++
          return errorBytes
        }
        await store.put({ ...account, card })
        return undefined
      },
      target,
    )

    accountData(ctx, store)
  },
})

function isOwn({ packet, host, account }: IqRequest): boolean {
  return packet.from.local === account && packet.from.domain === host.domain
}
