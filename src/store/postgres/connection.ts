/**
 * One connection to a PostgreSQL server, through the driver `pg`: exchanges one after the other, each a pipeline that ends
 * with one Sync. What stands before a Sync is one transaction (PostgreSQL's manual, 55.2.4: the extended query protocol).
 */
import { Socket } from 'node:net'
import type { Client, ClientConfig } from 'pg'
import { storeError } from '../errors.ts'
import type { Sent } from './values.ts'

export interface Call {
  /** A prepared statement; '' is the unnamed one. */
  readonly statement: string
  readonly values: readonly Sent[]
}

export type Row = readonly (string | null)[]

export interface Answered {
  readonly rows: readonly Row[]
  /** Rows that the command touched, by its tag. */
  readonly changed: number
}

/** What a pipeline came to: `failure` is what the server said to the call behind the last answer; then nothing was kept. */
export interface Piped {
  readonly answers: readonly Answered[]
  readonly failure: unknown
}

export interface ResultColumn {
  readonly name: string
  readonly oid: number
}

/** Its result's columns for each statement; `failure` is about the one behind the last. */
export interface Described {
  readonly columns: readonly (readonly ResultColumn[])[]
  readonly failure: unknown
}

/** A statement to be prepared, with the types of its parameters. */
export interface Text {
  readonly name: string
  readonly text: string
  readonly oids: readonly number[]
}

/** The driver's connection, as far as we use it: its own declaration lacks what custom queries need. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void }
  query(text: string): void
  parse(statement: { name: string; text: string; types: readonly number[] }): void
  bind(call: { statement: string; values: readonly Sent[]; binary: boolean }): void
  describe(what: { type: 'S'; name: string }): void
  execute(what: { rows: number }): void
  sync(): void
  on(event: 'noData', listener: () => void): void
  off(event: 'noData', listener: () => void): void
  once(event: 'readyForQuery', listener: () => void): void
}

/** A custom query of the driver: `submit` is called when it is its turn, the others for each message that comes. */
class Exchange {
  readonly answers: Answered[] = []
  readonly columns: (readonly ResultColumn[])[] = []
  failure: unknown
  readonly #send: (wire: Wire) => void
  readonly #done: () => void
  #rows: Row[] = []

  constructor(send: (wire: Wire) => void, done: () => void) {
    this.#send = send
    this.#done = done
  }

  submit(connection: unknown): void {
    const wire = connection as Wire
    const noData = () => this.columns.push([])
    wire.on('noData', noData)
    // The driver hears of it first, and is free for the next exchange then.
    wire.once('readyForQuery', () => {
      wire.off('noData', noData)
      this.#done()
    })
    wire.stream.cork()
    try {
      this.#send(wire)
    } finally {
      wire.stream.uncork()
    }
  }

  handleRowDescription({ fields }: { fields: readonly { name: string; dataTypeID: number }[] }): void {
    this.columns.push(fields.map(({ name, dataTypeID }) => ({ name, oid: dataTypeID })))
  }

  handleDataRow({ fields }: { fields: Row }): void {
    this.#rows.push(fields)
  }

