/** What commands do with a store while no server uses it: which stores there are, migrating, copying. */
import type { AccountDirectory } from '../core/accounts.ts'
import { CommandRegistry } from '../core/commands.ts'
import type { Config } from '../core/config/index.ts'
import { Core } from '../core/core.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { openSqlite, type StoreDefinition, type Stores } from '../store/index.ts'
import type { World } from '../world/world.types.ts'
import { coreLimits } from './limits.ts'
import { ModuleSets } from './module-sets.ts'
import { ownStores } from './sign-in.ts'

/** Modules are set up only to name their stores: whoever asks more of the accounts is at fault. */
const unasked = (): never => {
  throw new Error('no account is asked for while stores are named')
}
const nobody: AccountDirectory = {
  exists: unasked,
  keeps: () => false,
  add: unasked,
  setPassword: unasked,
  remove: unasked,
  tokens: unasked,
  revokeTokens: unasked,
}

/**
 * The stores of a server with this configuration. Modules name theirs when they are set up: so they are, on a database in
 * memory, and taken down again. Rejects with `ModuleError`.
 */
export async function storesOf(
  config: Config,
  modules: ReadonlyMap<string, ModuleDefinition>,
  world: World,
): Promise<readonly StoreDefinition[]> {
  const found = new Map<string, StoreDefinition>(ownStores.map((one) => [one.name, one]))
  const memory = await openSqlite(world, { path: ':memory:' })
  try {
    const stores = listening(memory, (definition) => found.set(definition.name, definition))
    const core = new Core(world, nobody, coreLimits(config.limits))
    for (const { domain, type } of config.hosts.values()) core.addHost(domain, core.hostType(type))
    const sets = new ModuleSets({ core, stores, commands: new CommandRegistry(), modules })
    const types = [...config.host_types.values()].filter(({ name }) => core.hosts(name).length > 0)
    for (const type of types) await sets.load(type)
    for (const type of types.toReversed()) await sets.unload(type.name)
  } finally {
    await memory.close()
  }
  return [...found.values()]
}

function listening(stores: Stores, onOpen: (definition: StoreDefinition) => void): Stores {
  return {
    get epoch() {
      return stores.epoch
    },
    get state() {
      return stores.state
    },
    metrics: stores.metrics,
    open: (definition) => {
      onOpen(definition)
      return stores.open(definition)
    },
    rehearse: (definition) => stores.rehearse(definition),
    onChange: (listener) => stores.onChange(listener),
    onState: (listener) => stores.onState(listener),
    renewEpoch: () => stores.renewEpoch(),
    close: () => stores.close(),
  }
}
