/** RFC 6121 sections 4.2.2, 4.4.2 and 4.5.2: presence that a client broadcasts. */
import type { ModuleContext } from '../../core/module.ts'
import { drop, type Packet, type Verdict, verdictHanded } from '../../core/packet.ts'
import type { RosterItems, RosterService } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Slot } from '../../core/slots.ts'
import { withoutDelayBy } from '../../stanza/delay.ts'
import { keepStanza } from '../../stanza/keep.ts'
import { presencePriority } from '../../stanza/stanza.ts'
import type { Element } from '../../xml/element.types.ts'
import { broadcast, type Departures } from './departures.ts'
import type { Grants } from './grants.ts'
import type { Greeting } from './greeting.ts'
import { availableOf, type Privacy, shownTo, watchers, withItems } from './sight.ts'

const superseded = drop('RTK_PRESENCE_SUPERSEDED')

export type OwnPresenceContext = Pick<ModuleContext, 'clock' | 'fanOut' | 'sessions' | 'slot' | 'tellAll'>

export class OwnPresence {
  readonly #ctx: OwnPresenceContext
  readonly #roster: RosterService
  readonly #departures: Departures
  readonly #greeting: Greeting
  readonly #grants: Grants
  readonly #privacy: Privacy
  /** Counts a session's broadcasts: one that waited so long that a later one came must not undo it. */
  readonly #turn: Slot<number>
  /** Hand-overs under way. */
  readonly #handOvers: Slot<number>

  constructor(
    ctx: OwnPresenceContext,
    roster: RosterService,
    departures: Departures,
    greeting: Greeting,
    grants: Grants,
    privacy: Privacy,
  ) {
    this.#ctx = ctx
    this.#roster = roster
    this.#departures = departures
    this.#greeting = greeting
    this.#grants = grants
    this.#privacy = privacy
    this.#turn = ctx.slot('turn', () => 0)
    this.#handOvers = ctx.slot('hand-overs', () => 0)
  }

  available(packet: Packet, session: Session): Verdict | Promise<Verdict> {
    return this.#inTurn(session, (items) => this.#available(session, packet.el, items))
  }

  unavailable(packet: Packet, session: Session): Verdict | Promise<Verdict> {
    return this.#inTurn(session, (items) => this.#unavailable(session, packet.el, items))
  }

  #inTurn(session: Session, apply: (items: RosterItems) => Promise<void> | undefined): Verdict | Promise<Verdict> {
    const turn = session.slots.get(this.#turn) + 1
    session.slots.set(this.#turn, turn)
    return withItems(this.#roster, session.host, session.jid.local, (items): Verdict | Promise<Verdict> => {
      if (session.hasEnded || session.slots.get(this.#turn) !== turn) return superseded
      const sent = apply(items)
      return sent === undefined ? verdictHanded : sent.then(() => verdictHanded)
    })
  }

  #available(session: Session, el: Element, items: RosterItems): Promise<void> | undefined {
    this.#departures.complete(session.jid.bare, items)
    const isInitial = !session.isAvailable
    const wasReady = session.isAvailable && session.priority >= 0
    // XEP-0203 §2: who is told of it later is told when it was said, and by nobody else.
    session.presence = keepStanza(withoutDelayBy(el, session.jid))
    session.presenceMs = this.#ctx.clock.wallMs()
    const priority = presencePriority(el) ?? 0
    if (isInitial || priority !== session.priority) session.takesSinceMs = this.#ctx.clock.wallMs()
    session.priority = priority
    const becameReady = session.priority >= 0 && !wasReady
    if (becameReady) session.takesMessages = false
    const own = availableOf(this.#ctx.sessions, session.host.domain, session.jid.local)
    const all = [...watchers(items), ...own.map((other) => other.jid)]
    const screen = this.#privacy()?.screen(session)
    const sent = broadcast(this.#ctx, el, session.jid, shownTo(screen, this.#ctx.sessions, all))
    this.#grants.broadcast(session)
    if (isInitial) this.#greeting.greet(session, items)
    if (becameReady) this.#ready(session)
    return sent
  }

  /**
   * A session that lost its connection in the middle of a hand-over goes on with it: what came meanwhile waits behind what
   * is left of it.
   */
  resumed(session: Session): void {
    if (session.isAvailable && session.priority >= 0 && !session.takesMessages) this.#ready(session)
  }

  /** What waits for the account is handed over in its own time; the client's stanzas need not wait for it. */
  #ready(session: Session): void {
    session.slots.set(this.#handOvers, session.slots.get(this.#handOvers) + 1)
    void this.#ctx.tellAll('presence:ready', session).then(() => {
      const left = session.slots.get(this.#handOvers) - 1
      session.slots.set(this.#handOvers, left)
      if (left === 0 && session.isActive) session.takeMessages(this.#ctx.clock.wallMs())
    })
  }

  /** The client's own resource is told too, as any available one of the account. */
  #unavailable(session: Session, el: Element, items: RosterItems): Promise<void> | undefined {
    if (!session.isAvailable) return this.#departures.leaveDirected(session, el)
    const sent = this.#departures.leave(session, el, items)
    session.presence = undefined
    return sent
  }
}
