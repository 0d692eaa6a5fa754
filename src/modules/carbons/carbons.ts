/**
 * XEP-0280: Message Carbons, version 1.0.1: every resource that wants so sees both sides of all conversations of its account.
 * Until the first one wants so, a message costs nothing here.
 */
import { defineModule } from '../../core/module.ts'
import '../../core/services/copies.ts'
import { type Packet, refuse, type Verdict } from '../../core/packet.ts'
import type { Session } from '../../core/session.ts'
import { carbonPayloads, NS_CARBONS } from '../../stanza/carbon.ts'
import { StanzaError } from '../../stanza/error.ts'
import { Copies } from './copies.ts'

/** §6.2: all rules of §6.1 hold. */
const NS_RULES = 'urn:xmpp:carbons:rules:0'

// §4.1 and §5.1
const errorNotOwn = new StanzaError('RTK_CARBONS_NOT_OWN', 'not-allowed')
// §11: only the account's own server speaks for it.
const errorForged = new StanzaError('RTK_CARBONS_FORGED', 'forbidden', { text: 'a carbon copy is made by a server' })

export default defineModule({
  name: 'carbons',
  xeps: [
    { xep: 280, version: '1.0.1', status: 'complete' },
    { xep: 297, version: '1.0', status: 'complete', note: 'the form of the copies' },
  ],
  provides: ['copies'],
  setup(ctx) {
    const copies = new Copies(
      ctx,
      ctx.counter('copies', 'Copies of messages made for other resources of an account (XEP-0280)'),
    )
    let isUsed = false

    ctx.provide('copies', copies.standIns)
    ctx.features.add(NS_CARBONS)
    ctx.features.add(NS_RULES)

    function use(): void {
      if (isUsed) return
      isUsed = true
      // When nobody has objected to the message.
      ctx.on('stanza:sent', (packet, session) => copies.sent(packet, session), { kinds: ['message'], phase: 'late' })
      ctx.on('message:outcome', (outcome) => copies.delivered(outcome))
      ctx.on('message:astray', (packet, event) => copies.astray(packet, event))
    }

    function enable(session: Session): void {
      copies.enable(session)
      use()
    }

    const noticed = (session: Session) => {
      if (copies.isEnabled(session)) use()
    }
    ctx.on('session:adopted', noticed)
    // Those of before a reload of the module.
    for (const { domain } of ctx.hosts()) ctx.sessions.each(domain, noticed)

    // XEP-0386 §3.2: it cannot fail, and is not answered.
    ctx.on('bind2:features', (names) => [...names, NS_CARBONS])
    ctx.on('bind2:bound', (children, { session, bind }) => {
      if (bind.hasChild('enable', NS_CARBONS)) enable(session)
      return children
    })

    // §4, §5 and §10.1. A stranger cannot tell an account from one that is not there.
    for (const [name, apply] of [
      ['enable', enable],
      ['disable', (session: Session) => copies.disable(session)],
    ] as const) {
      ctx.iq.set(
        { name, ns: NS_CARBONS },
        ({ packet, account, host }) => {
          const { from } = packet
          const isOwn = from.local === account && from.domain === host.domain
          const session = isOwn ? ctx.sessions.find(from) : undefined
          if (session === undefined) return errorNotOwn
          apply(session)
          return undefined
        },
        { on: 'account', hidesAccounts: true },
      )
    }

    ctx.on('stanza:inbound', refuseForged, {
      kinds: ['message'],
      wants: carbonPayloads,
      foreign: true,
      phase: 'early',
    })
  },
})

/** An error may repeat what it answers, and is not answered: it goes on without. */
function refuseForged({ el }: Packet): Verdict {
  if (el.attr('type') !== 'error') return refuse(errorForged)
  return { kind: 'replace', el: el.withoutChildren(({ name, ns }) => ns === NS_CARBONS && name !== 'private') }
}
