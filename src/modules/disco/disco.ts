/** XEP-0030: Service Discovery, version 2.5.0: what the host and, to those who may know, its accounts are and offer. */
import type { IqRequest } from '../../core/iq.ts'
import { defineModule } from '../../core/module.ts'
import type { DiscoInfo, DiscoQuery } from '../../core/services/disco.ts'
import { sees } from '../../core/services/roster.ts'
import { softwareName } from '../../core/software.ts'
import { StanzaError } from '../../stanza/error.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'

export const NS_INFO = 'http://jabber.org/protocol/disco#info'
export const NS_ITEMS = 'http://jabber.org/protocol/disco#items'

const noSuchNode = new StanzaError('RTK_DISCO_NODE', 'item-not-found')
// §8: the same answer for an account that does not exist and for one that the asker may not see.
const hidden = new StanzaError('RTK_DISCO_HIDDEN', 'service-unavailable')

export default defineModule({
  name: 'disco',
  xeps: [{ xep: 30, version: '2.5.0', status: 'complete' }],
  needs: { roster: 'soft' },
  setup({ accounts, features, iq, fold, services, sessions }) {
    features.add(NS_INFO, ['host', 'account'])
    features.add(NS_ITEMS, ['host', 'account'])
    features.identity({ category: 'server', type: 'im', name: softwareName })
    features.identity({ category: 'account', type: 'registered' }, 'account')

    /** §8: an account's own client, or somebody it lets see its presence. */
    async function maySee({ host, account, from }: DiscoQuery): Promise<boolean> {
      if (from.domain === host.domain && from.local === account) return true
      const items = await services.roster?.items(host, account)
      return sees(items, from) && (await accounts.exists(host, account))
    }

    // §8: whoever may not see an account gets the same answer whether it exists or not.
    const options = { on: ['host', 'account'], hidesAccounts: true } as const

    iq.get(
      { name: 'query', ns: NS_INFO },
      async (request) => {
        const query = queryOf(request)
        if (query.account !== '' && !(await maySee(query))) return hidden
        const target = query.account === '' ? 'host' : 'account'
        const known: DiscoInfo = {
          identities: features.identities(target),
          features: features.list(target),
          extensions: [],
        }
        const info = await fold('disco:info', query.node === '' ? known : undefined, query)
        return info === undefined ? noSuchNode : writeInfo(info, query.node)
      },
      options,
    )

    iq.get(
      { name: 'query', ns: NS_ITEMS },
      async (request) => {
        const query = queryOf(request)
        // §8 rule 2: an empty list, not an error, for those who may not know.
        if (query.account !== '' && !(await maySee(query))) return writeItems([], query.node)
        const resources =
          query.account === ''
            ? []
            : sessions.ofAccount(query.host.domain, query.account).filter((session) => session.isAvailable)
        const items = await fold(
          'disco:items',
          query.node === '' ? resources.map((session) => ({ jid: session.jid })) : undefined,
          query,
        )
        return items === undefined
          ? noSuchNode
          : writeItems(
              items.map((item) => ({ jid: item.jid.toString(), name: item.name, node: item.node })),
              query.node,
            )
      },
      options,
    )
  },
})

function queryOf({ packet, payload, host, account }: IqRequest): DiscoQuery {
  return { host, account, node: payload.attr('node') ?? '', from: packet.from }
}

/** §3.2: the answer mirrors the node. */
function nodeOf(node: string): { node: string | undefined } {
  return { node: node === '' ? undefined : node }
}

function writeInfo(info: DiscoInfo, node: string): Element {
  return x(
    'query',
    NS_INFO,
    nodeOf(node),
    ...info.identities.map(({ category, type, name }) => x('identity', NS_INFO, { category, type, name })),
    ...info.features.map((feature) => x('feature', NS_INFO, { var: feature })),
    ...info.extensions,
  )
}

function writeItems(items: readonly Readonly<Record<string, string | undefined>>[], node: string): Element {
  return x('query', NS_ITEMS, nodeOf(node), ...items.map((item) => x('item', NS_ITEMS, item)))
}
