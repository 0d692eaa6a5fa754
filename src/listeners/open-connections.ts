/** The connections of one protocol, and the wait for their end when the server stops. */
import type { Clock } from '../world/clock.types.ts'

export class OpenConnections<C> {
  readonly #clock: Clock
  readonly #drop: (connection: C) => void
  readonly #open = new Set<C>()
  #whenEmpty: (() => void) | undefined

  /** `drop` ends a connection that does not end by itself, and is to be followed by `delete`. */
  constructor(clock: Clock, drop: (connection: C) => void) {
    this.#clock = clock
    this.#drop = drop
  }

  add(connection: C): void {
    this.#open.add(connection)
  }

  /** It is gone. */
  delete(connection: C): void {
    this.#open.delete(connection)
    if (this.#open.size === 0) this.#whenEmpty?.()
  }

  [Symbol.iterator](): IterableIterator<C> {
    return this.#open.values()
  }

  /** Resolves when all connections are gone; those that linger longer are dropped. */
  async drained(timeoutMs: number): Promise<void> {
    if (this.#open.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#whenEmpty = resolve
    const timer = this.#clock.after(timeoutMs, () => this.#dropAll(), undefined)
    await promise
    timer.cancel()
  }

  #dropAll(): void {
    for (const connection of this.#open) this.#drop(connection)
  }
}
