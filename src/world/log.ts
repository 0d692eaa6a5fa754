/**
 * The log. An embedding program gets the silent one unless it hands over another; `openLog` makes the speaking one, pino
 * behind our interface, loaded when it is asked for.
 */
import type { LevelledLog, Log, LogFields, LogFormat, LogLevel } from './log.types.ts'
import { copyText, redact } from './redact.ts'

export const silentLog: Log = {
  enabled: () => false,
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLog,
}

export interface LogOptions {
  /** The lowest level that is written, until `setLevel` says otherwise. */
  readonly level: LogLevel
  /** One JSON object a line, or a line for people, until `setFormat` says otherwise. */
  readonly format: LogFormat
  /** True: people read it, and `auto` is text. */
  readonly isForPeople?: boolean
  /** Takes whole lines, their end included. */
  write(line: string): void
}

const weights: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50 }

/** What of pino is used. */
interface Writer {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Writer
}

export async function openLog(options: LogOptions): Promise<LevelledLog> {
  const { pino } = await import('pino')
  const form: Form = { weight: weights[options.level], isText: false, isForPeople: options.isForPeople === true }
  const write = (line: string) => options.write(form.isText ? textLine(line, form.isForPeople) : line)
  const writer: Writer = pino(
    {
      // What is below the level never gets here.
      level: 'debug',
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write },
  )
  const log = new WritingLog(writer, form)
  log.setFormat(options.format)
  return log
}

/** Whether the lowest level of this log can be changed. */
export function isLevelled(log: Log): log is LevelledLog {
  return 'setLevel' in log
}

/** One for all logs that were made from one. */
interface Form {
  /** Of the lowest level. */
  weight: number
  isText: boolean
  readonly isForPeople: boolean
}

class WritingLog implements LevelledLog {
  readonly #writer: Writer
  readonly #form: Form

  constructor(writer: Writer, form: Form) {
    this.#writer = writer
    this.#form = form
  }

  enabled(level: LogLevel): boolean {
    return weights[level] >= this.#form.weight
  }

  debug(message: string, fields?: LogFields): void {
    this.#write('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.#write('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#write('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#write('error', message, fields)
  }

  setLevel(lowest: LogLevel): void {
    this.#form.weight = weights[lowest]
  }

  setFormat(format: LogFormat): void {
    this.#form.isText = format === 'text' || (format === 'auto' && this.#form.isForPeople)
  }

  with(fields: LogFields): Log {
    return new WritingLog(this.#writer.child(redact(fields)), this.#form)
  }

  #write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (!this.enabled(level)) return
    this.#writer[level](fields === undefined ? {} : redact(fields), copyText(message))
  }
}

/** `12:00:00.123 warn  message key=value`: for a terminal. */
function textLine(json: string, isForPeople: boolean): string {
  const { level, time, message, ...fields } = JSON.parse(json) as Record<string, unknown>
  // Who looks on knows the day; a file is read another day.
  const at = isForPeople ? String(time).slice(11, 23) : String(time)
  let line = `${at} ${String(level).padEnd(5)} ${String(message)}`
  for (const [key, value] of Object.entries(fields)) {
    line += ` ${key}=${typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)}`
  }
  // What a peer sent may hold escape sequences; a terminal must not obey them.
  return `${line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd')}\n`
}
