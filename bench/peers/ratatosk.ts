/** Our own server, by its command: `RATATOSK` in the environment names one, else the checkout's `bin/ratatosk`. */

import { type ChildProcess, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { copyCertificate } from './certificate.ts'
import { contactsOf } from './contacts.ts'
import type { Peer, Running, Setup } from './peer.ts'
import {
  end,
  findProgram,
  freePort,
  give,
  type Identity,
  identityFor,
  launch,
  makeDirectory,
  run,
  waitForPorts,
} from './process.ts'
import { userName } from './scram.ts'

export interface Ports {
  readonly plain: number
  readonly starttls: number
}

function command(): string {
  return process.env['RATATOSK'] ?? join(import.meta.dirname, '..', '..', 'bin', 'ratatosk')
}

/**
 * What differs from `npm start`: a host, its certificate, the ports, and a listener without TLS for the TCP rows. Modules,
 * limits, store and log keep their defaults (rule 9).
 */
export function ratatoskConfiguration(
  domain: string,
  home: string,
  ports: Ports,
  plugins: readonly string[] = [],
): string {
  const tls = (name: string): string => JSON.stringify(join(home, 'tls', name))
  return `data_dir: ${JSON.stringify(join(home, 'data'))}
hosts: [${domain}]
tls:
  certificates:
    - { cert: ${tls('cert.pem')}, key: ${tls('key.pem')} }
listeners:
  - { name: plain, protocol: c2s, tls: none, address: 127.0.0.1, port: ${ports.plain} }
  - { name: starttls, protocol: c2s, tls: starttls, address: 127.0.0.1, port: ${ports.starttls} }
control: { socket: ${JSON.stringify(join(home, 'control.sock'))} }
${plugins.length === 0 ? '' : `plugins: ${JSON.stringify(plugins)}\n`}`
}

/** What `metrics list` of the server in this directory says, by the names of the figures. */
export function metricsOf(directory: string): ReadonlyMap<string, number> {
  const home = join(directory, 'ratatosk')
  const args = ['--config', join(home, 'ratatosk.yaml'), '--json', 'metrics', 'list']
  const printed = run({ command: command(), args, owner: identityFor(), directory: home })
  const lines = printed.split('\n').filter((line) => line.startsWith('{'))
  const rows = lines.map((line) => JSON.parse(line) as { readonly name: string; readonly value: number })
  return new Map(rows.map(({ name, value }) => [name, value]))
}

/** All accounts in one go: one `user@host password` a line on standard input. */
function addAccounts(setup: Setup, home: string, owner: Identity | undefined): void {
  const { accounts, domain } = setup
  const names = Array.from({ length: accounts.count }, (_, index) => userName(accounts, index))
  const input = names.map((name) => `${name}@${domain} ${accounts.password}\n`).join('')
  run({
    command: command(),
    args: ['--config', join(home, 'ratatosk.yaml'), 'account', 'add'],
    owner,
    directory: home,
    input,
  })
}

/**
 * Straight into the tables of src/modules/roster/roster.store.ts, because the server has no command for it. It must not be running:
 * it may know already that a roster is empty.
 */
function writeRosters({ accounts, domain }: Setup, home: string): void {
  const data = join(home, 'data')
  const file = readdirSync(data).find((name) => name.endsWith('.db'))
  if (file === undefined) throw new Error(`no database in ${data}`)
  const database = new DatabaseSync(join(data, file))
  const version = database.prepare('insert into roster_version (host, local, version) values (?, ?, 1)')
  const item =
    database.prepare(`insert into roster_item (host, local, contact, name, subscription, pending_out, pending_in,
    listed, approved, groups, request, version, edition) values (?, ?, ?, '', 'both', 0, 0, 1, 0, '[]', null, 1, 1)`)
  database.exec('begin')
  for (let index = 0; index < accounts.count; index++) {
    const name = userName(accounts, index)
    version.run(domain, name)
    for (const contact of contactsOf(accounts, domain, index)) item.run(domain, name, contact)
  }
  database.exec('commit')
  database.close()
}

async function start(setup: Setup): Promise<Running> {
  const owner = identityFor()
  const home = makeDirectory(join(setup.directory, 'ratatosk'), owner)
  const ports = { plain: await freePort(), starttls: await freePort() }
  makeDirectory(join(home, 'data'), owner)
  copyCertificate(setup.certificate, join(home, 'tls'))
  writeFileSync(join(home, 'ratatosk.yaml'), ratatoskConfiguration(setup.domain, home, ports, setup.plugins))
  const added = join(home, `accounts-${setup.accounts.count}`)
  give(home, owner)
  if (!existsSync(added)) {
    const { child } = await serve(home, owner, ports)
    try {
      addAccounts(setup, home, owner)
    } finally {
      await end(child)
    }
    if (setup.accounts.contacts) writeRosters(setup, home)
    writeFileSync(added, '')
    give(home, owner)
  }
  const { child, startMs } = await serve(home, owner, ports)
  return { plainPort: ports.plain, tlsPort: ports.starttls, pids: [child.pid!], startMs, stop: () => end(child) }
}

async function serve(
  home: string,
  owner: Identity | undefined,
  ports: Ports,
): Promise<{ child: ChildProcess; startMs: number }> {
  const log = join(home, 'output.log')
  const args = ['--config', join(home, 'ratatosk.yaml'), 'serve']
  const child = launch({ command: command(), args, owner, directory: home, log })
  return { child, startMs: await waitForPorts(child, [ports.plain, ports.starttls], log) }
}

export const ratatosk: Peer = {
  name: 'ratatosk',
  tls: 'starttls',
  relay: false,
  missing: () => (existsSync(command()) || findProgram(command()) ? undefined : `no ${command()}`),
  version: () => spawnSync(command(), ['--version'], { encoding: 'utf8' }).stdout.trim(),
  start,
}
