/**
 * From one engine to another: every row of every table, in the order of the keys. It needs nothing of an engine but its
 * catalogue: what reads and writes the rows are operations as any other.
 */
import { bigint, boolean, bytes, type Column, integer, nullable, real, text, type Value } from './columns.ts'
import { defineStore, each, many, type Operation, one, type StoreDefinition, write } from './define.ts'
import { storeError } from './errors.ts'
import type { Stores } from './store.types.ts'

export interface CopiedTable {
  readonly store: string
  readonly table: string
  readonly rows: number
}

export interface CopyOptions {
  /** Stores that stay behind although they have rows. */
  readonly without?: readonly string[]
  /** Told after each table. */
  readonly onTable?: (copied: CopiedTable) => void
}

/** Rows of one transaction: with the largest stanzas they stay below `store_queue_bytes`. */
const PAGE = 100

type Row = Readonly<Record<string, Value>>

/** Operations that are known only at run time. */
type Open = Readonly<Record<string, (params: Row, items?: readonly Row[]) => Promise<unknown>>>

interface TableColumn {
  readonly name: string
  readonly column: Column
}

interface Table {
  readonly name: string
  readonly columns: readonly TableColumn[]
  /** Indexes of the primary key's columns, in its order. */
  readonly key: readonly number[]
}

/**
 * Copies all rows of these stores. Both databases are migrated first; nobody else may use them meanwhile. Rejects with
 * RTK_STORE_DEFINITION (a store has rows and no definition, a table no primary key), RTK_STORE_NOT_EMPTY (before anything
 * is copied), and what the engines say; then what was copied stays.
 */
export async function copyStores(
  from: Stores,
  to: Stores,
  definitions: readonly StoreDefinition[],
  options: CopyOptions = {},
): Promise<readonly CopiedTable[]> {
  const without = new Set(options.without)
  await refuseUnknown(from, definitions, without)
  const work: { readonly store: string; readonly table: Table; readonly source: Open; readonly target: Open }[] = []
  for (const definition of definitions.filter(({ name }) => !without.has(name))) {
    await to.open(definition)
    const tables = await tablesOf(from, definition)
    const copying = copyDefinition(definition, tables)
    const source = (await from.open(copying)) as unknown as Open
    const target = (await to.open(copying)) as unknown as Open
    for (const table of tables) work.push({ store: definition.name, table, source, target })
  }
  for (const { table, target } of work) {
    if ((await count(target, table)) > 0) {
      throw storeError('RTK_STORE_NOT_EMPTY', `${table.name} has rows already where it is to be copied to`)
    }
  }
  const copied: CopiedTable[] = []
  for (const { store, table, source, target } of work) {
    const told = { store, table: table.name, rows: await copyTable(table, source, target) }
    copied.push(told)
    options.onTable?.(told)
  }
  // Sequences that have left the old one do not go on in the new one.
  await to.renewEpoch()
  return copied
}

/** What a plugin keeps that is not loaded would be left behind without a word. */
async function refuseUnknown(
  from: Stores,
  definitions: readonly StoreDefinition[],
  without: ReadonlySet<string>,
): Promise<void> {
  const catalogue = await from.open(
    defineStore({
      name: 'catalogue',
      migrations: [],
      operations: {
        stores: many({}, { store: text }, 'select distinct store from ratatosk_migration order by store'),
      },
    }),
  )
  const known = new Set(definitions.map(({ name }) => name))
  const unknown = (await catalogue.stores({})).map(({ store }) => store)
  const missing = unknown.filter((store) => !known.has(store) && !without.has(store))
  if (missing.length === 0) return
  throw storeError(
    'RTK_STORE_DEFINITION',
    `no module that is loaded has the store ${missing.join(', ')}: load it, or leave it behind with --without`,
  )
}

/** In the order in which they were made, so that what a foreign key points to comes first. */
const columnsOf = many(
  { store: text, prefix: text },
  { table_name: text, column_name: text, type: text, nullable: boolean, key_place: integer },
  {
    sqlite: `select m.name as table_name, p.name as column_name, lower(p.type) as type, p."notnull" = 0 as nullable,
        p.pk as key_place
      from sqlite_schema m, pragma_table_info(m.name) p
      where m.type = 'table' and (m.name = :store or substr(m.name, 1, length(:prefix)) = :prefix)
      order by m.rowid, p.cid`,
    postgres: `select c.relname::text as table_name, a.attname::text as column_name,
        format_type(a.atttypid, null) as type, not a.attnotnull as nullable,
        coalesce(array_position(string_to_array(i.indkey::text, ' '), a.attnum::text), 0) as key_place
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_index i on i.indrelid = c.oid and i.indisprimary
      where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace
        and (c.relname = :store or substr(c.relname, 1, length(:prefix)) = :prefix)
      order by c.oid, a.attnum`,
  },
)

