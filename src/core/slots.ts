/** Session data of modules: typed slots that a module declares, no bag of fields (DESIGN.md section 6). */

import type { Json } from './command-result.ts'

/**
 * How the value of a slot travels when its session moves. The data may have been written by another version of the
 * module: what `decode` does not know it answers with undefined, and the session does not move.
 */
export interface SlotCodec<T> {
  encode(value: T): Json
  decode(data: Json): T | undefined
}

/** A place that one module owns in every session. Made by `SlotRegistry.declare` (through a module's context). */
export interface Slot<T> {
  readonly name: string
  readonly index: number
  /** The value survives a move of the session, as this data; undefined: it begins anew. */
  readonly kept: SlotCodec<T> | undefined
  readonly initial: () => T
}

export class SlotRegistry {
  readonly #slots: Slot<unknown>[] = []

  get count(): number {
    return this.#slots.length
  }

  /** All slots, in order of declaration. */
  get all(): readonly Slot<unknown>[] {
    return this.#slots
  }

  /** The same name gives the same place: a reloaded module finds its data again. */
  declare<T>(name: string, initial: () => T, kept?: SlotCodec<T>): Slot<T> {
    const known = this.#slots.find((slot) => slot.name === name)
    const slot: Slot<T> = { name, index: known?.index ?? this.#slots.length, kept, initial }
    // The new `initial` replaces the old one, which belongs to a module that was unloaded, or to another host type.
    this.#slots[slot.index] = slot as Slot<unknown>
    return slot
  }
}

/** The values of one session; nothing is allocated until the first slot is written. */
export class SlotValues {
  #values: unknown[] | undefined

  /** The value, undefined when it was never set. Costs no allocation. */
  peek<T>(slot: Slot<T>): T | undefined {
    return this.#values?.[slot.index] as T | undefined
  }

  get<T>(slot: Slot<T>): T {
    const found = this.#values?.[slot.index]
    if (found !== undefined) return found as T
    const value = slot.initial()
    this.set(slot, value)
    return value
  }

  set<T>(slot: Slot<T>, value: T | undefined): void {
    this.#values ??= []
    this.#values[slot.index] = value
  }
}
