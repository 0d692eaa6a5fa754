/**
 * How far the way of the undeliverable has come with what a session left that outlives the process (durable.ts): so that a
 * server that is killed meanwhile goes on there, and settles nothing twice.
 */

/** As plain data; what was sent to the session has places, counted from 0. */
export interface SettlingNote {
  /** Places behind the first open one that are settled all the same. */
  readonly passed: readonly number[]
  readonly copies: SettlingCopies | null
}

/** What of it a store keeps that hands it over by itself (hand-over.ts). */
export interface SettlingCopies {
  /** Their places, from `first` to before `last`; they are passed over. */
  readonly first: number
  readonly last: number
  /** Up to this mark (`Batch.marks`) all had left, and may be in the store still; 0: nothing. */
  readonly leftMark: number
}

export class Settling {
  copies: SettlingCopies | undefined
  /** Place of the next to be read. */
  #next: number
  /** Places of those whose end nobody knows yet, ascending. */
  readonly #open: number[] = []
  /** Ascending. */
  #passed: readonly number[]
  #isRead = false
  readonly #changed: (self: Settling, isNow: boolean) => void

  /**
   * `first`: all before this place are settled. `changed`: something came to its end; `isNow`: by a write that was asked for just
   * now, in this turn.
   */
  constructor(first: number, note: SettlingNote, changed: (self: Settling, isNow: boolean) => void) {
    this.#next = first
    this.#passed = note.passed
    this.copies = note.copies ?? undefined
    this.#changed = changed
  }

  /** All before this place are settled. */
  get place(): number {
    return this.#open[0] ?? this.#next
  }

  get note(): SettlingNote {
    return { passed: this.#passed, copies: this.copies ?? null }
  }

  /** Nothing is left of it, and nothing is to be removed. */
  get isOver(): boolean {
    return this.#isRead && this.#open.length === 0 && (this.copies?.leftMark ?? 0) === 0
  }

  /** One more is read. Returns its place. */
  begins(): number {
    const place = this.#next++
    this.#open.push(place)
    return place
  }

  /** It is settled already, or somebody else's. */
  isPassed(place: number): boolean {
    const { copies } = this
    return (copies !== undefined && place >= copies.first && place < copies.last) || this.#passed.includes(place)
  }

  /** It is settled; `isNow`: by a write that was asked for just now. Each may be said again. */
  ends(place: number, isNow = false): void {
    const at = this.#open.indexOf(place)
    if (at < 0) return
    this.#open.splice(at, 1)
    const before = this.place
    const passed = this.#passed.filter((other) => other > before)
    this.#passed = place > before && !passed.includes(place) ? [...passed, place] : passed
    this.#changed(this, isNow)
  }

  /** What had left is removed, by a write that was asked for just now. */
  removed(): void {
    if (this.copies !== undefined) this.copies = { ...this.copies, leftMark: 0 }
    this.#changed(this, true)
  }

  /** That was the last. */
  isAtEnd(): void {
    this.#isRead = true
    this.#changed(this, false)
  }
}
