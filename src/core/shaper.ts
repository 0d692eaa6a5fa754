/**
 * A token bucket as arithmetic (requirements LST-11): it neither waits nor owns a timer. Whoever reads tells it how many
 * bytes came and pauses his transport for the answer.
 */

/**
 * A stanza is charged as so many bytes at least: each is an element, an event and a decision, however small, so a flood of the
 * smallest would cost far more CPU a byte than any other input (src/xml/cost.test.ts).
 */
export const leastStanzaBytes = 128

export class Shaper {
  #rate: number
  #burst: number
  /** Bytes that may pass now; negative while a delay runs. */
  #tokens: number
  #lastMs: number

  /** `rate` in bytes a second, `burst` in bytes; Infinity for no shaping. `nowMs` is monotonic. Throws a RangeError. */
  constructor(rate: number, burst: number, nowMs: number) {
    check(rate, burst)
    this.#rate = rate
    this.#burst = burst
    this.#tokens = burst
    this.#lastMs = nowMs
  }

  /**
   * Takes bytes that have arrived and tells for how many milliseconds nothing more may be read; 0 for none. Over time
   * at most `burst + rate × t` bytes pass, and what a chunk takes too much is paid back by the delay after it.
   */
  take(bytes: number, nowMs: number): number {
    if (this.#rate === Number.POSITIVE_INFINITY) return 0
    this.#refill(nowMs)
    this.#tokens -= bytes
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1_000) / this.#rate
  }

  /** Other figures from now on, as a reload or a sign-in gives them. What is owed stays owed. Throws a RangeError. */
  change(rate: number, burst: number, nowMs: number): void {
    check(rate, burst)
    this.#refill(nowMs)
    if (this.#rate === Number.POSITIVE_INFINITY) this.#tokens = burst
    this.#rate = rate
    this.#burst = burst
    if (this.#tokens > burst) this.#tokens = burst
  }

  #refill(nowMs: number): void {
    const passed = nowMs - this.#lastMs
    if (passed <= 0) return
    this.#lastMs = nowMs
    const tokens = this.#tokens + (passed * this.#rate) / 1_000
    this.#tokens = tokens > this.#burst ? this.#burst : tokens
  }
}

function check(rate: number, burst: number): void {
  if (!(rate > 0) || !(burst >= 0)) throw new RangeError(`a shaper of ${rate} bytes/s with a burst of ${burst} bytes`)
}
