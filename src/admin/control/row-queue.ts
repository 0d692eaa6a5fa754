/** Rows on their way from a connection to a command that reads them, bounded by the pausing of the connection. */
import type { Json } from '../../core/command-result.ts'

export class RowQueue implements AsyncIterable<Json> {
  #rows: Json[] = []
  #isEnded = false
  #wake: (() => void) | undefined = undefined
  readonly #taken: () => void

  /** `taken` is called when rows were taken: the connection may go on. */
  constructor(taken: () => void) {
    this.#taken = taken
  }

  /** Rows that wait. */
  get size(): number {
    return this.#rows.length
  }

  push(row: Json): void {
    if (this.#isEnded) return
    this.#rows.push(row)
    this.#stir()
  }

  /** No rows come any more; those that wait are still given. */
  end(): void {
    this.#isEnded = true
    this.#stir()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Json> {
    for (;;) {
      const rows = this.#rows
      this.#rows = []
      if (rows.length > 0) this.#taken()
      yield* rows
      if (this.#rows.length > 0) continue
      if (this.#isEnded) return
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
  }

  #stir(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
