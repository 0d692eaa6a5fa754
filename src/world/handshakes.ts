/**
 * How many TLS handshakes begin in one turn of the event loop. Each costs some 0.4 ms inside a read, and libuv hands over
 * all that is ready before the loop goes round: without a bound 1,000 clients at once keep everybody else, timers and the
 * store's answers waiting for hundreds of milliseconds. The others begin in the turns that follow, first come first
 * served; meanwhile their bytes wait in the kernel. Nobody is refused, so this is a pace and no limit.
 */
import type { TurnEnd } from './turn.ts'

export const HANDSHAKES_A_TURN = 8

export class Handshakes {
  readonly #turn: Pick<TurnEnd, 'soon'>
  readonly #waiting: (() => void)[] = []
  #begun = 0

  constructor(turn: Pick<TurnEnd, 'soon'>) {
    this.#turn = turn
  }

  /** Those that wait for a later turn. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** Calls `begin` at once, or in a later turn when enough have begun in this one. */
  begin(begin: () => void): void {
    if (this.#begun < HANDSHAKES_A_TURN && this.#waiting.length === 0) this.#start(begin)
    else this.#waiting.push(begin)
  }

  #start(begin: () => void): void {
    // Asked for first, so that one that throws does not stop those behind it.
    if (this.#begun++ === 0) this.#turn.soon(nextTurn, this)
    begin()
  }

  next(): void {
    this.#begun = 0
    while (this.#begun < HANDSHAKES_A_TURN) {
      const begin = this.#waiting.shift()
      if (begin === undefined) return
      this.#start(begin)
    }
  }
}

function nextTurn(handshakes: Handshakes): void {
  handshakes.next()
}
