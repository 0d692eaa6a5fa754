/** `store migrate` and `store copy`: on the store itself, while no server uses it. */
import { type Config, formatMistake } from '../core/config/index.ts'
import { configure } from '../index.ts'
import { openStores } from '../server/create.ts'
import { storesOf } from '../server/store-tools.ts'
import { copyStores } from '../store/copy.ts'
import type { StoreDefinition, Stores } from '../store/index.ts'
import type { World } from '../world/world.types.ts'
import { modeOf } from './config-commands.ts'
import { CliError, EXIT } from './exit.ts'
import { TableWriter } from './render.ts'
import { type GlobalOptions, readSettings, type Surroundings } from './settings.ts'

interface Chosen {
  readonly config: Config
  readonly definitions: readonly StoreDefinition[]
}

/** A configuration and the stores of its modules. Warnings go to standard error. Rejects with `ConfigError`. */
async function choose(file: string | undefined, options: GlobalOptions, around: Surroundings): Promise<Chosen> {
  const { world, terminal, variables } = around
  const { dataDir } = options
  const { config, modules } = await configure(
    {
      config: file === undefined ? {} : { file },
      modeOf,
      variable: (name) => variables[name],
      onWarning: (mistake) => terminal.err(`${formatMistake(mistake)}\n`),
      ...(dataDir === undefined ? {} : { dataDir }),
    },
    world,
  )
  return { config, definitions: await storesOf(config, modules, world) }
}

/**
 * Opens the store for `work`, with the data directory locked, so that no server runs on it. PostgreSQL keeps servers out
 * by itself, and is only looked at when `looking`. `isLocked`: the directory is locked by this command already. Rejects with `WorldError`.
 */
async function withStores<T>(
  { config }: Chosen,
  world: World,
  work: (stores: Stores) => Promise<T>,
  { looking = false, isLocked = false }: { readonly looking?: boolean; readonly isLocked?: boolean } = {},
): Promise<T> {
  const isFile = config.store.engine !== 'postgres'
  if (config.store.engine === 'memory') {
    throw new CliError(EXIT.refused, 'RTK_STORE_MEMORY', 'this configuration keeps nothing: store.engine is memory')
  }
  if (isFile) await world.disk.makeDirectory(config.data_dir, 0o700)
  const lock = isFile && !isLocked ? await world.disk.lock(config.data_dir) : undefined
  try {
    const stores = await openStores(world, looking)(config)
    try {
      return await work(stores)
    } finally {
      await stores.close()
    }
  } finally {
    await lock?.release()
  }
}

interface Step {
  readonly store: string
  readonly version: number
  readonly name: string
}

/** Applies the migrations that are due; `dryRun`: applies and undoes them, and tells which they are. */
export async function migrateCommand(
  options: GlobalOptions & { readonly dryRun?: boolean },
  around: Surroundings,
): Promise<number> {
  const { file } = await readSettings(options, around)
  const chosen = await choose(file, options, around)
  const { config, definitions } = chosen
  const { disk } = around.world
  const isNew = config.store.engine === 'sqlite' && !(await disk.exists(config.store.path))
  // A dry run does not make a database to find that all of it is due.
  const steps =
    options.dryRun === true && isNew
      ? definitions.flatMap(({ name: store, migrations }) =>
          migrations.map(({ version, name }): Step => ({ store, version, name })),
        )
      : await withStores(chosen, around.world, (stores) => due(stores, definitions, options), {
          looking: options.dryRun === true,
        })
  tell(steps, options, around)
  return EXIT.ok
}

async function due(
  stores: Stores,
  definitions: readonly StoreDefinition[],
  { dryRun }: { readonly dryRun?: boolean },
): Promise<readonly Step[]> {
  const steps: Step[] = []
  for (const definition of definitions) {
    for (const { version, name } of await stores.rehearse(definition)) {
      steps.push({ store: definition.name, version, name })
    }
    if (dryRun !== true) await stores.open(definition)
  }
  return steps
}

function tell(steps: readonly Step[], options: GlobalOptions & { readonly dryRun?: boolean }, around: Surroundings) {
  const { terminal } = around
  if (options.json === true) {
    for (const step of steps) terminal.out(`${JSON.stringify(step)}\n`)
    return
  }
  if (steps.length > 0) {
    const writer = tableOf(['store', 'version', 'name'], around)
    for (const { store, version, name } of steps) writer.row({ store, version, name })
    writer.end()
  }
  const count = `${steps.length} migration${steps.length === 1 ? '' : 's'}`
  const text =
    steps.length === 0 ? 'nothing is due' : options.dryRun === true ? `${count} due, none kept` : `${count} done`
  terminal.out(`${text}\n`)
}

function tableOf(names: readonly string[], { terminal }: Surroundings): TableWriter {
  return new TableWriter(
    names.map((name) => ({ name, form: 'text' as const, title: name, description: '' })),
    (text) => terminal.out(text),
  )
}

/** Copies everything from the store of this configuration to that of another. */
export async function copyCommand(
  target: string,
  options: GlobalOptions & { readonly without?: readonly string[] },
  around: Surroundings,
): Promise<number> {
  const { file } = await readSettings(options, around)
  const from = await choose(file, options, around)
  const { dataDir: _, ...elsewhere } = options
  const to = await choose(target, elsewhere, around)
  if (isSameStore(from.config, to.config)) {
    throw new CliError(EXIT.refused, 'RTK_STORE_SAME', 'both configurations name the same store')
  }
  const isJson = options.json === true
  const writer = isJson ? undefined : tableOf(['store', 'table', 'rows'], around)
  const { world, terminal } = around
  const { without = [] } = options
  const isLocked = isOnDisk(from.config) && isOnDisk(to.config) && from.config.data_dir === to.config.data_dir
  // The modules of the old configuration say what there is; the new one may load others.
  const copied = await withStores(from, world, (source) => {
    const copy = (sink: Stores) =>
      copyStores(source, sink, from.definitions, {
        without,
        onTable: (row) => {
          if (isJson) terminal.out(`${JSON.stringify(row)}\n`)
          else writer?.row({ ...row })
        },
      })
    return withStores(to, world, copy, { isLocked })
  })
  writer?.end()
  if (!isJson)
    terminal.out(`${copied.reduce((sum, { rows }) => sum + rows, 0)} rows of ${copied.length} tables copied\n`)
  return EXIT.ok
}

const isOnDisk = ({ store }: Config) => store.engine === 'sqlite'

function isSameStore({ store: a }: Config, { store: b }: Config): boolean {
  if (a.engine !== b.engine) return false
  return a.engine === 'postgres' ? a.url.some((url) => b.url.includes(url)) : a.path === b.path
}
