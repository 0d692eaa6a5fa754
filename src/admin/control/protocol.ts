/**
 * What is said on the control socket: one JSON object a line, UTF-8. The server greets; then a client may run several
 * commands at once, each with a number of its choice.
 *
 *     S  {"ratatosk":"0.1.0","protocol":1}
 *     C  {"id":1,"run":"account add","args":{},"input":true}
 *     C  {"id":1,"row":{"jid":"odin@localhost","password":"…"}}      … {"id":1,"end":true}
 *     S  {"id":1,"row":{"jid":"odin@localhost","result":"added"}}
 *     S  {"id":1,"done":{"rows":1,"failed":0}}                       or {"id":1,"error":{"code":"RTK_…","text":"…","hint":"…"}}
 *     C  {"id":1,"cancel":true}
 *
 * Whoever may open the socket's file (mode 0600: the user who runs the server, and root) may do everything. A client that
 * closes its connection cancels what it has begun.
 */
import type { CommandErrorCode } from '../../core/command-error.ts'
import type { Json, Row } from '../../core/command-result.ts'
import { encode, type Octets } from '../../xml/octets.ts'

export const PROTOCOL = 1

export interface Greeting {
  readonly ratatosk: string
  readonly protocol: number
}

export interface RunMessage {
  readonly id: number
  readonly run: string
  readonly args?: Json
  /** True: rows follow, up to `end`. */
  readonly input?: boolean
  readonly dryRun?: boolean
}

export type ClientMessage =
  | RunMessage
  | { readonly id: number; readonly row: Json }
  | { readonly id: number; readonly end: true }
  | { readonly id: number; readonly cancel: true }

export interface ErrorMessage {
  /** 0: it is no answer to a request, and the connection is closed after it. */
  readonly id: number
  readonly error: { readonly code: CommandErrorCode; readonly text: string; readonly hint: string }
}

export type ServerMessage =
  | { readonly id: number; readonly row: Row }
  | { readonly id: number; readonly done: { readonly rows: number; readonly failed: number } }
  | ErrorMessage

export function line(message: ClientMessage | Greeting | ServerMessage): Octets {
  return encode(`${JSON.stringify(message)}\n`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Undefined when it is no message of a client. */
export function parseClientMessage(text: string): ClientMessage | undefined {
  const value = parse(text)
  const id = value?.['id']
  if (value === undefined || typeof id !== 'number' || !Number.isSafeInteger(id) || id < 1) return undefined
  const { run, row, end, cancel, args, input, dryRun } = value
  if (typeof run === 'string') {
    return { id, run, args: (args ?? {}) as Json, input: input === true, dryRun: dryRun === true }
  }
  if (row !== undefined) return { id, row: row as Json }
  if (end === true) return { id, end }
  return cancel === true ? { id, cancel } : undefined
}

/** Undefined when it is no message of a server. */
export function parseServerMessage(text: string): Greeting | ServerMessage | undefined {
  const value = parse(text)
  if (value === undefined) return undefined
  if (typeof value['ratatosk'] === 'string' && typeof value['protocol'] === 'number')
    return value as unknown as Greeting
  const isAnswer = typeof value['id'] === 'number' && ['row', 'done', 'error'].some((key) => isRecord(value[key]))
  return isAnswer ? (value as unknown as ServerMessage) : undefined
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

const NEWLINE = 0x0a

/** Cuts bytes into lines. A line longer than the limit is told once, and nothing is read any more. */
export class LineReader {
  readonly #maxBytes: number
  readonly #line: (text: string) => void
  readonly #tooLong: () => void
  readonly #decoder = new TextDecoder('utf-8')
  #parts: Uint8Array[] = []
  #size = 0
  #isStopped = false

  constructor(maxBytes: number, line: (text: string) => void, tooLong: () => void) {
    this.#maxBytes = maxBytes
    this.#line = line
    this.#tooLong = tooLong
  }

  /** The bytes are valid only during the call. */
  push(bytes: Uint8Array, start: number, end: number): void {
    let from = start
    while (from < end && !this.#isStopped) {
      const at = bytes.indexOf(NEWLINE, from)
      const isWhole = at >= 0 && at < end
      const to = isWhole ? at : end
      this.#size += to - from
      if (this.#size > this.#maxBytes) {
        this.stop()
        this.#tooLong()
        return
      }
      if (!isWhole) {
        // Not `slice`: of a Buffer that is a view, and the buffer is shared.
        this.#parts.push(new Uint8Array(bytes.subarray(from, to)))
        return
      }
      const last = bytes.subarray(from, to)
      const text = this.#decoder.decode(this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]))
      this.#parts = []
      this.#size = 0
      from = to + 1
      this.#line(text)
    }
  }

  stop(): void {
    this.#isStopped = true
    this.#parts = []
  }
}
