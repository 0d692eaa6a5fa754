/** Processes of servers under test: free ports, an unprivileged user, an end that is waited for. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** How long a server may take to listen, and to end, in milliseconds. */
const START_LIMIT = 60_000
const STOP_LIMIT = 30_000

export interface Identity {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** The program's full path, or undefined if PATH (and the sbin directories, which a user's PATH lacks) has none. */
export function findProgram(name: string): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  for (const place of places) {
    const path = join(place, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not there: the next place may have it.
    }
  }
  return undefined
}

/** Who runs a server: root lends the first of these users that exists; anybody else runs it himself. */
export function identityFor(...names: string[]): Identity | undefined {
  if (process.getuid?.() !== 0) return undefined
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of [...names, 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields) return { name, uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  return undefined
}

/** Makes the directory, owned by whoever runs the server. */
export function makeDirectory(path: string, owner: Identity | undefined): string {
  mkdirSync(path, { recursive: true, mode: 0o755 })
  if (owner) chownSync(path, owner.uid, owner.gid)
  return path
}

/** Gives a tree to its server's user; files become unreadable for others. */
export function give(path: string, owner: Identity | undefined): void {
  const isDirectory = statSync(path).isDirectory()
  if (isDirectory) for (const entry of readdirSync(path)) give(join(path, entry), owner)
  chmodSync(path, isDirectory ? 0o755 : 0o600)
  if (owner) chownSync(path, owner.uid, owner.gid)
}

const handedOut = new Set<number>()

/** A port of 127.0.0.1 that was free a moment ago, below the range that outgoing connections draw from. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    // Nobody listens yet on one that was handed out a moment ago.
    if (handedOut.has(port)) continue
    const server = createServer()
    server.listen(port, '127.0.0.1')
    const [event] = await Promise.race([
      once(server, 'listening').then(() => ['listening']),
      once(server, 'error').then(() => ['error']),
    ])
    if (event === 'error') continue
    server.close()
    await once(server, 'close')
    handedOut.add(port)
    return port
  }
  throw new Error('no free port between 20000 and 32000')
}

export interface Launch {
  readonly command: string
  readonly args: readonly string[]
  readonly owner: Identity | undefined
  readonly directory: string
  readonly env?: Readonly<Record<string, string>>
  /** Where its output goes. */
  readonly log: string
}

/** Starts the process in its own process group; the returned child is the server itself, not a shell. */
export function launch(what: Launch): ChildProcess {
  const log = openSync(what.log, 'a')
  const asUser = what.owner
    ? ['setpriv', `--reuid=${what.owner.uid}`, `--regid=${what.owner.gid}`, '--clear-groups', '--', what.command]
    : [what.command]
  const child = spawn(asUser[0]!, [...asUser.slice(1), ...what.args], {
    cwd: what.directory,
    env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', HOME: what.directory, ...what.env },
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  return child
}

/** Runs a helper command of a server as its user and returns what it printed. Throws with its output when it fails. */
export function run(what: Omit<Launch, 'log'> & { readonly input?: string }): string {
  const asUser = what.owner
    ? ['setpriv', `--reuid=${what.owner.uid}`, `--regid=${what.owner.gid}`, '--clear-groups', '--', what.command]
    : [what.command]
  const result = spawnSync(asUser[0]!, [...asUser.slice(1), ...what.args], {
    cwd: what.directory,
    env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', HOME: what.directory, ...what.env },
    encoding: 'utf8',
    input: what.input ?? '',
    maxBuffer: 64 * 1024 * 1024,
  })
  if (result.status !== 0) throw new Error(`${what.command} ${what.args.join(' ')}: ${result.stdout}${result.stderr}`)
  return result.stdout
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Waits until every port accepts and returns how long that took in milliseconds; throws with the end of the log if the process ends first or takes too long. */
export async function waitForPorts(child: ChildProcess, ports: readonly number[], log: string): Promise<number> {
  const began = performance.now()
  const limit = Date.now() + START_LIMIT
  for (const port of ports) {
    while (!(await accepts(port))) {
      const ended = child.exitCode !== null || child.signalCode !== null
      if (ended || Date.now() > limit) {
        await end(child)
        throw new Error(
          `${ended ? 'ended' : 'did not listen in time'}; its log ends:\n${readFileSync(log, 'utf8').slice(-2000)}`,
        )
      }
      await delay(5)
    }
  }
  return Math.round(performance.now() - began)
}

/** SIGTERM to `pid` (the child itself by default), then SIGKILL to the child's group after 30 seconds. */
export async function end(child: ChildProcess, pid = child.pid): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined || pid === undefined) return
  const exited = once(child, 'exit')
  process.kill(pid, 'SIGTERM')
  const inTime = await Promise.race([exited.then(() => true), delay(STOP_LIMIT, false, { ref: false })])
  if (!inTime) {
    process.kill(-child.pid, 'SIGKILL')
    await exited
  }
}

/** The first descendant of a process whose command is `name`, or undefined. */
export function descendant(root: number, name: string): number | undefined {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      const command = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      if (parent === root) {
        if (command === name) return Number(entry)
        const below = descendant(Number(entry), name)
        if (below !== undefined) return below
      }
    } catch {
      // It ended while we looked.
    }
  }
  return undefined
}
