/**
 * Fan-out: one stanza to many (presence, later rooms and pubsub). The payload is serialised once for all copies; only
 * the start tag is made anew. Copies to local sessions that no filter wants to see cost no packet.
 */
import type { Jid } from '../jid/jid.ts'
import { messageType, type StanzaKind } from '../stanza/stanza.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Element } from '../xml/element.types.ts'
import { parseOctets } from '../xml/parse.ts'
import { StanzaTemplate, type WrittenChild } from '../xml/serialise.ts'
import type { Concern } from './hook-table.ts'
import type { LocalHost } from './local-host.ts'
import type { Counter } from './metrics.ts'
import { Packet } from './packet.ts'
import type { Router } from './router.ts'
import type { SessionTable } from './session-table.ts'

/** Copies that one fan-out makes in a turn (`fan_out_turn_copies`); then others have theirs. */
export const fanOutTurnCopies = 500

export interface FanOutGroup {
  readonly el: Element
  readonly from: Jid
  /** Full or bare JIDs; a bare one of a local account means all its available resources for presence. */
  readonly recipients: readonly Jid[]
  /** A child that all copies have behind the stanza's own, written once. */
  readonly note?: WrittenChild | undefined
}

export interface FanOutNeeds {
  readonly router: Router
  readonly sessions: SessionTable
  readonly clock: Clock
  readonly copies: Counter
  localHost(domain: string): LocalHost | undefined
}

/** One fan-out under way. */
interface Work {
  readonly groups: readonly FanOutGroup[]
  readonly undeliverable: Jid[]
  readonly done: ((undeliverable: readonly Jid[]) => void) | undefined
  group: number
  recipient: number
}

export class FanOut {
  readonly #needs: FanOutNeeds
  /** Those that did not fit into their turn, in order; a later fan-out never overtakes an earlier one. */
  readonly #waiting: Work[] = []

  constructor(needs: FanOutNeeds) {
    this.#needs = needs
  }

  /**
   * Sends each group to its recipients, in order. `done` gets, once, those who could not be reached; where a source
   * keeps an order (more recipients than a turn's copies), it waits for `done`.
   */
  send(groups: readonly FanOutGroup[], done?: (undeliverable: readonly Jid[]) => void): void {
    const work: Work = { groups, undeliverable: [], done, group: 0, recipient: 0 }
    if (this.#waiting.length > 0) this.#waiting.push(work)
    else if (!this.#turn(work)) {
      this.#waiting.push(work)
      this.#later()
    }
  }

  #later(): void {
    this.#needs.clock.soon((self: FanOut) => self.#next(), this)
  }

  #next(): void {
    const work = this.#waiting.shift()
    if (work === undefined) return
    if (!this.#turn(work)) this.#waiting.unshift(work)
    if (this.#waiting.length > 0) this.#later()
  }

  /** Makes a turn's copies. True when the work is done. */
  #turn(work: Work): boolean {
    let copies = 0
    for (; work.group < work.groups.length; work.group++, work.recipient = 0) {
      const group = work.groups[work.group] as FanOutGroup
      const copier = new Copier(this.#needs, group)
      for (; work.recipient < group.recipients.length; work.recipient++) {
        if (copies >= fanOutTurnCopies) return false
        const to = group.recipients[work.recipient] as Jid
        const made = copier.copyTo(to)
        if (made < 0) work.undeliverable.push(to)
        else copies += made
      }
    }
    work.done?.(work.undeliverable)
    return true
  }
}

/** The copies of one group within one turn. */
class Copier {
  readonly #needs: FanOutNeeds
  readonly #group: FanOutGroup
  readonly #template: StanzaTemplate
  readonly #kind: StanzaKind
  /** The host of the last recipient and whether its filters want to see such copies. */
  #domain: string | undefined = undefined
  #host: LocalHost | undefined = undefined
  #isPlain = false
  /** Asked for each copy. */
  readonly #concerns: Concern[] = []

  constructor(needs: FanOutNeeds, group: FanOutGroup) {
    this.#needs = needs
    this.#group = group
    this.#template = new StanzaTemplate(group.el, group.from.octets, group.note)
    this.#kind = group.el.name as StanzaKind
  }

  /** Copies made; -1 when the recipient cannot be reached. */
  copyTo(to: Jid): number {
    if (to.domain !== this.#domain) this.#enter(to.domain)
    if (!this.#isPlain || to.local === '') return this.#copyAsPacket(to)
    const { sessions, copies } = this.#needs
    if (to.resource !== '') {
      const session = sessions.find(to)
      if (session === undefined) return -1
      if (this.#isConcerned(to)) return this.#copyAsPacket(to)
      if (!session.deliverBytes(this.#template.copy(to.octets))) return -1
      copies.value++
      return 1
    }
    if (this.#kind !== 'presence') return this.#copyAsPacket(to)
    const there = sessions.ofAccount(to.domain, to.local)
    if (there.length === 0) return 0
    if (this.#isConcerned(to)) return this.#copyAsPacket(to)
    const bytes = this.#template.copy(to.octets)
    let made = 0
    for (const session of there) {
      if (session.isAvailable && session.deliverBytes(bytes)) made++
    }
    copies.value += made
    return made
  }

  #enter(domain: string): void {
    this.#domain = domain
    const host = this.#needs.localHost(domain)
    this.#host = host
    if (host === undefined) {
      this.#isPlain = false
      return
    }
    const { inbound, eligible, deliver, route } = host.type
    const { el, note } = this.#group
    const kind = this.#kind
    this.#concerns.length = 0
    let wanted = kind === 'message' && messageType(el) === 'error'
    for (const point of [inbound, eligible, deliver, route]) {
      wanted ||= point.wantsSome(kind, el, note)
      point.addConcerns(kind, el, this.#concerns, note)
    }
    this.#isPlain = !wanted
  }

  #isConcerned(to: Jid): boolean {
    for (const concerns of this.#concerns) if (concerns(this.#group.from, to)) return true
    return false
  }

  #noted(): Element {
    const { el, note } = this.#group
    return note === undefined ? el : el.withChild(parseOctets(note.bytes))
  }

  /** The long way: filters, other domains. An error comes back to `from`, as for any packet. */
  #copyAsPacket(to: Jid): number {
    const { router } = this.#needs
    if (this.#host === undefined && router.ownerOf(this.#group.from, to) === undefined) return -1
    router.submit(new Packet(this.#kind, this.#noted(), this.#group.from, to, router.serverOrigin))
    return 1
  }
}
