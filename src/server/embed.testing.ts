/** For the tests of embedding: servers on free ports, programs in processes of their own. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

export const address = '127.0.0.1'

export const listeners = [
  { protocol: 'c2s', address, port: 0 },
  { protocol: 'http', address, port: 0 },
]

/** Nothing but memory and free ports. */
export const inMemory = { store: { engine: 'memory' }, listeners }

export interface Ended {
  readonly code: number | null
  readonly output: string
}

/** Runs a program of this tree, given as text, with its imports relative to `src/`; resolves when it has ended. */
export function runProgram(
  source: string,
  onLine?: (line: string, stdin: NodeJS.WritableStream) => void,
): Promise<Ended> {
  const root = join(import.meta.dirname, '..')
  const text = source.replaceAll(/from '\.\//g, `from 'file://${root}/`)
  const child = spawn(process.execPath, ['--input-type=module', '--eval', text], { stdio: ['pipe', 'pipe', 'pipe'] })
  let output = ''
  let unread = ''
  const hear = (chunk: Buffer) => {
    output += chunk
    unread += chunk
    const lines = unread.split('\n')
    unread = lines.pop() ?? ''
    for (const line of lines) onLine?.(line, child.stdin)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const { promise, resolve, reject } = Promise.withResolvers<Ended>()
  child.on('error', reject)
  child.on('close', (code) => resolve({ code, output }))
  return promise
}
