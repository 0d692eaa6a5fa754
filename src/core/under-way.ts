/**
 * What the modules of one host type have begun and not ended, though nobody waits for it: the modules go when the type's last
 * host is gone, but not before that is over.
 */
import type { Clock } from '../world/clock.types.ts'

/** Milliseconds until it is looked at again. */
const pollMs = 20

export class UnderWay {
  readonly #counts = new Set<() => number>()

  /** What a module counts; returns the removal. */
  enter(count: () => number): () => void {
    // Two registrations of one function are two.
    const own = () => count()
    this.#counts.add(own)
    return () => void this.#counts.delete(own)
  }

  get count(): number {
    let count = 0
    for (const one of this.#counts) count += one()
    return count
  }

  /** Resolves when there is nothing any more. Rejects with what a module's count throws. */
  async settled(clock: Pick<Clock, 'after'>): Promise<void> {
    while (this.count > 0) await new Promise<void>((resolve) => void clock.after(pollMs, resolve, undefined))
  }
}
