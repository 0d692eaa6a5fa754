/** Byte strings, first in, first out. Nothing is allocated before the first, and little is kept behind the last. */
import { type Octets, own } from '../xml/octets.ts'

const leastSlots = 8
/** A ring with more slots than this is let go when it is empty. */
const keptSlots = 64

export class OctetsRing {
  /** A power of two of them. */
  #slots: (Octets | undefined)[] | undefined
  #head = 0
  /** How many, from the oldest on, share no memory with what they were cut from. */
  #owned = 0
  length = 0
  /** Of all of them. */
  bytes = 0

  push(bytes: Octets): void {
    let slots = this.#slots
    if (slots === undefined || this.length === slots.length) slots = this.#grow()
    slots[(this.#head + this.length) & (slots.length - 1)] = bytes
    this.length++
    this.bytes += bytes.length
  }

  /** Of 0 (the oldest) to `length` - 1. */
  at(index: number): Octets {
    const slots = this.#slots
    const found = slots?.[(this.#head + index) & (slots.length - 1)]
    if (found === undefined || index >= this.length) throw new RangeError(`${index} of ${this.length}`)
    return found
  }

  /** Lets the oldest go; returns how many bytes they had. */
  drop(count: number): number {
    const slots = this.#slots
    if (slots === undefined) return 0
    const before = this.bytes
    for (let i = 0; i < count; i++) {
      this.bytes -= this.at(0).length
      slots[this.#head] = undefined
      this.#head = (this.#head + 1) & (slots.length - 1)
      this.length--
    }
    this.#owned = Math.max(0, this.#owned - count)
    if (this.length === 0 && slots.length > keptSlots) this.release()
    return before - this.bytes
  }

  /** Those that have not been are copied, so that none keeps alive what it was cut from. */
  own(): void {
    const slots = this.#slots
    if (slots === undefined) return
    for (let i = this.#owned; i < this.length; i++) {
      const at = (this.#head + i) & (slots.length - 1)
      slots[at] = own(slots[at] as Octets)
    }
    this.#owned = this.length
  }

  /** How many may still share memory with what they were cut from. */
  get foreign(): number {
    return this.length - this.#owned
  }

  /** An empty ring gives its memory back. */
  release(): void {
    if (this.length > 0) return
    this.#slots = undefined
    this.#head = 0
  }

  #grow(): (Octets | undefined)[] {
    const old = this.#slots
    const slots = new Array<Octets | undefined>(old === undefined ? leastSlots : 2 * old.length)
    for (let i = 0; i < this.length; i++) slots[i] = this.at(i)
    this.#slots = slots
    this.#head = 0
    return slots
  }
}
