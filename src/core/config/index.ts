/** Configuration: YAML or a value to a checked `Config`, every mistake by file, line and column. */
export {
  type Checked,
  type CheckOptions,
  checkConfig,
  checkDocument,
  parseConfigText,
  parseConfigValue,
} from './check.ts'
export type { Config, HostConfig, HostTypeConfig } from './config.types.ts'
export { configSchema } from './config-schema.ts'
export { describeOptions, type OptionRow } from './describe.ts'
export { describeConfig } from './describe-config.ts'
export type { JsonSchema } from './json-schema.ts'
export { type ConnectionLimits, connectionLimits, type Limits, limitOptions, serverLimits } from './limits.ts'
export type { ListenerConfig, ListenerProtocol } from './listener-section.ts'
export {
  type ConfigSource,
  type FinishedConfig,
  type FinishOptions,
  finishConfig,
  loadConfig,
  type OpenedConfig,
  openConfig,
} from './load.ts'
export { ConfigError, formatMistake, type Mistake, type MistakeCode } from './mistake.ts'
export { type PeekedConfig, peekConfig } from './peek.ts'
export type {
  AuthConfig,
  CertificateFiles,
  ControlConfig,
  LogConfig,
  SessionConfig,
  StoreConfig,
  TlsConfig,
} from './sections.ts'
