/** Stanzas that a store keeps until they have left for their client (DESIGN.md section 9, *kept*). */
import type { Octets } from '../xml/octets.ts'

export class Batch {
  readonly stanzas: readonly Octets[]
  /**
   * By what whoever keeps them knows each, above 0: a journal remembers which it has (ledger.ts), so that with the next process
   * the hand-over goes on. Empty: nobody does.
   */
  readonly marks: readonly number[]
  /** Of a hand-over that goes on: the mark up to which all had left, which may be in the store still; 0: nothing had. */
  readonly leftMark: number
  /** How many the session has taken. */
  written = 0
  #failed = 0
  /** Resolves with how many of them have left, the first of them in order. */
  readonly done: Promise<number>
  readonly #resolve: (count: number) => void
  isDone = false
  /** Told when what has left is removed. */
  whenRemoved: (() => void) | undefined

  constructor(stanzas: readonly Octets[], marks: readonly number[] = [], leftMark = 0) {
    this.stanzas = stanzas
    this.marks = marks
    this.leftMark = leftMark
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

  /** Whoever keeps them has asked his store, in this turn and just now, to remove what has left: it needs no mark any more. */
  removed(): void {
    this.whenRemoved?.()
    this.whenRemoved = undefined
  }

  #end(count: number): void {
    this.isDone = true
    this.#resolve(Math.max(0, count))
  }
}
