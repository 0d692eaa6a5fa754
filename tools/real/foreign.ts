/**
 * Starts foreign programs for `*.real.ts` tests: never as root, each in a directory of its own, on free loopback ports,
 * and ended by their own number when the test is over.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** The user that foreign programs run as: `nobody` where the tests run as root, else whoever runs the tests. */
export function unprivileged(): { uid: number; gid: number } | Record<string, never> {
  if (process.getuid?.() !== 0) return {}
  const line = readFileSync('/etc/passwd', 'utf8').match(/^nobody:[^:]*:(\d+):(\d+):/m)
  if (!line) throw new Error('no user "nobody" to run foreign programs as')
  return { uid: Number(line[1]), gid: Number(line[2]) }
}

/** Hands a path to the user that foreign programs run as. */
export function give(path: string): void {
  const { uid, gid } = unprivileged()
  if (uid !== undefined) chownSync(path, uid, gid)
}

const handedOut = new Set<number>()

/** A port of 127.0.0.1 that was free just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      // Nobody listens yet on one that was handed out a moment ago.
      const isTaken = handedOut.has(port)
      handedOut.add(port)
      server.close(() => resolve(isTaken ? freePort() : port))
    })
  })
}

/** Resolves when something accepts connections on a port of 127.0.0.1; rejects after `seconds`. */
export async function listening(port: number, seconds = 30): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (!(await accepts(port))) {
    if (performance.now() > end) throw new Error(`nothing listened on 127.0.0.1:${port} within ${seconds} s`)
    await wait(50)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

/** A directory of its own for one test and the programs started in it; `await using` ends them and removes it. */
export class Place {
  readonly folder: string
  readonly #running = new Set<Foreign>()

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `ratatosk-${name}-`))
    give(this.folder)
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** Writes a file that the foreign programs own. Returns its path. */
  write(name: string, content: string | Uint8Array, mode = 0o600): string {
    const path = this.path(name)
    writeFileSync(path, content, { mode })
    give(path)
    return path
  }

  start(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Foreign {
    const child = spawn(program, args, {
      ...unprivileged(),
      cwd: this.folder,
      detached: true,
      env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, LANG: 'C.UTF-8', HOME: this.folder, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const foreign = new Foreign(child)
    this.#running.add(foreign)
    return foreign
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const foreign of this.#running) await foreign.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** One started program: what it wrote, line by line, and its end. */
export class Foreign {
  readonly child: ChildProcess
  /** Everything it wrote to either output so far. */
  output = ''
  readonly ended: Promise<number>
  readonly #waiting = new Set<() => void>()

  constructor(child: ChildProcess) {
    this.child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        for (const check of this.#waiting) check()
      })
    }
    child.stdin?.on('error', () => undefined)
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => {
        this.output += error.message
        resolve(127)
      })
      child.on('close', (code) => resolve(code ?? 1))
    })
  }

  send(text: string): void {
    this.child.stdin?.write(text)
  }

  /** Resolves with the match when the output has it; rejects after `seconds` or at the program's end, with the output. */
  says(pattern: RegExp, seconds = 30): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer)
        this.#waiting.delete(check)
        end()
      }
      const fail = (why: string) =>
        settle(() => reject(new Error(`${this.child.spawnfile} ${why} without ${pattern}:\n${this.output}`)))
      const check = () => {
        const match = pattern.exec(this.output)
        if (match) settle(() => resolve(match))
      }
      const timer = setTimeout(() => fail(`ran ${seconds} s`), seconds * 1000)
      this.#waiting.add(check)
      void this.ended.then(() => {
        check()
        if (this.#waiting.has(check)) fail('ended')
      })
      check()
    })
  }

  /** Asks it and its children to end, and ends them the hard way after `seconds`. */
  async stop(seconds = 10): Promise<void> {
    const timer = setTimeout(() => this.#signal('SIGKILL'), seconds * 1000)
    this.#signal('SIGTERM')
    await this.ended
    clearTimeout(timer)
    // Children that outlived it (epmd of ejabberd, a shell's job) are in its process group.
    this.#signal('SIGKILL')
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) return
    try {
      process.kill(-this.child.pid, signal)
    } catch {
      // Nobody of the group is left, which is what was wanted.
    }
  }
}
