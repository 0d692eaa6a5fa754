/** The checked configuration: plain, read-only values. A reload makes a new one. */
import type { AccessRule } from '../access.ts'
import type { Limits } from './limits.ts'
import type { ListenerConfig } from './listener-section.ts'
import type { Shaping } from './option.ts'
import type {
  AuthConfig,
  ControlConfig,
  LogConfig,
  MetricsConfig,
  SessionConfig,
  StoreConfig,
  TlsConfig,
} from './sections.ts'

export interface HostConfig {
  /** Canonical. */
  readonly domain: string
  /** Name of a host type in `Config.host_types`. */
  readonly type: string
}

/** A named set of modules and options; hosts refer to it (DESIGN.md section 6). */
export interface HostTypeConfig {
  readonly name: string
  /** Modules to load with their checked options, in the order of the defaults, then of the file. */
  readonly modules: ReadonlyMap<string, Readonly<Record<string, unknown>>>
  readonly auth: AuthConfig
  readonly session: SessionConfig
}

export interface Config {
  /** Name of the file, '' for none. */
  readonly file: string
  /** Not resolved: relative to the file's folder, or to the working directory without a file. */
  readonly data_dir: string
  readonly plugins: readonly string[]
  /** By canonical domain, in the order of the file. */
  readonly hosts: ReadonlyMap<string, HostConfig>
  /** The type 'default' is always there. */
  readonly host_types: ReadonlyMap<string, HostTypeConfig>
  readonly listeners: readonly ListenerConfig[]
  readonly tls: TlsConfig
  readonly limits: Limits
  readonly shapers: ReadonlyMap<string, Shaping>
  /** All rules by name, the built-in ones included. */
  readonly access: ReadonlyMap<string, AccessRule>
  readonly store: StoreConfig
  readonly log: LogConfig
  readonly control: ControlConfig
  readonly metrics: MetricsConfig
}
