/** Commands of the registry, run by the server over its control socket. */
import { Command, Option } from 'commander'
import { ControlClient } from '../admin/control/client.ts'
import type { CommandDescription } from '../core/command-description.ts'
import type { CommandError } from '../core/command-error.ts'
import type { Json, Row } from '../core/command-result.ts'
import type { OptionRow } from '../core/config/describe.ts'
import { CliError, EXIT } from './exit.ts'
import { InputRows } from './input-rows.ts'
import { meaningOf, renderOne, TableWriter } from './render.ts'
import { serversOf } from './running.ts'
import {
  controlPath,
  DEFAULT_FILE,
  type GlobalOptions,
  readSettings,
  type Settings,
  type Surroundings,
} from './settings.ts'
import { Summary } from './summary.ts'

const dashed = (name: string) => name.replaceAll('_', '-')

/** Options of the command line for arguments that are not given by position, and for all that may be. */
export function remoteCommand(
  description: CommandDescription,
  word: string,
  run: (args: Json, dryRun: boolean) => Promise<void>,
): Command {
  const command = new Command(word).summary(description.summary).description(description.summary)
  for (const name of description.positional) {
    const arg = description.args.find((row) => row.path === name)
    if (arg === undefined) continue
    // Who sends rows gives none: the server knows what is missing.
    const form = arg.required ? `<${name}>` : `[${name}]`
    command.argument(form, helpOf(arg))
  }
  for (const arg of description.args) if (!description.positional.includes(arg.path)) command.addOption(optionOf(arg))
  if (description.dryRun) command.option('--dry-run', 'say what would be done, and do nothing')
  if (description.input !== undefined) {
    const names = description.input.map((row) => row.path).join(' ')
    command.addHelpText('after', `\nMany at once: lines of '${names}' (or JSON objects) on standard input.`)
  }
  addExamples(command, description.examples)
  command.action(async () => {
    const args: Record<string, Json> = {}
    for (const [i, name] of description.positional.entries()) setArg(args, description, name, command.args[i])
    const given: Readonly<Record<string, unknown>> = command.opts()
    for (const arg of description.args) {
      if (!description.positional.includes(arg.path)) setArg(args, description, arg.path, given[camel(arg.path)])
    }
    await run(args, given['dryRun'] === true)
  })
  return command
}

/** Shown last in the help of a command; each without the program's name. */
export function addExamples(command: Command, examples: readonly string[] | undefined): void {
  // A server of another version tells of none.
  if (examples === undefined || examples.length === 0) return
  const title = examples.length === 1 ? 'Example:' : 'Examples:'
  command.addHelpText('after', `\n${title}\n${examples.map((line) => `  ratatosk ${line}`).join('\n')}`)
}

function camel(name: string): string {
  return dashed(name).replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function helpOf(arg: OptionRow): string {
  return `${meaningOf(arg)}${arg.default === '' ? '' : ` Default: ${arg.default}.`}`
}

function optionOf(arg: OptionRow): Option {
  const flag = `--${dashed(arg.path)}`
  if (arg.type === 'bool') return new Option(flag, helpOf(arg))
  const many = arg.type === 'list'
  const option = new Option(`${flag} <${arg.type === 'one of' ? 'value' : arg.type}${many ? '...' : ''}>`, helpOf(arg))
  // A secret is asked for when it is not given.
  if (arg.required && arg.type !== 'secret') option.makeOptionMandatory()
  return option
}

function setArg(args: Record<string, Json>, description: CommandDescription, name: string, value: unknown): void {
  if (value === undefined) return
  const arg = description.args.find((row) => row.path === name)
  const isNumber = (arg?.type === 'int' || arg?.type === 'number') && typeof value === 'string' && value.trim() !== ''
  const number = isNumber ? Number(value) : Number.NaN
  // What is no number goes as it is: the server says what is wrong with it.
  args[name] = Number.isNaN(number) ? (value as Json) : number
}

/** Runs one command on the server and shows its result. Gives the exit code. */
export async function runRemote(
  description: CommandDescription,
  args: Json,
  options: GlobalOptions & { readonly dryRun: boolean },
  around: Surroundings,
): Promise<number> {
  const { terminal } = around
  const given = args as Readonly<Record<string, Json>>
  const hasRows = description.input !== undefined && Object.keys(given).length === 0 && !terminal.isInTty
  if (description.input !== undefined && Object.keys(given).length === 0 && terminal.isInTty) {
    const names = description.positional.map((name) => `<${name}>`).join(' ')
    throw new CliError(EXIT.usage, 'RTK_CLI_USAGE', `${description.name} needs ${names}, or rows on standard input`)
  }
  const complete = hasRows ? given : await withSecrets(description, given, around)
  const client = await connect(options, around)
  try {
    const input = hasRows ? new InputRows(terminal.lines(), description.input ?? []) : undefined
    const show = options.json === true ? jsonOutput(around) : textOutput(description, input, around)
    const outcome = await client.run(description.name, complete, {
      dryRun: options.dryRun,
      input,
      onRow: (row) => show.row(row),
    })
    if (!outcome.ok) {
      show.end()
      return refused(outcome.error, options, around)
    }
    show.end(outcome.failed)
    return outcome.failed > 0 ? EXIT.refused : EXIT.ok
  } finally {
    client.close()
  }
}

/**
 * A client of the server that the settings describe: behind `--socket`, else where the configuration says, else where a server that was
 * started with this configuration still listens, of which standard error tells. Throws `CliError`.
 */
export async function connect(options: GlobalOptions, around: Surroundings, isQuiet = false): Promise<ControlClient> {
  if (options.socket !== undefined) return await connectTo(options.socket, around)
  const settings = await readSettings(options, around)
  const path = await controlPath(settings, around)
  try {
    return await connectTo(path, around)
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'RTK_CONTROL_NO_SERVER') throw error
    return await connectElsewhere(settings, around, error, isQuiet)
  }
}

