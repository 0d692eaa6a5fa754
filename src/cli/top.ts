/** `ratatosk top`: what the command of the same name tells, again and again, as a screen that is drawn anew. */
import type { ControlClient } from '../admin/control/client.ts'
import type { CommandDescription } from '../core/command-description.ts'
import type { FieldForm, Json, Row } from '../core/command-result.ts'
import { showBytes } from '../core/config/units.ts'
import { EXIT } from './exit.ts'
import { connect, refused } from './remote.ts'
import { fit, TableWriter } from './render.ts'
import type { GlobalOptions, Surroundings } from './settings.ts'

export interface TopOptions extends GlobalOptions {
  /** Once, and no more. */
  readonly once: boolean
}

/** The first picture of many comes soon. */
const FIRST_LOOK = '500 ms'

/** Lines of the screen that are no rows of a list: three of the whole, and head, title and blank of each list. */
const FIXED_LINES = 3 + 3 * 3 + 1

const column = (name: string, title: string, form: FieldForm = 'int') => ({ name, title, form, description: '' })

const traffic = [
  column('in', 'In/s'),
  column('out', 'Out/s'),
  column('bytes_in', 'Bytes in/s', 'bytes'),
  column('bytes_out', 'Bytes out/s', 'bytes'),
]

const lists: Readonly<Record<string, CommandDescription['result']>> = {
  sessions: [
    column('jid', 'Session', 'text'),
    ...traffic,
    column('waiting', 'Waiting', 'bytes'),
    column('address', 'Address', 'text'),
  ],
  hosts: [column('host', 'Host', 'text'), ...traffic, column('sessions', 'Sessions'), column('ended', 'Ended')],
  modules: [
    column('module', 'Module', 'text'),
    column('calls', 'Calls/s'),
    column('percent', '% of the loop'),
    column('us_a_call', 'µs a call'),
  ],
}

/** Ends with the server, with who reads, or after one picture with `once`. Gives the exit code. */
export async function runTop(args: Json, options: TopOptions, around: Surroundings): Promise<number> {
  const given = args as Readonly<Record<string, Json>>
  const screen = options.json === true ? undefined : new Screen(around, options.once)
  const client = await connect(options, around)
  try {
    for (let looks = 0; ; looks++) {
      const interval = looks === 0 && !options.once && given['interval'] === undefined ? { interval: FIRST_LOOK } : {}
      const count = given['count'] === undefined && screen !== undefined ? screen.count : undefined
      const outcome = await look(client, { ...given, ...interval, ...(count === undefined ? {} : { count }) })
      if (!outcome.ok) return refused(outcome.error, options, around)
      if (screen === undefined) around.terminal.out(`${JSON.stringify(outcome.row)}\n`)
      else screen.show(outcome.row)
      if (options.once) return EXIT.ok
    }
  } finally {
    client.close()
  }
}

type Looked =
  | { readonly ok: true; readonly row: Row }
  | { readonly ok: false; readonly error: Parameters<typeof refused>[0] }

async function look(client: ControlClient, args: Json): Promise<Looked> {
  let row: Row = {}
  const outcome = await client.run('top', args, {
    dryRun: false,
    onRow: (given) => {
      row = given
    },
  })
  return outcome.ok ? { ok: true, row } : outcome
}

/** A terminal on which each picture takes the place of the last; elsewhere they stand one below the other. */
class Screen {
  readonly #around: Surroundings
  readonly #isLive: boolean
  #shown = 0

  constructor(around: Surroundings, isOnce: boolean) {
    this.#around = around
    this.#isLive = !isOnce && around.terminal.isOutTty
  }

  /** How long a list may be; undefined: as the server has it. */
  get count(): number | undefined {
    const { size } = this.#around.terminal
    if (!this.#isLive || size === undefined) return undefined
    return Math.max(1, Math.floor((size.rows - FIXED_LINES) / 3))
  }

  show(row: Row): void {
    const { terminal } = this.#around
    const lines = linesOf(row)
    if (!this.#isLive) {
      terminal.out(`${this.#shown++ === 0 ? '' : '\n'}${lines.join('\n')}\n`)
      return
    }
    const { rows = Number.POSITIVE_INFINITY, columns = Number.POSITIVE_INFINITY } = terminal.size ?? {}
    const cut = lines.slice(0, Math.max(1, rows - 1)).map((line) => fit(line, columns))
    // ECMA-48: home, and what is left of each line and of the screen is erased. The screen is never empty in between.
    const begin = this.#shown++ === 0 ? '\u001b[2J\u001b[H' : '\u001b[H'
    terminal.out(`${begin}${cut.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
  }
}

/** The whole, then each list that has something in it. */
export function linesOf(row: Row): readonly string[] {
  const text = (name: string) => String(row[name] ?? '-')
  const bytes = (name: string) => showBytes(coarse(Number(row[name] ?? 0)))
  const at = text('at').slice(11, 19)
  const lines = [
    `${at} UTC, ${text('seconds')} s: ${text('online')} sessions, ${text('connections')} connections`,
    `in ${text('in')}/s (${bytes('bytes_in')}/s), out ${text('out')}/s (${bytes('bytes_out')}/s), routed ${text('routed')}/s`,
    `CPU ${text('cpu')} %, loop ${text('loop')} %, delay at most ${text('delay')} ms, memory ${bytes('memory')}, store queue ${text('store_queue')}`,
  ]
  for (const [name, fields] of Object.entries(lists)) lines.push('', ...table(fields, row[name]))
  return lines
}

function table(fields: CommandDescription['result'], rows: Json | undefined): readonly string[] {
  let text = ''
  const writer = new TableWriter(fields, (part) => {
    text += part
  })
  const list = Array.isArray(rows) ? (rows as readonly Row[]) : []
  for (const row of list) writer.row(Object.fromEntries(fields.map((one) => [one.name, cell(one.form, row[one.name])])))
  writer.end()
  return list.length === 0 ? [`${fields[0]?.title ?? ''}: none was busy`] : text.trimEnd().split('\n')
}

function cell(form: FieldForm, value: Json | undefined): Json {
  return form === 'bytes' && typeof value === 'number' ? coarse(value) : (value ?? '')
}

/** Three digits or so of a count of bytes: `showBytes` shows a count that is no round one as it is. */
function coarse(bytes: number): number {
  const unit = [1_073_741_824, 1_048_576, 1_024].find((size) => bytes >= 10 * size) ?? 1
  return Math.round(bytes / unit) * unit
}
