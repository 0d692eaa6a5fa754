/** What a journal remembers of a batch that a session was handed (hand-over.ts), so that the hand-over outlives the process. */
import type { Batch } from './hand-over.ts'
import type { SettlingCopies } from './settling.ts'

/** From `place` on the session has these (`Batch.marks`); what was before up to `leftMark` has left, and may be in the store. */
export interface BatchNote {
  readonly place: number
  readonly marks: readonly number[]
  readonly leftMark: number
}

/** What of it is left when all before this place were acknowledged. */
export function leftOf({ place, marks, leftMark }: BatchNote, acknowledged: number): BatchNote {
  const left = Math.min(Math.max(0, acknowledged - place), marks.length)
  return { place: place + left, marks: marks.slice(left), leftMark: marks[left - 1] ?? leftMark }
}

/** A batch whose store may have what has left of it still. */
export class NotedBatch {
  readonly #batch: Batch
  readonly #place: number

  /** Undefined when whoever keeps its stanzas gave no marks. `removed`: the store is asked to remove what has left. */
  static of(batch: Batch, place: number, removed: () => void): NotedBatch | undefined {
    if (batch.marks.length === 0 && batch.leftMark === 0) return undefined
    batch.whenRemoved = removed
    return new NotedBatch(batch, place)
  }

  private constructor(batch: Batch, place: number) {
    this.#batch = batch
    this.#place = place
  }

  get note(): BatchNote {
    const { marks, written, leftMark } = this.#batch
    return { place: this.#place, marks: marks.slice(0, written), leftMark }
  }

  /** The session ends: `removed` is told from now on. */
  settles(acknowledged: number, removed: () => void): SettlingCopies {
    this.#batch.whenRemoved = removed
    const { place, marks, leftMark } = leftOf(this.note, acknowledged)
    return { first: place, last: place + marks.length, leftMark }
  }
}
