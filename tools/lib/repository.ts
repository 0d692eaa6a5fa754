/** Where the checkout is, which files it has, and how the tools run other programs and speak. */
import { spawn } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the checkout, without a slash at its end. */
export const root = join(import.meta.dirname, '../..')

/** One line to standard output. */
export function say(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/** Paths of the checkout that match a glob, relative and sorted; never one under `node_modules` or `dist`. */
export function files(patterns: string | readonly string[], from = root): string[] {
  const exclude = ['**/node_modules/**', 'dist/**', '.cache/**']
  return globSync(patterns, { cwd: from, exclude }).sort()
}

export function text(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

export function exists(path: string): boolean {
  return existsSync(join(root, path))
}

export type Ran = { readonly code: number; readonly output: string; readonly seconds: number }
export type RunOptions = {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Shows the output as it comes instead of only returning it. */
  readonly show?: boolean
  /** Ends the program after so many seconds; default 600. */
  readonly timeout?: number
}

/** Runs a program to its end. Its two outputs are returned as one text; a signal or a failure to start is code 1 or more. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const began = performance.now()
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: (options.timeout ?? 600) * 1000,
      killSignal: 'SIGKILL',
    })
    const parts: Buffer[] = []
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (part: Buffer) => {
        parts.push(part)
        if (options.show) process.stdout.write(part)
      })
    }
    const end = (code: number) =>
      resolve({ code, output: Buffer.concat(parts).toString(), seconds: (performance.now() - began) / 1000 })
    child.on('error', (error) => {
      parts.push(Buffer.from(`${error.message}\n`))
      end(127)
    })
    child.on('close', (code, signal) => {
      if (signal) parts.push(Buffer.from(`ended by ${signal}\n`))
      end(code ?? 1)
    })
  })
}

/** `bin/node` of the checkout with a script of the checkout's own `node_modules`, or any other script. */
export function node(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return run(join(root, 'bin/node'), args, options)
}

export type Counts = { passed: number; failed: number; skipped: number }

/** The line that ends every test command. */
export function closing({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}
