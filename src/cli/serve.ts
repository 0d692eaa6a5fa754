/** `ratatosk serve`: the server as a process. Signals, standard output and the end of the process are here, nowhere else. */
import { shortened } from '../admin/commands/index.ts'
import { ConfigError, formatMistake } from '../core/config/index.ts'
import { softwareVersion } from '../core/software.ts'
import { createServer, type Server } from '../index.ts'
import { WorldError } from '../world/error.ts'
import { createWorld } from '../world/index.ts'
import { openLog } from '../world/log.ts'
import type { Log } from '../world/log.types.ts'
import { placeText } from '../world/net-error.ts'
import { modeOf } from './config-commands.ts'
import { CliError, EXIT } from './exit.ts'
import { showError } from './remote.ts'
import {
  controlPath,
  controlPlaces,
  type GlobalOptions,
  readSettings,
  type Settings,
  type Surroundings,
} from './settings.ts'

/** Runs until a signal or the command `stop`. Rejects with `ConfigError` for mistakes in the configuration. */
export async function serve(options: GlobalOptions, around: Surroundings): Promise<number> {
  if (options.socket !== undefined) {
    const text = '--socket names the socket of a server that runs already'
    throw new CliError(EXIT.usage, 'RTK_CLI_USAGE', text, 'set control.socket in the configuration')
  }
  const settings = await readSettings(options, around)
  const log = await logOf(settings, around)
  // Makes the socket's folder, where it needs one of its own, and refuses a path that is too long before anything starts.
  if (settings.peeked.control.enabled) await controlPath(settings, around)
  const server = await start(settings, log, options, around)
  if (server === undefined) return EXIT.cannotStart
  // Before anybody is told that it serves: a signal that comes then finds its handler.
  const ended = running(server, log, around)
  tellStart(server, log, settings, around)
  return ended
}

function isText(settings: Settings, { terminal }: Surroundings): boolean {
  const { format } = settings.peeked.log
  return format === 'text' || (format === 'auto' && terminal.isOutTty)
}

function logOf(settings: Settings, around: Surroundings): Promise<Log> {
  const { level, format } = settings.peeked.log
  const isForPeople = around.terminal.isOutTty
  return openLog({ level, format, isForPeople, write: (text) => around.terminal.out(text) })
}

async function start(
  settings: Settings,
  log: Log,
  options: GlobalOptions,
  around: Surroundings,
): Promise<Server | undefined> {
  const { file, dataDir } = settings
  try {
    return await createServer({
      config: file === undefined ? {} : { file },
      ...(dataDir === undefined ? {} : { dataDir }),
      world: createWorld({ log }),
      control: controlPlaces(around),
      modeOf,
      variable: (name) => around.variables[name],
      onWarning: (mistake) => log.warn(formatMistake(mistake), { code: mistake.code }),
    })
  } catch (error) {
    const isOurs = error instanceof WorldError || (error instanceof Error && 'code' in error && isCode(error.code))
    if (!isOurs || (error instanceof Error && error.name === 'ConfigError')) throw error
    const { code, message } = error as Error & { code: `RTK_${string}` }
    showError({ code, text: message, hint: hints[code] ?? '' }, options, around)
    return undefined
  }
}

const isCode = (code: unknown) => typeof code === 'string' && code.startsWith('RTK_')

const folderHint = 'the data directory is a folder that this user may write to: choose one with --data-dir'

const hints: Readonly<Record<string, string>> = {
  RTK_DISK_ERROR: folderHint,
  RTK_DISK_FULL: 'the disk of the data directory is full',
  RTK_DISK_NOT_A_DIRECTORY: folderHint,
  RTK_DISK_PERMISSION: folderHint,
  RTK_DISK_LOCKED: 'another server has this data directory',
  RTK_NET_ADDRESS_IN_USE: 'another program listens there: stop it, or choose other ports under listeners',
  RTK_STORE_DATABASE: 'make a database as the guide says: docs/guide/operate.md, PostgreSQL',
  RTK_STORE_LOCKED: 'two servers on one database would not see what the other changes: stop one',
  RTK_STORE_READ_ONLY: 'name the server that takes writes too under store.url: several are tried in order',
  RTK_NET_PERMISSION: 'ports below 1024 need a privilege of the system',
}

