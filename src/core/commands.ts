/**
 * The one registry of commands (DESIGN.md section 6): declared once with arguments, result and permission, they appear in
 * the CLI, and later in REST, ad-hoc commands and the console. Arguments come in as JSON and results leave as JSON.
 *
 *     defineCommand({
 *       name: 'session kick',
 *       summary: 'Ends sessions of an account.',
 *       permission: 'sessions:write',
 *       positional: ['jid'],
 *       args: { jid: opt.jid({ description: 'Bare or full JID.' }) },
 *       result: { kicked: field.int('Kicked', 'Sessions that were ended.') },
 *       run: ({ jid }) => ({ kicked: kick(jid) }),
 *     })
 *
 * A command that gives rows returns an iterable; one that takes rows reads `call.input`. Refusals are `CommandError`,
 * thrown or returned.
 */
import { type CommandCall, type CommandCaller, type CommandDefinition, defineCommand } from './command-definition.ts'
import { type CommandDescription, describeCommand } from './command-description.ts'
import { CommandError } from './command-error.ts'
import type { FieldSchema, Json, Row, RowOf } from './command-result.ts'
import { field } from './command-result.ts'
import { inputOf } from './config/input.ts'
import { plainReading } from './config/make.ts'
import { suggest } from './config/mistake.ts'
import { asMap, readFields } from './config/opt-structure.ts'
import type { OptionSchema, OptionsOf } from './config/option.ts'

export { type CommandCall, type CommandCaller, type CommandDefinition, CommandError, defineCommand, field }
export type { CommandDescription, FieldSchema, Json, Row, RowOf }

/**
 * Where a command of a module counts: a module is set up once a host type and registers its commands each time. With
 * several, the argument `host` (a domain) or `jid` decides.
 */
export interface CommandScope {
  owns(domain: string): boolean
}

export type CommandOutcome =
  /** `failed` counts parts that could not be done, such as accounts that exist already. */
  | { readonly ok: true; readonly rows: number; readonly failed: number }
  | { readonly ok: false; readonly error: CommandError }

interface Entry {
  readonly definition: CommandDefinition
  readonly scope: CommandScope | undefined
}

/** Told after each command, for the log and for metrics. */
export type CommandObserver = (name: string, caller: CommandCaller, outcome: CommandOutcome) => void

const nameForm = /^[a-z][a-z0-9-]*(?: [a-z][a-z0-9-]*)*$/

export class CommandRegistry {
  readonly #commands = new Map<string, Entry[]>()
  readonly #observer: CommandObserver | undefined

