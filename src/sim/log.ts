/** A log that tests can ask. */
import type { Log, LogFields, LogLevel } from '../world/log.types.ts'
import { copyText, redact } from '../world/redact.ts'

export interface LogEntry {
  readonly atMs: number
  readonly level: LogLevel
  readonly message: string
  readonly fields: Record<string, unknown>
}

export class SimLog implements Log {
  readonly entries: LogEntry[]
  readonly #now: () => number
  readonly #fields: Record<string, unknown>

  constructor(now: () => number, entries: LogEntry[] = [], fields: Record<string, unknown> = {}) {
    this.#now = now
    this.entries = entries
    this.#fields = fields
  }

  enabled(_level: LogLevel): boolean {
    return true
  }

  debug(message: string, fields?: LogFields): void {
    this.#add('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#add('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#add('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#add('error', message, fields)
  }

  with(fields: LogFields): Log {
    return new SimLog(this.#now, this.entries, { ...this.#fields, ...redact(fields) })
  }

  /** Lines of a level, oldest first. */
  at(level: LogLevel): readonly LogEntry[] {
    return this.entries.filter((entry) => entry.level === level)
  }

  #add(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const all = { ...this.#fields, ...(fields === undefined ? {} : redact(fields)) }
    this.entries.push({ atMs: this.#now(), level, message: copyText(message), fields: all })
  }
}