async function connectTo(path: string, { world }: Surroundings): Promise<ControlClient> {
  try {
    return await ControlClient.connect(world.net, path, { clock: world.clock })
  } catch (error) {
    const { code, text, hint } = error as CommandError
    throw new CliError(EXIT.noServer, code, text, hint)
  }
}

/** Only to a server of the same user: who else has a process that looks like one may want passwords. */
async function connectElsewhere(
  { file = DEFAULT_FILE, dataDir }: Settings,
  around: Surroundings,
  none: CliError,
  isQuiet: boolean,
): Promise<ControlClient> {
  const { disk } = around.world
  const there = (name: string) => disk.resolve('', name)
  const servers = await serversOf({ file: there(file), dataDir: dataDir === undefined ? undefined : there(dataDir) })
  const moved = `a server that was started with ${file} listens elsewhere: data_dir or control.socket has changed since, which needs a restart`
  for (const { uid, sockets } of servers) {
    if (uid !== around.uid) continue
    for (const path of sockets) {
      const client = await connectTo(path, around).catch(() => undefined)
      if (client === undefined) continue
      if (!isQuiet) around.terminal.err(`warning: ${moved}; asking it at ${path}\n`)
      return client
    }
  }
  const [other] = servers
  if (other === undefined) throw none
  const hint = `--socket names its control socket; process ${other.pid} of user ${other.uid} listens on ${other.sockets.join(', ')}`
  throw new CliError(EXIT.noServer, none.code, `${none.message}, but ${moved}`, hint)
}

/** Passwords that were not given are asked for without echo, or read from the first line of standard input. */
async function withSecrets(
  description: CommandDescription,
  given: Readonly<Record<string, Json>>,
  { terminal }: Surroundings,
): Promise<Json> {
  const args: Record<string, Json> = { ...given }
  for (const { path, secret } of description.args) {
    if (!secret) continue
    if (args[path] !== undefined) {
      terminal.err(
        `warning: --${dashed(path)} can be seen by others on this machine, and is kept in your shell's history\n`,
      )
      continue
    }
    args[path] = await askSecret(path, terminal)
  }
  return args
}

async function askSecret(name: string, terminal: Surroundings['terminal']): Promise<string> {
  if (!terminal.isInTty) {
    for await (const line of terminal.lines()) return line
    throw new CliError(EXIT.usage, 'RTK_CLI_USAGE', `no ${name} on standard input`)
  }
  const [first, again] = (await terminal.askSecrets([`${name}: `, `${name} again: `])) ?? []
  if (first === undefined || again === undefined)
    throw new CliError(EXIT.usage, 'RTK_CLI_USAGE', `no ${name} was given`)
  if (first !== again) throw new CliError(EXIT.usage, 'RTK_CLI_USAGE', 'the two are not the same')
  return first
}

interface Output {
  row(row: Row): void
  /** Without a count the command itself failed, behind the rows that came. */
  end(failed?: number): void
}

/** One object a line, as it comes. */
function jsonOutput({ terminal }: Surroundings): Output {
  return { row: (row) => terminal.out(`${JSON.stringify(row)}\n`), end: () => undefined }
}

function textOutput(description: CommandDescription, input: InputRows | undefined, around: Surroundings): Output {
  const { terminal } = around
  if (input !== undefined) return new Summary(input, around)
  if (!description.rows) {
    return { row: (row) => terminal.out(renderOne(description.result, row)), end: () => undefined }
  }
  const table = new TableWriter(description.result, (text) => terminal.out(text))
  let rows = 0
  return {
    row: (row) => {
      rows++
      table.row(row)
    },
    end: (failed) => {
      table.end()
      // A person sees that there is nothing; a pipe gets nothing.
      if (rows === 0 && failed !== undefined && terminal.isErrTty) terminal.err('none\n')
    },
  }
}

export function refused(
  error: Pick<CommandError, 'code' | 'hint' | 'text'>,
  options: GlobalOptions,
  around: Surroundings,
): number {
  showError(error, options, around)
  switch (error.code) {
    case 'RTK_CONTROL_CLOSED':
      return EXIT.noServer
    case 'RTK_COMMAND_ARGUMENTS':
    case 'RTK_COMMAND_UNKNOWN':
      return EXIT.usage
    default:
      return EXIT.refused
  }
}

export function showError(
  { code, text, hint }: Pick<CommandError, 'code' | 'hint' | 'text'>,
  options: GlobalOptions,
  { terminal }: Pick<Surroundings, 'terminal'>,
): void {
  if (options.json === true) terminal.err(`${JSON.stringify({ error: { code, text, hint } })}\n`)
  else terminal.err(`ratatosk: ${text}${hint === '' ? '' : ` (${hint})`} [${code}]\n`)
}
