/**
 * What the author of a store writes (a module, the core, a third-party plugin). Operations are data: SQL, named
 * parameters and expectations. No transaction, cursor or connection crosses the interface, one definition runs in the
 * database's thread for SQLite and through a driver for PostgreSQL, and a plugin needs no code there
 * (docs/decisions/0007-store-operations-are-data.md).
 *
 * Both engines take the same SQL where it keeps to: types `text`, `bigint`, `double precision`, `boolean`, `blob`;
 * `on conflict … do`, `returning`, row values, `limit`; parameters `:name`. `without rowid` at the end of a `create table`
 * is for SQLite, the PostgreSQL engine leaves it out. Where they differ, write `{ sqlite, postgres }`.
 */
import type { Shape, ValuesOf } from './columns.ts'
import { StoreDefinitionError } from './errors.ts'
import { parameterNames, tablesMade } from './sql.ts'

export type { Column, Shape, ValuesOf } from './columns.ts'
export { bigint, boolean, bytes, integer, nullable, octets, oneOf, real, text } from './columns.ts'

/** One statement, for both engines or one for each. */
export type Sql = string | { readonly sqlite: string; readonly postgres: string }

/** How many rows a statement must have touched (or returned, when it returns rows). */
export type Expectation = 'some' | 'none'

export interface Statement<Otherwise extends string = string> {
  readonly sql: Sql
  /** Runs once for each item instead of once; the item's values are parameters too. */
  readonly each?: true
  /** When it is not met the whole operation is undone and answers `otherwise`. Only in `guarded`. */
  readonly expect?: Expectation
  /** The outcome when the expectation is not met or a unique key is taken; 'conflict' unless said. */
  readonly otherwise?: Otherwise
}

export type StatementLike = string | Statement

/** A row that was changed, as (table, key): what caches listen to and the mesh carries. */
export interface Change {
  readonly table: string
  readonly key: string
}

/** A change of the row of `table` with this key. Parts are joined by U+0000, which no text column may contain. */
export function change(table: string, ...key: readonly (string | number | bigint)[]): Change {
  return { table, key: key.length === 1 ? String(key[0]) : key.join('\0') }
}

export interface ReadOperation<P extends Shape = Shape, R extends Shape = Shape, One extends boolean = boolean> {
  readonly does: 'read'
  readonly params: P
  readonly row: R
  readonly one: One
  readonly sql: Sql
  readonly maxRows: number
}

export interface WriteOperation<
  P extends Shape = Shape,
  I extends Shape | undefined = Shape | undefined,
  R extends Shape = Shape,
  Outcome extends string = string,
> {
  readonly does: 'write'
  readonly params: P
  readonly items: I
  readonly row: R
  readonly guarded: boolean
  /** See `WriteOptions.joins`. */
  readonly joins: boolean
  readonly statements: readonly Statement<Outcome>[]
  readonly changes: ((params: never, items: never) => Change | readonly Change[]) | undefined
}

export type Operation = ReadOperation | WriteOperation

/** Committed: it is *kept* (DESIGN.md section 9). */
export interface Kept<R> {
  readonly outcome: 'kept'
  /** Rows inserted, updated or deleted by all statements together. */
  readonly changed: number
  /** What the last statement returned, as declared by `returns`. */
  readonly rows: readonly R[]
}

/** Nothing was changed, and why not. */
export interface Refused<O extends string> {
  readonly outcome: O
  /** Index of the statement that refused. */
  readonly statement: number
}

export interface WriteOptions<P extends Shape, I extends Shape | undefined, R extends Shape> {
  /** The values of each item, for statements with `each`. The operation then takes an array of them beside its params. */
  readonly items?: I
  /** The columns that the last statement returns (`returning …`). */
  readonly returns?: R
  /**
   * It is committed with what was asked for just before it, in the same turn of the event loop and of any store, or neither
   * is; an operation that is refused, or rejected for itself, keeps none of the others back.
   */
  readonly joins?: boolean
  /** Which rows changed. Called on the thread that asked, after the commit, before the answer is handed over. */
  readonly changes?: (
    params: ValuesOf<P>,
    items: I extends Shape ? readonly ValuesOf<I>[] : readonly [],
  ) => Change | readonly Change[]
}

