/**
 * A message whose recipient lost his connection before it left, or never acknowledged it (XEP-0198 §4), is not sent again to a
 * resource that had a copy: the copy stands in for it. When that one is lost too it is what is left of the message, and goes
 * its way (RFC 6121 section 8.5.3.2). So it is with a message that waits in the store and was copied meanwhile.
 */
import type { Astray } from '../../core/hooks.ts'
import type { ModuleContext } from '../../core/module.ts'
import { drop, type Packet, type Verdict, verdictHanded } from '../../core/packet.ts'
import type { Session } from '../../core/session.ts'
import type { Slot } from '../../core/slots.ts'
import { type Jid, parseJid } from '../../jid/jid.ts'
import { readCarbon } from '../../stanza/carbon.ts'
import { isDelayedBy, withDelay } from '../../stanza/delay.ts'
import type { Element } from '../../xml/element.types.ts'
import { copyKeyOf, keysCodec, Recent, recentCodec } from './recent.ts'

/**
 * Copies that one session is known to have had (`carbons_copies_known`): what others have not acknowledged meanwhile must be
 * among them, or it is sent again.
 */
const copiesMax = 512
/** Messages that the copies of one session may stand in for (`carbons_stand_ins`); one more is sent again. */
const standInsMax = 1000

const lost = drop('RTK_CARBONS_UNSENT')

export class StandIns {
  readonly #ctx: Pick<ModuleContext, 'send' | 'sessions'>
  /** What a session had as copies of what others received. */
  readonly #copies: Slot<Recent>
  /** Which of them stand in for the original. */
  readonly #debts: Slot<Set<number>>

  constructor(ctx: Pick<ModuleContext, 'send' | 'sessions' | 'slot'>) {
    this.#ctx = ctx
    this.#copies = ctx.slot('copies', () => new Recent(copiesMax), { kept: recentCodec(copiesMax) })
    this.#debts = ctx.slot('debts', () => new Set<number>(), { kept: keysCodec })
  }

  /** Sessions were sent copies of a message. */
  copied(sessions: readonly Session[], from: Jid, message: Element): void {
    const key = copyKeyOf(from, message)
    if (key === undefined) return
    for (const session of sessions) session.slots.get(this.#copies).add(key)
  }

  /** A message that `session` had taken and lost. */
  original(packet: Packet, session: Session): Verdict | undefined {
    const key = copyKeyOf(packet.from, packet.el)
    return key !== undefined && this.#findHeir(session, key) ? verdictHanded : undefined
  }

  /** As `CopyService`. */
  had(session: Session, from: Jid, message: Element): boolean {
    // Of most sessions nothing is known: what they are handed is not looked into.
    if (session.slots.peek(this.#copies) === undefined) return false
    const key = copyKeyOf(from, message)
    return key !== undefined && this.#had(session, key)
  }

  /** As `CopyService`. */
  standsIn(session: Session, from: Jid, message: Element): boolean {
    const key = copyKeyOf(from, message)
    return key !== undefined && this.#standsIn(session, key)
  }

  /** A copy that `session` had taken and lost, or that came too late for its addressee: it is for nobody else. */
  copy(packet: Packet, { host, session, sentMs }: Astray): Verdict {
    const carbon = session === undefined ? undefined : readCarbon(packet.el)
    if (session === undefined || carbon?.direction !== 'received') return lost
    const { original } = carbon
    const from = parseJid(original.attr('from') ?? '')
    const key = from === undefined ? undefined : copyKeyOf(from, original)
    if (from === undefined || key === undefined) return lost
    if (session.slots.peek(this.#debts)?.delete(key) !== true || this.#findHeir(session, key)) return lost
    const isLate = sentMs !== undefined && !isDelayedBy(original, host.jid)
    const noted = isLate ? withDelay(original, host.jid, new Date(sentMs)) : original
    this.#ctx.send(noted, from, packet.to.bare)
    return lost
  }

  /** Another resource that had a copy: it answers for the message from now on. */
  #findHeir(session: Session, key: number): boolean {
    for (const other of this.#ctx.sessions.ofAccount(session.jid.domain, session.jid.local)) {
      if (other.id !== session.id && this.#standsIn(other, key)) return true
    }
    return false
  }

  #had(session: Session, key: number): boolean {
    return session.slots.peek(this.#copies)?.has(key) === true
  }

  #standsIn(session: Session, key: number): boolean {
    if (!this.#had(session, key)) return false
    const debts = session.slots.get(this.#debts)
    if (debts.size >= standInsMax) return false
    debts.add(key)
    return true
  }
}
