/**
 * XEP-0280: Message Carbons, version 1.0.1: every resource that wants so sees both sides of all conversations of its account.
 *
 * A message to oneself is copied once, when it is delivered: nobody has it twice. One that is kept for later (XEP-0160) is copied
 * to those whom the store will not hand it to.
 */
import { defineModule } from '../../core/module.ts'
import { type Packet, refuse, type Verdict } from '../../core/packet.ts'
import type { Session } from '../../core/session.ts'
import type { SlotCodec } from '../../core/slots.ts'
import type { Jid } from '../../jid/jid.ts'
import { type CarbonDirection, carbonCopy, carbonPayloads, isCarbon, NS_CARBONS } from '../../stanza/carbon.ts'
import { StanzaError } from '../../stanza/error.ts'
import { isEligible } from './eligible.ts'
import { keyOf, Recent } from './recent.ts'
import { StandIns } from './stand-ins.ts'

/** §6.2: all rules of §6.1 hold. */
const NS_RULES = 'urn:xmpp:carbons:rules:0'

// §4.1 and §5.1
const errorNotOwn = new StanzaError('RTK_CARBONS_NOT_OWN', 'not-allowed')
// §11: only the account's own server speaks for it.
const errorForged = new StanzaError('RTK_CARBONS_FORGED', 'forbidden', { text: 'a carbon copy is made by a server' })

const truth: SlotCodec<boolean> = {
  encode: (value) => value,
  decode: (data) => (typeof data === 'boolean' ? data : undefined),
}

export default defineModule({
  name: 'carbons',
  xeps: [
    { xep: 280, version: '1.0.1', status: 'complete' },
    { xep: 297, version: '1.0', status: 'complete', note: 'as carbons use it' },
  ],
  setup(ctx) {
    const { sessions } = ctx
    const enabled = ctx.slot('enabled', () => false, { kept: truth })
    /** Messages of a session that were copied to others: an error that answers one is copied too. */
    const spoken = ctx.slot('spoken', () => new Recent())
    const standIns = new StandIns(ctx)
    const copies = ctx.counter('copies', 'Copies of messages made for other resources of an account')
    /** Somebody wants copies, or once did; until then a message costs one look here. */
    let isUsed = false

    ctx.features.add(NS_CARBONS)
    ctx.features.add(NS_RULES)

    /** Also for Bind 2 (XEP-0386), where a client may ask for it while it binds. */
    function enable(session: Session): void {
      session.slots.set(enabled, true)
      isUsed = true
    }

    function disable(session: Session): void {
      session.slots.set(enabled, undefined)
      standIns.forget(session)
    }

    const isEnabled = (session: Session) => session.slots.peek(enabled) === true
    const noticed = (session: Session) => {
      if (isEnabled(session)) isUsed = true
    }
    ctx.on('session:adopted', noticed)
    // Those of before a reload of the module.
    for (const { domain } of ctx.hosts()) sessions.each(domain, noticed)

    // §4, §5 and §10.1. A stranger cannot tell an account from one that is not there.
    for (const [name, apply] of [
      ['enable', enable],
      ['disable', disable],
    ] as const) {
      ctx.iq.set(
        { name, ns: NS_CARBONS },
        ({ packet, account, host }) => {
          const { from } = packet
          const isOwn = from.local === account && from.domain === host.domain
          const session = isOwn ? sessions.find(from) : undefined
          if (session === undefined) return errorNotOwn
          apply(session)
          return undefined
        },
        { on: 'account', hidesAccounts: true },
      )
    }

    function refuseForged({ el }: Packet): Verdict {
      if (el.attr('type') !== 'error') return refuse(errorForged)
      // An error may repeat what it answers, and is not answered.
      return { kind: 'replace', el: el.withoutChildren((child) => child.ns === NS_CARBONS && child.name !== 'private') }
    }
    const asserted = { kinds: ['message'], wants: carbonPayloads, foreign: true, phase: 'early' } as const
    ctx.on('stanza:sent', refuseForged, asserted)
    ctx.on('stanza:inbound', refuseForged, asserted)

    /** The copies of one message: its payload is serialised once, whoever they are for. */
    function copy(
      direction: CarbonDirection,
      packet: Packet,
      account: Jid,
      targets: readonly Session[],
      speakers: readonly Session[],
    ): void {
      const { el, from, to } = packet
      const isSent = direction === 'sent'
      const original = el.withAttrs({ from: from.toString(), to: to.toString() })
      const recipients = targets.map(({ jid }) => jid)
      ctx.fanOut([{ el: carbonCopy(direction, original), from: account, recipients }])
      copies.value += targets.length
      const key = keyOf(isSent ? to : from, el)
      if (key === undefined) return
      for (const speaker of speakers) speaker.slots.get(spoken).add(key)
      if (!isSent) for (const target of targets) standIns.copied(target, key)
    }

    function answers({ el }: Packet, peer: Jid, speakers: readonly Session[]): boolean {
      if (el.attr('type') !== 'error') return false
      const key = keyOf(peer, el)
      return key !== undefined && speakers.some((speaker) => speaker.slots.peek(spoken)?.has(key) === true)
    }

    // §8, when nobody objects to the message.
    ctx.on(
      'stanza:sent',
      (packet, session): undefined => {
        const { from, to } = packet
        if (!isUsed || (to.local === from.local && to.domain === from.domain)) return
        const all = sessions.ofAccount(from.domain, from.local)
        if (all.length < 2) return
        const targets = all.filter((other) => isEnabled(other) && !other.jid.equals(from))
        if (targets.length === 0) return
        const speakers = [session]
        if (!isEligible(packet.el, 'sent', to, answers(packet, to, speakers))) return
        copy('sent', packet, from.bare, targets, speakers)
      },
      { kinds: ['message'], phase: 'late' },
    )

    // §7, when it is known who had the message. Those that are enabled had their copies when it was told the first time.
    ctx.on('message:outcome', ({ packet, sessions: takers, offline }) => {
      if (!isUsed || packet.wasTaken || (takers.length === 0 && !offline)) return
      const { from, to } = packet
      const all = sessions.ofAccount(to.domain, to.local)
      if (all.length <= takers.length) return
      const targets = all.filter(
        (other) =>
          isEnabled(other) &&
          !takers.includes(other) &&
          !other.jid.equals(from) &&
          (!offline || (other.isAvailable && other.takesMessages)),
      )
      if (targets.length === 0) return
      if (!isEligible(packet.el, 'received', from, answers(packet, from, takers))) return
      copy('received', packet, to.bare, targets, takers)
    })

    // §10.3: a copy that fails is for nobody else.
    ctx.on('message:astray', (packet, { session }): Verdict | undefined => {
      if (!isUsed) return undefined
      if (isCarbon(packet.el) && packet.from.equals(packet.to.bare)) return standIns.copy(packet, session)
      return session === undefined ? undefined : standIns.original(packet, session)
    })
  },
})
