/** Prosody 0.12 from Debian. */

import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyCertificate } from './certificate.ts'
import { contactsOf } from './contacts.ts'
import type { Peer, Running, Setup } from './peer.ts'
import { end, findProgram, freePort, give, identityFor, launch, makeDirectory, waitForPorts } from './process.ts'
import { credentials, userName } from './scram.ts'

/** What mod_auth_internal_hashed uses for new accounts. */
const ITERATIONS = 10_000

/**
 * The features that the rows are about, and no others (rule 3); Prosody loads `presence`, `message`, `iq` and `offline` by itself.
 * Ours has more: all of its default modules.
 */
const FAIR_MODULES = [
  ...['roster', 'saslauth', 'tls', 'disco', 'ping', 'version', 'time', 'smacks', 'carbons', 'csi_simple', 'posix'],
]

/** `modules_enabled` of Debian's prosody.cfg.lua. */
const STOCK_MODULES = [
  ...[
    'disco',
    'roster',
    'saslauth',
    'tls',
    'blocklist',
    'bookmarks',
    'carbons',
    'dialback',
    'limits',
    'pep',
    'private',
  ],
  ...[
    'smacks',
    'vcard4',
    'vcard_legacy',
    'csi_simple',
    'invites',
    'invites_adhoc',
    'invites_register',
    'ping',
    'register',
  ],
  ...['time', 'uptime', 'version', 'admin_adhoc', 'admin_shell', 'posix'],
]

const lua = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
const list = (items: readonly string[]): string => `{ ${items.map(lua).join(', ')} }`

interface Ports {
  readonly plain: number
  readonly direct: number
}

function configuration(setup: Setup, home: string, ports: Ports): string {
  const stock = setup.profile === 'stock'
  const lines = [
    `data_path = ${lua(join(home, 'data'))}`,
    `pidfile = ${lua(join(home, 'prosody.pid'))}`,
    'daemonize = false',
    'interfaces = { "127.0.0.1" }',
    `c2s_ports = { ${ports.plain} }`,
    `c2s_direct_tls_ports = { ${ports.direct} }`,
    `modules_enabled = ${list(stock ? STOCK_MODULES : FAIR_MODULES)}`,
    'modules_disabled = { "s2s", "http", "https" }',
    'c2s_require_encryption = false',
    'network_settings = { tcp_backlog = 1024 }',
    'authentication = "internal_hashed"',
    `certificates = ${lua(join(home, 'tls'))}`,
    `ssl = { key = ${lua(join(home, 'tls', 'key.pem'))}, certificate = ${lua(join(home, 'tls', 'cert.pem'))} }`,
    `admin_socket = ${lua(join(home, 'admin.sock'))}`,
  ]
  if (stock) lines.push('limits = { c2s = { rate = "10kb/s" }, s2sin = { rate = "30kb/s" } }')
  lines.push(`log = { ${stock ? 'info' : 'warn'} = ${lua(join(home, 'prosody.log'))} }`)
  lines.push(`VirtualHost ${lua(setup.domain)}`, '')
  return lines.join('\n')
}

/** As core.rostermanager keeps them. */
function writeRosters({ accounts, domain }: Setup, path: string): void {
  if (!accounts.contacts) return
  const directory = makeDirectory(path, undefined)
  for (let index = 0; index < accounts.count; index++) {
    const items = contactsOf(accounts, domain, index).map(
      (contact) => `\t[${lua(contact)}] = { ["subscription"] = "both"; ["groups"] = {}; };\n`,
    )
    const meta = '\t[false] = { ["version"] = 1; ["pending"] = {}; };\n'
    writeFileSync(join(directory, `${userName(accounts, index)}.dat`), `return {\n${items.join('')}${meta}};\n`)
  }
}

/** One file an account, as the internal storage writes them (util.datamanager). */
async function writeAccounts(setup: Setup, home: string): Promise<void> {
  const done = join(home, `accounts-${setup.accounts.count}`)
  if (existsSync(done)) return
  const host = setup.domain.replace(/[^A-Za-z0-9]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)
  const directory = makeDirectory(join(home, 'data', host, 'accounts'), undefined)
  writeRosters(setup, join(home, 'data', host, 'roster'))
  for (const { user, salt, iterations, storedKey, serverKey } of await credentials(setup.accounts, ITERATIONS)) {
    const fields = [
      `["iteration_count"] = ${iterations};`,
      `["salt"] = ${lua(salt.toString('latin1'))};`,
      `["stored_key"] = "${storedKey.toString('hex')}";`,
      `["server_key"] = "${serverKey.toString('hex')}";`,
    ]
    writeFileSync(join(directory, `${user}.dat`), `return {\n\t${fields.join('\n\t')}\n};\n`)
  }
  writeFileSync(done, '')
}

async function start(setup: Setup): Promise<Running> {
  const owner = identityFor('prosody')
  const home = makeDirectory(join(setup.directory, `prosody-${setup.profile}`), owner)
  const ports = { plain: await freePort(), direct: await freePort() }
  makeDirectory(join(home, 'data'), owner)
  copyCertificate(setup.certificate, join(home, 'tls'))
  await writeAccounts(setup, home)
  writeFileSync(join(home, 'prosody.cfg.lua'), configuration(setup, home, ports))
  give(home, owner)
  const log = join(home, 'output.log')
  const command = findProgram('prosody')!
  const child = launch({
    command,
    args: ['--config', join(home, 'prosody.cfg.lua'), '-F'],
    owner,
    directory: home,
    log,
  })
  const startMs = await waitForPorts(child, [ports.plain, ports.direct], log)
  return { plainPort: ports.plain, tlsPort: ports.plain, pids: [child.pid!], startMs, stop: () => end(child) }
}

export const prosody: Peer = {
  name: 'prosody',
  tls: 'starttls',
  relay: false,
  missing: () => (findProgram('prosody') ? undefined : 'no prosody in PATH (apt-get install prosody, or --install)'),
  version: () => spawnSync('dpkg-query', ['-W', '-f', '${Version}', 'prosody'], { encoding: 'utf8' }).stdout,
  start,
}
