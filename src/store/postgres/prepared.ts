/** Operations prepared in the server: looked at, made functions where they must decide something, given a name. */
import { storeError } from '../errors.ts'
import { Answer, type OperationData, type StoreData, type WireValue } from '../wire.ts'
import type { Answered, Call, PostgresConnection, ResultColumn, Row, Text } from './connection.ts'
import { postgresError } from './failure.ts'
import { callOf, functionName, functionText, isPlain, Outcome, parameterOids, statementText } from './function.ts'
import { fromPostgres, type Sent, toArray, toPostgres, types } from './values.ts'

export interface PreparedOperation {
  readonly data: OperationData
  readonly isRead: boolean
  /** It answers with a row for its outcome behind those it returns. */
  readonly isFunction: boolean
  /** For each declared column of the result its index in the server's row, and its type there. */
  readonly columns: readonly { readonly index: number; readonly oid: number }[]
}

/** Rejects with `WorldError`: RTK_STORE_DEFINITION when the SQL is wrong or its result is not what is declared. */
export async function prepareAll(
  connection: PostgresConnection,
  store: StoreData,
): Promise<readonly PreparedOperation[]> {
  const found = await look(connection, store)
  const functions = store.operations.filter((data) => !isPlain(data))
  const made = functions.map((data) =>
    functionText(
      data,
      (found.get(data) ?? []).map(({ length }) => length > 0),
    ),
  )
  if (made.length > 0) {
    await connection.run(made.join(';\n')).catch((error: unknown) => {
      throw definitionError(error, `store ${store.name}`)
    })
  }
  const texts = store.operations.map((data): Text => {
    const name = functionName(data)
    const [only] = data.statements
    if (isPlain(data) && only !== undefined) return { name, text: statementText(only), oids: parameterOids(data) }
    return { name, ...callOf(data) }
  })
  const { columns, failure } = await connection.describe(texts)
  if (failure !== undefined) throw definitionError(failure, about(store, store.operations[columns.length]))
  return store.operations.map((data) => preparedOf(store, data, found.get(data)?.at(-1) ?? []))
}

/** The columns that each statement returns. */
async function look(
  connection: PostgresConnection,
  store: StoreData,
): Promise<ReadonlyMap<OperationData, readonly (readonly ResultColumn[])[]>> {
  const all = store.operations.flatMap((data) => data.statements.map((statement) => ({ data, statement })))
  const texts = all.map(({ data, statement }) => ({
    name: '',
    text: statementText(statement),
    oids: parameterOids(data),
  }))
  const { columns, failure } = await connection.describe(texts)
  if (failure !== undefined) throw definitionError(failure, about(store, all[columns.length]?.data))
  const found = new Map<OperationData, (readonly ResultColumn[])[]>()
  all.forEach(({ data }, index) => {
    const list = found.get(data) ?? []
    list.push(columns[index] ?? [])
    found.set(data, list)
  })
  return found
}

function about(store: StoreData, data: OperationData | undefined): string {
  return `store ${store.name}, operation ${data?.name ?? 'unknown'}`
}

function definitionError(error: unknown, doing: string): Error {
  const known = postgresError(error, doing)
  return known.code === 'RTK_STORE_ENGINE' ? storeError('RTK_STORE_DEFINITION', known.message, error) : known
}

function preparedOf(store: StoreData, data: OperationData, last: readonly ResultColumn[]): PreparedOperation {
  const isFunction = !isPlain(data)
  const prepared = { data, isRead: data.does === 'read', isFunction }
  if (data.row.length === 0) return { ...prepared, columns: [] }
  const names = last.map((column) => column.name)
  const declared = data.row.map((field) => field.name)
  const differs = names.length !== declared.length || declared.some((name) => !names.includes(name))
  if (differs) {
    throw storeError(
      'RTK_STORE_DEFINITION',
      `${about(store, data)}: returns ${names.join(', ')}, declared is ${declared.join(', ')}`,
    )
  }
  // A function's columns have the declared types, in the declared order.
  const columns = data.row.map(({ name, kind }, at) => {
    const index = isFunction ? at : names.indexOf(name)
    return { index, oid: isFunction ? types[kind].oid : (last[index]?.oid ?? 0) }
  })
  return { ...prepared, columns }
}

export interface BatchCall {
  readonly operation: PreparedOperation
  readonly call: Call
}

/** The calls of a batch off the wire. Throws RTK_STORE_ENGINE for a slot that nobody has. */
export function callsOf(
  operations: ReadonlyMap<number, PreparedOperation>,
  batch: readonly WireValue[],
): readonly BatchCall[] {
  const calls: BatchCall[] = []
  let at = 0
  while (at < batch.length) {
    const operation = operations.get(batch[at] as number)
    if (operation === undefined) throw storeError('RTK_STORE_ENGINE', `no operation in slot ${String(batch[at])}`)
    const { params, takesItems, items } = operation.data
    const values: Sent[] = params.map((field, index) => toPostgres(field, batch[at + 1 + index] ?? null))
    at += 1 + params.length
    if (takesItems) {
      const count = batch[at] as number
      items.forEach((field, index) => {
        values.push(toArray(field, batch, at + 1 + index, items.length, count))
      })
      at += 1 + count * items.length
    }
    calls.push({ operation, call: { statement: functionName(operation.data), values } })
  }
  return calls
}

/** Puts what the server answered to one call on the wire. Throws RTK_STORE_ROW, RTK_STORE_TOO_MANY_ROWS. */
export function answer({ data, isRead, isFunction, columns }: PreparedOperation, answered: Answered): WireValue[] {
  const { rows } = answered
  if (isRead) {
    if (rows.length > data.maxRows) {
      throw storeError('RTK_STORE_TOO_MANY_ROWS', `operation ${data.name}: more than ${data.maxRows} rows`)
    }
    return [Answer.rows, ...values(data, columns, rows, rows.length)]
  }
  if (!isFunction) return [Answer.kept, answered.changed, ...values(data, columns, rows, rows.length)]
  const end = rows.at(-1)
  const [kind, n] = [end?.[data.row.length], Number(end?.[data.row.length + 1])]
  // Rows that were handed out before a later refusal are of no worth.
  if (kind === Outcome.refused) return [Answer.refused, n]
  return [Answer.kept, n, ...values(data, columns, rows, rows.length - 1)]
}

function values(
  { row }: OperationData,
  columns: PreparedOperation['columns'],
  rows: readonly Row[],
  count: number,
): WireValue[] {
  if (row.length === 0) return [0]
  const out: WireValue[] = [count]
  for (let i = 0; i < count; i++) {
    row.forEach((field, at) => {
      const { index, oid } = columns[at] as { index: number; oid: number }
      out.push(fromPostgres(field, oid, rows[i]?.[index]))
    })
  }
  return out
}
