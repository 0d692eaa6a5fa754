/** Lines of standard input to the rows that a command takes. */

import type { Json } from '../core/command-result.ts'
import type { OptionRow } from '../core/config/describe.ts'

/**
 * A JSON object, or the fields in their order with a blank or a colon between: `odin@localhost one eye`,
 * `odin@localhost:one eye`. The last field takes the rest of the line as it is. What is missing is left out, and the
 * server says so.
 */
export function rowOfLine(line: string, fields: readonly OptionRow[]): Json {
  if (line.startsWith('{')) {
    try {
      return JSON.parse(line) as Json
    } catch {
      // No JSON: then it is a line like the others, and its first field is refused.
    }
  }
  const row: Record<string, string> = {}
  let rest = line
  for (const [i, { path }] of fields.entries()) {
    // A colon inside brackets belongs to an IPv6 address.
    const cut = i === fields.length - 1 ? undefined : /^((?:\[[^\]]*\]|[^\s:[])*)(?::|\s+)(.*)$/u.exec(rest)
    row[path] = cut?.[1] ?? rest
    rest = cut?.[2] ?? ''
    if (rest === '') break
  }
  return row
}

/** The rows of lines; remembers of each row that is not answered yet which line it came from. */
export class InputRows {
  readonly #lines: AsyncIterable<string>
  readonly #fields: readonly OptionRow[]
  readonly #sent: number[] = []

  constructor(lines: AsyncIterable<string>, fields: readonly OptionRow[]) {
    this.#lines = lines
    this.#fields = fields
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Json> {
    let number = 0
    for await (const line of this.#lines) {
      number++
      if (line.trim() === '') continue
      this.#sent.push(number)
      yield rowOfLine(line, this.#fields)
    }
  }

  /** The line, from 1, of the row whose answer has come: answers come in the order of the rows. */
  answered(): number {
    return this.#sent.shift() ?? 0
  }
}
