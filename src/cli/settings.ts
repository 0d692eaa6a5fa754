/** Which configuration a command means, and where its server is. */
import { lstat, mkdir } from 'node:fs/promises'
import { controlSocketPath } from '../admin/control/path.ts'
import { CommandError } from '../core/command-error.ts'
import {
  type ConfigSource,
  type OpenedConfig,
  openConfig,
  type PeekedConfig,
  peekConfig,
} from '../core/config/index.ts'
import type { World } from '../world/world.types.ts'
import { CliError, EXIT } from './exit.ts'
import type { Terminal } from './terminal.ts'

/** What a command finds around it. */
export interface Surroundings {
  readonly terminal: Terminal
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly world: World
  /** Number of the user; undefined where there are none (Windows). */
  readonly uid: number | undefined
}

/** Options of every command. */
export interface GlobalOptions {
  readonly config?: string
  readonly dataDir?: string
  /** The control socket, in place of the one that the configuration names. */
  readonly socket?: string
  readonly json?: boolean
}

/** Looked for in the working directory when none is named. */
export const DEFAULT_FILE = 'ratatosk.yaml'

export interface Settings {
  /** Undefined: no file, nothing but defaults. */
  readonly file: string | undefined
  readonly dataDir: string | undefined
  readonly opened: OpenedConfig
  readonly peeked: PeekedConfig
}

/** `--config`, else RATATOSK_CONFIG, else `ratatosk.yaml` here, else the defaults. Throws `ConfigError` for a missing file. */
export async function readSettings(options: GlobalOptions, around: Surroundings): Promise<Settings> {
  const { disk } = around.world
  const named = options.config ?? around.variables['RATATOSK_CONFIG']
  const isNamed = named !== undefined && named !== ''
  const file = isNamed ? named : (await disk.exists(disk.resolve('', DEFAULT_FILE))) ? DEFAULT_FILE : undefined
  const source: ConfigSource = file === undefined ? { value: {} } : { file }
  const opened = await openConfig(source, disk)
  const dataDir = options.dataDir
  return { file, dataDir, opened, peeked: peekConfig(opened, disk, dataDir) }
}

export interface ControlPlaces {
  readonly runtimeDir: string
  readonly privateDir: string
}

export function controlPlaces(around: Surroundings): ControlPlaces {
  return {
    runtimeDir: around.variables['XDG_RUNTIME_DIR'] ?? '',
    privateDir: `/tmp/ratatosk-${around.uid ?? 'user'}`,
  }
}

/** The control socket of the server that these settings describe. Its folder is made when it is on shared ground. */
export async function controlPath(settings: Settings, around: Surroundings): Promise<string> {
  const { control, dataDir } = settings.peeked
  const found = controlSocketPath({ socket: control.socket, dataDir, ...controlPlaces(around) })
  if (found instanceof CommandError) throw new CliError(EXIT.refused, found.code, found.text, found.hint)
  if (found.needsPrivateFolder) await makePrivate(controlPlaces(around).privateDir, around.uid)
  return found.path
}

/** In /tmp anybody may have made the folder before us, to catch passwords: it has to be ours, and for nobody else. */
async function makePrivate(folder: string, uid: number | undefined): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  const found = await lstat(folder)
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return
  const text = `${folder} is not a folder of this user alone`
  throw new CliError(EXIT.refused, 'RTK_CONTROL_FOLDER', text, 'set control.socket, or remove it')
}
