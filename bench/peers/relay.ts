/** The yardstick: the C relay of bench/load, which only copies bytes (rule 7). */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { copyCertificate } from './certificate.ts'
import type { Peer, Running, Setup } from './peer.ts'
import { end, give, identityFor, launch, makeDirectory } from './process.ts'

export const RELAY = join(import.meta.dirname, '..', 'load', 'build', 'relay')

async function start(setup: Setup, secured: boolean): Promise<Running> {
  const owner = identityFor()
  const home = makeDirectory(join(setup.directory, 'relay'), owner)
  copyCertificate(setup.certificate, join(home, 'tls'))
  give(home, owner)
  const log = join(home, `output-${process.hrtime.bigint()}.log`)
  const keys = ['--cert', join(home, 'tls', 'cert.pem'), '--key', join(home, 'tls', 'key.pem')]
  const child = launch({ command: RELAY, args: ['--port', '0', ...(secured ? keys : [])], owner, directory: home, log })
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = Number(/^ready (\d+)$/m.exec(readFileSync(log, 'utf8'))?.[1])
    if (port) return { startMs: 0, plainPort: port, tlsPort: port, pids: [child.pid!], stop: () => end(child) }
    await delay(20)
  }
  await end(child)
  throw new Error(`the relay did not start: ${readFileSync(log, 'utf8')}`)
}

export const relay: Peer = {
  name: 'relay',
  tls: 'direct',
  relay: true,
  missing: () => (existsSync(RELAY) ? undefined : 'bench/load/build.sh has not been run'),
  version: () => 'bench/load/relay.c',
  start,
}