async function tablesOf(from: Stores, { name, migrations }: StoreDefinition): Promise<readonly Table[]> {
  const store = await from.open(defineStore({ name, migrations, operations: { columns: columnsOf } }))
  const found = new Map<string, { columns: TableColumn[]; key: [place: number, index: number][] }>()
  for (const row of await store.columns({ store: name, prefix: `${name}_` })) {
    const table = found.get(row.table_name) ?? { columns: [], key: [] }
    found.set(row.table_name, table)
    if (row.key_place > 0) table.key.push([row.key_place, table.columns.length])
    const kind = kindOf(row.type)
    if (kind === undefined) {
      throw storeError('RTK_STORE_DEFINITION', `${row.table_name}.${row.column_name} has the type ${row.type}`)
    }
    table.columns.push({ name: row.column_name, column: row.nullable ? nullable(kind) : kind })
  }
  return [...found].map(([table, { columns, key }]) => {
    if (key.length === 0) throw storeError('RTK_STORE_DEFINITION', `the table ${table} has no primary key`)
    return { name: table, columns, key: key.toSorted(([a], [b]) => a - b).map(([, index]) => index) }
  })
}

/** By the types that a definition may use (define.ts). */
function kindOf(type: string): Column | undefined {
  switch (type) {
    case 'text':
      return text
    case 'bigint':
    case 'integer':
      return bigint
    case 'double precision':
      return real
    case 'boolean':
      return boolean
    case 'blob':
    case 'bytea':
      return bytes
    default:
      return undefined
  }
}

/** A definition with the operations that copy, under the name and the migrations of the store. */
function copyDefinition({ name, migrations }: StoreDefinition, tables: readonly Table[]): StoreDefinition {
  const operations: Record<string, Operation> = {}
  for (const table of tables) {
    const quoted = `"${table.name}"`
    const names = table.columns.map((column) => `"${column.name}"`)
    const shape = Object.fromEntries(table.columns.map(({ column }, index) => [`c${index}`, column]))
    const columns = names.map((column, index) => `${column} as c${index}`).join(', ')
    const key = table.key.map((index) => names[index]).join(', ')
    const after = Object.fromEntries(table.key.map((index) => [`k${index}`, table.columns[index]?.column as Column]))
    const behind = table.key.map((index) => `:k${index}`).join(', ')
    const page = `order by ${key} limit :limit`
    operations[`first_${table.name}`] = many({ limit: integer }, shape, `select ${columns} from ${quoted} ${page}`)
    operations[`after_${table.name}`] = many(
      { ...after, limit: integer },
      shape,
      `select ${columns} from ${quoted} where (${key}) > (${behind}) ${page}`,
    )
    operations[`put_${table.name}`] = write(
      {},
      [
        each(
          `insert into ${quoted} (${names.join(', ')}) values (${names.map((_, index) => `:c${index}`).join(', ')})`,
        ),
      ],
      { items: shape },
    ) as Operation
    operations[`count_${table.name}`] = one({}, { n: integer }, `select count(*) as n from ${quoted}`)
  }
  return defineStore({ name, migrations, operations })
}

async function count(store: Open, { name }: Table): Promise<number> {
  const row = (await store[`count_${name}`]?.({})) as { readonly n: number } | undefined
  return row?.n ?? 0
}

async function copyTable(table: Table, source: Open, target: Open): Promise<number> {
  let copied = 0
  let page = (await source[`first_${table.name}`]?.({ limit: PAGE })) as readonly Row[]
  for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
    await target[`put_${table.name}`]?.({}, page)
    copied += page.length
    const from = last
    const after = Object.fromEntries(table.key.map((index) => [`k${index}`, from[`c${index}`] ?? null]))
    page = (await source[`after_${table.name}`]?.({ ...after, limit: PAGE })) as readonly Row[]
  }
  const arrived = await count(target, table)
  if (arrived !== copied) {
    throw storeError('RTK_STORE_ENGINE', `${table.name}: ${copied} rows were copied, ${arrived} have arrived`)
  }
  return copied
}