/** At most this many rows come back from one read unless its definition says otherwise. */
export const DEFAULT_MAX_ROWS = 10_000

/** A read of at most one row: answers the row or undefined. */
export function one<const P extends Shape, const R extends Shape>(
  params: P,
  row: R,
  sql: Sql,
): ReadOperation<P, R, true> {
  return { does: 'read', params, row, one: true, sql, maxRows: 1 }
}

/**
 * A read of many rows. More rows than `maxRows` (default 10,000) reject with RTK_STORE_TOO_MANY_ROWS: page by key
 * (`where (a, b) > (:a, :b) order by a, b limit :limit`), never by offset.
 */
export function many<const P extends Shape, const R extends Shape>(
  params: P,
  row: R,
  sql: Sql,
  options: { readonly maxRows?: number } = {},
): ReadOperation<P, R, false> {
  return { does: 'read', params, row, one: false, sql, maxRows: options.maxRows ?? DEFAULT_MAX_ROWS }
}

/**
 * A whole, atomic write that can be repeated without harm (an upsert, a delete). It always answers `Kept`; a
 * constraint that it violates is a fault of the definition and rejects with RTK_STORE_CONSTRAINT.
 */
export function write<
  const P extends Shape,
  const I extends Shape | undefined = undefined,
  // biome-ignore lint/complexity/noBannedTypes: the shape without columns
  const R extends Shape = {},
>(
  params: P,
  statements: readonly (string | Pick<Statement, 'sql' | 'each'>)[],
  options: WriteOptions<P, I, R> = {},
): WriteOperation<P, I, R, never> {
  return operation(params, statements, options, false) as WriteOperation<P, I, R, never>
}

/**
 * A whole, atomic write that carries what it expects (a version, a fencing token, that a row is absent). When an
 * expectation is not met or a unique key is taken, nothing is changed and the outcome says so: 'conflict', or the
 * statement's `otherwise`.
 */
export function guarded<
  const P extends Shape,
  const S extends readonly StatementLike[],
  const I extends Shape | undefined = undefined,
  // biome-ignore lint/complexity/noBannedTypes: the shape without columns
  const R extends Shape = {},
>(
  params: P,
  statements: S,
  options: WriteOptions<P, I, R> = {},
): WriteOperation<P, I, R, 'conflict' | OtherwiseOf<S[number]>> {
  return operation(params, statements, options, true) as WriteOperation<P, I, R, 'conflict' | OtherwiseOf<S[number]>>
}

type OtherwiseOf<S> = S extends { readonly otherwise: infer O extends string } ? O : never

function operation(
  params: Shape,
  statements: readonly StatementLike[],
  options: { items?: Shape | undefined; returns?: Shape; joins?: boolean; changes?: WriteOperation['changes'] },
  isGuarded: boolean,
): WriteOperation {
  return {
    does: 'write',
    params,
    items: options.items,
    row: options.returns ?? {},
    guarded: isGuarded,
    joins: options.joins ?? false,
    statements: statements.map((statement) => (typeof statement === 'string' ? { sql: statement } : statement)),
    changes: options.changes,
  }
}

/** A statement that runs once for each item. */
export function each(sql: Sql): { readonly sql: Sql; readonly each: true } {
  return { sql, each: true }
}

export interface Migration {
  /** 1, 2, 3 … without a gap. */
  readonly version: number
  readonly name: string
  readonly up: readonly Sql[]
}

