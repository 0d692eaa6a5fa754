/** When the stanzas of a ledger were sent, to a beat: one note for all that were sent in the same. */
import type { LedgerBook } from './ledger-book.ts'

export class SentTimes {
  /** Pairs of a stanza's place (acknowledged ones counted) and its time, in milliseconds since 1970. Undefined: none. */
  #pairs: number[] | undefined
  /** The beat of the last note; what comes in the same needs none. */
  beat = -1

  /** `since`: of one that came earlier, in milliseconds since 1970; 0: now. What was before `first` is acknowledged. */
  note(first: number, place: number, book: LedgerBook, since: number): void {
    // What comes behind an older one has a time of its own.
    this.beat = since > 0 ? -1 : book.beat
    this.#pairs ??= []
    const pairs = this.#pairs
    while (pairs.length > 2 && (pairs[2] as number) <= first) pairs.splice(0, 2)
    pairs.push(place, since > 0 ? since : book.wallMs)
  }

  /** Pairs of those from this place on, counted from it. */
  from(first: number): readonly number[] {
    const times: number[] = []
    const all = this.#pairs ?? []
    for (let i = 0; i < all.length; i += 2) {
      const next = all[i + 2]
      if (next !== undefined && next <= first) continue
      times.push(Math.max(0, (all[i] as number) - first), all[i + 1] as number)
    }
    return times
  }

  /** As `from` told them. */
  restore(times: readonly number[], first: number): void {
    this.#pairs = times.length === 0 ? undefined : times.map((one, i) => (i % 2 === 0 ? one + first : one))
  }

  clear(): void {
    this.#pairs = undefined
    this.beat = -1
  }
}
