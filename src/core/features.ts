/** What disco tells of a host and of its accounts (XEP-0030): modules add, disco reads. */
import type { IqTarget } from './iq.ts'

export interface Identity {
  readonly category: string
  readonly type: string
  readonly name?: string
}

export class FeatureTable {
  readonly #features: Record<IqTarget, Map<string, number>> = { host: new Map(), account: new Map() }
  readonly #identities: Record<IqTarget, readonly Identity[]> = { host: [], account: [] }
  /** Made when somebody asks, until a feature comes or goes. */
  readonly #lists: Record<IqTarget, readonly string[] | undefined> = { host: undefined, account: undefined }

  /** Several modules may add the same feature; it goes with the last. Returns the removal. */
  add(target: IqTarget, feature: string): () => void {
    const features = this.#features[target]
    features.set(feature, (features.get(feature) ?? 0) + 1)
    this.#lists[target] = undefined
    let isIn = true
    return () => {
      if (!isIn) return
      isIn = false
      const left = (features.get(feature) ?? 1) - 1
      if (left === 0) features.delete(feature)
      else features.set(feature, left)
      this.#lists[target] = undefined
    }
  }

  addIdentity(target: IqTarget, identity: Identity): () => void {
    // A copy of its own, so that two who add the same one are told apart.
    const entry = { ...identity }
    this.#identities[target] = [...this.#identities[target], entry]
    return () => {
      this.#identities[target] = this.#identities[target].filter((other) => other !== entry)
    }
  }

  /** Sorted; the same array until a feature comes or goes. */
  list(target: IqTarget): readonly string[] {
    return (this.#lists[target] ??= [...this.#features[target].keys()].sort())
  }

  /** The same array until one comes or goes. */
  identities(target: IqTarget): readonly Identity[] {
    return this.#identities[target]
  }
}
