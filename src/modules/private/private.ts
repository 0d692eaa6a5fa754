/**
 * XEP-0049: Private XML Storage, version 1.2: what a client keeps at its account, by namespace, and nobody else reads. A client
 * reads it once a session, so there is no cache.
 */
import { opt } from '../../core/config/opt.ts'
import type { IqRequest } from '../../core/iq.ts'
import { defineModule } from '../../core/module.ts'
import { StanzaError } from '../../stanza/error.ts'
import { x } from '../../xml/build.ts'
import { encode } from '../../xml/octets.ts'
import { parseOctets } from '../../xml/parse.ts'
import { accountData } from './private.account.ts'
import { privateStore } from './private.store.ts'
import { isBlank, NS_PRIVATE, queryBytes, readQuery } from './private.wire.ts'

// §2.3, §3
const errorForeign = new StanzaError('RTK_PRIVATE_FOREIGN', 'forbidden')
const errorBytes = new StanzaError('RTK_PRIVATE_BYTES_MAX', 'policy-violation', {
  text: 'the account keeps too much private data',
})
const errorNamespace = new StanzaError('RTK_PRIVATE_NAMESPACE_MAX', 'policy-violation', {
  text: 'the namespace is too long',
})

export default defineModule({
  name: 'private',
  xeps: [{ xep: 49, version: '1.2', status: 'complete' }],
  options: {
    bytes_max: opt.bytes({
      default: '1 MiB',
      description:
        'Bytes of private data of one account, all namespaces together; more is refused with policy-violation.',
      reload: 'hot',
    }),
    namespace_max: opt.bytes({
      default: '512 B',
      description: 'Bytes of the name of a namespace; what has a longer one is refused with policy-violation.',
      reload: 'hot',
    }),
  },
  async setup(ctx) {
    const { options } = ctx
    const store = await ctx.store(privateStore)
    const tooMuch = ctx.counter(
      'bytes_max',
      'Private data refused because the account kept too much; limit modules.private.bytes_max',
    )
    const tooLong = ctx.counter(
      'namespace_max',
      'Private data refused because their namespace was too long; limit modules.private.namespace_max',
    )
    const payload = { name: 'query', ns: NS_PRIVATE }
    // Whoever asks for the data of others is forbidden it, whether the account exists or not.
    const target = { on: 'account', hidesAccounts: true } as const

    ctx.features.add(NS_PRIVATE)

    ctx.iq.get(
      payload,
      async (request) => {
        if (!isOwn(request)) return errorForeign
        const query = readQuery(request.payload, 'get')
        if (query instanceof StanzaError) return query
        const row = await store.get({ host: request.host.domain, local: request.account, ns: query.ns })
        if (row !== undefined) return parseOctets(row.data)
        return x('query', NS_PRIVATE, {}, ...query.elements.map((el) => x(el.name, el.ns)))
      },
      target,
    )

    ctx.iq.set(
      payload,
      async (request) => {
        if (!isOwn(request)) return errorForeign
        const query = readQuery(request.payload, 'set')
        if (query instanceof StanzaError) return query
        const key = { host: request.host.domain, local: request.account, ns: query.ns }
        if (encode(query.ns).length > options.namespace_max) {
          tooLong.value++
          return errorNamespace
        }
        if (isBlank(query)) {
          await store.remove(key)
          return undefined
        }
        const kept = await store.put({ ...key, data: queryBytes(query), bytesMax: options.bytes_max })
        if (kept.outcome === 'kept') return undefined
        tooMuch.value++
        return errorBytes
      },
      target,
    )

    accountData(ctx, store)
  },
})

function isOwn({ packet, host, account }: IqRequest): boolean {
  return packet.from.local === account && packet.from.domain === host.domain
}
