/** Operating system errors of the network as `WorldError` and `CloseCause`. */
import { WorldError } from './error.ts'
import type { CloseCause, Place } from './net.types.ts'

interface Meaning {
  readonly code: `RTK_NET_${string}`
  readonly temporary: boolean
}

const meanings: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ['EADDRINUSE', { code: 'RTK_NET_ADDRESS_IN_USE', temporary: true }],
  ['EADDRNOTAVAIL', { code: 'RTK_NET_ADDRESS_NOT_AVAILABLE', temporary: false }],
  ['EACCES', { code: 'RTK_NET_PERMISSION', temporary: false }],
  ['EPERM', { code: 'RTK_NET_PERMISSION', temporary: false }],
  ['ECONNREFUSED', { code: 'RTK_NET_REFUSED', temporary: true }],
  // A Unix socket that is not there: its server does not run.
  ['ENOENT', { code: 'RTK_NET_REFUSED', temporary: true }],
  ['ECONNRESET', { code: 'RTK_NET_RESET', temporary: true }],
  ['EPIPE', { code: 'RTK_NET_RESET', temporary: true }],
  ['ETIMEDOUT', { code: 'RTK_NET_TIMEOUT', temporary: true }],
  ['ENETUNREACH', { code: 'RTK_NET_UNREACHABLE', temporary: true }],
  ['EHOSTUNREACH', { code: 'RTK_NET_UNREACHABLE', temporary: true }],
  ['ENETDOWN', { code: 'RTK_NET_UNREACHABLE', temporary: true }],
  ['ENOTFOUND', { code: 'RTK_NET_NAME', temporary: false }],
  ['EAI_AGAIN', { code: 'RTK_NET_NAME', temporary: true }],
  ['EMFILE', { code: 'RTK_NET_DESCRIPTORS', temporary: true }],
  ['ENFILE', { code: 'RTK_NET_DESCRIPTORS', temporary: true }],
  ['ENAMETOOLONG', { code: 'RTK_NET_PATH_TOO_LONG', temporary: false }],
])

const unknown: Meaning = { code: 'RTK_NET_ERROR', temporary: true }

/** The longest path of a Unix socket in bytes (sun_path of Linux less its final NUL). */
export const UNIX_PATH_LIMIT = 107

/** A place as people write it. */
export function placeText(place: Place): string {
  if (place.kind === 'unix') return place.path
  return place.host.includes(':') ? `[${place.host}]:${place.port}` : `${place.host}:${place.port}`
}

function systemCode(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return systemCode(error.errors[0])
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** An error of listening or connecting. */
export function netError(doing: string, place: Place, error: unknown): WorldError {
  const code = systemCode(error)
  const meaning = meanings.get(code) ?? unknown
  const why = code || (error instanceof Error ? error.message : String(error))
  return new WorldError(meaning.code, `cannot ${doing} ${placeText(place)}: ${why}`, {
    temporary: meaning.temporary,
    cause: error,
  })
}

/** An error of a live connection, from the system's name for it, such as ECONNRESET. */
export function errorCause(code: string): CloseCause {
  return { kind: 'error', code: (meanings.get(code) ?? unknown).code, text: code }
}

/** A failed handshake or a broken record. */
export function tlsCause(error: unknown): CloseCause {
  const code = systemCode(error)
  const text = error instanceof Error ? error.message : String(error)
  // A connection that breaks under TLS is still a broken connection.
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === 'ETIMEDOUT') return errorCause(code)
  return { kind: 'tls', code: code || 'RTK_TLS_ERROR', text }
}
