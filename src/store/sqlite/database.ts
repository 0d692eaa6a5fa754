/**
 * One SQLite database and its prepared operations, synchronous. It runs in a worker (worker.ts) or, simulated, on the
 * thread that asks (sim-engine.ts). One batch is one transaction: group commit.
 */
import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { WorldError } from '../../world/error.ts'
import { storeError } from '../errors.ts'
import type { MigrationStep } from '../store.types.ts'
import { Answer, type FieldData, type OperationData, Reply, type StoreData, type WireValue } from '../wire.ts'
import { endsTransaction, isUniqueViolation, sqliteError } from './failure.ts'
import {
  boundLog,
  emptyLog,
  epochOf,
  migrate,
  prepareFile,
  rehearse,
  type SqliteFile,
  setEpoch,
  settleFile,
} from './file.ts'
import { fromSqlite, type PreparedOperation, type PreparedStatement, prepare, toSqlite } from './prepared.ts'

/** The room on the disk is looked at once in so many commits. */
const LOOK_EVERY = 64

export class SqliteDatabase {
  readonly #database: DatabaseSync
  readonly #file: SqliteFile
  readonly #nowMs: () => number
  readonly #operations = new Map<number, PreparedOperation>()
  readonly #beginRead
  readonly #begin
  readonly #commit
  readonly #rollback
  readonly #savepoint
  readonly #release
  readonly #undo
  /** The open transaction is one for writing. */
  #writing = false
  #commits = 0
  epoch: string

