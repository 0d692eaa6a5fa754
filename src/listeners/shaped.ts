/**
 * Traffic shaping (features.md LST-11): a token bucket in front of a connection. What comes too fast holds the
 * connection, so that the peer feels back-pressure and no memory grows.
 */
import type { ValueRule } from '../core/access.ts'
import type { Shaping } from '../core/config/option.ts'
import type { Counter } from '../core/metrics.ts'
import { Shaper } from '../core/shaper.ts'
import type { Clock } from '../world/clock.types.ts'
import type { TransportHandler } from '../world/net.types.ts'

/** A connection that can be held. */
export interface Holdable extends TransportHandler {
  hold(): void
  release(): void
}

/** The connection itself where nothing shapes it: no cost. */
export function shaped(
  connection: Holdable,
  rule: ValueRule<Shaping>,
  address: string,
  clock: Clock,
  holds: Counter,
): TransportHandler {
  const { rate, burst } = rule.valueFor({ address })
  return Number.isFinite(rate)
    ? new ShapedHandler(connection, new Shaper(rate, burst, clock.monoMs()), clock, holds)
    : connection
}

class ShapedHandler implements TransportHandler {
  readonly #inner: Holdable
  readonly #shaper: Shaper
  readonly #clock: Clock
  readonly #holds: Counter
  #isClosed = false

  constructor(inner: Holdable, shaper: Shaper, clock: Clock, holds: Counter) {
    this.#inner = inner
    this.#shaper = shaper
    this.#clock = clock
    this.#holds = holds
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    const waitMs = this.#shaper.take(end - start, this.#clock.monoMs())
    this.#inner.data(bytes, start, end)
    if (waitMs <= 0) return
    this.#holds.value++
    this.#inner.hold()
    this.#clock.after(waitMs, (self: ShapedHandler) => self.#isClosed || self.#inner.release(), this)
  }

  drained(): void {
    this.#inner.drained()
  }
  secured(tls: Parameters<TransportHandler['secured']>[0]): void {
    this.#inner.secured(tls)
  }
  ended(): void {
    this.#inner.ended()
  }
  closed(cause: Parameters<TransportHandler['closed']>[0]): void {
    this.#isClosed = true
    this.#inner.closed(cause)
  }
}
