/** The generator against the relay: what is right passes, and every way of breaking a message voids the row. */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { makeCertificate } from '../peers/certificate.ts'
import { findProgram } from '../peers/process.ts'

const here = import.meta.dirname
const needed = ['gcc', 'openssl'].filter((name) => !findProgram(name))
const skip = needed.length > 0 ? `needs ${needed.join(' and ')} from Debian` : false

interface Relay {
  readonly port: string
  readonly child: ChildProcess
}

async function startRelay(...args: string[]): Promise<Relay> {
  const child = spawn(join(here, 'build', 'relay'), args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  return { child, port: /^ready (\d+)/.exec(line.toString())![1]! }
}

async function stopRelay({ child }: Relay): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}

type Line = Record<string, string | number>

function load(...args: string[]): Line[] {
  const result = spawnSync(join(here, 'build', 'load'), args, { encoding: 'utf8', timeout: 60_000 })
  assert.equal(result.status, 0, result.stderr)
  return result.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
}

const short = ['--warm', '0.1', '--seconds', '0.4', '--settle', '0', '--drain', '0.3']

async function chat(relayArgs: string[], loadArgs: string[]): Promise<Line[]> {
  const relay = await startRelay(...relayArgs)
  try {
    const address = ['chat', '--relay', '--port', relay.port, '--pid', String(relay.child.pid)]
    return load(...address, '--users', '40', '--pairs', '20', ...short, ...loadArgs)
  } finally {
    await stopRelay(relay)
  }
}

describe('the load generator', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'ratatosk-load-'))
  before(() => {
    const built = spawnSync(join(here, 'build.sh'), { encoding: 'utf8' })
    assert.equal(built.status, 0, built.stderr)
  })
  after(() => rmSync(directory, { recursive: true }))

  test('counts every message of an honest relay, and what both cost', async () => {
    const rows = await chat([], ['--rows', 'alone/8,window:16/8,paced:500', '--turn', '4'])
    assert.deepEqual(
      rows.map((row) => row['row']),
      ['alone/8', 'window:16/8', 'paced:500'],
    )
    for (const row of rows) {
      assert.equal(row['valid'], 1, String(row['fault']))
      assert.equal(row['sent'], row['received'])
      for (const key of ['units', 'cpu_us', 'load_us', 'latency_p50_us']) assert.ok(Number(row[key]) > 0, key)
      assert.ok(Number(row['latency_p50_us']) <= Number(row['latency_p99_us']))
      assert.ok(Number(row['latency_p99_us']) <= Number(row['latency_max_us']))
    }
    const paced = Number(rows[2]?.['units'])
    assert.ok(paced > 150 && paced < 250, `500 a second for 0.4 s: ${paced}`)
  })

  test('speaks TLS 1.3 with the one cipher and checks the certificate', async () => {
    const { ca, cert, key } = makeCertificate(join(directory, 'tls'), 'bench.local')
    const [row] = await chat(['--cert', cert, '--key', key], ['--rows', 'window:16/8', '--tls', 'direct', '--ca', ca])
    assert.equal(row?.['cipher'], 'TLSv1.3 TLS_AES_256_GCM_SHA384')
    assert.equal(row?.['valid'], 1, String(row?.['fault']))
    const other = makeCertificate(join(directory, 'other'), 'bench.local')
    await assert.rejects(
      chat(['--cert', cert, '--key', key], ['--rows', 'alone/8', '--tls', 'direct', '--ca', other.ca]),
      /certificate verify failed/,
    )
  })

  const faults: [kind: string, said: RegExp][] = [
    ['drop', /never arrived|a gap before/],
    ['duplicate', /again, late or never sent/],
    ['swap', /a gap before/],
    ['payload', /wrong payload/],
    ['from', /wrong from/],
    ['to', /wrong to/],
    ['error', /^error/],
  ]
  for (const [kind, said] of faults) {
    test(`voids the row on one ${kind}`, async () => {
      const [row] = await chat(['--fault', `${kind}:500`], ['--rows', 'paced:4000'])
      assert.equal(row?.['valid'], 0)
      assert.match(String(row?.['fault']), said)
    })
  }
})
