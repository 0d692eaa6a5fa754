/** A server in a process of its own, to be abused: its figures, its memory, and two innocent users on it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ControlClient } from '../../src/admin/control/client.ts'
import type { World } from '../../src/world/world.types.ts'
import { root } from '../../tools/lib/repository.ts'
import { freePort } from '../../tools/real/foreign.ts'
import { Bystanders } from './bystander.ts'

const command = join(root, 'bin/ratatosk')

/** Attempts to reach a server that starts; each takes a fifth of a second or so. */
const triesMax = 60

/** What a server is set to, where it is not the default: small enough to be reached in seconds. */
const settings = `auth: { scram_iterations: 4096 }
log: { level: error }
shapers: { narrow: { rate: 100 KB/s, burst: 200 KB } }
limits: { connections_per_address: 300, sign_in_timeout: 10 seconds, session_queue_bytes: 1 MiB }
`

/** What is other than usual. */
export interface Start {
  /** Where it listens; default: 127.0.0.1. */
  readonly host?: string
  /** Where its data is; default: a folder of its own. */
  readonly dataDir?: string
  /** Default: memory. */
  readonly engine?: 'memory' | 'sqlite'
  /** Further lines of the configuration. */
  readonly settings?: string
  /** Further options of the listener, `, name: value`. */
  readonly listener?: string
}

export class AbusedServer {
  readonly host: string
  readonly port: number
  readonly shapedPort: number
  readonly ca: string
  readonly bystanders: Bystanders
  readonly #process: ChildProcess
  readonly #control: ControlClient

  static async start(world: World, folder: string, given: Start = {}): Promise<AbusedServer> {
    const { host = '127.0.0.1', dataDir = join(folder, 'data'), engine = 'memory' } = given
    const [port, shapedPort] = [await freePort(), await freePort()]
    const configFile = join(folder, 'ratatosk.yaml')
    const socket = join(folder, 'control.sock')
    mkdirSync(folder)
    writeFileSync(
      configFile,
      `data_dir: ${dataDir}
store: { engine: ${engine} }
control: { socket: ${socket} }
plugins: [${join(root, 'plays/abuse/poison.ts')}, ${join(root, 'plays/abuse/collector.ts')}]
listeners:
  - { protocol: c2s, tls: starttls, address: ${host}, port: ${port}, accept_rate: unlimited${given.listener ?? ''} }
  - { protocol: c2s, tls: starttls, address: 127.0.0.1, port: ${shapedPort}, shaper: narrow }
${settings}${given.settings ?? ''}`,
    )
    const process = spawn(command, ['--config', configFile, 'serve'], { stdio: ['ignore', 'ignore', 'inherit'] })
    try {
      await addAccounts(configFile)
      const ca = readFileSync(join(dataDir, 'tls/ca.pem'), 'utf8')
      const bystanders = await Bystanders.arrive(world, { kind: 'tcp', host, port }, ca)
      await bystanders.talk(200)
      const control = await ControlClient.connect(world.net, socket)
      return new AbusedServer({ host, port, shapedPort, ca, bystanders, process, control })
    } catch (error) {
      process.kill('SIGKILL')
      throw error
    }
  }

  private constructor(parts: {
    readonly host: string
    readonly port: number
    readonly shapedPort: number
    readonly ca: string
    readonly bystanders: Bystanders
    readonly process: ChildProcess
    readonly control: ControlClient
  }) {
    this.host = parts.host
    this.port = parts.port
    this.shapedPort = parts.shapedPort
    this.ca = parts.ca
    this.bystanders = parts.bystanders
    this.#process = parts.process
    this.#control = parts.control
  }

  /** A figure, as `ratatosk metrics list` tells it. */
  async metric(name: string): Promise<number> {
    const rows = await this.#rows('metrics list')
    return Number(rows.find((row) => row['name'] === name)?.['value'] ?? 0)
  }

  /** What `ratatosk status` says of the store. */
  async storeState(): Promise<string> {
    const [status] = await this.#rows('status')
    return String(status?.['store'])
  }

  async #rows(command: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const rows: Readonly<Record<string, unknown>>[] = []
    const outcome = await this.#control.run(command, {}, { onRow: (row) => void rows.push(row) })
    if (!outcome.ok) throw outcome.error
    return rows
  }

  /**
   * Memory that is in use, in MiB: what is resident once V8 has thrown away what nobody refers to. Until its heap has 128 MiB
   * (bin/ratatosk) it sees no need to, so what is resident at any moment tells how much has been done, not what is kept.
   */
  async memory(): Promise<number> {
    await this.#rows('memory collect')
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
  }

  kill(): void {
    this.bystanders.leave()
    this.#control.close()
    this.#process.kill('SIGKILL')
  }
}

/** Waits for the server to start. Without standing still meanwhile: users of another server are asked whether they are there. */
async function addAccounts(configFile: string): Promise<void> {
  const input = ['romeo', 'juliet', 'attacker', 'sender', 'nurse'].map((user) => `${user}@localhost secret\n`).join('')
  for (let tries = 0; ; tries++) {
    const child = spawn(command, ['--config', configFile, 'account', 'add'], { stdio: ['pipe', 'ignore', 'ignore'] })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    const code = await new Promise((resolve) => child.on('exit', resolve))
    if (code === 0) return
    if (tries > triesMax) throw new Error(`account add ended with ${code}`)
  }
}
