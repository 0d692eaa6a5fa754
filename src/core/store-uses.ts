/**
 * Which store definitions are in use, and by whom. The store's front replaces a definition by a later one of its name;
 * here two that live at once are refused, so that no module takes another's store away.
 */
import type { StoreDefinition } from '../store/define.ts'

/** A store is in use with another definition, by another module or by the same one in another host type. */
export class StoreTaken extends Error {
  readonly code = 'RTK_STORE_TAKEN'

  constructor(name: string, holder: string, asker: string) {
    const hint = holder === asker ? ': define it once, at the top of the file, not in setup' : ''
    super(`the store '${name}' belongs to ${holder}, so ${asker} cannot open another of this name${hint}`)
    this.name = 'StoreTaken'
  }
}

interface Use {
  readonly definition: StoreDefinition
  readonly holder: string
  count: number
}

export class StoreUses {
  readonly #uses = new Map<string, Use>()

  /** Throws `StoreTaken`. Returns the end of the use. */
  enter(definition: StoreDefinition, holder: string): () => void {
    const { name } = definition
    const known = this.#uses.get(name)
    if (known !== undefined && (known.definition !== definition || known.holder !== holder)) {
      throw new StoreTaken(name, known.holder, holder)
    }
    const use = known ?? { definition, holder, count: 0 }
    use.count++
    this.#uses.set(name, use)
    let isIn = true
    return () => {
      if (!isIn) return
      isIn = false
      use.count--
      if (use.count === 0) this.#uses.delete(name)
    }
  }
}
