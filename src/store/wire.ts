/**
 * What travels between the thread that asks and the thread (or driver) that works: a definition as data, operations in
 * batches as one flat array, answers likewise. Flat because copying one array between threads costs a fraction of
 * copying an object an operation, and waking a thread costs more than both (docs/decisions/0007-…).
 *
 * A batch is, for each operation: its slot, its parameters, and when it takes items their number and their values.
 * An answer begins with `Reply` and then has for each operation one of `Answer` with what belongs to it.
 */
import { fromBytes } from '../xml/octets.ts'
import type { Column, ColumnKind, Shape, Value } from './columns.ts'
import type { Expectation, Operation, ReadOperation, StoreDefinition } from './define.ts'
import { type Dialect, forDialect, parseSql } from './sql.ts'

/** Bytes travel as strings of one byte a character: they are copied between threads much faster than small buffers. */
export type WireValue = string | number | bigint | boolean | null

/** Index of the head's fields in an answer. */
export const Reply = Object.freeze({
  /** Milliseconds that the engine spent on the batch. */
  engineMs: 0,
  /** 1 when the batch ended in a commit. */
  commits: 1,
  /** RTK_STORE_… when the engine as a whole is in a bad state after this batch, else ''. */
  stateCode: 2,
  stateText: 3,
  head: 4,
})

export const Answer = Object.freeze({
  /** Followed by the number of rows and their values. */
  rows: 0,
  /** Followed by rows changed, the number of rows and their values. */
  kept: 1,
  /** Followed by the index of the statement. */
  refused: 2,
  /** Followed by code and text. */
  error: 3,
})

export interface FieldData {
  readonly name: string
  readonly kind: ColumnKind
  readonly nullable: boolean
}

export interface StatementData {
  /** The SQL between its parameters. */
  readonly pieces: readonly string[]
  /** For each place the index of the value: first the parameters, then those of the item. */
  readonly picks: readonly number[]
  readonly each: boolean
  readonly expect: Expectation | ''
}

export interface OperationData {
  readonly slot: number
  readonly name: string
  readonly does: 'read' | 'write'
  readonly guarded: boolean
  /** 0 for a write. */
  readonly maxRows: number
  readonly params: readonly FieldData[]
  /** Empty when it takes none. */
  readonly items: readonly FieldData[]
  readonly takesItems: boolean
  readonly row: readonly FieldData[]
  readonly statements: readonly StatementData[]
}

export interface MigrationData {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly up: readonly string[]
}

export interface StoreData {
  readonly name: string
  readonly migrations: readonly MigrationData[]
  readonly operations: readonly OperationData[]
}

/** A definition for one engine. `slot` numbers its operations from `firstSlot`. */
export function storeData(definition: StoreDefinition, dialect: Dialect, firstSlot: number): StoreData {
  return {
    name: definition.name,
    migrations: definition.migrations.map((migration) => ({
      version: migration.version,
      name: migration.name,
      checksum: checksum(migration.up.map((sql) => forDialect(sql, dialect))),
      up: migration.up.map((sql) => forDialect(sql, dialect)),
    })),
    operations: Object.entries(definition.operations).map(([name, operation], index) =>
      operationData(name, operation, dialect, firstSlot + index),
    ),
  }
}

function operationData(name: string, operation: Operation, dialect: Dialect, slot: number): OperationData {
  const isRead = operation.does === 'read'
  const items = isRead ? undefined : operation.items
  const values = [...Object.keys(operation.params), ...Object.keys(items ?? {})]
  const statements = isRead ? [{ sql: operation.sql }] : operation.statements
  return {
    slot,
    name,
    does: operation.does,
    guarded: !isRead && operation.guarded,
    maxRows: isRead ? operation.maxRows : 0,
    params: fields(operation.params),
    items: fields(items ?? {}),
    takesItems: items !== undefined,
    row: fields(operation.row),
    statements: statements.map((statement) => {
      const sql = forDialect(statement.sql, dialect)
      const parsed = parseSql(isRead ? bounded(sql, operation) : sql)
      return {
        pieces: parsed.pieces,
        picks: parsed.names.map((parameter) => values.indexOf(parameter)),
        each: 'each' in statement && statement.each === true,
        expect: ('expect' in statement && statement.expect) || '',
      }
    }),
  }
}

/** A read that sets no limit itself gets one, so that no result can fill the memory; a row too many tells that it did. */
function bounded(sql: string, read: ReadOperation): string {
  return /\blimit\b/i.test(sql) ? sql : `${sql}\nlimit ${read.one ? 1 : read.maxRows + 1}`
}

function fields(shape: Shape): readonly FieldData[] {
  return Object.entries(shape).map(([name, column]: [string, Column]) => ({
    name,
    kind: column.kind,
    nullable: column.nullable,
  }))
}

/** FNV-1a with 64 bits over the statements; indentation and line breaks do not count. It finds slips, not malice. */
export function checksum(statements: readonly string[]): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(statements.map((sql) => sql.replace(/\s+/g, ' ').trim()).join(';\n'), 'utf8')) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  }
  return hash.toString(16).padStart(16, '0')
}

/**
 * Puts one value on the wire. Answers the estimated size in bytes, or -1 when it is not what the field declares.
 * Lone surrogates and U+0000 in text are refused: they would be stored as something else, or not at all.
 */
export function encodeValue(out: WireValue[], field: FieldData, value: Value | undefined): number {
  if (value === null) {
    out.push(null)
    return field.nullable ? 8 : -1
  }
  switch (field.kind) {
    case 'text':
      if (typeof value !== 'string' || !value.isWellFormed() || value.includes('\0')) return -1
      out.push(value)
      return value.length
    case 'octets':
      if (typeof value !== 'string') return -1
      out.push(value)
      return value.length
    case 'integer':
      if (!Number.isSafeInteger(value)) return -1
      out.push(value as number)
      return 8
    case 'real':
      if (typeof value !== 'number' || Number.isNaN(value)) return -1
      out.push(value)
      return 8
    case 'bigint':
      if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) return -1
      out.push(value)
      return 8
    case 'boolean':
      if (typeof value !== 'boolean') return -1
      out.push(value)
      return 8
    case 'bytes':
      if (!(value instanceof Uint8Array)) return -1
      out.push(fromBytes(value))
      return value.byteLength
  }
}

/** A value off the wire, as the author sees it. The engine has checked its type. */
export function decodeValue(field: FieldData, value: WireValue): Value {
  if (field.kind !== 'bytes' || typeof value !== 'string') return value
  // A plain array of its own: a Buffer out of the pool would keep its neighbours alive in caches.
  const out = new Uint8Array(value.length)
  Buffer.from(out.buffer).write(value, 'latin1')
  return out
}
