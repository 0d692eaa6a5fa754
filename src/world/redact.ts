/** Secrets stay out of the log: whatever its key says is secret, at any depth, and passwords within URLs. */
import type { LogFields } from './log.types.ts'

/** What stands in a secret's place. */
export const REDACTED = '[redacted]'

/** Deeper values are cut, so that a log line of a big object stays bounded. */
const DEEPEST = 8
/** Entries of an array or object that are shown. */
const MOST_ENTRIES = 100
/** Characters of a string that are shown. */
const LONGEST_TEXT = 4_000

const secretKey =
  /pass(word|wd|phrase)|^pass$|secret|token|authorization|cookie|credential|private.?key|api.?key|key.?pem|client.?proof|salted|stored.?key|server.?key|initial.?response|auth.?bytes/i
const urlPassword = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+@/gi

/** A copy that may be written: plain JSON values, no secrets, no cycles, bounded. */
export function redact(fields: LogFields): Record<string, unknown> {
  return copyObject(fields, 0, [])
}

function copy(value: unknown, depth: number, above: object[]): unknown {
  if (typeof value === 'string') return copyText(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`
  if (typeof value !== 'object' || value === null) return value
  if (above.includes(value)) return '[circular]'
  if (depth >= DEEPEST) return '[deep]'
  const inside = [...above, value]
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString()
  if (value instanceof Error) return copyError(value, depth, inside)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (Array.isArray(value)) return value.slice(0, MOST_ENTRIES).map((entry) => copy(entry, depth + 1, inside))
  if (value instanceof Map) return copyObject(Object.fromEntries(value), depth + 1, inside)
  if (value instanceof Set) return [...value].slice(0, MOST_ENTRIES).map((entry) => copy(entry, depth + 1, inside))
  return copyObject(value as Record<string, unknown>, depth + 1, inside)
}

/** Bounded, and without the password of a URL. */
export function copyText(text: string): string {
  const shown = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)` : text
  return shown.includes('://') ? shown.replace(urlPassword, `$1${REDACTED}@`) : shown
}

function copyObject(
  object: Readonly<Record<string, unknown>>,
  depth: number,
  above: object[],
): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  let count = 0
  for (const key of Object.keys(object)) {
    if (++count > MOST_ENTRIES) break
    out[key] = secretKey.test(key) ? REDACTED : copy(object[key], depth, above)
  }
  return out
}

function copyError(error: Error, depth: number, above: object[]): Record<string, unknown> {
  const out: Record<string, unknown> = { name: error.name, message: copyText(error.message) }
  for (const key of Object.keys(error)) {
    out[key] = secretKey.test(key)
      ? REDACTED
      : copy((error as unknown as Record<string, unknown>)[key], depth + 1, above)
  }
  if (error.stack !== undefined) out['stack'] = copyText(error.stack)
  if (error.cause !== undefined) out['cause'] = copy(error.cause, depth + 1, above)
  return out
}
