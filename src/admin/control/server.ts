/** The control socket's server: runs the registry's commands for whoever may open the file. */
import { CommandError } from '../../core/command-error.ts'
import type { CommandRegistry } from '../../core/commands.ts'
import type { Clock } from '../../world/clock.types.ts'
import type { Log } from '../../world/log.types.ts'
import type { Listening, Net, Transport, TransportHandler } from '../../world/net.types.ts'
import {
  type ClientMessage,
  LineReader,
  line,
  PROTOCOL,
  parseClientMessage,
  type RunMessage,
  type ServerMessage,
} from './protocol.ts'
import { RowQueue } from './row-queue.ts'

/** Commands at one time on one connection; RTK_CONTROL_BUSY. */
export const MAX_RUNNING = 16
/** Input rows that wait for their command before the connection is paused. */
const MAX_WAITING_ROWS = 1_000
/** Bytes of results that wait for the client before the command is held. */
const MAX_QUEUED_BYTES = 1_048_576
const LINGER_MS = 2_000

export interface ControlOptions {
  readonly net: Net
  readonly clock: Clock
  readonly log: Log
  readonly commands: CommandRegistry
  readonly path: string
  /** Shown in the greeting. */
  readonly version: string
  /** `limits.control_line_bytes`; RTK_CONTROL_LINE_TOO_LONG. */
  readonly lineBytesMax: number
  /** `limits.control_connections`; RTK_CONTROL_CONNECTIONS. */
  readonly connectionsMax: number
  /** Told the code of each refusal, for the metrics. */
  readonly refused?: (code: string) => void
}

export interface Control {
  readonly path: string
  readonly connections: number
  /**
   * Stops listening, cancels what runs, and ends each connection when its commands have answered, after two seconds at
   * the latest.
   */
  close(): Promise<void>
}

/**
 * Opens the socket with mode 0600. A socket whose server died is replaced. Rejects with `WorldError`:
 * RTK_NET_ADDRESS_IN_USE when a server lives behind it, RTK_NET_PATH_TOO_LONG, RTK_NET_PERMISSION.
 */
export async function openControl(options: ControlOptions): Promise<Control> {
  const server = new ControlServer(options)
  await server.open()
  return server
}

class ControlServer implements Control {
  readonly path: string
  readonly #options: ControlOptions
  readonly #connections = new Set<ControlConnection>()
  #listening: Listening | undefined

  constructor(options: ControlOptions) {
    this.#options = options
    this.path = options.path
  }

  get connections(): number {
    return this.#connections.size
  }

  async open(): Promise<void> {
    const { net, path } = this.#options
    const place = { kind: 'unix', path } as const
    this.#listening = await net.listen(place, { backlog: 64, mode: 0o600 }, (transport) => this.#accept(transport))
  }

  #accept(transport: Transport): TransportHandler {
    const connection = new ControlConnection(transport, this.#options, () => this.#connections.delete(connection))
    if (this.#connections.size >= this.#options.connectionsMax) {
      this.#options.log.warn('too many connections to the control socket', { code: 'RTK_CONTROL_CONNECTIONS' })
      connection.refuse(new CommandError('RTK_CONTROL_CONNECTIONS', 'too many connections', 'try again later'))
    } else {
      this.#connections.add(connection)
      connection.greet()
    }
    return connection
  }

  async close(): Promise<void> {
    await this.#listening?.close()
    const connections = [...this.#connections]
    const timer = this.#options.clock.after(
      LINGER_MS,
      () =>
        connections.forEach((one) => {
          one.close()
        }),
      undefined,
    )
    await Promise.all(connections.map((connection) => connection.finish()))
    timer.cancel()
  }
}

interface Running {
  readonly abort: AbortController
  readonly rows: RowQueue | undefined
}

class ControlConnection implements TransportHandler {
  readonly #transport: Transport
  readonly #options: ControlOptions
  readonly #gone: () => void
  readonly #running = new Map<number, Running>()
  readonly #reader: LineReader
  /** Commands that wait until the client has read. */
  #waiting: (() => void)[] = []
  #isPaused = false
  #isClosed = false
  #isFinishing = false
  readonly #finished = Promise.withResolvers<void>()

