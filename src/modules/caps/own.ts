/** The server's own capabilities: what its stream features announce (XEP-0115 §6.3), and the node that they name (§6.2). */
import type { Identity } from '../../core/features.ts'
import type { Host } from '../../core/host.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { DiscoInfo, DiscoQuery } from '../../core/services/disco.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { type HashedForm, type HashedInfo, NS_CAPS, NS_INFO, readForm, verificationString } from './verification.ts'

/** §4: names the program. */
const node = 'urn:x-ratatosk:server'

/** §9.1: what everybody must know. */
const algorithm = 'sha-1'

/** What the last announcement was made of. */
interface Made {
  readonly identities: readonly Identity[]
  readonly features: readonly string[]
  readonly el: Element
}

export type OwnContext = Pick<ModuleContext, 'features' | 'fold' | 'hashing' | 'log'>

export class OwnCaps {
  readonly #ctx: OwnContext
  #made: Made | undefined

  constructor(ctx: OwnContext) {
    this.#ctx = ctx
  }

  /**
   * The `<c/>` of a host as it is now. None where nobody answers disco#info, or a module can tell of the host only after it has
   * asked a store.
   */
  announcement(host: Host): Element | undefined {
    const info = this.#info({ host, account: '', node: '', from: host.jid })
    if (info instanceof Promise) {
      info.catch((error: unknown) => {
        this.#ctx.log.warn('what a host offers could not be told', { code: 'RTK_CAPS_OWN', host: host.domain, error })
      })
      return undefined
    }
    const { identities, features, extensions } = info
    const made = this.#made
    if (extensions.length === 0 && made?.identities === identities && made.features === features) return made.el
    if (!features.includes(NS_INFO)) return undefined
    const el = x('c', NS_CAPS, { hash: algorithm, node, ver: this.#verOf(info) })
    if (extensions.length === 0) this.#made = { identities, features, el }
    return el
  }

  /** §6.2: the node is known while it is what the host announces. */
  byNode(query: DiscoQuery): DiscoInfo | undefined | Promise<DiscoInfo | undefined> {
    if (query.account !== '' || !query.node.startsWith(`${node}#`)) return undefined
    const known = (info: DiscoInfo) => (query.node === `${node}#${this.#verOf(info)}` ? info : undefined)
    const info = this.#info({ ...query, node: '' })
    return info instanceof Promise ? info.then(known) : known(info)
  }

  /** What disco#info tells of a host. */
  #info(query: DiscoQuery): DiscoInfo | Promise<DiscoInfo> {
    const { features } = this.#ctx
    const known: DiscoInfo = {
      identities: features.identities('host'),
      features: features.list('host'),
      extensions: [],
    }
    const info = this.#ctx.fold('disco:info', known, query)
    return info instanceof Promise ? info.then((told) => told ?? known) : (info ?? known)
  }

  #verOf(info: DiscoInfo): string {
    return verificationString(this.#ctx.hashing, algorithm, hashedInfo(info)) ?? ''
  }
}

function hashedInfo({ identities, features, extensions }: DiscoInfo): HashedInfo {
  return {
    identities: identities.map(({ category, type, name = '' }) => ({ category, type, lang: '', name })),
    features,
    forms: extensions.map(readForm).filter((form): form is HashedForm => typeof form === 'object'),
  }
}
