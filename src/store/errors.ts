/** Everything that a store can say went wrong. Codes are asserted on by tests, texts are for people. */
import { WorldError } from '../world/error.ts'

export type StoreErrorCode =
  /** `store_queue_operations` or `store_queue_bytes` is reached. Nothing was done. */
  | 'RTK_STORE_QUEUE_FULL'
  /** No answer within `store_operation_timeout`. A write may still be kept. */
  | 'RTK_STORE_TIMEOUT'
  /** The disk or the allowed size of the database (`store_database_bytes`) is full. Reads go on. */
  | 'RTK_STORE_DISK_FULL'
  /** The file is damaged or no database. */
  | 'RTK_STORE_CORRUPT'
  /** Another program holds the database. */
  | 'RTK_STORE_LOCKED'
  /** The database server takes no writes: a standby, or set to read-only. */
  | 'RTK_STORE_READ_ONLY'
  /** The database cannot hold stores: too old a server, another encoding, text not ordered by bytes. */
  | 'RTK_STORE_DATABASE'
  /** The file or its folder may not be written or opened; the server refuses this user. */
  | 'RTK_STORE_PERMISSION'
  /** The database was written by a newer program. */
  | 'RTK_STORE_SCHEMA_NEWER'
  /** A migration that was applied reads differently now. */
  | 'RTK_STORE_MIGRATION_EDITED'
  /** A migration failed; nothing of it was kept. */
  | 'RTK_STORE_MIGRATION_FAILED'
  /** Rows are to be copied to a store that has rows. */
  | 'RTK_STORE_NOT_EMPTY'
  /** An operation of a definition cannot be prepared: wrong SQL, unknown column. */
  | 'RTK_STORE_DEFINITION'
  /** A `write` (not `guarded`) violated a constraint. */
  | 'RTK_STORE_CONSTRAINT'
  /** A parameter is missing or of the wrong type. */
  | 'RTK_STORE_PARAMETER'
  /** A read found more rows than its `maxRows`. */
  | 'RTK_STORE_TOO_MANY_ROWS'
  /** A row is not what its definition declares. */
  | 'RTK_STORE_ROW'
  /** The engine died or cannot be reached. A write that was open may be kept or not. */
  | 'RTK_STORE_FAILED'
  /** The store was closed. */
  | 'RTK_STORE_CLOSED'
  /** Reading or writing the disk failed. */
  | 'RTK_STORE_IO'
  /** The engine said something that has no code of its own. */
  | 'RTK_STORE_ENGINE'

const temporary: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>([
  'RTK_STORE_QUEUE_FULL',
  'RTK_STORE_TIMEOUT',
  'RTK_STORE_DISK_FULL',
  'RTK_STORE_LOCKED',
  'RTK_STORE_READ_ONLY',
  'RTK_STORE_FAILED',
  'RTK_STORE_IO',
])

export function storeError(code: StoreErrorCode, text: string, cause?: unknown): WorldError {
  return new WorldError(code, text, { temporary: temporary.has(code), ...(cause === undefined ? {} : { cause }) })
}

/** A definition that cannot be: a mistake of its author, found when it is made. */
export class StoreDefinitionError extends Error {
  readonly code = 'RTK_STORE_DEFINITION'
  readonly faults: readonly string[]

  constructor(store: string, faults: readonly string[]) {
    super(`store ${store}: ${faults.join('; ')}`)
    this.name = 'StoreDefinitionError'
    this.faults = faults
  }
}
