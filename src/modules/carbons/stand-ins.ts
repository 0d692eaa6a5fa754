/**
 * A message whose recipient lost his connection before it left is not sent again to a resource that had a copy: the copy stands
 * in for it. When that one is lost too it is what is left of the message, and goes its way (RFC 6121 section 8.5.3.2).
 */
import type { ModuleContext } from '../../core/module.ts'
import { drop, type Packet, type Verdict, verdictHanded } from '../../core/packet.ts'
import type { Session } from '../../core/session.ts'
import type { Slot } from '../../core/slots.ts'
import { parseJid } from '../../jid/jid.ts'
import { readCarbon } from '../../stanza/carbon.ts'
import { keyOf, keysCodec, Recent, recentCodec } from './recent.ts'

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
    this.#copies = ctx.slot('copies', () => new Recent(), { kept: recentCodec })
    this.#debts = ctx.slot('debts', () => new Set<number>(), { kept: keysCodec })
  }

  /** The session was sent a copy. */
  copied(session: Session, key: number): void {
    session.slots.get(this.#copies).add(key)
  }

  /** A message that `session` had taken and lost. */
  original(packet: Packet, session: Session): Verdict | undefined {
    const key = keyOf(packet.from, packet.el)
    return key !== undefined && this.#findHeir(session, key) ? verdictHanded : undefined
  }

  /** A copy that `session` had taken and lost, or that came too late for its addressee: it is for nobody else. */
  copy(packet: Packet, session: Session | undefined): Verdict {
    const carbon = session === undefined ? undefined : readCarbon(packet.el)
    if (session === undefined || carbon?.direction !== 'received') return lost
    const { original } = carbon
    const from = parseJid(original.attr('from') ?? '')
    const key = from === undefined ? undefined : keyOf(from, original)
    if (from === undefined || key === undefined) return lost
    if (session.slots.peek(this.#debts)?.delete(key) !== true || this.#findHeir(session, key)) return lost
    this.#ctx.send(original, from, packet.to.bare)
    return lost
  }

  /** Another resource that had a copy: it answers for the message from now on. */
  #findHeir(session: Session, key: number): boolean {
    for (const other of this.#ctx.sessions.ofAccount(session.jid.domain, session.jid.local)) {
      if (other.id === session.id || other.slots.peek(this.#copies)?.has(key) !== true) continue
      const debts = other.slots.get(this.#debts)
      if (debts.size >= standInsMax) continue
      debts.add(key)
      return true
    }
    return false
  }
}
