/**
 * Traffic shaping (requirements LST-11): a token bucket in front of a connection. What comes too fast holds the
 * connection, so that the peer feels back-pressure and no memory grows.
 */
import type { Subject, ValueRule } from '../core/access.ts'
import type { Shaping } from '../core/config/option.ts'
import type { Counter } from '../core/metrics.ts'
import { leastStanzaBytes, Shaper } from '../core/shaper.ts'
import type { Clock } from '../world/clock.types.ts'
import type { Transport, TransportHandler } from '../world/net.types.ts'

/** A connection that can be held. */
export interface Holdable extends TransportHandler {
  /** Stanzas handled so far. */
  readonly stanzas: number
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

/**
 * Asks the rule once more, now that it is known whose connection this is. What was owed until then stays owed; a connection that
 * nothing shaped begins with a full burst.
 */
export function shapeAgain(
  transport: Pick<Transport, 'handler'>,
  connection: Holdable,
  rule: ValueRule<Shaping>,
  subject: Subject,
  clock: Clock,
  holds: Counter,
): void {
  if (rule.lines.length === 0) return
  const { rate, burst } = rule.valueFor(subject)
  const { handler } = transport
  if (handler instanceof ShapedHandler) handler.change(rate, burst)
  else if (Number.isFinite(rate)) {
    transport.handler = new ShapedHandler(connection, new Shaper(rate, burst, clock.monoMs()), clock, holds)
  }
}

class ShapedHandler implements TransportHandler {
  readonly #inner: Holdable
  readonly #shaper: Shaper
  readonly #clock: Clock
  readonly #holds: Counter
  /** Stanzas that were charged, or that came before. */
  #charged: number
  #isClosed = false

  constructor(inner: Holdable, shaper: Shaper, clock: Clock, holds: Counter) {
    this.#inner = inner
    this.#shaper = shaper
    this.#clock = clock
    this.#holds = holds
    this.#charged = inner.stanzas
  }

  change(rate: number, burst: number): void {
    this.#shaper.change(rate, burst, this.#clock.monoMs())
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#inner.data(bytes, start, end)
    // Those of an earlier read whose turn came since then are among them.
    const stanzas = this.#inner.stanzas - this.#charged
    this.#charged += stanzas
    const waitMs = this.#shaper.take(Math.max(end - start, stanzas * leastStanzaBytes), this.#clock.monoMs())
    if (waitMs <= 0 || this.#isClosed) return
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