/** To a person as lines; into a log as one entry. */
function tellStart(server: Server, log: Log, settings: Settings, around: Surroundings): void {
  const listening = server.listening.map(({ protocol, tls, place }) => ({ protocol, tls, place: placeText(place) }))
  const hosts = server.hosts.map((host) => host.domain)
  const authority = server.authority?.file
  const write = isText(settings, around)
    ? (text: string) => around.terminal.out(text)
    : // Whoever starts it by hand without a terminal is told too, beside the log.
      (text: string) => around.terminal.err(text)
  if (!isText(settings, around)) {
    log.info('serving', {
      version: softwareVersion,
      hosts: hosts.slice(0, 20),
      hostCount: hosts.length,
      listening,
      authority,
      control: server.controlPath,
    })
  }
  const shown = hosts.length > 3 ? `${hosts.slice(0, 3).join(', ')} and ${hosts.length - 3} more` : hosts.join(', ')
  const lines = [`Ratatosk ${softwareVersion} serves ${shown}`, '']
  for (const { protocol, tls, place } of listening)
    lines.push(`  ${`${protocol} (${meanings[tls]})`.padEnd(24)}${place}`)
  const called = commandOf(settings, around)
  lines.push('', `Make an account:     ${called} account add you@${hosts[0] ?? 'localhost'}`)
  if (authority !== undefined) lines.push(`Clients must trust:  ${authority}`)
  lines.push(`Stop:                Ctrl-C, or ${called} stop`, '')
  write(`${lines.join('\n')}\n`)
}

const meanings = { starttls: 'STARTTLS', direct: 'direct TLS', none: 'no TLS' } as const

/** The command that finds this server again. */
function commandOf({ file, dataDir }: Settings, { variables }: Surroundings): string {
  const config = file === undefined || file === 'ratatosk.yaml' ? '' : ` --config ${file}`
  return `${variables['RATATOSK_CALLED'] ?? 'ratatosk'}${config}${dataDir === undefined ? '' : ` --data-dir ${dataDir}`}`
}

/** Nobody waits for a reload by signal: the log says what came of it. */
async function tellReload(server: Server, log: Log): Promise<void> {
  try {
    const { listeners, hosts, applied, needsRestart } = await server.reload()
    log.info('reloaded', {
      ...listeners,
      hostsAdded: hosts.added.length,
      hostsRemoved: hosts.removed.length,
      applied: shortened(applied),
      needsRestart: shortened(needsRestart),
    })
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      log.error('the reload failed, all is as before', { code: 'RTK_SERVER_RELOAD', error })
      return
    }
    for (const mistake of error.mistakes) log.error(formatMistake(mistake), { code: mistake.code })
    log.error('the configuration has mistakes, all is as before', { code: 'RTK_SERVER_RELOAD' })
  }
}

/** Resolves when the server has ended, by a signal or by itself. */
async function running(server: Server, log: Log, { terminal }: Surroundings): Promise<number> {
  const ended = Promise.withResolvers<void>()
  let signals = 0
  let exit: number = EXIT.ok
  const stop = (signal: NodeJS.Signals) => {
    if (++signals > 1) process.exit(EXIT.interrupted)
    log.info('stopping', { signal })
    close()
  }
  const close = () => {
    server.close().then(
      () => ended.resolve(),
      (error: unknown) => ended.reject(error),
    )
  }
  terminal.whenOutEnds?.(() => {
    if (exit !== EXIT.ok) return
    // Whoever watches over the server shall not take this for an end that was asked for.
    exit = EXIT.refused
    terminal.err('ratatosk: nobody reads the log any more; stopping [RTK_CLI_OUTPUT]\n')
    close()
  })
  // A full disk under the log is no reason to end anybody's conversation.
  terminal.whenOutFails?.(
    (code) => terminal.err(`ratatosk: the log cannot be written: ${code}; the server goes on [RTK_LOG_LOST]\n`),
    (lost) => log.error('the log could not be written, and entries were lost', { code: 'RTK_LOG_LOST', lost }),
  )
  const reload = () => void tellReload(server, log)
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload)
  server.closed.then(
    () => ended.resolve(),
    () => undefined,
  )
  try {
    await ended.promise
    return exit
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload)
    log.info('stopped')
  }
}
