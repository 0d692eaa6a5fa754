/** The other end of the control socket: for the command line and for tests. */
import { CommandError } from '../../core/command-error.ts'
import type { Json, Row } from '../../core/command-result.ts'
import type { Clock } from '../../world/clock.types.ts'
import type { Net, Transport, TransportHandler } from '../../world/net.types.ts'
import {
  type ClientMessage,
  type Greeting,
  LineReader,
  line,
  PROTOCOL,
  parseServerMessage,
  type ServerMessage,
} from './protocol.ts'

/** A result's row may be large; the server is trusted. */
const MAX_LINE_BYTES = 64 * 1_048_576
const MAX_QUEUED_BYTES = 262_144

export interface RunOptions {
  readonly input?: AsyncIterable<Json> | Iterable<Json> | undefined
  readonly dryRun?: boolean
  readonly onRow?: (row: Row) => void
  /** Aborting it cancels the command on the server. */
  readonly signal?: AbortSignal
}

export type RunOutcome =
  | { readonly ok: true; readonly rows: number; readonly failed: number }
  | { readonly ok: false; readonly error: CommandError }

interface Waiting {
  readonly onRow: (row: Row) => void
  readonly done: (outcome: RunOutcome) => void
}

export class ControlClient implements TransportHandler {
  readonly #greeted = Promise.withResolvers<Greeting>()
  readonly #waiting = new Map<number, Waiting>()
  readonly #reader = new LineReader(
    MAX_LINE_BYTES,
    (text) => this.#line(text),
    () => this.#fail(new CommandError('RTK_CONTROL_MESSAGE', 'the server sent a line that is too long')),
  )
  #transport: Transport | undefined
  #failure: CommandError | undefined
  #nextId = 1
  #drained = Promise.withResolvers<void>()
  #greeting: Greeting | undefined

  private constructor() {
    // Whoever asks hears of it; nobody asking is no fault.
    this.#greeted.promise.catch(() => undefined)
  }

  /**
   * Rejects with a `CommandError`: RTK_CONTROL_NO_SERVER, RTK_CONTROL_PERMISSION; with a clock RTK_CONTROL_SILENT when nobody greets
   * within `timeoutMs`, as behind the socket of a process that was stopped.
   */
  static async connect(
    net: Net,
    path: string,
    { timeoutMs = 10_000, clock }: { readonly timeoutMs?: number; readonly clock?: Clock } = {},
  ): Promise<ControlClient> {
    const client = new ControlClient()
    try {
      client.#transport = await net.connect({ kind: 'unix', path }, client, timeoutMs)
    } catch (error) {
      throw noServer(path, error)
    }
    const giveUp = () => {
      client.#fail(silent(path, timeoutMs))
      // Who says nothing does not answer a farewell either.
      client.#transport?.destroy()
    }
    const silence = clock?.after(timeoutMs, giveUp, undefined)
    const greeting = await client.#greeted.promise.finally(() => silence?.cancel())
    if (greeting.protocol !== PROTOCOL) {
      client.close()
      const text = `the server speaks version ${greeting.protocol} of the control protocol, this command ${PROTOCOL}`
      throw new CommandError('RTK_CONTROL_PROTOCOL', text, `the server is ratatosk ${greeting.ratatosk}`)
    }
    client.#greeting = greeting
    return client
  }

  get serverVersion(): string {
    return this.#greeting?.ratatosk ?? ''
  }

  /** Never rejects but when `input` does. */
  async run(name: string, args: Json, options: RunOptions = {}): Promise<RunOutcome> {
    if (this.#failure !== undefined) return { ok: false, error: this.#failure }
    const id = this.#nextId++
    const { promise, resolve } = Promise.withResolvers<RunOutcome>()
    const ended = { now: false }
    const onRow = options.onRow ?? (() => undefined)
    const done = (outcome: RunOutcome) => {
      ended.now = true
      this.#waiting.delete(id)
      resolve(outcome)
    }
    this.#waiting.set(id, { onRow, done })
    const hasInput = options.input !== undefined
    this.#send({ id, run: name, args, input: hasInput, dryRun: options.dryRun === true })
    const cancel = () => this.#send({ id, cancel: true })
    if (options.signal?.aborted === true) cancel()
    options.signal?.addEventListener('abort', cancel, { once: true })
    try {
      if (options.input !== undefined) await this.#feed(id, options.input, ended)
      return await promise
    } finally {
      options.signal?.removeEventListener('abort', cancel)
    }
  }

  /** The same with all rows in memory. */
  async call(name: string, args: Json = {}): Promise<RunOutcome & { readonly result: readonly Row[] }> {
    const result: Row[] = []
    const outcome = await this.run(name, args, { onRow: (row) => result.push(row) })
    return { ...outcome, result }
  }

  close(): void {
    this.#transport?.close()
  }

  async #feed(id: number, input: AsyncIterable<Json> | Iterable<Json>, ended: { now: boolean }): Promise<void> {
    for await (const row of input) {
      if (ended.now) return
      this.#send({ id, row })
      if ((this.#transport?.queuedBytes ?? 0) <= MAX_QUEUED_BYTES) continue
      this.#transport?.askDrained()
      await Promise.race([this.#drained.promise, this.#gone.promise])
    }
    this.#send({ id, end: true })
  }

  readonly #gone = Promise.withResolvers<void>()

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#reader.push(bytes, start, end)
  }

  drained(): void {
    this.#drained.resolve()
    this.#drained = Promise.withResolvers<void>()
  }

  secured(): void {}

  ended(): void {
    this.#transport?.close()
  }

  closed(): void {
    this.#fail(new CommandError('RTK_CONTROL_CLOSED', 'the server closed the connection'))
  }

  #line(text: string): void {
    const message = parseServerMessage(text)
    if (message === undefined) this.#fail(new CommandError('RTK_CONTROL_MESSAGE', 'the server said what is no message'))
    else if ('ratatosk' in message) this.#greeted.resolve(message)
    else this.#answer(message)
  }

  #answer(message: ServerMessage): void {
    if (message.id === 0 && 'error' in message) return this.#fail(errorOf(message.error))
    const waiting = this.#waiting.get(message.id)
    if (waiting === undefined) return
    if ('row' in message) waiting.onRow(message.row)
    else if ('done' in message) waiting.done({ ok: true, ...message.done })
    else waiting.done({ ok: false, error: errorOf(message.error) })
  }

  #fail(error: CommandError): void {
    this.#failure ??= error
    this.#greeted.reject(this.#failure)
    for (const waiting of [...this.#waiting.values()]) waiting.done({ ok: false, error: this.#failure })
    this.#gone.resolve()
    this.#reader.stop()
    this.#transport?.close()
  }

  #send(message: ClientMessage): void {
    this.#transport?.write(line(message))
  }
}

function errorOf(error: Extract<ServerMessage, { error: unknown }>['error']): CommandError {
  return new CommandError(error.code, error.text, error.hint)
}

function silent(path: string, timeoutMs: number): CommandError {
  const text = `what listens behind ${path} has not answered for ${timeoutMs / 1_000} seconds`
  return new CommandError('RTK_CONTROL_SILENT', text, 'is it ratatosk, and does its process run?')
}

function noServer(path: string, error: unknown): CommandError {
  const code = error instanceof Error && 'code' in error ? error.code : ''
  if (code === 'RTK_NET_REFUSED') {
    return new CommandError(
      'RTK_CONTROL_NO_SERVER',
      `no server runs behind ${path}`,
      "start one with 'ratatosk serve', or say where it is with --data-dir or --socket",
      error,
    )
  }
  if (code === 'RTK_NET_PERMISSION') {
    return new CommandError(
      'RTK_CONTROL_PERMISSION',
      `${path} may not be opened`,
      'only the user who runs the server may',
      error,
    )
  }
  return CommandError.from(error)
}
