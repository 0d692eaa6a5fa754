/** The command line: what is known without a server, the commands of the core, and those that a running server adds. */
import { Command, CommanderError } from 'commander'
import { type CommandServices, coreCommands, reloadCommand } from '../admin/commands/index.ts'
import type { CommandDescription } from '../core/command-description.ts'
import { CommandRegistry } from '../core/commands.ts'
import { ConfigError, formatMistake } from '../core/config/index.ts'
import { softwareVersion } from '../core/software.ts'
import { WorldError } from '../world/error.ts'
import { CliError, EXIT } from './exit.ts'
import { globalOptions } from './global-options.ts'
import { addExamples, connect, remoteCommand, runRemote, showError } from './remote.ts'
import type { GlobalOptions, Surroundings } from './settings.ts'
import { Interrupted } from './terminal.ts'

const exitHelp = `
Exit codes:
  0  done            1  refused, failed in part, or mistakes in the configuration
  2  wrong usage     3  no server answers            4  the server could not start
  70 a fault of ours                                 130 interrupted (Ctrl-C)

The configuration is --config FILE, else $RATATOSK_CONFIG, else ratatosk.yaml in this folder, else all defaults.`

/** Runs a command line (without program and script) and gives the exit code. */
export async function runCli(given: readonly string[], around: Surroundings): Promise<number> {
  const argv = helpLast(given)
  const state: State = { exit: EXIT.ok, isJson: argv.includes('--json') }
  let options: GlobalOptions = { json: state.isJson }
  try {
    const program = programOf(around, state)
    addRemote(program, coreDescriptions(), around, state)
    if (asksServer(program, argv)) await addServersOwn(program, argv, around, state)
    options = { ...options, ...program.opts<GlobalOptions>() }
    await program.parseAsync([...withoutVainHelp(program, argv)], { from: 'user' })
    return state.exit
  } catch (error) {
    return failed(error, options, around)
  }
}

interface State {
  exit: number
  /** Known before the line is parsed: what is wrong with it is told in JSON too. */
  readonly isJson: boolean
}

function programOf(around: Surroundings, state: State): Command {
  const { terminal } = around
  const program = new Command('ratatosk')
  program
    .description('An XMPP server. Words from one world to the other.')
    .version(softwareVersion, '-V, --version', 'print the version')
    .option('-c, --config <file>', 'configuration file')
    .option('--data-dir <folder>', 'in place of data_dir of the configuration')
    .option('--socket <file>', 'control socket of the server that is asked, in place of the one of the configuration')
    .option('--json', 'results as JSON, one object a line; errors too, on standard error')
    .addHelpText('after', exitHelp)
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      outputError: (text) => usageError(text, state, around),
    })
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showSuggestionAfterError()
    .helpCommand('help [command]', 'show help')
  const serving = own(program, program, 'serve')
    .summary('Runs the server in the foreground.')
    .description('Runs the server in the foreground until SIGTERM, SIGINT or `ratatosk stop`.')
    .action(async () => {
      const { serve } = await import('./serve.ts')
      state.exit = await serve(program.opts(), around)
    })
  addExamples(serving, ['serve', 'serve --config /etc/ratatosk/ratatosk.yaml'])
  addConfig(program, around, state)
  addStore(program, around, state)
  return program
}

function addConfig(program: Command, around: Surroundings, state: State): void {
  const config = group(program, program, 'config')
  const check = own(config, program, 'check')
    .summary('Checks the configuration and tells every mistake with its place.')
    .description('Checks the configuration and tells every mistake with its place. No server is needed.')
    .argument('[file]', 'in place of --config')
    .action(async (file: string | undefined) => {
      const { checkCommand } = await import('./config-commands.ts')
      state.exit = await checkCommand({ ...program.opts(), ...(file === undefined ? {} : { config: file }) }, around)
    })
  addExamples(check, ['config check', 'config check /etc/ratatosk/ratatosk.yaml'])
  const listing = own(config, program, 'options')
    .summary('Lists every option that a configuration may have.')
    .description('Lists every option that a configuration may have, those of its plugins included.')
    .action(async () => {
      const { optionsCommand } = await import('./config-commands.ts')
      state.exit = await optionsCommand(program.opts(), around)
    })
  addExamples(listing, ['config options', 'config options --json'])
  const schema = own(config, program, 'schema')
    .summary('Writes a JSON Schema of the configuration, with which editors complete it.')
    .description('Writes a JSON Schema (draft-07) of the configuration, the options of its plugins included.')
    .action(async () => {
      const { schemaCommand } = await import('./config-commands.ts')
      state.exit = await schemaCommand(program.opts(), around)
    })
  addExamples(schema, ['config schema > ratatosk.schema.json'])
}

