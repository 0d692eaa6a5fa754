/** Stanzas that a store keeps until they have left for their client (DESIGN.md section 9, *kept*). */
import type { Octets } from '../xml/octets.ts'

export class Batch {
  readonly stanzas: readonly Octets[]
  /** How many the session has taken. */
  written = 0
  #failed = 0
  /** Resolves with how many of them have left, the first of them in order. */
  readonly done: Promise<number>
  readonly #resolve: (count: number) => void
  isDone = false

  constructor(stanzas: readonly Octets[]) {
    this.stanzas = stanzas
    const { promise, resolve } = Promise.withResolvers<number>()
    this.done = promise
    this.#resolve = resolve
  }

  /** All that was written has left. */
  drained(): void {
    this.#end(this.written)
  }

  /** True when it is one of these, which has not left. Told in order, so those before it have. */
  failed(bytes: Octets): boolean {
    if (this.isDone || !this.stanzas.includes(bytes)) return false
    this.#failed++
    return true
  }

  /** The link is gone, and `failed` was told what has not left. */
  ended(): void {
    this.#end(this.written - this.#failed)
  }

  #end(count: number): void {
    this.isDone = true
    this.#resolve(Math.max(0, count))
  }
}
