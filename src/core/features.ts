/** What disco tells of a host and of its accounts (XEP-0030): modules add, disco reads. */
import type { IqTarget } from './iq.ts'

export interface Identity {
  readonly category: string
  readonly type: string
  readonly name?: string
}

export class FeatureTable {
  readonly #features: Record<IqTarget, Map<string, number>> = { host: new Map(), account: new Map() }
  readonly #identities: Record<IqTarget, Identity[]> = { host: [], account: [] }

  /** Several modules may add the same feature; it goes with the last. Returns the removal. */
  add(target: IqTarget, feature: string): () => void {
    const features = this.#features[target]
    features.set(feature, (features.get(feature) ?? 0) + 1)
    let isIn = true
    return () => {
      if (!isIn) return
      isIn = false
      const left = (features.get(feature) ?? 1) - 1
      if (left === 0) features.delete(feature)
      else features.set(feature, left)
    }
  }

  addIdentity(target: IqTarget, identity: Identity): () => void {
    this.#identities[target].push(identity)
    return () => {
      const index = this.#identities[target].indexOf(identity)
      if (index >= 0) this.#identities[target].splice(index, 1)
    }
  }

  /** Sorted. */
  list(target: IqTarget): readonly string[] {
    return [...this.#features[target].keys()].sort()
  }

  identities(target: IqTarget): readonly Identity[] {
    return this.#identities[target]
  }
}
