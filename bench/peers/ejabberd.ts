/** ejabberd 23.01 from Debian. */

import { type ChildProcess, spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { copyCertificate } from './certificate.ts'
import { contactsOf } from './contacts.ts'
import type { Peer, Running, Setup } from './peer.ts'
import {
  descendant,
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
import { credentials, userName } from './scram.ts'

/** ejabberd's SCRAM_DEFAULT_ITERATION_COUNT. */
const ITERATIONS = 4096

/** The features that the rows are about, and no others (rule 3). Ours has more: all of its default modules. */
const FAIR_MODULES = `
  mod_carboncopy: {}
  mod_client_state: {}
  mod_disco: {}
  mod_offline: {}
  mod_ping: {}
  mod_roster:
    versioning: true
  mod_stream_mgmt: {}
  mod_time: {}
  mod_version: {}
`

/** The modules of Debian's ejabberd.yml, without those that need a listener this run does not open (bosh, mqtt, http). */
const STOCK_MODULES = `
  mod_adhoc: {}
  mod_admin_extra: {}
  mod_announce: {}
  mod_avatar: {}
  mod_blocking: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_client_state: {}
  mod_configure: {}
  mod_disco: {}
  mod_fail2ban: {}
  mod_last: {}
  mod_muc:
    default_room_options:
      mam: true
  mod_muc_admin: {}
  mod_offline:
    access_max_user_messages: max_user_offline_messages
  mod_ping: {}
  mod_pres_counter:
    count: 5
    interval: 60
  mod_privacy: {}
  mod_private: {}
  mod_pubsub:
    plugins:
      - flat
      - pep
  mod_push: {}
  mod_push_keepalive: {}
  mod_roster:
    versioning: true
  mod_shared_roster: {}
  mod_sic: {}
  mod_stream_mgmt:
    resend_on_timeout: if_offline
  mod_vcard:
    search: false
  mod_vcard_xupdate: {}
  mod_version: {}
`

const STOCK_SHAPERS = `
shaper:
  normal:
    rate: 3000
    burst_size: 20000
  fast: 200000
shaper_rules:
  max_user_sessions: 10
  max_user_offline_messages:
    100: all
  c2s_shaper:
    normal: all
`

interface Ports {
  readonly plain: number
  readonly direct: number
  readonly distribution: number
}

function listener(port: number, stock: boolean, options: string): string {
  const shaper = stock ? '\n    shaper: c2s_shaper' : ''
  return `  -
    port: ${port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    backlog: 1024${shaper}
    ${options}
`
}

function configuration(setup: Setup, home: string, ports: Ports): string {
  const stock = setup.profile === 'stock'
  return `loglevel: ${stock ? 'info' : 'warning'}
log_rotate_count: 0
hosts:
  - ${setup.domain}
certfiles:
  - ${join(home, 'tls', 'both.pem')}
auth_method: internal
auth_password_format: scram
disable_sasl_mechanisms:
  - "digest-md5"
  - "X-OAUTH2"
c2s_protocol_options: [no_sslv3, no_tlsv1, no_tlsv1_1, cipher_server_preference, no_compression]
listen:
${listener(ports.plain, stock, 'starttls: true')}${listener(ports.direct, stock, 'tls: true')}
${stock ? STOCK_SHAPERS : ''}
modules:${stock ? STOCK_MODULES : FAIR_MODULES}`
}

/**
 * No epmd: the node's distribution port is fixed (ejabberdctl's ERL_DIST_PORT), so that no daemon outlives the run.
 * `+sbwt none` and its siblings for the dirty schedulers: busy waiting would count as CPU (rule 2).
 */
function controlConfiguration(setup: Setup, ports: Ports): string {
  const quiet = setup.profile === 'stock' ? '' : ' +sbwt none +sbwtdcpu none +sbwtdio none'
  return `ERL_OPTIONS="-env ERL_CRASH_DUMP_BYTES 0${quiet}"
ERL_DIST_PORT=${ports.distribution}
INET_DIST_INTERFACE=127.0.0.1
`
}

/** The text form of Mnesia's own dump, which `ejabberdctl load` reads in one go. */
async function writeDump(setup: Setup, path: string): Promise<void> {
  const attributes = 'usj,us,jid,name,subscription,ask,groups,askmessage,xs'
  const lines = [
    `{tables,[{passwd,[{record_name,passwd},{attributes,[us,password]}]},{roster,[{record_name,roster},{attributes,[${attributes}]}]}]}.`,
  ]
  for (const { user, salt, iterations, storedKey, serverKey } of await credentials(setup.accounts, ITERATIONS)) {
    const [stored, server, salted] = [storedKey, serverKey, salt].map((bytes) => `<<"${bytes.toString('base64')}">>`)
    lines.push(
      `{passwd,{<<"${user}">>,<<"${setup.domain}">>},{scram,${stored},${server},${salted},sha,${iterations}}}.`,
    )
  }
  for (let index = 0; index < (setup.accounts.contacts ? setup.accounts.count : 0); index++)
    lines.push(...rosterOf(setup, index))
  writeFileSync(path, `${lines.join('\n')}\n`)
}

/** Records of mod_roster.hrl. */
function rosterOf({ accounts, domain }: Setup, index: number): string[] {
  const user = `<<"${userName(accounts, index)}">>`
  return contactsOf(accounts, domain, index).map((contact) => {
    const [name, host] = contact.split('@')
    const jid = `{<<"${name}">>,<<"${host}">>,<<>>}`
    const own = `{${user},<<"${domain}">>}`
    return `{roster,{${user},<<"${domain}">>,${jid}},${own},${jid},<<>>,both,none,[],<<>>,[]}.`
  })
}

class Node {
  readonly home: string
  readonly owner: Identity | undefined
  readonly arguments: readonly string[]

  constructor(home: string, owner: Identity | undefined) {
    this.home = home
    this.owner = owner
    const at = (name: string): string => join(home, name)
    const places = ['--config-dir', at('etc'), '--logs', at('log'), '--spool', at('spool')]
    this.arguments = [
      ...places,
      '--config',
      at('etc/ejabberd.yml'),
      '--ctl-config',
      at('etc/ejabberdctl.cfg'),
      '--node',
      'bench@localhost',
    ]
  }

  control(...args: string[]): string {
    const command = findProgram('ejabberdctl')!
    return run({ command, args: [...this.arguments, ...args], owner: this.owner, directory: this.home })
  }

  launch(log: string): ChildProcess {
    const command = findProgram('ejabberdctl')!
    return launch({ command, args: [...this.arguments, 'foreground'], owner: this.owner, directory: this.home, log })
  }
}

async function beamOf(child: ChildProcess): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const pid = descendant(child.pid!, 'beam.smp')
    if (pid !== undefined) return pid
    await delay(50)
  }
  throw new Error('ejabberdctl started no beam.smp')
}

