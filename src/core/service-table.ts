/** The services of one host type. */
import type { ServiceName, Services } from './services.ts'

export class ServiceTable {
  readonly #services = new Map<string, { readonly module: string; readonly value: unknown }>()

  /** Throws when another module provides it already. Returns the removal. */
  provide<Name extends ServiceName>(name: Name, module: string, value: Services[Name]): () => void {
    const known = this.#services.get(name)
    if (known !== undefined) throw new Error(`service ${name} is provided by ${known.module}, so ${module} cannot`)
    const entry = { module, value }
    this.#services.set(name, entry)
    return () => {
      if (this.#services.get(name) === entry) this.#services.delete(name)
    }
  }

  find<Name extends ServiceName>(name: Name): Services[Name] | undefined {
    return this.#services.get(name)?.value as Services[Name] | undefined
  }
}