function addStore(program: Command, around: Surroundings, state: State): void {
  const store = group(program, program, 'store')
  const migrate = own(store, program, 'migrate')
    .summary('Brings the store to what this program expects.')
    .description(
      'Brings the store to what this program expects, as the start of the server does. No server may run on it.',
    )
    .option('--dry-run', 'apply and undo: tells what is due and whether it would succeed')
    .action(async (options: { readonly dryRun?: boolean }) => {
      const { migrateCommand } = await import('./store-commands.ts')
      state.exit = await migrateCommand({ ...program.opts(), ...options }, around)
    })
  addExamples(migrate, ['store migrate --dry-run'])
  const copy = own(store, program, 'copy')
    .summary('Copies everything into the store of another configuration.')
    .description(
      'Copies everything from the store of this configuration into that of another, which has to be empty: from SQLite to PostgreSQL, or back. No server may run on either.',
    )
    .argument('<configuration>', 'the configuration that names the other store')
    .option('--without <store...>', 'stores to leave behind: those of plugins that are not loaded')
    .action(async (target: string, options: { readonly without?: readonly string[] }) => {
      const { copyCommand } = await import('./store-commands.ts')
      state.exit = await copyCommand(target, { ...program.opts(), ...options }, around)
    })
  addExamples(copy, ['store copy postgres.yaml', 'store copy postgres.yaml --config ratatosk.yaml'])
}

/** What commander says of a wrong command line, with where help is; as JSON where that is asked for. */
function usageError(text: string, { isJson }: State, around: Surroundings): void {
  const [first = '', suggestion = ''] = text.trim().split('\n')
  const told = first.replace(/^error: /, '')
  const near = /^\(Did you mean (?:one of )?(.+)\?\)$/.exec(suggestion)?.[1]?.split(', ')
  const hint = near === undefined ? '--help tells what it takes' : `did you mean '${near.join("' or '")}'?`
  showError({ code: 'RTK_CLI_USAGE', text: told, hint }, { json: isJson }, around)
}

/** A command below `parent` that writes and ends as the program does. */
function own(parent: Command, program: Command, name: string): Command {
  return parent.command(name).copyInheritedSettings(program).helpCommand(false)
}

const groups: Readonly<Record<string, string>> = {
  account: 'Accounts.',
  commands: 'Commands of the server.',
  config: 'The configuration.',
  host: 'Hosts.',
  metrics: 'Counters and gauges.',
  session: 'Sessions.',
  store: 'Where data is kept.',
}

function group(parent: Command, program: Command, name: string): Command {
  const known = parent.commands.find((command) => command.name() === name)
  if (known !== undefined) return known
  const made = own(parent, program, name)
  made.summary(groups[name] ?? `Commands of ${name}.`).description(groups[name] ?? `Commands of ${name}.`)
  return made
}

/** Their descriptions need no server: only `run` would use what is missing here. */
function coreDescriptions(): readonly CommandDescription[] {
  const registry = new CommandRegistry()
  for (const command of coreCommands({} as CommandServices)) registry.add(command)
  registry.add(reloadCommand({} as Parameters<typeof reloadCommand>[0]))
  // In the help those of one word, which are about the server as a whole, stand before the groups.
  return registry.describe().toSorted((a, b) => Number(a.name.includes(' ')) - Number(b.name.includes(' ')))
}

