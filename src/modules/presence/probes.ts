/** RFC 6121 sections 4.3.2 and 4.6.6: probes to accounts of this server. */
import type { Host } from '../../core/host.ts'
import type { ModuleContext } from '../../core/module.ts'
import { type Packet, type Verdict, verdictHanded } from '../../core/packet.ts'
import { type RosterItems, type RosterService, sees } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/jid.ts'
import { delayNote } from '../../stanza/delay.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import type { WrittenChild } from '../../xml/serialise.ts'
import { unavailable } from './departures.ts'
import type { DirectedPresence } from './directed.ts'
import { availableOf, type Privacy, withItems } from './sight.ts'

/** Section 4.3.2: no more than that the resource is there. */
const mere: Element = x('presence', NS_CLIENT)

export class Probes {
  readonly #ctx: Pick<ModuleContext, 'fanOut' | 'sessions'>
  readonly #roster: RosterService
  readonly #directed: DirectedPresence
  readonly #privacy: Privacy

  constructor(
    ctx: Pick<ModuleContext, 'fanOut' | 'sessions'>,
    roster: RosterService,
    directed: DirectedPresence,
    privacy: Privacy,
  ) {
    this.#ctx = ctx
    this.#roster = roster
    this.#directed = directed
    this.#privacy = privacy
  }

  /** The roster of an account that does not exist is empty, so that nobody can tell it from one he may not see. */
  received(packet: Packet, host: Host): Verdict | Promise<Verdict> {
    return withItems(this.#roster, host, packet.to.local, (items): Verdict => {
      this.#answer(packet, items)
      return verdictHanded
    })
  }

  #answer(packet: Packet, items: RosterItems): void {
    const { from, to } = packet
    const there = availableOf(this.#ctx.sessions, to.domain, to.local).filter((other) => this.#isShown(other, from))
    if (!from.bare.equals(to.bare) && !sees(items, from)) {
      this.#answerStranger(packet)
    } else if (!to.isBare) {
      this.#send(packet, there.some((other) => other.jid.equals(to)) ? mere : mirrored(packet, unavailable), to)
    } else if (there.length === 0) {
      this.#send(packet, mirrored(packet, unavailable), to)
    } else {
      for (const { jid, presence, presenceMs } of there)
        if (presence !== undefined) this.#send(packet, presence, jid, delayNote(jid, presenceMs))
    }
  }

  /** Who got directed presence may know of that one resource; anybody else has no subscription (rule 1). */
  #answerStranger(packet: Packet): void {
    const { from, to } = packet
    const told = this.#ctx.sessions
      .ofAccount(to.domain, to.local)
      .filter((other: Session) => (to.isBare || other.jid.equals(to)) && this.#directed.isKnownTo(other, from))
      .filter((other) => this.#isShown(other, from))
    for (const other of told) this.#send(packet, mere, other.jid)
    if (told.length > 0) return
    const refusal = mirrored(packet, x('presence', NS_CLIENT, { type: 'unsubscribed' }))
    this.#ctx.fanOut([{ el: refusal, from: to.bare, recipients: [from.bare] }])
  }

  /** XEP-0016 §2.11: a resource that hides itself is not there. */
  #isShown(session: Session, asker: Jid): boolean {
    return this.#privacy()?.screen(session)?.passes('presence-out', asker) !== false
  }

  /** As a fan-out, because an answer must not overtake what the resource has broadcast. */
  #send(packet: Packet, el: Element, from: Packet['to'], note?: WrittenChild): void {
    this.#ctx.fanOut([{ el, from, recipients: [packet.from], note }])
  }
}

/** Section 4.3.2.1: an answer of the server itself carries the probe's id. */
function mirrored(packet: Packet, el: Element): Element {
  return el.withAttrs({ id: packet.el.attr('id') })
}
