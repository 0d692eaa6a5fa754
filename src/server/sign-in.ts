/** What signs in the accounts of each host type: its back end, and decoys for names that do not exist. */
import { openDecoys } from '../auth/decoys.ts'
import { InternalBackend } from '../auth/internal.ts'
import { Resources } from '../auth/resources.ts'
import { secretStore } from '../auth/secrets.store.ts'
import { keptSecret } from '../auth/secrets.ts'
import type { AuthBackend } from '../core/auth.ts'
import type { Config } from '../core/config/index.ts'
import { accounts } from '../store/accounts.ts'
import type { Store, Stores } from '../store/index.ts'
import type { Decoys } from '../stream/sasl/index.ts'
import type { World } from '../world/world.types.ts'

interface TypeSignIn {
  readonly iterations: number
  readonly backend: AuthBackend
  readonly decoys: Decoys
}

export class SignIn {
  readonly #world: World
  readonly #accounts: Store<typeof accounts>
  readonly #secrets: Store<typeof secretStore>
  readonly resources: Resources
  #types: ReadonlyMap<string, TypeSignIn> = new Map()

  static async open(config: Config, world: World, stores: Stores): Promise<SignIn> {
    const secrets = await stores.open(secretStore)
    const secret = await keptSecret(secrets, 'resources', world.random.bytes(32))
    const resources = new Resources(world.hashing, world.random, secret)
    const signIn = new SignIn(world, await stores.open(accounts), secrets, resources)
    const prepared = await signIn.prepare(config)
    prepared.use()
    return signIn
  }

  private constructor(
    world: World,
    store: Store<typeof accounts>,
    secrets: Store<typeof secretStore>,
    resources: Resources,
  ) {
    this.resources = resources
    this.#world = world
    this.#accounts = store
    this.#secrets = secrets
  }

  of(type: string): TypeSignIn {
    const found = this.#types.get(type)
    if (found === undefined) throw new Error(`there is no host type ${type}`)
    return found
  }

  /** Makes what other host types and iterations need; it counts from `use` on. Rejects with `WorldError` of the store. */
  async prepare(config: Config): Promise<{ use(): void }> {
    const { hashing, random, clock } = this.#world
    const types = new Map<string, TypeSignIn>()
    for (const { name, auth } of config.host_types.values()) {
      const iterations = auth.scram_iterations
      const known = this.#types.get(name)
      if (known?.iterations === iterations) {
        types.set(name, known)
        continue
      }
      const decoys = await openDecoys({ store: this.#secrets, hashing, random }, name, iterations)
      const backend = new InternalBackend({ store: this.#accounts, hashing, random, clock, decoys, iterations })
      types.set(name, { iterations, backend, decoys })
    }
    return {
      use: () => {
        this.#types = types
      },
    }
  }
}