function addRemote(
  program: Command,
  descriptions: readonly CommandDescription[],
  around: Surroundings,
  state: State,
): void {
  for (const description of descriptions) {
    const words = description.name.split(' ')
    const last = words.pop() ?? ''
    const parent = words.reduce((at, word) => group(at, program, word), program)
    if (parent.commands.some((command) => command.name() === last)) continue
    const isTop = description.name === 'top'
    const command = remoteCommand(description, last, async (args, dryRun) => {
      const options = program.opts<GlobalOptions>()
      if (isTop) {
        const { runTop } = await import('./top.ts')
        state.exit = await runTop(args, { ...options, once: command.opts()['once'] === true }, around)
      } else state.exit = await runRemote(description, args, { ...options, dryRun }, around)
    })
    if (isTop) command.option('--once', 'look once; otherwise again and again until Ctrl-C, in place on a terminal')
    parent.addCommand(command.copyInheritedSettings(program))
  }
}

/** Words of the command line, options and what may belong to them left out as far as one can tell. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const words: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ''
    if (['-c', '--config', '--data-dir', '--socket'].includes(word)) i++
    else if (!word.startsWith('-')) words.push(word)
  }
  return words
}

/** `help account add` is `account add --help`. */
function helpLast(argv: readonly string[]): readonly string[] {
  const [first, second] = wordsOf(argv)
  return first !== 'help' || second === undefined ? argv : [...argv.toSpliced(argv.indexOf('help'), 1), '--help']
}

/** Help of a group said as a word; and without `--help` where there is no such command, so that this is told. */
function withoutVainHelp(program: Command, argv: readonly string[]): readonly string[] {
  let at = program
  for (const word of wordsOf(argv)) {
    const next = at.commands.find((command) => command.name() === word)
    if (next === undefined && at !== program && at.commands.length > 0 && word === 'help') {
      // `account help add` is `account add --help`, as `help account add` is.
      return withoutVainHelp(program, [...argv.toSpliced(argv.lastIndexOf('help'), 1), '--help'])
    }
    if (next === undefined && at.commands.length > 0 && word !== 'help')
      return argv.filter((one) => !/^(?:-h|--help)$/.test(one))
    if (next === undefined) break
    at = next
  }
  return argv
}

/** True when only a server can know what is meant: help of the whole, or words that nobody here knows. */
function asksServer(program: Command, argv: readonly string[]): boolean {
  if (argv.includes('--version') || argv.includes('-V')) return false
  const words = wordsOf(argv)
  if (words.length === 0 || words[0] === 'help') return true
  let at = program
  for (const word of words) {
    const next = at.commands.find((command) => command.name() === word)
    if (next === undefined) return at.commands.length > 0
    at = next
  }
  return at.commands.length > 0
}

async function addServersOwn(
  program: Command,
  argv: readonly string[],
  around: Surroundings,
  state: State,
): Promise<void> {
  try {
    const client = await connect(globalOptions(argv), around, true)
    try {
      const { result } = await client.call('commands list')
      addRemote(
        program,
        result.map((row) => row['description'] as unknown as CommandDescription),
        around,
        state,
      )
    } finally {
      client.close()
    }
  } catch (error) {
    // Help and usage errors have to work without a server; who ran an unknown word hears of it from the parser.
    if (!(error instanceof CliError || error instanceof ConfigError)) throw error
  }
}

function failed(error: unknown, options: GlobalOptions, around: Surroundings): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof Interrupted) return EXIT.interrupted
  if (error instanceof CliError) {
    showError({ code: error.code, text: error.message, hint: error.hint }, options, around)
    return error.exit
  }
  if (error instanceof ConfigError) {
    for (const mistake of error.mistakes) {
      const line = options.json === true ? JSON.stringify({ error: mistake }) : formatMistake(mistake)
      around.terminal.err(`${line}\n`)
    }
    return EXIT.refused
  }
  if (error instanceof WorldError) {
    const hint = error.code === 'RTK_DISK_LOCKED' ? 'stop the server that has it first' : ''
    showError({ code: error.code as `RTK_${string}`, text: error.message, hint }, options, around)
    return EXIT.refused
  }
  throw error
}
