/** The connections of one protocol, and the wait for their end when the server stops. */
import type { Clock } from '../world/clock.types.ts'

export class OpenConnections<C> {
  readonly #clock: Clock
  readonly #drop: (connection: C) => void
  readonly #open = new Set<C>()
  #whenEmpty: (() => void) | undefined
  /** Callers of `gone`. */
  readonly #watches = new Set<{ readonly rest: Set<C>; readonly resolve: () => void }>()

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
    for (const { rest, resolve } of this.#watches) if (rest.delete(connection) && rest.size === 0) resolve()
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

  /** The same for some of them. */
  async gone(connections: Iterable<C>, timeoutMs: number): Promise<void> {
    const rest = new Set([...connections].filter((connection) => this.#open.has(connection)))
    if (rest.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const watch = { rest, resolve }
    this.#watches.add(watch)
    const timer = this.#clock.after(timeoutMs, () => this.#dropAll(rest), undefined)
    await promise
    timer.cancel()
    this.#watches.delete(watch)
  }

  #dropAll(connections: ReadonlySet<C> = this.#open): void {
    for (const connection of connections) this.#drop(connection)
  }
}