  /** `freshEpoch` is taken when the database is new or its tail may be lost; `nowMs` is any monotonic time. Throws `WorldError`. */
  constructor(file: SqliteFile, freshEpoch: string, nowMs: () => number) {
    this.#file = file
    this.#nowMs = nowMs
    this.#database = prepareFile(file)
    try {
      this.epoch = epochOf(this.#database, file, freshEpoch)
      this.#beginRead = this.#database.prepare('begin')
      this.#begin = this.#database.prepare('begin immediate')
      this.#commit = this.#database.prepare('commit')
      this.#rollback = this.#database.prepare('rollback')
      this.#savepoint = this.#database.prepare('savepoint operation')
      this.#release = this.#database.prepare('release operation')
      this.#undo = this.#database.prepare('rollback to operation')
    } catch (error) {
      this.#database.close()
      throw sqliteError(error, `opening ${file.path}`)
    }
  }

  /** Migrates and prepares. Operations of an earlier definition stay until they are released. Throws `WorldError`. */
  define(store: StoreData, wallMs: number): void {
    migrate(this.#database, store, wallMs)
    const prepared = store.operations.map((data) => this.#prepare(store.name, data))
    for (const operation of prepared) this.#operations.set(operation.data.slot, operation)
  }

  /** How many operations are prepared. */
  get size(): number {
    return this.#operations.size
  }

  /** Nobody will ask these operations any more. */
  release(slots: readonly number[]): void {
    for (const slot of slots) this.#operations.delete(slot)
  }

  #prepare(store: string, data: OperationData): PreparedOperation {
    try {
      return prepare(this.#database, store, data)
    } catch (error) {
      const known = sqliteError(error, `store ${store}, operation ${data.name}`)
      if (known.code !== 'RTK_STORE_ENGINE') throw known
      throw storeError('RTK_STORE_DEFINITION', known.message, error)
    }
  }

  rehearse(store: StoreData): readonly MigrationStep[] {
    return rehearse(this.#database, store)
  }

  renewEpoch(epoch: string): void {
    setEpoch(this.#database, epoch)
    this.epoch = epoch
  }

  /** A copy of the whole database, for the simulator's sync points. */
  snapshot(): Uint8Array {
    return this.#database.serialize()
  }

  /**
   * Runs a batch in one transaction and answers it. `refuse`: do no write, answer each with this error (the second
   * attempt after a failed commit, and the simulator's full disk).
   */
  run(batch: readonly WireValue[], refuse?: WorldError): WireValue[] {
    const started = this.#nowMs()
    const reply: WireValue[] = [0, 0, '', '']
    let failure = refuse ?? this.#attempt(batch, reply)
    if (failure?.code === 'RTK_STORE_DISK_FULL' && refuse === undefined && this.#makeRoom()) {
      reply.length = Reply.head
      failure = this.#attempt(batch, reply)
    }
    if (failure !== undefined) {
      this.#end()
      // Reads after a write of the batch have seen what is gone now: all of it is answered anew.
      reply.length = Reply.head
      this.#answerAll(batch, reply, failure)
      reply[Reply.stateCode] = failure.code
      reply[Reply.stateText] = failure.message
      this.#end()
    }
    reply[Reply.engineMs] = this.#nowMs() - started
    return reply
  }

  /** Leaves the transaction behind, undone, if there is one. */
  #end(): void {
    if (this.#database.isTransaction) this.#rollback.run()
    this.#writing = false
  }

  /** The disk is full: its log may be what fills it. True when that is worked off, and its space free. */
  #makeRoom(): boolean {
    this.#end()
    return emptyLog(this.#database, this.#file)
  }

  #attempt(batch: readonly WireValue[], reply: WireValue[]): WorldError | undefined {
    try {
      this.#answerAll(batch, reply, undefined)
      if (this.#database.isTransaction) this.#commit.run()
      if (this.#writing) {
        reply[Reply.commits] = 1
        if (++this.#commits % LOOK_EVERY === 0) boundLog(this.#database, this.#file)
      }
      this.#writing = false
      return undefined
    } catch (error) {
      return sqliteError(error, 'committing')
    }
  }

  /** Throws a `WorldError` that concerns the whole transaction; what concerns one operation is its answer. */
  #answerAll(batch: readonly WireValue[], reply: WireValue[], refuse: WorldError | undefined): void {
    let at = 0
    while (at < batch.length) {
      const operation = this.#operations.get(batch[at] as number)
      if (operation === undefined) throw storeError('RTK_STORE_ENGINE', `no operation in slot ${String(batch[at])}`)
      const { params, takesItems, items } = operation.data
      const itemsAt = at + 1 + params.length
      const count = takesItems ? (batch[itemsAt] as number) : 0
      const start = reply.length
      if (!operation.isRead && refuse !== undefined) reply.push(Answer.error, refuse.code, refuse.message)
      else {
        try {
          if (operation.isRead) this.#read(operation, batch, at + 1, reply)
          else this.#write(operation, batch, at + 1, count, reply)
        } catch (error) {
          reply.length = start
          this.#failed(operation, error, reply)
        }
      }
      at = takesItems ? itemsAt + 1 + count * items.length : itemsAt
    }
  }

  #failed(operation: PreparedOperation, error: unknown, reply: WireValue[]): void {
    const failure = sqliteError(error, `operation ${operation.data.name}`)
    if (!operation.isRead && (endsTransaction(failure) || !this.#database.isTransaction)) throw failure
    if (endsTransaction(failure)) {
      reply[Reply.stateCode] = failure.code
      reply[Reply.stateText] = failure.message
    }
    reply.push(Answer.error, failure.code, failure.message)
  }

  #read(operation: PreparedOperation, batch: readonly WireValue[], at: number, reply: WireValue[]): void {
    const { data, statements } = operation
    // Reads of one batch share a lock; a lone one needs no transaction.
    const isLone = at === 1 && at + data.params.length === batch.length
    if (!isLone && !this.#database.isTransaction) this.#beginRead.run()
    const rows = query(statements[0] as PreparedStatement, bind(data.params, batch, at))
    if (rows.length > data.maxRows) {
      throw storeError('RTK_STORE_TOO_MANY_ROWS', `operation ${data.name}: more than ${data.maxRows} rows`)
    }
    reply.push(Answer.rows)
    answerRows(operation, rows, reply)
  }

  #write(
    operation: PreparedOperation,
    batch: readonly WireValue[],
    at: number,
    count: number,
    reply: WireValue[],
  ): void {
    if (!this.#writing) {
      // A transaction begun for reading cannot always be raised to one for writing; nothing was written in it yet.
      if (this.#database.isTransaction) this.#commit.run()
      this.#begin.run()
      this.#writing = true
    }
    if (operation.savepoint) this.#savepoint.run()
    let done = false
    try {
      done = this.#runStatements(operation, batch, at, count, reply)
    } finally {
      // After a full disk SQLite may have ended the transaction, and the savepoint with it.
      if (operation.savepoint && this.#database.isTransaction) {
        if (!done) this.#undo.run()
        this.#release.run()
      }
    }
  }

  /** False when the operation refused, and has answered so. */
  #runStatements(
    operation: PreparedOperation,
    batch: readonly WireValue[],
    at: number,
    count: number,
    reply: WireValue[],
  ): boolean {
    const { data, statements } = operation
    const params = bind(data.params, batch, at)
    const itemsAt = at + params.length + 1
    let changed = 0
    let rows: SQLOutputValue[][] = []
    for (let index = 0; index < statements.length; index++) {
      const statement = statements[index] as PreparedStatement
      rows = []
      const times = statement.each ? count : 1
      for (let item = 0; item < times; item++) {
        const values = statement.each
          ? params.concat(bind(data.items, batch, itemsAt + item * data.items.length))
          : params
        let touched: number
        try {
          if (statement.returnsRows) {
            const returned = query(statement, values)
            touched = returned.length
            if (!statement.isSelect) changed += touched
            if (rows.length === 0) rows = returned
            else for (const row of returned) rows.push(row)
          } else {
            touched = Number(statement.statement.run(...picked(statement, values)).changes)
            changed += touched
          }
        } catch (error) {
          if (!data.guarded || !isUniqueViolation(error)) throw error
          reply.push(Answer.refused, index)
          return false
        }
        if (statement.expect !== '' && touched > 0 !== (statement.expect === 'some')) {
          reply.push(Answer.refused, index)
          return false
        }
      }
    }
    reply.push(Answer.kept, changed)
    answerRows(operation, rows, reply)
    return true
  }

  /** Marks the file as closed in order and closes it. Throws `WorldError`. */
  close(): void {
    try {
      settleFile(this.#database, this.#file)
    } finally {
      this.#database.close()
    }
  }
}

function bind(fields: readonly FieldData[], batch: readonly WireValue[], at: number): SQLInputValue[] {
  const values: SQLInputValue[] = []
  for (let i = 0; i < fields.length; i++) values.push(toSqlite(fields[i] as FieldData, batch[at + i] ?? null))
  return values
}

function picked(statement: PreparedStatement, values: SQLInputValue[]): SQLInputValue[] {
  return statement.straight ? values : statement.picks.map((pick) => values[pick] ?? null)
}

function query(statement: PreparedStatement, values: SQLInputValue[]): SQLOutputValue[][] {
  // With setReturnArrays each row is an array, which the declaration of `all` does not know.
  return statement.statement.all(...picked(statement, values)) as unknown as SQLOutputValue[][]
}

function answerRows(operation: PreparedOperation, rows: readonly SQLOutputValue[][], reply: WireValue[]): void {
  const { row } = operation.data
  reply.push(row.length === 0 ? 0 : rows.length)
  if (row.length === 0) return
  for (const values of rows) {
    for (let i = 0; i < row.length; i++) {
      reply.push(fromSqlite(row[i] as FieldData, values[operation.columns[i] as number]))
    }
  }
}
