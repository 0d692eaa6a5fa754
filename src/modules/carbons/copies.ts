/** Who wants copies, and the copies (XEP-0280 §6 to §9). */
import type { Astray, MessageOutcome } from '../../core/hooks.ts'
import type { Counter } from '../../core/metrics.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Packet, Verdict } from '../../core/packet.ts'
import type { Session } from '../../core/session.ts'
import type { Slot, SlotCodec } from '../../core/slots.ts'
import type { Jid } from '../../jid/jid.ts'
import { type CarbonDirection, carbonEnvelope, carbonNote, isCarbon } from '../../stanza/carbon.ts'
import { isEligible } from './eligible.ts'
import { copyKeyOf, keyOf, Recent } from './recent.ts'
import { StandIns } from './stand-ins.ts'

/** Messages of a session that an error may answer (`carbons_spoken`); an error for an older one is not copied. */
const spokenMax = 64

const truth: SlotCodec<boolean> = {
  encode: (value) => value,
  decode: (data) => (typeof data === 'boolean' ? data : undefined),
}

export class Copies {
  readonly #ctx: Pick<ModuleContext, 'fanOut' | 'service' | 'sessions'>
  readonly #enabled: Slot<boolean>
  /** Messages of a session that were copied to others: an error that answers one is copied too (§6.1). */
  readonly #spoken: Slot<Recent>
  readonly standIns: StandIns
  readonly #made: Counter

  constructor(ctx: Pick<ModuleContext, 'fanOut' | 'send' | 'service' | 'sessions' | 'slot'>, made: Counter) {
    this.#ctx = ctx
    this.#enabled = ctx.slot('enabled', () => false, { kept: truth })
    this.#spoken = ctx.slot('spoken', () => new Recent(spokenMax))
    this.standIns = new StandIns(ctx)
    this.#made = made
  }

  isEnabled(session: Session): boolean {
    return session.slots.peek(this.#enabled) === true
  }

  enable(session: Session): void {
    session.slots.set(this.#enabled, true)
  }

  /** What it had already may stand in for the original as before. */
  disable(session: Session): void {
    session.slots.set(this.#enabled, undefined)
  }

  /** §8: a client has sent it, whether it wants copies itself or not. The message goes its way. */
  sent(packet: Packet, session: Session): undefined {
    const { from, to } = packet
    // What an account sends to itself is copied once, when it is delivered.
    if (to.local === from.local && to.domain === from.domain) return undefined
    const all = this.#ctx.sessions.ofAccount(from.domain, from.local)
    if (all.length < 2) return undefined
    const targets = all.filter((other) => this.isEnabled(other) && !other.jid.equals(from))
    if (targets.length === 0) return undefined
    const speakers = [session]
    if (isEligible(packet.el, 'sent', to, this.#answers(packet, to, speakers)))
      this.#copy('sent', packet, from.bare, targets, speakers)
    return undefined
  }

  /**
   * §7: it was delivered. When it is told once more, those who wanted copies had theirs the first time. What waits in the store
   * is copied to those whom the store will not hand it to.
   */
  delivered({ packet, sessions: takers, offline }: MessageOutcome): void {
    if (packet.wasTaken || (takers.length === 0 && !offline)) return
    const { from, to } = packet
    const all = this.#ctx.sessions.ofAccount(to.domain, to.local)
    if (all.length <= takers.length) return
    const privacy = this.#ctx.service('privacy')
    const targets = all.filter(
      (other) =>
        this.isEnabled(other) &&
        // XEP-0016 §2.2 rule 1: what its own list stops does not come as a copy.
        privacy?.screen(other)?.passes('message-in', from) !== false &&
        !takers.includes(other) &&
        !other.jid.equals(from) &&
        (!offline || (other.isAvailable && other.takesMessages)),
    )
    if (targets.length === 0) return
    if (!isEligible(packet.el, 'received', from, this.#answers(packet, from, takers))) return
    this.#copy('received', packet, to.bare, targets, takers)
  }

  /** §10.3: a copy that fails is for nobody else. */
  astray(packet: Packet, event: Astray): Verdict | undefined {
    if (isCarbon(packet.el) && packet.from.equals(packet.to.bare)) return this.standIns.copy(packet, event)
    return event.session === undefined ? undefined : this.standIns.original(packet, event.session)
  }

  /** The copies of one message: its payload is serialised once, whoever they are for. */
  #copy(
    direction: CarbonDirection,
    packet: Packet,
    account: Jid,
    targets: readonly Session[],
    speakers: readonly Session[],
  ): void {
    const { el, from, to } = packet
    const isSent = direction === 'sent'
    const recipients = targets.map(({ jid }) => jid)
    const note = carbonNote(direction, el, from, to)
    this.#ctx.fanOut([{ el: carbonEnvelope(el), from: account, recipients, note }])
    this.#made.value += targets.length
    const key = keyOf(isSent ? to : from, el)
    if (key === undefined) return
    for (const speaker of speakers) speaker.slots.get(this.#spoken).add(key)
    if (!isSent) this.standIns.copied(targets, copyKeyOf(key, el))
  }

  #answers({ el }: Packet, peer: Jid, speakers: readonly Session[]): boolean {
    if (el.attr('type') !== 'error') return false
    const key = keyOf(peer, el)
    return key !== undefined && speakers.some((speaker) => speaker.slots.peek(this.#spoken)?.has(key) === true)
  }
}
