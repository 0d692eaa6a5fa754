/** The largest of many, without sorting all of them: a table of 100,000 must not hold the event loop. */

export class Best<T> {
  readonly #most: number
  /** Largest first. */
  readonly #kept: { readonly size: number; readonly of: T }[] = []

  /** Keeps at most so many. */
  constructor(most: number) {
    this.#most = most
  }

  /** True when something of this size would be kept now. Nothing of size 0 is. */
  takes(size: number): boolean {
    if (!(size > 0)) return false
    return this.#kept.length < this.#most || size > (this.#kept.at(-1)?.size ?? 0)
  }

  /** Of the same size, the earlier one is kept. */
  add(size: number, of: T): void {
    if (!this.takes(size)) return
    let low = 0
    for (let high = this.#kept.length; low < high; ) {
      const middle = (low + high) >> 1
      if ((this.#kept[middle]?.size ?? 0) < size) high = middle
      else low = middle + 1
    }
    this.#kept.splice(low, 0, { size, of })
    if (this.#kept.length > this.#most) this.#kept.pop()
  }

  get list(): readonly T[] {
    return this.#kept.map(({ of }) => of)
  }
}
