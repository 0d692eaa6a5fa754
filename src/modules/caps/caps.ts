/**
 * XEP-0115: Entity Capabilities, version 1.6.0, over the extended disco of XEP-0128: the server announces its own, and learns
 * what others can do from their presence, each hash once.
 */
import { opt } from '../../core/config/opt.ts'
import { defineModule } from '../../core/module.ts'
import { Adverts } from './adverts.ts'
import { Inquiries } from './inquiries.ts'
import { learnFromPresence } from './learning.ts'
import { OwnCaps } from './own.ts'
import { NS_CAPS } from './verification.ts'

export default defineModule({
  name: 'caps',
  xeps: [
    {
      xep: 115,
      version: '1.6.0',
      status: 'complete',
      note: 'without caps optimisation (§8.4) and the legacy format (§13)',
    },
    { xep: 128, version: '1.0.1', status: 'complete' },
  ],
  provides: ['caps'],
  options: {
    hashes_max: opt.int({
      default: 2000,
      min: 1,
      max: 1_000_000,
      description: 'Verified capabilities that are remembered, the features of each once.',
      reload: 'hot',
    }),
    elsewhere_max: opt.int({
      default: 10_000,
      min: 1,
      max: 10_000_000,
      description: 'Entities on other servers whose capabilities are remembered.',
      reload: 'hot',
    }),
    queries_per_peer: opt.int({
      default: 4,
      min: 1,
      max: 1000,
      description: 'Open questions for capabilities to one account here or one domain elsewhere; more wait.',
      reload: 'hot',
    }),
    size_max: opt.bytes({
      default: '16 KiB',
      min: '1 KiB',
      description: 'Bytes of what somebody tells of his capabilities; more is not believed.',
      reload: 'hot',
    }),
  },
  setup(ctx) {
    const { options } = ctx
    const sizeMax = ctx.counter('size_max', 'Capabilities that were not believed because they were too large')
    const inquiries: Inquiries = new Inquiries(ctx, () => adverts, options, {
      hashesMax: ctx.counter('hashes_max', 'Capabilities that made room for others in memory'),
      queriesPerPeer: ctx.counter('queries_per_peer', 'Questions for capabilities that had to wait for others'),
      sizeMax,
      verified: ctx.counter('verified', 'Capabilities that were verified by their hash'),
      rejected: ctx.counter('rejected', 'Questions for capabilities without an answer that could be believed'),
    })
    const evicted = ctx.counter('elsewhere_max', 'Entities elsewhere that made room for others in memory')
    const adverts = new Adverts(
      ctx,
      () => options.elsewhere_max,
      evicted,
      (name, advert) => inquiries.left(name, advert),
    )
    ctx.gauge('hashes', 'Verified capabilities in memory; limit hashes_max', () => inquiries.known)
    ctx.gauge(
      'elsewhere',
      'Entities elsewhere with capabilities in memory; limit elsewhere_max',
      () => adverts.elsewhere,
    )
    ctx.gauge('queries_open', 'Questions for capabilities that wait for their answer', () => inquiries.open)
    ctx.gauge(
      'unknown',
      'Capabilities that somebody who is there advertises, and nobody has told so that they can be believed',
      () => inquiries.unknown,
    )
    ctx.onReload(() => inquiries.resize())
    ctx.onStop(() => inquiries.stop())
    learnFromPresence(ctx, adverts, inquiries, options, sizeMax)

    ctx.features.add(NS_CAPS)
    const own = new OwnCaps(ctx)
    ctx.on('stream:features', (list, { host }) => {
      const el = own.announcement(host)
      return el === undefined ? list : [...list, el]
    })
    ctx.on('disco:info', (info, query) => (info === undefined ? own.byNode(query) : info))

    ctx.provide('caps', {
      features(jid) {
        const advert = adverts.of(jid)
        return advert === undefined ? undefined : inquiries.featuresOf(advert)
      },
      ofSession(session) {
        const advert = adverts.ofSession(session)
        return advert === undefined ? undefined : inquiries.featuresOf(advert)
      },
    })
  },
})
