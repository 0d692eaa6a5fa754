/** What signs in the accounts of each host type: its back end, and decoys for names that do not exist. */
import { ChainBackend } from '../auth/chain.ts'
import { openDecoys } from '../auth/decoys.ts'
import { InternalBackend } from '../auth/internal.ts'
import { JwtBackend } from '../auth/jwt-backend.ts'
import { Resources } from '../auth/resources.ts'
import { secretStore } from '../auth/secrets.store.ts'
import { keptSecret } from '../auth/secrets.ts'
import { tokenStore } from '../auth/tokens.store.ts'
import { Tokens } from '../auth/tokens.ts'
import type { AuthBackend } from '../core/auth.ts'
import type { AuthConfig, Config, HostTypeConfig } from '../core/config/index.ts'
import type { Host } from '../core/host.ts'
import { accounts } from '../store/accounts.ts'
import type { Store, Stores } from '../store/index.ts'
import type { Decoys } from '../stream/sasl/index.ts'
import { WorldError } from '../world/error.ts'
import { readVerificationKeys } from '../world/signatures.ts'
import type { World } from '../world/world.types.ts'

interface TypeSignIn {
  readonly iterations: number
  readonly backend: InternalBackend
  readonly decoys: Decoys
  /** Undefined: tokens do not count here. */
  readonly jwt: AuthBackend | undefined
}

type BackendName = AuthConfig['backends'][number]

const noBackend = () =>
  Promise.reject(new WorldError('RTK_AUTH_BACKEND', 'no module brings a back end', { temporary: true }))

/** In place of a module's that is not there: it cannot tell, which is no refusal. */
const missing: AuthBackend = {
  name: 'plugin',
  scram: ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1'],
  scramIterations: 10_000,
  checksPasswords: true,
  keeper: undefined,
  signIn: noBackend,
  verify: noBackend,
  exists: noBackend,
  state: noBackend,
}

/** The stores that every server has, whatever its modules are. */
export const ownStores = [accounts, secretStore, tokenStore] as const

export class SignIn {
  readonly #world: World
  readonly #accounts: Store<typeof accounts>
  readonly #secrets: Store<typeof secretStore>
  readonly resources: Resources
  readonly #tokens: Store<typeof tokenStore>
  #types: ReadonlyMap<string, TypeSignIn> = new Map()
  /** Told of accounts that a back end has made by itself. */
  made: (host: Host, local: string) => void = () => undefined
  readonly #chains = new Map<string, { readonly list: readonly AuthBackend[]; readonly chain: ChainBackend }>()

  static async open(config: Config, world: World, stores: Stores): Promise<SignIn> {
    const secrets = await stores.open(secretStore)
    const secret = await keptSecret(secrets, 'resources', world.random.bytes(32))
    const resources = new Resources(world.hashing, world.random, secret)
    const tokens = await stores.open(tokenStore)
    const signIn = new SignIn(world, await stores.open(accounts), secrets, resources, tokens)
    const prepared = await signIn.prepare(config)
    prepared.use()
    return signIn
  }

  private constructor(
    world: World,
    store: Store<typeof accounts>,
    secrets: Store<typeof secretStore>,
    resources: Resources,
    tokens: Store<typeof tokenStore>,
  ) {
    this.resources = resources
    this.#tokens = tokens
    this.#world = world
    this.#accounts = store
    this.#secrets = secrets
  }

  /** The tokens of all accounts; `evicted` counts clients that lost theirs by the limit. */
  tokens(evicted: { value: number }): Tokens {
    const { clock, random } = this.#world
    return new Tokens({ store: this.#tokens, clock, random, evicted })
  }

  /** The back ends of a host type in their order; `plugin` is the one that a module of it brings. */
  backend(type: string, names: readonly BackendName[], plugin: AuthBackend | undefined): AuthBackend {
    const { backend, jwt } = this.of(type)
    if (names.length === 1 && names[0] === 'internal') return backend
    const named = { internal: backend, jwt: jwt ?? missing, plugin: plugin ?? missing }
    const list = names.map((name) => named[name])
    const [only = missing, ...others] = list
    if (others.length === 0) return only
    const known = this.#chains.get(type)
    if (known?.list.length === list.length && known.list.every((one, at) => one === list[at])) return known.chain
    const chain = new ChainBackend(list)
    this.#chains.set(type, { list, chain })
    return chain
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
        types.set(name, { ...known, jwt: await this.#jwt(auth, known.backend) })
        continue
      }
      const decoys = await openDecoys({ store: this.#secrets, hashing, random }, name, iterations)
      const backend = new InternalBackend({ store: this.#accounts, hashing, random, clock, decoys, iterations })
      types.set(name, { iterations, backend, decoys, jwt: await this.#jwt(auth, backend) })
    }
    return {
      use: () => {
        this.#types = types
      },
    }
  }

  /** With the keys that are in the file now. */
  async #jwt({ backends, jwt }: HostTypeConfig['auth'], internal: InternalBackend): Promise<AuthBackend | undefined> {
    if (jwt === undefined || !backends.includes('jwt')) return undefined
    const { clock, disk, log } = this.#world
    const read = readVerificationKeys(await disk.readText(jwt.keys))
    // The check of the configuration has seen it otherwise, a moment ago.
    if (typeof read === 'string') throw new WorldError('RTK_JWT_KEYS', `${jwt.keys}: ${read}`, { temporary: false })
    const { algorithms, issuer, audience, scope, claim, leeway: leewayMs } = jwt
    return new JwtBackend({
      clock,
      log,
      store: this.#accounts,
      internal,
      isBesideInternal: backends.includes('internal'),
      rules: { keys: read.keys, algorithms, issuer, audience, scope, claim, leewayMs },
      help: { scope, openidConfiguration: jwt.openid_configuration },
      makesAccounts: jwt.make_accounts,
      made: (host, local) => this.made(host, local),
    })
  }
}
