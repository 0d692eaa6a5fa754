/** What the figures were measured on: kept beside them as JSON. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { dirname } from 'node:path'

export type Machine = Readonly<
  Record<'processor' | 'cores' | 'memory' | 'kernel' | 'system' | 'compiler' | 'openssl' | 'node', string>
>

function firstLine(command: string, ...args: string[]): string {
  return spawnSync(command, args, { encoding: 'utf8' }).stdout?.split('\n')[0] ?? ''
}

function machine(): Machine {
  const system = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: String(cpus().length),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(system)?.[1] ?? 'unknown',
    compiler: firstLine('gcc', '--version'),
    openssl: firstLine('openssl', 'version'),
    node: `${process.version}, OpenSSL ${process.versions.openssl}`,
  }
}

export function writeMachine(path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(machine(), null, 2)}\n`)
}

export function readMachine(path: string): Machine | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Machine) : undefined
}
