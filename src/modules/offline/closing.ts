/**
 * The end of a hand-over to which others keep adding. What they send is kept behind what is handed over, so as long as they do there
 * is more of it. When it has caught up with them, they wait until the last has left; from then on the session takes what comes.
 */
import type { MessageHold } from '../../core/message-holds.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'

/** Pages with what came meanwhile that are handed over before anybody waits: mostly that is all. */
const chasedMax = 2

/** Milliseconds from one that took too long to the next: a client who reads slowly slows nobody for more than a tenth of the time. */
export const closingPauseMs = 10_000

export class Closing {
  readonly #ctx: Pick<ModuleContext, 'clock' | 'holdMessages'>
  /** Who takes messages when it is done; the first is who is handed what was kept. */
  readonly #takers: readonly [Session, ...Session[]]
  #hold: MessageHold | undefined
  #chased = 0
  #notBeforeMs = 0

  constructor(ctx: Pick<ModuleContext, 'clock' | 'holdMessages'>, takers: readonly [Session, ...Session[]]) {
    this.#ctx = ctx
    this.#takers = takers
  }

  /** Asked whenever nothing is left but what came meanwhile. True: it begins with this, and what comes from now on waits. */
  begins(): boolean {
    if (this.#hold !== undefined) {
      if (!this.#hold.isOver) return false
      this.#hold = undefined
      this.#notBeforeMs = this.#ctx.clock.monoMs() + closingPauseMs
    }
    if (++this.#chased <= chasedMax || this.#ctx.clock.monoMs() < this.#notBeforeMs) return false
    const hold = this.#ctx.holdMessages(this.#takers[0].jid.bare)
    if (hold.isOver) return false
    this.#hold = hold
    return true
  }

  /** Nothing is before the next message: that, and what waited, is theirs. */
  succeeds(): void {
    const now = this.#ctx.clock.wallMs()
    for (const session of this.#takers) session.takeMessages(now)
    this.end()
  }

  /** What waited is handled now. */
  end(): void {
    this.#hold?.release()
    this.#hold = undefined
  }
}