export interface StoreDefinition {
  /** One lower-case word. Tables and indexes are called this, or begin with it and '_'. */
  readonly name: string
  /** Only ever added to: an edited old one is detected and refused (RTK_STORE_MIGRATION_EDITED). */
  readonly migrations: readonly Migration[]
  readonly operations: { readonly [name: string]: Operation }
}

/** The parameters of an operation. */
export type ParamsOf<O> =
  O extends ReadOperation<infer P> ? ValuesOf<P> : O extends WriteOperation<infer P> ? ValuesOf<P> : never

/** What an operation resolves with. */
export type ResultOf<O> =
  O extends ReadOperation<Shape, infer R, infer One>
    ? One extends true
      ? ValuesOf<R> | undefined
      : readonly ValuesOf<R>[]
    : O extends WriteOperation<Shape, infer _I, infer R, infer Outcome>
      ? Kept<ValuesOf<R>> | RefusedOf<Outcome>
      : never

type RefusedOf<O extends string> = O extends string ? Refused<O> : never

type ArgumentsOf<O> =
  O extends WriteOperation<Shape, infer I>
    ? I extends Shape
      ? [params: ParamsOf<O>, items: readonly ValuesOf<I>[]]
      : [params: ParamsOf<O>]
    : [params: ParamsOf<O>]

/** An open store: its operations as functions. They reject with `WorldError` only (RTK_STORE_…, see errors.ts). */
export type Store<D extends StoreDefinition> = {
  readonly [K in keyof D['operations']]: (
    ...args: ArgumentsOf<D['operations'][K]>
  ) => Promise<ResultOf<D['operations'][K]>>
}

/** Checks a definition and returns it. Throws `StoreDefinitionError` with everything that is wrong with it. */
export function defineStore<const D extends StoreDefinition>(definition: D): D {
  const faults: string[] = []
  const { name } = definition
  if (!/^[a-z][a-z0-9]{0,30}$/.test(name) || name === 'ratatosk')
    faults.push('the name is not one lower-case word of at most 31 letters')
  definition.migrations.forEach((migration, index) => {
    if (migration.version !== index + 1) faults.push(`migration ${migration.version} stands where ${index + 1} is due`)
    for (const sql of migration.up.flatMap(dialects)) {
      for (const table of tablesMade(sql)) {
        if (table !== name && !table.startsWith(`${name}_`)) faults.push(`${table} does not begin with ${name}_`)
      }
    }
  })
  for (const [key, value] of Object.entries(definition.operations)) {
    for (const fault of faultsOf(value)) faults.push(`operation ${key}: ${fault}`)
  }
  if (faults.length > 0) throw new StoreDefinitionError(name, faults)
  return definition
}

function faultsOf(value: Operation): string[] {
  const faults: string[] = []
  const used = new Set<string>()
  const statements: readonly Statement[] = value.does === 'read' ? [{ sql: value.sql }] : value.statements
  const items: Shape = (value.does === 'write' && value.items) || {}
  for (const name of Object.keys(items)) if (name in value.params) faults.push(`:${name} is a parameter and of an item`)
  if (statements.length === 0) faults.push('no statement')
  for (const statement of statements) {
    if (value.does === 'write' && !value.guarded && statement.expect !== undefined)
      faults.push('expect outside guarded')
    for (const sql of dialects(statement.sql)) {
      for (const name of parameterNames(sql)) {
        used.add(name)
        if (!(name in value.params || (statement.each && name in items))) faults.push(`:${name} is not declared`)
      }
    }
  }
  for (const name of [...Object.keys(value.params), ...Object.keys(items)]) {
    if (!used.has(name) && !(value.does === 'write' && value.changes)) faults.push(`:${name} is declared and not used`)
  }
  return faults
}

function dialects(sql: Sql): readonly string[] {
  return typeof sql === 'string' ? [sql] : [sql.sqlite, sql.postgres]
}

/** Names of a shape in the order in which values travel. */
export function namesOf(shape: Shape): readonly string[] {
  return Object.keys(shape)
}
