/**
 * The types of parameters and columns. They are values, not only TypeScript types, because the engines need them at run
 * time: SQLite has no booleans, PostgreSQL's driver hands 64-bit integers out as text, and XML travels to the database's
 * thread as a byte string but is stored as a blob (DESIGN.md section 9).
 */
import type { Octets } from '../xml/octets.ts'

export type ColumnKind = 'text' | 'integer' | 'bigint' | 'real' | 'boolean' | 'bytes' | 'octets'

/** What the author of a store hands in and gets out. */
export type Value = string | number | bigint | boolean | Uint8Array | null

declare const carried: unique symbol

/** A parameter or a column of a result whose values are `T`. */
export interface Column<T = unknown> {
  readonly kind: ColumnKind
  readonly nullable: boolean
  /** Never there at run time: it carries `T`. */
  readonly [carried]?: T
}

export type Shape = { readonly [name: string]: Column }

/** The values of a shape: `{ host: text }` becomes `{ readonly host: string }`. */
export type ValuesOf<S extends Shape> = { readonly [K in keyof S]: S[K] extends Column<infer T> ? T : never }

function column<T>(kind: ColumnKind): Column<T> {
  return Object.freeze({ kind, nullable: false })
}

/** Unicode text; DDL type `text`. U+0000 is refused (PostgreSQL cannot store it). */
export const text: Column<string> = column('text')
/** An integer of at most 2⁵³ - 1 in size; DDL type `bigint`. */
export const integer: Column<number> = column('integer')
/** A 64-bit integer; DDL type `bigint`. */
export const bigint: Column<bigint> = column('bigint')
/** A double, not NaN (SQLite has none); DDL type `double precision`. */
export const real: Column<number> = column('real')
/** DDL type `boolean`; the literals true and false are good on both engines. */
export const boolean: Column<boolean> = column('boolean')
/** Bytes; DDL type `blob` (the PostgreSQL engine makes it a domain over bytea). */
export const bytes: Column<Uint8Array> = column('bytes')
/** XML, stored as a UTF-8 blob; DDL type `blob`. */
export const octets: Column<Octets> = column('octets')

/** Text out of a fixed set. The set is a type only: the statements keep other values out. */
export function oneOf<const T extends string>(..._values: readonly T[]): Column<T> {
  return text as Column<T>
}

/** The same, or null. */
export function nullable<T>(of: Column<T>): Column<T | null> {
  return Object.freeze({ kind: of.kind, nullable: true })
}
