/** A real PostgreSQL for `*.real.ts` tests: a cluster of its own in a place of its own, on a free loopback port. */
import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { type Foreign, freePort, give, type Place } from './foreign.ts'
import { program } from './programs.ts'

const USER = 'ratatosk'
const PASSWORD = 'the password of ratatosk'

/** Where a store of ours connects: the options of `openPostgres` that say so. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
}

function binary(name: string): string {
  return join(dirname(realpathSync(program('postgresql'))), name)
}

export class RealPostgres {
  readonly user = USER
  readonly password = PASSWORD
  readonly port: number
  readonly folder: string
  readonly #place: Place
  readonly #settings: readonly string[]
  #process: Foreign | undefined
  #databases = 0

  private constructor(place: Place, folder: string, port: number, settings: readonly string[]) {
    this.#place = place
    this.folder = folder
    this.port = port
    this.#settings = settings
  }

  /** Makes a cluster and starts it. `settings` are lines as in `name=value`. */
  static async start(place: Place, settings: readonly string[] = []): Promise<RealPostgres> {
    const port = await freePort()
    const folder = place.path(`pg${port}`)
    const secret = place.write(`password-of-${port}`, `${PASSWORD}\n`)
    await done(
      place.start(binary('initdb'), [
        ...['-D', folder, '-U', USER, '-E', 'UTF8', '--locale=C', '-A', 'scram-sha-256', '--no-sync'],
        `--pwfile=${secret}`,
      ]),
    )
    const made = new RealPostgres(place, folder, port, settings)
    await made.run()
    return made
  }

  /** A standby that follows this one. */
  async standby(): Promise<RealPostgres> {
    const port = await freePort()
    const folder = this.#place.path(`pg${port}`)
    const copy = ['-D', folder, '-h', '127.0.0.1', '-p', String(this.port), '-U', USER, '-R', '--no-sync', '-c', 'fast']
    await done(this.#place.start(binary('pg_basebackup'), copy, { PGPASSWORD: PASSWORD }))
    const made = new RealPostgres(this.#place, folder, port, this.#settings)
    await made.run()
    return made
  }

  /** Starts the server; after `stop`, again. */
  async run(): Promise<void> {
    const set = ['listen_addresses=127.0.0.1', `unix_socket_directories=${this.#place.folder}`, ...this.#settings]
    const args = ['-D', this.folder, '-p', String(this.port), ...set.flatMap((line) => ['-c', line])]
    this.#process = this.#place.start(binary('postgres'), args)
    await this.#process.says(/database system is ready to accept (read-only )?connections/)
  }

  /** Immediately: as after a crash. */
  async crash(): Promise<void> {
    this.signal('SIGQUIT')
    await this.#process?.ended
  }

  async stop(): Promise<void> {
    this.signalAll('SIGCONT')
    this.signal('SIGINT')
    await this.#process?.ended
  }

  /** To the server's first process. */
  signal(signal: NodeJS.Signals): void {
    const pid = this.#process?.child.pid
    if (pid !== undefined && this.#process?.child.exitCode === null) process.kill(pid, signal)
  }

  /** To all its processes: SIGSTOP stops the whole server. */
  signalAll(signal: NodeJS.Signals): void {
    const first = this.#process?.child.pid
    if (first === undefined || this.#process?.child.exitCode !== null) return
    process.kill(first, signal)
    for (const pid of childrenOf(first)) signalIfThere(pid, signal)
  }

  async promote(): Promise<void> {
    await this.sql('postgres', 'select pg_promote(true, 30)')
  }

  address(database: string): Address {
    return { host: '127.0.0.1', port: this.port, database, user: USER }
  }

  url(database: string): string {
    return `postgres://${USER}@127.0.0.1:${this.port}/${database}`
  }

  /** Runs SQL as the superuser, and gives the rows of the last statement. */
  async sql(database: string, text: string): Promise<readonly Record<string, unknown>[]> {
    const client = new Client({ ...this.address(database), password: PASSWORD, ssl: false })
    await client.connect()
    try {
      const result = await client.query(text)
      const last = Array.isArray(result) ? result.at(-1) : result
      return last?.rows ?? []
    } finally {
      await client.end()
    }
  }

  /** A new, empty database. Returns its name. */
  async database(how = ''): Promise<string> {
    const name = `test${++this.#databases}`
    await this.sql('postgres', `create database ${name} ${how}`)
    return name
  }

  /** Gives a file of the test to the server's user, as a certificate's key has to be. */
  own(path: string): string {
    give(path)
    return path
  }
}

async function done(foreign: Foreign): Promise<void> {
  if ((await foreign.ended) !== 0) throw new Error(`${foreign.child.spawnfile}: ${foreign.output}`)
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
      } catch {
        // It ended while we looked.
        return false
      }
    })
}

/** The server's children (a connection's, the vacuum's) end when they like. */
function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
