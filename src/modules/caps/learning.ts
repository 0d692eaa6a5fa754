/** XEP-0115 §6.1: presence tells what its sender can do. Costs no promise and no question when that is known. */
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Jid } from '../../jid/jid.ts'
import { NS_MUC_USER } from '../../stanza/room.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Advert, Adverts } from './adverts.ts'
import type { Inquiries } from './inquiries.ts'
import { NS_CAPS } from './verification.ts'

const wants = [{ name: 'c', ns: NS_CAPS }]

export type LearningContext = Pick<ModuleContext, 'on' | 'sessions' | 'tell'>

export interface LearningLimits {
  /** Bytes of a `<c/>`. */
  readonly size_max: number
}

export function learnFromPresence(
  ctx: LearningContext,
  adverts: Adverts,
  inquiries: Inquiries,
  limits: LearningLimits,
  tooLarge: Counter,
): void {
  function learn(el: Element, jid: Jid, asker: Jid, set: (advert: Advert) => void): void {
    const c = el.child('c', NS_CAPS)
    const hash = c?.attr('hash')
    const node = c?.attr('node')
    const ver = c?.attr('ver')
    // §13: without a hash it is the legacy format, of which nothing can be verified.
    if (c === undefined || hash === undefined || node === undefined || ver === undefined || ver === '') return
    const before = adverts.of(jid)
    if (before?.ver === ver && before.node === node && before.hash === hash) {
      if (inquiries.featuresOf(before) === undefined) inquiries.ask(before, jid, asker)
      return
    }
    if (c.size > limits.size_max) {
      tooLarge.value++
      return
    }
    const advert = inquiries.advert(hash, node, ver)
    set(advert)
    if (advert.features === undefined) inquiries.ask(advert, jid, asker)
    else ctx.tell('caps:known', { jid, features: advert.features })
  }

  ctx.on(
    'stanza:sent',
    ({ el }, session) => {
      learn(el, session.jid, session.host.jid, (advert) => adverts.setSession(session, advert))
      return undefined
    },
    { kinds: ['presence'], types: [''], wants },
  )
  ctx.on(
    'presence:self',
    (_packet, session) => {
      adverts.setSession(session, undefined)
      return undefined
    },
    { types: ['unavailable'], phase: 'early' },
  )
  ctx.on('session:ended', ({ session }) => adverts.setSession(session, undefined))

  ctx.on(
    'stanza:inbound',
    ({ el, from }, host) => {
      // A room's occupants are no clients of their own addresses, and the room need not let the server ask.
      if (ctx.sessions.find(from) !== undefined || el.hasChild('x', NS_MUC_USER)) return undefined
      learn(el, from, host.jid, (advert) => adverts.setElsewhere(from, advert))
      return undefined
    },
    { kinds: ['presence'], types: [''], wants, foreign: true },
  )
  ctx.on(
    'stanza:inbound',
    ({ from }) => {
      adverts.forget(from.toString())
      return undefined
    },
    { kinds: ['presence'], types: ['unavailable'], foreign: true },
  )
}
