/** The way of values into and out of PostgreSQL. Bytes and arrays go in binary form, everything comes back as text. */
import { fromBytes } from '../../xml/octets.ts'
import type { ColumnKind } from '../columns.ts'
import { storeError } from '../errors.ts'
import type { FieldData, WireValue } from '../wire.ts'

/** What the driver sends: text as text, a Buffer in PostgreSQL's binary form of the type. */
export type Sent = string | Buffer | null

export interface PostgresType {
  readonly name: string
  /** Numbers of the type and of arrays of it, in every PostgreSQL (pg_type.dat). */
  readonly oid: number
  readonly arrayOid: number
}

const byteArray: PostgresType = { name: 'bytea', oid: 17, arrayOid: 1001 }
const long: PostgresType = { name: 'bigint', oid: 20, arrayOid: 1016 }

export const types: Readonly<Record<ColumnKind, PostgresType>> = {
  text: { name: 'text', oid: 25, arrayOid: 1009 },
  integer: long,
  bigint: long,
  real: { name: 'double precision', oid: 701, arrayOid: 1022 },
  boolean: { name: 'boolean', oid: 16, arrayOid: 1000 },
  bytes: byteArray,
  octets: byteArray,
}

/** A value off the wire as the driver takes it. */
export function toPostgres(field: FieldData, value: WireValue): Sent {
  if (value === null) return null
  switch (field.kind) {
    case 'text':
      return value as string
    case 'boolean':
      return value === true ? 't' : 'f'
    case 'bytes':
    case 'octets':
      return Buffer.from(value as string, 'latin1')
    case 'integer':
    case 'bigint':
    case 'real':
      return String(value)
  }
}

function element(field: FieldData, value: WireValue): Buffer | null {
  if (value === null) return null
  switch (field.kind) {
    case 'text':
      return Buffer.from(value as string, 'utf8')
    case 'boolean':
      return Buffer.of(value === true ? 1 : 0)
    case 'bytes':
    case 'octets':
      return Buffer.from(value as string, 'latin1')
    case 'integer':
    case 'bigint': {
      const out = Buffer.allocUnsafe(8)
      out.writeBigInt64BE(BigInt(value as number | bigint))
      return out
    }
    case 'real': {
      const out = Buffer.allocUnsafe(8)
      out.writeDoubleBE(value as number)
      return out
    }
  }
}

/**
 * One field of all items as an array in binary form (array_recv in the server's arrayfuncs.c): dimensions, whether there
 * are nulls, type, then length and lower bound of the dimension, then each element with its length. The values of this
 * field stand in `batch` at `at` and every `stride` after.
 */
export function toArray(
  field: FieldData,
  batch: readonly WireValue[],
  at: number,
  stride: number,
  count: number,
): Buffer {
  const { oid } = types[field.kind]
  const elements: (Buffer | null)[] = []
  let size = count === 0 ? 12 : 20
  let hasNull = 0
  for (let i = 0; i < count; i++) {
    const made = element(field, batch[at + i * stride] ?? null)
    elements.push(made)
    if (made === null) hasNull = 1
    size += 4 + (made?.length ?? 0)
  }
  const out = Buffer.allocUnsafe(size)
  let end = out.writeInt32BE(count === 0 ? 0 : 1, 0)
  end = out.writeInt32BE(hasNull, end)
  end = out.writeInt32BE(oid, end)
  if (count === 0) return out
  end = out.writeInt32BE(count, end)
  end = out.writeInt32BE(1, end)
  for (const made of elements) {
    end = out.writeInt32BE(made?.length ?? -1, end)
    if (made !== null) end += made.copy(out, end)
  }
  return out
}

const TEXTS: ReadonlySet<number> = new Set([25, 1043, 1042, 19, 705])
const INTEGERS: ReadonlySet<number> = new Set([20, 21, 23, 26])
/** A sum of bigints is a numeric. */
const NUMERIC = 1700
const REALS: ReadonlySet<number> = new Set([700, 701])

/** A column of a result for the wire; `oid` is the type that the server says it has. Throws RTK_STORE_ROW. */
export function fromPostgres(field: FieldData, oid: number, value: string | null | undefined): WireValue {
  if (value === null || value === undefined) {
    if (field.nullable) return null
    throw wrong(field, 'null')
  }
  switch (field.kind) {
    case 'text':
      if (TEXTS.has(oid)) return value
      break
    case 'integer': {
      const number = INTEGERS.has(oid) || (oid === NUMERIC && isWhole(value)) ? Number(value) : Number.NaN
      if (Number.isSafeInteger(number)) return number
      break
    }
    case 'bigint':
      if (INTEGERS.has(oid) || (oid === NUMERIC && isWhole(value))) return BigInt(value)
      break
    case 'real':
      if (REALS.has(oid) || INTEGERS.has(oid) || oid === NUMERIC) return Number(value)
      break
    case 'boolean':
      if (oid === types.boolean.oid) return value === 't'
      if (INTEGERS.has(oid) && (value === '0' || value === '1')) return value === '1'
      break
    case 'bytes':
    case 'octets':
      // `bytea_output` is hex: \x and two digits a byte.
      if (oid === types.bytes.oid) return fromBytes(Buffer.from(value.slice(2), 'hex'))
      break
  }
  throw wrong(field, `a value of type ${oid}`)
}

function isWhole(value: string): boolean {
  return /^-?\d+$/.test(value)
}

function wrong(field: FieldData, found: string): Error {
  return storeError('RTK_STORE_ROW', `column ${field.name} holds ${found}, declared is ${field.kind}`)
}
