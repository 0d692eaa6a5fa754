/**
 * SES-06: how late the server's event loop is while 1,000 clients sign in, all at once and 100 at a time, over TCP and TLS.
 * The load generator makes the storm, a plugin in the server measures (loop-plugin.ts). The peers have no event loop: beside
 * stands what their clients see, the time from connect() to the reflected presence.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificate } from '../peers/certificate.ts'
import { ejabberd } from '../peers/ejabberd.ts'
import type { Peer, Running, Setup } from '../peers/peer.ts'
import { prosody } from '../peers/prosody.ts'
import { metricsOf, ratatosk } from '../peers/ratatosk.ts'
import { type Figure, print } from './figure.ts'

const COUNT = 1_000
const ROUNDS = 3
const LOAD = join(import.meta.dirname, '..', 'load', 'build', 'load')

interface Storm {
  readonly valid: number
  readonly fault: string
  readonly latency_p50_us: number
  readonly latency_p99_us: number
}

function storm(setup: Setup, running: Running, secured: boolean, concurrency: number, rounds: number): Storm {
  const port = String(secured ? running.tlsPort : running.plainPort)
  const tls = secured ? ['--tls', 'starttls', '--ca', setup.certificate.ca] : []
  const sizes = ['--count', String(COUNT), '--users', String(COUNT), '--rounds', String(rounds)]
  const more = ['--concurrency', String(concurrency), '--scram-cache', join(setup.directory, 'loop.scram')]
  const args = ['storm', '--port', port, '--domain', setup.domain, ...tls, ...sizes, ...more, '--settle', '0.2']
  const result = spawnSync(LOAD, args, { encoding: 'utf8', timeout: 120_000 })
  if (result.status !== 0) throw new Error(result.stderr)
  const row = JSON.parse(result.stdout) as Storm
  if (row.valid !== 1) throw new Error(row.fault)
  return row
}

function loopFigures(name: string, directory: string): Figure[] {
  const metrics = metricsOf(directory)
  const read = (figure: string): number => metrics.get(`ratatosk_loop_${figure}`) ?? Number.NaN
  return [
    { case: name, figure: 'loop delay p50', unit: 'ms', value: read('p50_us') / 1000 },
    { case: name, figure: 'loop delay p99', unit: 'ms', value: read('p99_us') / 1000 },
    { case: name, figure: 'loop delay longest', unit: 'ms', value: read('max_us') / 1000 },
    { case: name, figure: 'loop delay samples', unit: '', value: read('samples') },
  ]
}

async function measure(peer: Peer, sizes: readonly number[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ratatosk-loop-'))
  chmodSync(directory, 0o755)
  const domain = 'bench.local'
  const setup: Setup = {
    ...{ directory, domain, profile: 'fair', certificate: makeCertificate(join(directory, 'tls'), domain) },
    accounts: { prefix: 'u', count: COUNT, password: 'correct horse' },
    plugins: [join(import.meta.dirname, 'loop-plugin.ts')],
  }
  try {
    const running = await peer.start(setup, true)
    try {
      for (const secured of [false, true]) {
        for (const at of sizes) {
          const name = `${peer.name}: ${at.toLocaleString('en')} at once, ${secured ? 'TLS' : 'TCP'}`
          // Ours once more before, so that all that the plugin sees has been compiled; the generator warms any server by a round.
          if (peer === ratatosk) {
            storm(setup, running, secured, at, 1)
            metricsOf(directory)
          }
          const seen = storm(setup, running, secured, at, peer === ratatosk ? ROUNDS : 1)
          if (peer === ratatosk) print(...loopFigures(name, directory))
          print(
            { case: name, figure: 'log-in p50', unit: 'ms', value: seen.latency_p50_us / 1000 },
            { case: name, figure: 'log-in p99', unit: 'ms', value: seen.latency_p99_us / 1000 },
          )
        }
      }
    } finally {
      await running.stop()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

if (process.argv.includes('--peers')) {
  for (const peer of [prosody, ejabberd]) {
    const missing = peer.missing()
    if (missing === undefined) await measure(peer, [1_000])
    else process.stderr.write(`${peer.name}: ${missing}\n`)
  }
} else await measure(ratatosk, [1_000, 100])
