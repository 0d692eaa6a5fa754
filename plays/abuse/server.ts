/** A server in a process of its own, to be abused: its figures, its memory, and two innocent users on it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
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

/** What the attacked server is set to, where it is not the default: small enough to be reached in seconds. */
export const settings = `store: { engine: memory }
auth: { scram_iterations: 4096 }
log: { level: error }
shapers: { narrow: { rate: 100 KB/s, burst: 200 KB } }
limits: { connections_per_address: 300, sign_in_timeout: 10 seconds, session_queue_bytes: 1 MiB }
`

export class AbusedServer {
  readonly port: number
  readonly shapedPort: number
  readonly ca: string
  readonly bystanders: Bystanders
  readonly #process: ChildProcess
  readonly #control: ControlClient

  static async start(world: World, folder: string): Promise<AbusedServer> {
    const [port, shapedPort] = [await freePort(), await freePort()]
    const configFile = join(folder, 'ratatosk.yaml')
    const socket = join(folder, 'control.sock')
    mkdirSync(folder)
    writeFileSync(
      configFile,
      `data_dir: ${folder}/data
control: { socket: ${socket} }
plugins: [${join(root, 'plays/abuse/poison.ts')}]
listeners:
  - { protocol: c2s, tls: starttls, address: 127.0.0.1, port: ${port}, accept_rate: unlimited }
  - { protocol: c2s, tls: starttls, address: 127.0.0.1, port: ${shapedPort}, shaper: narrow }
${settings}`,
    )
    const process = spawn(command, ['--config', configFile, 'serve'], { stdio: ['ignore', 'ignore', 'inherit'] })
    try {
      addAccounts(configFile)
      const ca = readFileSync(join(folder, 'data/tls/ca.pem'), 'utf8')
      const bystanders = await Bystanders.arrive(world, port, ca)
      await bystanders.talk(200)
      const control = await ControlClient.connect(world.net, socket)
      return new AbusedServer({ port, shapedPort, ca, bystanders, process, control })
    } catch (error) {
      process.kill('SIGKILL')
      throw error
    }
  }

  private constructor(parts: {
    readonly port: number
    readonly shapedPort: number
    readonly ca: string
    readonly bystanders: Bystanders
    readonly process: ChildProcess
    readonly control: ControlClient
  }) {
    this.port = parts.port
    this.shapedPort = parts.shapedPort
    this.ca = parts.ca
    this.bystanders = parts.bystanders
    this.#process = parts.process
    this.#control = parts.control
  }

  /** A figure, as `ratatosk metrics list` tells it. */
  async metric(name: string): Promise<number> {
    let value = 0
    const outcome = await this.#control.run(
      'metrics list',
      {},
      {
        onRow: (row) => {
          if (row['name'] === name) value = Number(row['value'])
        },
      },
    )
    if (!outcome.ok) throw outcome.error
    return value
  }

  /** Resident memory now, in MiB. */
  memory(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
  }

  kill(): void {
    this.#control.close()
    this.#process.kill('SIGKILL')
  }
}

function addAccounts(configFile: string): void {
  const input = ['romeo', 'juliet', 'attacker', 'sender'].map((user) => `${user}@localhost secret\n`).join('')
  for (let tries = 0; ; tries++) {
    try {
      execFileSync(command, ['--config', configFile, 'account', 'add'], { input, stdio: ['pipe', 'ignore', 'ignore'] })
      return
    } catch (error) {
      if (tries > triesMax) throw error
    }
  }
}
