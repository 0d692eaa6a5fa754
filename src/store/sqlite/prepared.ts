/** One operation, prepared: its statements, and the way of its values into and out of SQLite. */
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { fromBytes } from '../../xml/octets.ts'
import type { Expectation } from '../define.ts'
import { storeError } from '../errors.ts'
import type { FieldData, OperationData, StatementData, WireValue } from '../wire.ts'

export interface PreparedStatement {
  readonly statement: StatementSync
  readonly picks: readonly number[]
  /** The values are bound as they come: each once, in order. */
  readonly straight: boolean
  readonly each: boolean
  readonly expect: Expectation | ''
  readonly returnsRows: boolean
  /** It only looks: a guard. What it returns is no change. */
  readonly isSelect: boolean
}

export interface PreparedOperation {
  readonly data: OperationData
  readonly isRead: boolean
  readonly statements: readonly PreparedStatement[]
  /** For each declared column of the result its index in SQLite's row. */
  readonly columns: readonly number[]
  /** Its statements need a savepoint so that a failure in the middle undoes all of it. */
  readonly savepoint: boolean
}

/** Throws what SQLite says about the SQL, or RTK_STORE_DEFINITION when result and declaration differ. */
export function prepare(database: DatabaseSync, store: string, data: OperationData): PreparedOperation {
  const values = data.params.length + data.items.length
  const statements = data.statements.map((statement) => prepareStatement(database, data, statement, values))
  const last = statements.at(-1)
  let columns: readonly number[] = []
  if (data.row.length > 0 && last !== undefined) {
    const names = last.statement.columns().map((column) => column.name)
    columns = data.row.map((field) => names.indexOf(field.name))
    const missing = data.row.filter((field) => !names.includes(field.name))
    const extra = names.filter((name) => !data.row.some((field) => field.name === name))
    if (missing.length > 0 || extra.length > 0) {
      throw storeError(
        'RTK_STORE_DEFINITION',
        `store ${store}, operation ${data.name}: returns ${names.join(', ')}, declared is ${data.row.map((f) => f.name).join(', ')}`,
      )
    }
  }
  const risky = statements.length > 1 || statements.some((one) => one.each || one.expect === 'none')
  return { data, isRead: data.does === 'read', statements, columns, savepoint: data.does === 'write' && risky }
}

function prepareStatement(
  database: DatabaseSync,
  data: OperationData,
  from: StatementData,
  values: number,
): PreparedStatement {
  const statement = database.prepare(sqlOf(from.pieces))
  const returnsRows = statement.columns().length > 0
  const isSelect = /^\s*(select|values)\b/i.test(from.pieces[0] ?? '')
  if (returnsRows) statement.setReturnArrays(true)
  if (data.row.some((field) => field.kind === 'bigint')) statement.setReadBigInts(true)
  const width = from.each ? values : data.params.length
  const straight = from.picks.length === width && from.picks.every((pick, index) => pick === index)
  return { statement, picks: from.picks, straight, each: from.each, expect: from.expect, returnsRows, isSelect }
}

/**
 * SQLite looks at the value of a bound limit while it plans, and so plans anew each time one is bound, be it the same as before: 4.5 of the
 * 7 µs of a short read. At a sum it does not look.
 */
function sqlOf(pieces: readonly string[]): string {
  return pieces.reduce((sql, piece) => `${sql}${/\blimit\s+$/i.test(sql) ? '? + 0' : '?'}${piece}`)
}

/**
 * A value off the wire as SQLite takes it. Integers go in as BigInt because Node binds every number as a double, and
 * `:a / 2` and `'x' || :a` would not mean on SQLite what they mean on PostgreSQL.
 */
export function toSqlite(field: FieldData, value: WireValue): SQLInputValue {
  if (value === null) return null
  switch (field.kind) {
    case 'text':
    case 'real':
    case 'bigint':
      return value as SQLInputValue
    case 'integer':
      return BigInt(value as number)
    case 'boolean':
      return value === true ? 1n : 0n
    case 'bytes':
    case 'octets':
      return Buffer.from(value as string, 'latin1')
  }
}

/** A value of SQLite for the wire. Throws RTK_STORE_ROW when it is not what is declared. */
export function fromSqlite(field: FieldData, value: SQLOutputValue | undefined): WireValue {
  if (value === null && field.nullable) return null
  switch (field.kind) {
    case 'text':
      if (typeof value === 'string') return value
      break
    case 'integer':
      if (typeof value === 'number' && Number.isSafeInteger(value)) return value
      if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value)
      break
    case 'bigint':
      if (typeof value === 'bigint') return value
      break
    case 'real':
      if (typeof value === 'number') return value
      if (typeof value === 'bigint') return Number(value)
      break
    case 'boolean':
      if (value === 0 || value === 0n) return false
      if (value === 1 || value === 1n) return true
      break
    case 'bytes':
    case 'octets':
      if (value instanceof Uint8Array) {
        return fromBytes(value)
      }
      break
  }
  const found = value === null ? 'null' : value instanceof Uint8Array ? 'bytes' : typeof value
  throw storeError('RTK_STORE_ROW', `column ${field.name} holds ${found}, declared is ${field.kind}`)
}