async function start(setup: Setup): Promise<Running> {
  const owner = identityFor('ejabberd')
  const home = makeDirectory(join(setup.directory, `ejabberd-${setup.profile}`), owner)
  const ports = { plain: await freePort(), direct: await freePort(), distribution: await freePort() }
  for (const name of ['etc', 'log', 'spool']) makeDirectory(join(home, name), owner)
  copyCertificate(setup.certificate, join(home, 'tls'))
  writeFileSync(join(home, 'etc', 'ejabberd.yml'), configuration(setup, home, ports))
  writeFileSync(join(home, 'etc', 'ejabberdctl.cfg'), controlConfiguration(setup, ports))
  writeFileSync(
    join(home, 'etc', 'inetrc'),
    '{lookup,["file","native"]}.\n{host,{127,0,0,1},["localhost"]}.\n{file,resolv,"/etc/resolv.conf"}.\n',
  )
  const loaded = join(home, `accounts-${setup.accounts.count}`)
  const dump = join(home, 'accounts.dump')
  if (!existsSync(loaded)) await writeDump(setup, dump)
  give(home, owner)
  const log = join(home, 'log', 'output.log')
  const node = new Node(home, owner)
  const child = node.launch(log)
  const startMs = await waitForPorts(child, [ports.plain, ports.direct], log)
  const beam = await beamOf(child)
  try {
    if (!existsSync(loaded)) {
      // Else it gives up after a minute: 100,000 contacts take longer.
      node.control('--no-timeout', 'load', dump)
      writeFileSync(loaded, '')
    }
  } catch (error) {
    await end(child, beam)
    throw error
  }
  return { plainPort: ports.plain, tlsPort: ports.plain, pids: [beam], startMs, stop: () => end(child, beam) }
}

export const ejabberd: Peer = {
  name: 'ejabberd',
  tls: 'starttls',
  relay: false,
  missing: () =>
    findProgram('ejabberdctl') ? undefined : 'no ejabberdctl in PATH (apt-get install ejabberd, or --install)',
  version: () => spawnSync('dpkg-query', ['-W', '-f', '${Version}', 'ejabberd'], { encoding: 'utf8' }).stdout,
  start,
}
