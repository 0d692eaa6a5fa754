/** Structured log. Secrets are redacted by the implementation (keys named password, secret, token, authorization …). */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  /** True when a line of this level would be written; asked before fields are gathered on warm paths. */
  enabled(level: LogLevel): boolean
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A log that adds these fields to each line. */
  with(fields: LogFields): Log
}

/** `auto`: text where people read it, else JSON. Whoever opens a log knows which that is. */
export type LogFormat = 'auto' | 'json' | 'text'

/** A log whose lowest level can be changed while it is used: its own, and that of all that were made from it. */
export interface LevelledLog extends Log {
  setLevel(lowest: LogLevel): void
  /** The same for the form of its lines, where it has several. */
  setFormat?(format: LogFormat): void
}