  constructor(transport: Transport, options: ControlOptions, gone: () => void) {
    this.#transport = transport
    this.#options = options
    this.#gone = gone
    this.#reader = new LineReader(
      options.lineBytesMax,
      (text) => this.#line(text),
      () =>
        this.refuse(new CommandError('RTK_CONTROL_LINE_TOO_LONG', `a line has at most ${options.lineBytesMax} bytes`)),
    )
  }

  greet(): void {
    this.#transport.write(line({ ratatosk: this.#options.version, protocol: PROTOCOL }))
  }

  /** Says why, and closes. */
  refuse(error: CommandError): void {
    this.#options.refused?.(error.code)
    this.#send({ id: 0, error: error.toJSON() as ErrorOf })
    this.close()
  }

  close(): void {
    this.#reader.stop()
    this.#cancelAll()
    this.#transport.close(LINGER_MS)
    this.#finished.resolve()
  }

  /** Resolves when all commands have answered, and closes. */
  finish(): Promise<void> {
    this.#reader.stop()
    this.#cancelAll()
    this.#isFinishing = true
    if (this.#running.size === 0) this.close()
    return this.#finished.promise
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#reader.push(bytes, start, end)
  }

  drained(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const go of waiting) go()
  }

  secured(): void {}

  ended(): void {
    this.close()
  }

  closed(): void {
    this.#isClosed = true
    this.#cancelAll()
    this.drained()
    this.#finished.resolve()
    this.#gone()
  }

  #line(text: string): void {
    const message = parseClientMessage(text)
    if (message === undefined)
      this.refuse(new CommandError('RTK_CONTROL_MESSAGE', 'this line is no message of the protocol'))
    else this.#message(message)
  }

  #message(message: ClientMessage): void {
    const running = this.#running.get(message.id)
    if ('run' in message) {
      if (running !== undefined)
        this.refuse(new CommandError('RTK_CONTROL_MESSAGE', `the number ${message.id} is in use`))
      else if (this.#running.size >= MAX_RUNNING) this.#busy(message.id)
      else this.#start(message)
      // What comes for a command that has ended already is let go: the two may have crossed.
    } else if ('row' in message) this.#row(running, message.row)
    else if ('end' in message) running?.rows?.end()
    else running?.abort.abort()
  }

  #busy(id: number): void {
    const error = new CommandError('RTK_CONTROL_BUSY', `at most ${MAX_RUNNING} commands run at once on a connection`)
    this.#options.refused?.(error.code)
    this.#send({ id, error: error.toJSON() as ErrorOf })
  }

  #row(running: Running | undefined, row: unknown): void {
    const rows = running?.rows
    if (rows === undefined) return
    rows.push(row as Parameters<RowQueue['push']>[0])
    if (rows.size < MAX_WAITING_ROWS || this.#isPaused) return
    this.#isPaused = true
    this.#transport.pause()
  }

  #resume(): void {
    if (!this.#isPaused || this.#isClosed) return
    this.#isPaused = false
    this.#transport.resume()
  }

  #start(message: RunMessage): void {
    const { id } = message
    const abort = new AbortController()
    const rows = message.input === true ? new RowQueue(() => this.#resume()) : undefined
    this.#running.set(id, { abort, rows })
    const caller = {
      name: 'control socket',
      permits: () => true,
      signal: abort.signal,
      input: rows,
      dryRun: message.dryRun === true,
    }
    const run = this.#options.commands.run(message.run, message.args ?? {}, caller, (row) => {
      this.#send({ id, row })
      return this.#transport.queuedBytes > MAX_QUEUED_BYTES && !this.#isClosed ? this.#drain() : undefined
    })
    run.then(
      (outcome) => {
        this.#running.delete(id)
        // Rows that nobody reads any more must not keep the connection paused.
        this.#resume()
        if (outcome.ok) this.#send({ id, done: { rows: outcome.rows, failed: outcome.failed } })
        else this.#send({ id, error: outcome.error.toJSON() as ErrorOf })
        if (this.#isFinishing && this.#running.size === 0) this.close()
      },
      (error: unknown) => {
        this.#options.log.error('a command could not be run', {
          code: 'RTK_CONTROL_FAILED',
          command: message.run,
          error,
        })
        this.refuse(new CommandError('RTK_CONTROL_FAILED', 'the command could not be run'))
      },
    )
  }

  #drain(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    // Where the kernel takes it all at once, nobody would be told otherwise.
    this.#transport.askDrained()
    return promise
  }

  #send(message: ServerMessage): void {
    if (!this.#isClosed) this.#transport.write(line(message))
  }

  #cancelAll(): void {
    for (const { abort, rows } of this.#running.values()) {
      abort.abort()
      rows?.end()
    }
  }
}

type ErrorOf = Extract<ServerMessage, { error: unknown }>['error']
