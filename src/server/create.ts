/** `createServer`: from options to a running server (DESIGN.md section 14). */
import { controlSocketPath } from '../admin/control/path.ts'
import { CommandError } from '../core/command-error.ts'
import { type Config, ConfigError, finishConfig, type Mistake, openConfig } from '../core/config/index.ts'
import { parsePostgresUrl } from '../core/config/postgres-url.ts'
import { type Where, whereIn } from '../core/config/where.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { openPostgres, openSqlite, type PostgresServer, type StoreLimits, type Stores } from '../store/index.ts'
import { WorldError } from '../world/error.ts'
import { createWorld } from '../world/index.ts'
import type { Log } from '../world/log.types.ts'
import type { World } from '../world/world.types.ts'
import { defaultModules } from './modules.ts'
import { loadPlugins, modulesByName, protocolsOf, schemasOf } from './plugins.ts'
import { type Read, Server } from './server.ts'

export interface ServerOptions {
  /** The configuration: a value as in the file, or `{ file }`. Default: `{}`, nothing but defaults. */
  readonly config?: Readonly<Record<string, unknown>> | { readonly file: string }
  /** In place of the configuration's `data_dir`. */
  readonly dataDir?: string
  /** Further modules, beside those that the configuration names under `plugins`. */
  readonly plugins?: readonly ModuleDefinition[]
  /** Where the log goes; without it there is none. One with `setLevel` gets the configuration's `log.level` at a reload, one with `setFormat` its `log.format`. */
  readonly log?: Log
  /**
   * Opens the control socket; off by default. Where its name in the data directory would be too long, it goes into one of
   * these folders, which have to be there, and private to this user; true: into none.
   */
  readonly control?: boolean | { readonly runtimeDir: string; readonly privateDir: string }
  /** Clock, network, disk and dice; default: the real ones. */
  readonly world?: World
  /** Another store than the configuration's: tests hand in a simulated one. */
  readonly stores?: (config: Config) => Promise<Stores>
  /** Told of warnings in the configuration. */
  readonly onWarning?: (mistake: Mistake) => void
  /** Permission bits of a file, so that secrets that everybody can read are warned of; by default nobody looks. */
  readonly modeOf?: (path: string) => Promise<number | undefined>
  /** A variable of the environment, for secrets written as `{ env: NAME }`; by default there are none. */
  readonly variable?: (name: string) => string | undefined
}

/**
 * Starts a server. Rejects with `ConfigError` (all mistakes at once), `WorldError` (address in use, data directory
 * locked, store …) or `ModuleError`; then nothing stays open.
 */
export async function createServer(options: ServerOptions = {}): Promise<Server> {
  const world = options.world ?? createWorld(options.log === undefined ? {} : { log: options.log })
  const { config, modules } = await configure(options, world)
  const control = controlPath(options, config)
  // With the data in memory, no folder named and no socket asked for, there is nothing to keep.
  const isKept = config.store.engine !== 'memory' || options.dataDir !== undefined || control !== undefined
  if (isKept) await world.disk.makeDirectory(config.data_dir, 0o700)
  const lock = isKept ? await world.disk.lock(config.data_dir) : undefined
  try {
    const stores = await (options.stores ?? openStores(world))(config)
    try {
      const pause = () => new Promise<void>((resolve) => world.clock.soon(resolve, undefined))
      const read: Read = (given = options.config ?? {}) => configure({ ...options, config: given }, world, pause)
      return await Server.start({ config, read, world, stores, modules, isKept, controlPath: control, lock })
    } catch (error) {
      await stores.close()
      throw error
    }
  } catch (error) {
    await lock?.release()
    throw error
  }
}

/** The checked configuration with the modules that it may name, and where its options stand; `pause` lets others run between. */
export async function configure(
  options: Pick<ServerOptions, 'config' | 'dataDir' | 'modeOf' | 'onWarning' | 'plugins' | 'variable'>,
  world: Pick<World, 'clock' | 'disk' | 'net'>,
  pause?: () => Promise<void>,
): Promise<{
  readonly config: Config
  readonly modules: ReadonlyMap<string, ModuleDefinition>
  readonly where: Where
}> {
  const { config: given = {}, dataDir, plugins = [], onWarning, modeOf, variable } = options
  const isFile = 'file' in given && typeof given.file === 'string'
  const source = isFile ? { file: given.file as string } : { value: given }
  const opened = await openConfig(source, world.disk, pause)
  const named = await loadPlugins(opened.document.plugins, world.disk.resolve(opened.folder, '.'))
  const all = [...defaultModules, ...plugins, ...named.modules]
  const modules = modulesByName(all)
  const { config, mistakes } = await finishConfig(opened, {
    modules: schemasOf(modules),
    protocols: protocolsOf(modules),
    failedPlugins: named.failed,
    defaultModules: all.map((definition) => definition.name),
    disk: world.disk,
    tls: world.net.tls,
    dataDir,
    modeOf,
    variable,
    now: () => world.clock.wallMs(),
  })
  if (config === undefined) throw new ConfigError(mistakes)
  for (const mistake of mistakes) onWarning?.(mistake)
  await pause?.()
  return { config, modules, where: whereIn(opened.document) }
}

/** Opens the store that a configuration names; `looking`: as in `PostgresOptions`. Rejects with `WorldError`. */
export function openStores(world: World, looking = false): (config: Config) => Promise<Stores> {
  return async ({ store }) => {
    if (store.engine !== 'postgres') {
      return openSqlite(world, {
        path: store.engine === 'memory' ? ':memory:' : store.path,
        synchronous: store.synchronous,
        limits: storeLimits(store),
      })
    }
    const { tls_ca: file } = store
    return openPostgres(world, {
      servers: store.url.map((url) => parsePostgresUrl(url)).filter(isPlace),
      password: store.password?.reveal(),
      tls: store.tls,
      caPem: file === undefined ? undefined : await world.disk.readText(file),
      silenceMs: store.silence_timeout,
      looking,
      limits: storeLimits(store),
    })
  }
}

/** The check of the configuration lets nothing else through. */
function isPlace(place: ReturnType<typeof parsePostgresUrl>): place is PostgresServer {
  return typeof place !== 'string'
}

/** The limits of the store in the form that stores take. */
export function storeLimits(store: Config['store']): Partial<StoreLimits> {
  return {
    operationTimeoutMs: store.operation_timeout,
    queueOperations: store.queue_operations,
    queueBytes: store.queue_bytes,
  }
}

function controlPath(options: ServerOptions, config: Config): string | undefined {
  const { control = false } = options
  if (control === false || !config.control.enabled) return undefined
  const { runtimeDir, privateDir } = control === true ? { runtimeDir: '', privateDir: '' } : control
  const made = controlSocketPath({ socket: config.control.socket, dataDir: config.data_dir, runtimeDir, privateDir })
  if (made instanceof CommandError) {
    throw new WorldError(made.code, made.hint === '' ? made.text : `${made.text} (${made.hint})`, { temporary: false })
  }
  return made.path
}
