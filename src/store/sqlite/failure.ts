/** SQLite's result codes (https://www.sqlite.org/rescode.html) in the words of the house. */
import { WorldError } from '../../world/error.ts'
import { type StoreErrorCode, storeError } from '../errors.ts'

const primary: Readonly<Record<number, StoreErrorCode>> = {
  3: 'RTK_STORE_PERMISSION', // SQLITE_PERM
  5: 'RTK_STORE_LOCKED', // SQLITE_BUSY
  6: 'RTK_STORE_LOCKED', // SQLITE_LOCKED
  8: 'RTK_STORE_PERMISSION', // SQLITE_READONLY
  10: 'RTK_STORE_IO', // SQLITE_IOERR
  11: 'RTK_STORE_CORRUPT', // SQLITE_CORRUPT
  13: 'RTK_STORE_DISK_FULL', // SQLITE_FULL
  14: 'RTK_STORE_PERMISSION', // SQLITE_CANTOPEN
  19: 'RTK_STORE_CONSTRAINT', // SQLITE_CONSTRAINT
  26: 'RTK_STORE_CORRUPT', // SQLITE_NOTADB
}

/** SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID. */
const unique: ReadonlySet<number> = new Set([1555, 2067, 2579])

function resultCode(error: unknown): number {
  return typeof error === 'object' && error !== null && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode
    : 0
}

export function isUniqueViolation(error: unknown): boolean {
  return unique.has(resultCode(error))
}

/** The error as `WorldError`; `doing` begins the text. SQLite's messages name columns and never hold values. */
export function sqliteError(error: unknown, doing: string): WorldError {
  if (error instanceof WorldError) return error
  const text = error instanceof Error ? error.message : String(error)
  if (error instanceof Error && 'code' in error && error.code === 'ERR_OUT_OF_RANGE') {
    return storeError('RTK_STORE_ROW', `${doing}: ${text}`, error)
  }
  return storeError(primary[resultCode(error) & 0xff] ?? 'RTK_STORE_ENGINE', `${doing}: ${text}`, error)
}

/** After such an error the transaction as a whole cannot go on, and neither can the others in it. */
export function endsTransaction(error: WorldError): boolean {
  return error.code === 'RTK_STORE_DISK_FULL' || error.code === 'RTK_STORE_IO' || error.code === 'RTK_STORE_CORRUPT'
}
