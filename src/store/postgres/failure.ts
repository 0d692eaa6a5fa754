/** PostgreSQL's error codes (its manual, appendix A) in the words of the house. */
import { WorldError } from '../../world/error.ts'
import { type StoreErrorCode, storeError } from '../errors.ts'

const exact: Readonly<Record<string, StoreErrorCode>> = {
  '25006': 'RTK_STORE_READ_ONLY', // read_only_sql_transaction
  '40001': 'RTK_STORE_LOCKED', // serialization_failure
  '40P01': 'RTK_STORE_LOCKED', // deadlock_detected
  '42501': 'RTK_STORE_PERMISSION', // insufficient_privilege
  '53100': 'RTK_STORE_DISK_FULL', // disk_full
  '55P03': 'RTK_STORE_LOCKED', // lock_not_available
  '57014': 'RTK_STORE_TIMEOUT', // query_canceled: statement_timeout
  '58030': 'RTK_STORE_IO', // io_error
  XX001: 'RTK_STORE_CORRUPT', // data_corrupted
  XX002: 'RTK_STORE_CORRUPT', // index_corrupted
}

const classes: Readonly<Record<string, StoreErrorCode>> = {
  '08': 'RTK_STORE_FAILED', // connection exception
  '23': 'RTK_STORE_CONSTRAINT', // integrity constraint violation
  '28': 'RTK_STORE_PERMISSION', // invalid authorization
  '3D': 'RTK_STORE_PERMISSION', // no such database
  '42': 'RTK_STORE_DEFINITION', // syntax error, unknown column
  '53': 'RTK_STORE_FAILED', // insufficient resources: connections, memory
  '57': 'RTK_STORE_FAILED', // operator intervention: it shuts down, it starts
  '58': 'RTK_STORE_IO', // system error
}

/** SQLSTATE of what the server said; '' for errors of the connection. */
export function sqlState(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return ''
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : ''
}

/** The error as `WorldError`; `doing` begins the text. The server's detail and hint, which quote values, are left out. */
export function postgresError(error: unknown, doing: string): WorldError {
  if (error instanceof WorldError) return error
  const state = sqlState(error)
  const said = error instanceof Error ? error.message : String(error)
  // An error of the network, of TLS or of signing in has no state.
  if (state === '') return storeError('RTK_STORE_FAILED', `${doing}: ${said || 'the connection failed'}`, error)
  // A data exception quotes the value after a colon.
  const text = state.startsWith('22') ? said.replace(/: ".*$/s, '') : said
  const code = exact[state] ?? classes[state.slice(0, 2)] ?? 'RTK_STORE_ENGINE'
  return storeError(code, `${doing}: ${text} (${state})`, error)
}

/** Nobody's fault: another transaction was in the way, and the same again may succeed. */
export function isCollision(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

/** After such an error the other writes of the batch cannot succeed either. */
export function endsTransaction({ code }: WorldError): boolean {
  return code === 'RTK_STORE_DISK_FULL' || code === 'RTK_STORE_IO' || code === 'RTK_STORE_CORRUPT'
}
