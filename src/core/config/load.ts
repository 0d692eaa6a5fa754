/** From a file, a text or a value to the `Config` that a server runs with, its file names resolved. */
import type { Disk } from '../../world/disk.types.ts'
import { WorldError } from '../../world/error.ts'
import {
  type CheckOptions,
  type ConfigDocument,
  checkDocument,
  parseConfigText,
  parseConfigTextInTurns,
  parseConfigValue,
} from './check.ts'
import type { Config, HostTypeConfig } from './config.types.ts'
import { checkFiles, type FileDoors } from './files.ts'
import type { ListenerConfig } from './listener-section.ts'
import { ConfigError, type Mistake, unique } from './mistake.ts'
import type { CertificateFiles } from './sections.ts'

/** `name` of a text is only for mistakes. An empty value, `{ value: {} }`, is nothing but defaults. */
export type ConfigSource =
  | { readonly file: string }
  | { readonly text: string; readonly name: string }
  | { readonly value: unknown }

export interface OpenedConfig {
  readonly document: ConfigDocument
  /** File names are relative to this: the file's folder; '' is the working directory. */
  readonly folder: string
}

/**
 * Reads and parses; a long file with pauses where they are given. Rejects with `ConfigError` when the file cannot be read; mistakes
 * in it come with `finishConfig`.
 */
export async function openConfig(source: ConfigSource, disk: Disk, pause?: () => Promise<void>): Promise<OpenedConfig> {
  if ('value' in source) return { document: parseConfigValue(source.value), folder: '' }
  if ('text' in source) return { document: parseConfigText(source.text, source.name), folder: '' }
  try {
    const text = await disk.readText(source.file)
    const folder = disk.resolve(source.file, '..')
    if (pause === undefined) return { document: parseConfigText(text, source.file), folder }
    return { document: await parseConfigTextInTurns(text, source.file, pause), folder }
  } catch (error) {
    if (!(error instanceof WorldError)) throw error
    const missing = error.code === 'RTK_DISK_NOT_FOUND'
    const mistake: Mistake = {
      code: missing ? 'RTK_CONFIG_FILE_MISSING' : 'RTK_CONFIG_FILE',
      severity: 'error',
      file: source.file,
      line: 0,
      column: 0,
      path: '',
      text: missing ? 'there is no such file' : error.message,
      hint: missing ? 'is the name right? without a file every option has its default' : 'can the server read it?',
    }
    throw new ConfigError([mistake])
  }
}

export interface FinishOptions extends CheckOptions, FileDoors {
  /** In place of `data_dir`; relative to the working directory. */
  readonly dataDir?: string | undefined
}

export interface FinishedConfig {
  /** Undefined when a mistake is an error. Every path in it is absolute. */
  readonly config: Config | undefined
  /** Errors and warnings in the order of the file. */
  readonly mistakes: readonly Mistake[]
}

/** Checks a configuration, and the files that it names. Nothing is thrown for a mistake. */
export async function finishConfig(opened: OpenedConfig, options: FinishOptions): Promise<FinishedConfig> {
  const checked = checkDocument(opened.document, options)
  const mistakes = unique([...checked.mistakes, ...(await checkFiles(checked, opened.folder, options))])
  mistakes.sort((a, b) => a.line - b.line || a.column - b.column)
  const failed = mistakes.some((mistake) => mistake.severity === 'error')
  const config =
    failed || checked.config === undefined ? undefined : resolvePaths(checked.config, opened.folder, options)
  return { config, mistakes }
}

/** The config or a `ConfigError` with all mistakes; `warned` hears of warnings. */
export async function loadConfig(
  source: ConfigSource,
  options: FinishOptions,
  warned: (mistake: Mistake) => void = () => undefined,
): Promise<Config> {
  const { config, mistakes } = await finishConfig(await openConfig(source, options.disk), options)
  if (config === undefined) throw new ConfigError(mistakes)
  for (const mistake of mistakes) warned(mistake)
  return config
}

function resolvePaths(config: Config, folder: string, options: FinishOptions): Config {
  const { disk } = options
  const inFolder = (path: string) => disk.resolve(folder, path)
  const certificates = (list: readonly CertificateFiles[]) =>
    list.map(({ cert, key }) => Object.freeze({ cert: inFolder(cert), key: inFolder(key) }))
  const dataDir = options.dataDir === undefined ? inFolder(config.data_dir) : disk.resolve('', options.dataDir)
  const listeners = config.listeners.map((listener): ListenerConfig => {
    const { place } = listener
    const resolved = place.kind === 'unix' ? { ...place, path: inFolder(place.path) } : place
    return Object.freeze({ ...listener, place: resolved, certificates: certificates(listener.certificates) })
  })
  const typeOf = (type: HostTypeConfig): HostTypeConfig => {
    const { jwt } = type.auth
    if (jwt === undefined) return type
    return Object.freeze({ ...type, auth: Object.freeze({ ...type.auth, jwt: { ...jwt, keys: inFolder(jwt.keys) } }) })
  }
  const { socket } = config.control
  return Object.freeze({
    ...config,
    data_dir: dataDir,
    listeners,
    host_types: new Map([...config.host_types].map(([name, type]) => [name, typeOf(type)])),
    tls: Object.freeze({
      ...config.tls,
      certificates: certificates(config.tls.certificates),
      client_ca: config.tls.client_ca === undefined ? undefined : inFolder(config.tls.client_ca),
    }),
    store: Object.freeze({
      ...config.store,
      path: disk.resolve(dataDir, config.store.path),
      tls_ca: config.store.tls_ca === undefined ? undefined : inFolder(config.store.tls_ca),
    }),
    control: Object.freeze({ ...config.control, socket: socket === undefined ? undefined : inFolder(socket) }),
  })
}