  constructor(observer?: CommandObserver) {
    this.#observer = observer
    this.add(this.#listCommand())
  }

  /** Throws a TypeError for a bad name and an Error when the name is taken. Returns the removal. */
  add(definition: CommandDefinition, scope?: CommandScope): () => void {
    const { name } = definition
    if (!nameForm.test(name)) throw new TypeError(`'${name}' is no name for a command: lower-case words are`)
    const entries = this.#commands.get(name) ?? []
    if (entries.length > 0 && (scope === undefined || entries.some((entry) => entry.scope === undefined))) {
      throw new Error(`the command '${name}' is taken`)
    }
    const entry: Entry = { definition, scope }
    entries.push(entry)
    this.#commands.set(name, entries)
    return () => {
      const rest = (this.#commands.get(name) ?? []).filter((other) => other !== entry)
      if (rest.length === 0) this.#commands.delete(name)
      else this.#commands.set(name, rest)
    }
  }

  /** One definition a name, by name. */
  list(): readonly CommandDefinition[] {
    const firsts = [...this.#commands.values()].flatMap((entries) => entries.slice(0, 1))
    return firsts.map((entry) => entry.definition).sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  find(name: string): CommandDefinition | undefined {
    return this.#commands.get(name)?.[0]?.definition
  }

  describe(): readonly CommandDescription[] {
    return this.list().map(describeCommand)
  }

  /**
   * Runs a command; each row of its result goes to `onRow`, which may return a promise to slow it down. Never rejects:
   * refusals and failures are the outcome.
   */
  async run(
    name: string,
    args: Json,
    caller: CommandCaller,
    onRow: (row: Row) => void | Promise<void>,
  ): Promise<CommandOutcome> {
    const outcome = await this.#run(name, args, caller, onRow)
    this.#observer?.(name, caller, outcome)
    return outcome
  }

  /** The same with all rows in memory: for embedding, tests and commands that give few. */
  async call(
    name: string,
    args: Json,
    caller: CommandCaller,
  ): Promise<CommandOutcome & { readonly result: readonly Row[] }> {
    const result: Row[] = []
    const outcome = await this.run(name, args, caller, (row) => {
      result.push(row)
    })
    return { ...outcome, result }
  }

  async #run(
    name: string,
    args: Json,
    caller: CommandCaller,
    onRow: (row: Row) => void | Promise<void>,
  ): Promise<CommandOutcome> {
    try {
      const entries = this.#commands.get(name)
      const first = entries?.[0]?.definition
      if (entries === undefined || first === undefined) throw unknownCommand(name, this.#commands.keys())
      if (!caller.permits(first.permission)) {
        throw new CommandError('RTK_COMMAND_FORBIDDEN', `'${name}' needs the permission ${first.permission}`)
      }
      if (caller.dryRun === true && first.dryRun !== true) {
        throw new CommandError('RTK_COMMAND_NO_DRY_RUN', `'${name}' cannot say beforehand what it would do`)
      }
      const options = readArguments(first.args, args, 'argument')
      if (options instanceof CommandError) throw options
      const { definition } = chooseEntry(name, entries, options)
      return await runDefinition(definition, options, caller, onRow)
    } catch (error) {
      return { ok: false, error: CommandError.from(error) }
    }
  }

  #listCommand(): CommandDefinition {
    return defineCommand({
      name: 'commands list',
      summary: 'Lists the commands of the server with their arguments.',
      examples: ['commands list', 'commands list --json'],
      permission: 'commands:read',
      rows: true,
      args: {},
      result: {
        name: field.text('Command', 'Name.'),
        summary: field.text('What it does', 'One sentence.'),
        description: field.json('', 'Arguments, input and result.'),
      },
      run: () =>
        this.describe().map((description) => ({
          name: description.name,
          summary: description.summary,
          description: description as unknown as Json,
        })),
    })
  }
}

function unknownCommand(name: string, known: Iterable<string>): CommandError {
  return new CommandError('RTK_COMMAND_UNKNOWN', `there is no command '${name}'`, suggest(name, known))
}

/** Reads JSON by a schema. */
export function readArguments<S extends OptionSchema>(
  schema: S,
  value: Json,
  what: string,
): OptionsOf<S> | CommandError {
  const reading = plainReading()
  const input = asMap(inputOf(value))
  const options = input === undefined ? undefined : readFields(schema, input, reading, what)
  // A command gets its secrets as they are: nobody reads files for him.
  const named = reading.secrets.find(({ file, variable }) => file !== undefined || variable !== undefined)
  if (named !== undefined) reading.report.error(named.input, 'RTK_CONFIG_TYPE', 'write the secret itself')
  else if (options !== undefined) return options
  const { mistakes } = reading.report
  const texts = mistakes.map(
    (m) =>
      `${m.path === '' ? '' : `${m.path}: `}${m.text}${m.hint === '' ? '' : ` (${m.hint.replace(', { file: PATH } or { env: NAME }', '')})`}`,
  )
  return new CommandError('RTK_COMMAND_ARGUMENTS', texts.join('; ') || 'arguments are a map of names to values')
}

function domainOf(options: OptionsOf<OptionSchema>): string | undefined {
  const { host, jid } = options
  if (typeof host === 'string') return host
  return typeof jid === 'object' && jid !== null && 'domain' in jid ? String(jid.domain) : undefined
}

function chooseEntry(name: string, entries: readonly Entry[], options: OptionsOf<OptionSchema>): Entry {
  const [first, second] = entries
  const domain = domainOf(options)
  if (first !== undefined && (first.scope === undefined || (second === undefined && domain === undefined))) return first
  const owner = domain === undefined ? undefined : entries.find((entry) => entry.scope?.owns(domain) === true)
  if (owner !== undefined) return owner
  if (domain === undefined) {
    throw new CommandError('RTK_COMMAND_HOST_NEEDED', `'${name}' is there for several host types`, 'say which host')
  }
  throw new CommandError('RTK_COMMAND_HOST', `'${name}' is not to be had on ${domain}`)
}

async function* checkedInput(
  schema: OptionSchema,
  rows: AsyncIterable<Json>,
): AsyncGenerator<OptionsOf<OptionSchema> | CommandError> {
  for await (const row of rows) yield readArguments(schema, row, 'field')
}

async function* noInput(): AsyncGenerator<never> {}

async function runDefinition(
  definition: CommandDefinition,
  options: OptionsOf<OptionSchema>,
  caller: CommandCaller,
  onRow: (row: Row) => void | Promise<void>,
): Promise<CommandOutcome> {
  let rows = 0
  let failed = 0
  const hasInput = definition.input !== undefined && caller.input !== undefined
  const call: CommandCall = {
    caller,
    dryRun: caller.dryRun === true,
    signal: caller.signal,
    hasInput,
    input: hasInput ? checkedInput(definition.input ?? {}, caller.input) : noInput(),
    failed: () => {
      failed++
    },
  }
  const answer = await definition.run(options, call)
  if (answer instanceof CommandError) return { ok: false, error: answer }
  if (answer !== undefined) {
    for await (const row of isRows(answer) ? answer : [answer]) {
      if (caller.signal.aborted) throw new CommandError('RTK_COMMAND_CANCELLED', 'cancelled')
      rows++
      await onRow(row as Row)
    }
  }
  return { ok: true, rows, failed }
}

function isRows(answer: object): answer is AsyncIterable<Row> | Iterable<Row> {
  return Symbol.asyncIterator in answer || Symbol.iterator in answer
}