  handleCommandComplete({ text }: { text: string }): void {
    // The tag ends with the number of rows: INSERT 0 1, UPDATE 3.
    this.answers.push({ rows: this.#rows, changed: Number(text.slice(text.lastIndexOf(' ') + 1)) || 0 })
    this.#rows = []
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' })
  }

  handlePortalSuspended(): void {
    // Never: everything is executed without a limit of rows.
  }

  handleError(error: unknown): void {
    this.failure ??= error
  }

  handleReadyForQuery(): void {
    // Not told after an error: see `submit`.
  }
}

export class PostgresConnection {
  readonly #client: Client
  readonly #socket: Socket
  readonly #onLost: (cause: Error) => void
  #pending: ((cause: Error) => void) | undefined
  #lost: Error | undefined
  #isClosing = false

  /** Connects and signs in. `onLost` is told once, and never after `close`. Rejects with the driver's error. */
  static async open(config: ClientConfig, onLost: (cause: Error) => void): Promise<PostgresConnection> {
    // Loaded only where it is used: it costs 30 ms and 5 MB.
    const pg = await import('pg')
    const socket = new Socket()
    const connection = new PostgresConnection(new pg.Client({ ...config, stream: () => socket }), socket, onLost)
    try {
      await connection.#client.connect()
    } catch (error) {
      connection.#isClosing = true
      socket.destroy()
      throw error
    }
    return connection
  }

  private constructor(client: Client, socket: Socket, onLost: (cause: Error) => void) {
    this.#client = client
    this.#socket = socket
    this.#onLost = onLost
    client.on('error', (cause) => this.#gone(cause))
    client.on('end', () => this.#gone(new Error('the connection was closed')))
  }

  #gone(cause: Error): void {
    if (this.#lost !== undefined) return
    this.#lost = cause
    this.#socket.destroy()
    this.#pending?.(cause)
    this.#pending = undefined
    if (!this.#isClosing) this.#onLost(cause)
  }

  /** Number of the server's process for this connection. */
  get pid(): number {
    // The driver's declaration lacks it.
    return Number((this.#client as unknown as { processID: number | null }).processID ?? 0)
  }

  /** One exchange at a time. Rejects only when the connection is lost. */
  #exchange(send: (wire: Wire) => void): Promise<Exchange> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(send, () => {
        this.#pending = undefined
        resolve(exchange)
      })
      this.#pending = (cause) => {
        // The server's last words tell more than the end of the connection.
        reject(exchange.failure instanceof Error ? exchange.failure : cause)
      }
      try {
        this.#client.query(exchange)
      } catch (error) {
        // Half an exchange has left: nothing after it could be told apart.
        this.#gone(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  /** Calls prepared statements as one transaction. */
  async pipeline(calls: readonly Call[]): Promise<Piped> {
    const { answers, failure } = await this.#exchange((wire) => {
      for (const { statement, values } of calls) {
        wire.bind({ statement, values, binary: false })
        wire.execute({ rows: 0 })
      }
      wire.sync()
    })
    return { answers, failure }
  }

  /** Prepares statements; those without a name are only looked at. */
  async describe(texts: readonly Text[]): Promise<Described> {
    const { columns, failure } = await this.#exchange((wire) => {
      for (const { name, text, oids } of texts) {
        wire.parse({ name, text, types: oids })
        wire.describe({ type: 'S', name })
      }
      wire.sync()
    })
    return { columns, failure }
  }

  /** Runs SQL without parameters, several statements as one transaction. Rejects with what the server says. */
  async run(sql: string): Promise<void> {
    const { failure } = await this.#exchange((wire) => wire.query(sql))
    if (failure !== undefined) throw failure
  }

  /** The rows of one statement; its parameters are texts, their types the server's guess. */
  async rows(text: string, values: readonly string[] = []): Promise<readonly Row[]> {
    const { answers, failure } = await this.#exchange((wire) => {
      wire.parse({ name: '', text, types: [] })
      wire.bind({ statement: '', values, binary: false })
      wire.execute({ rows: 0 })
      wire.sync()
    })
    if (failure !== undefined) throw failure
    return answers[0]?.rows ?? []
  }

  /** Runs `work` between begin and commit, or undoes it. */
  async transaction<T>(work: () => Promise<T>, end: 'commit' | 'rollback' = 'commit'): Promise<T> {
    await this.run('begin')
    let result: T
    try {
      result = await work()
    } catch (error) {
      if (this.#lost === undefined) await this.run('rollback')
      throw error
    }
    await this.run(end)
    return result
  }

  /** Says goodbye and resolves when the server has gone too; does not reject. */
  async close(): Promise<void> {
    this.#isClosing = true
    if (this.#lost !== undefined) return
    await this.#client.end().catch(() => undefined)
  }

  /** At once and without a word. */
  drop(why = 'the connection was dropped'): void {
    this.#isClosing = true
    this.#gone(storeError('RTK_STORE_FAILED', why))
  }
}
