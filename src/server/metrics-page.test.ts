/** `/metrics` as a collector asks for it: who may, what comes, and that all of it keeps the conventions. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { fixedLimits, limits, noLimits } from '../../tools/docs/limits.ts'
import { files, text } from '../../tools/lib/repository.ts'
import { type ReadFamily, readOpenMetrics } from '../core/openmetrics.testing.ts'
import { softwareVersion } from '../core/software.ts'
import { createServer, type Server } from '../index.ts'
import { SymbolicServer } from '../listeners/symbolic.testing.ts'
import { address } from './embed.testing.ts'
import { metricsPage } from './metrics-page.ts'

const listeners = [
  { protocol: 'http', address, port: 0 },
  { protocol: 'c2s', name: 'c2s', tls: 'none', address, port: 0, accept_rate: '70/s', limits: { depth: 9 } },
]
const config = { store: { engine: 'memory' }, listeners }

/** Of a server in a simulated world, to whose handler the request is given. */
async function page(sections: Readonly<Record<string, unknown>> = {}) {
  let read: ReadonlyMap<string, ReadFamily> = new Map()
  let bytes = 0
  const [http] = listeners
  await SymbolicServer.run({ listeners: [http], ...sections }, async ({ server }) => {
    const answer = await metricsPage(server).handle(new Request('http://localhost/metrics'), {})
    const body = await answer.text()
    bytes = body.length
    read = readOpenMetrics(body)
  })
  return { read, bytes }
}

describe('/metrics', () => {
  let server: Server
  let port = 0

  before(async () => {
    server = await createServer({ config })
    const place = server.listening[0]?.place
    assert.ok(place?.kind === 'tcp')
    port = place.port
  })
  after(() => server.close())

  const ask = (headers: Readonly<Record<string, string>> = {}) =>
    fetch(`http://${address}:${port}/metrics`, { headers })

  it('answers loopback in OpenMetrics 1.0.0, whole', async () => {
    const answer = await ask()
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8')
    const read = readOpenMetrics(await answer.text())
    assert.ok((read.get('process_resident_memory_bytes')?.samples[0]?.value ?? 0) > 10_000_000)
    assert.ok((read.get('process_cpu_seconds')?.samples[0]?.value ?? 0) > 0)
    assert.equal(read.get('ratatosk_build')?.samples[0]?.labels.get('version'), softwareVersion)
    assert.equal(read.get('ratatosk_sessions')?.samples[0]?.value, 0)
    assert.equal(read.get('ratatosk_loop_delay_seconds')?.type, 'histogram')
    // What never happened yet is 0, not absent: `increase` would miss the first time.
    for (const name of ['sign_ins', 'connections_timed_out', 'plaintext_discarded'])
      assert.deepEqual(
        read.get(`ratatosk_${name}`)?.samples.map(({ value }) => value),
        [0],
        name,
      )
    assert.equal(read.get('ratatosk_stream_errors')?.type, 'counter')
  })

  it('answers HEAD, and HTTP/1.0 without Host', async () => {
    const { promise, resolve } = Promise.withResolvers<string>()
    let heard = ''
    const socket = connect(port, address, () => socket.write('HEAD /metrics HTTP/1.0\r\n\r\n'))
    socket.on('data', (bytes) => {
      heard += bytes
    })
    socket.on('close', () => resolve(heard))
    assert.match(await promise, /^HTTP\/1\.1 200 OK\r\n[\s\S]*openmetrics-text[\s\S]*\r\n\r\n$/)
  })

  it('counts delays of the loop and collections from the first request on, until the server ends', async () => {
    await SymbolicServer.run({ listeners: [listeners[0]] }, async ({ server, simulation }) => {
      const { vitals } = simulation.world('server')
      assert.equal(vitals.watchers, 0)
      for (let i = 0; i < 3; i++) await metricsPage(server).handle(new Request('http://localhost/metrics'), {})
      assert.equal(vitals.watchers, 1)
      await server.close()
      assert.equal(vitals.watchers, 0)
      server.watchVitals()
      assert.equal(vitals.watchers, 0)
    })
  })

  it('is for nobody by way of a proxy, unless it is for everybody', async () => {
    for (const header of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
      assert.equal((await ask({ [header]: '192.0.2.1' })).status, 403, header)
    }
    await server.reload({ ...config, metrics: { access: 'all' } })
    assert.equal((await ask({ 'x-forwarded-for': '192.0.2.1' })).status, 200)
    await server.reload(config)
  })

  it('is for whom `metrics.access` allows, from the next request after a reload on', async () => {
    const given = { ...config, access: { collector: [{ allow: { address: '192.0.2.7' } }] } }
    const { applied } = await server.reload({ ...given, metrics: { access: 'collector' } })
    assert.deepEqual(applied, ['metrics.access'])
    assert.equal((await ask()).status, 403)
    assert.ok(server.config.metrics.access.allows({ address: '192.0.2.7' }))
    await server.reload({ ...given, metrics: { access: 'none' } })
    assert.equal((await ask()).status, 403)
    await server.reload(config)
    assert.equal((await ask()).status, 200)
  })

  it('shows every limit with its value, by the path of its option', async () => {
    const { read } = await page({
      shapers: { slow: { rate: '3 KB/s', burst: '20 KB' } },
      limits: { stanza_bytes: '128 KiB', depth: 32 },
      host_types: { staff: { session: { max_per_user: 5 }, modules: { offline: { messages_max: 7 } } } },
      listeners: [
        ...listeners,
        { protocol: 'c2s', address: ['127.0.0.1', '::1'], port: 0, name: 'lax', accept_rate: 'unlimited' },
      ],
    })
    const shown = new Map<string, number>()
    for (const family of read.values()) {
      if (!/^ratatosk_limit(?:_|$)/.test(family.name)) continue
      assert.equal(family.type, 'gauge')
      for (const { labels, value } of family.samples) {
        const { limit, ...others } = Object.fromEntries(labels)
        shown.set([limit, ...Object.values(others)].join(' '), value)
      }
    }
    const paths = new Set([...shown.keys()].map((key) => key.split(' ')[0]))
    const wanted = [...Object.keys(limits), ...Object.keys(fixedLimits)]
    assert.deepEqual(
      wanted.filter((path) => !paths.has(path)),
      [],
    )
    // And nothing that is none, but for the times over which limits count, and for which modules keep things.
    const isTime = /^the time of .* limits$|^how long something is kept$/
    const others = Object.keys(noLimits).filter((path) => !isTime.test(noLimits[path] ?? ''))
    assert.deepEqual(
      others.filter((path) => paths.has(path)),
      [],
    )
    const rows: readonly (readonly [string, number])[] = [
      ['limits.stanza_bytes', 131_072],
      ['limits.sign_in_timeout', 60],
      ['limits.depth', 32],
      ['limits.depth c2s', 9],
      ['listeners[].accept_rate c2s', 70],
      ['listeners[].accept_rate lax', Number.POSITIVE_INFINITY],
      ['shapers.NAME.rate slow', 3_000],
      ['shapers.NAME.burst slow', 20_000],
      ['session.max_per_user default', 20],
      ['session.max_per_user staff', 5],
      ['modules.offline.messages_max staff', 7],
      ['store.operation_timeout', 8],
    ]
    for (const [key, value] of rows) assert.equal(shown.get(key), value, key)
    assert.equal(shown.get('limits.stanza_bytes c2s'), undefined)
    // The values of the others are those of the guide.
    for (const [path, { value }] of Object.entries(fixedLimits)) {
      const [amount = '', unit = ''] = value.split(' ')
      const scale = { KiB: 1_024, MiB: 1_048_576 }[unit] ?? 1
      assert.equal(shown.get(path), Number(amount) * scale, path)
    }
  })

  it('is no longer for ten thousand hosts than for one: no label is a host, an account or a session', async () => {
    const one = await page()
    const many = await page({ hosts: ['localhost', ...Array.from({ length: 9_999 }, (_, i) => `h${i}.example`)] })
    assert.ok(Math.abs(many.bytes - one.bytes) < 500, `${one.bytes} and ${many.bytes}`)
    assert.deepEqual([...many.read.keys()], [...one.read.keys()])
  })
})

/** Base units, and plurals of what is counted: https://prometheus.io/docs/practices/naming/. */
const wrongUnits =
  /(?:^|_)(?:ms|millis|milliseconds|us|micros|ns|minutes|hours|days|kb|kib|mb|mib|kilobytes|megabytes|percent)(?:_|$)/

/** What is wrong with a figure's name, kind and help; '' for nothing. */
function fault({ name, kind, help }: { readonly name: string; readonly kind: string; readonly help: string }): string {
  const base = name.replace(kind === 'info' ? /_info$/ : /_total$/, '')
  if (!/^(?:ratatosk|process)(?:_[a-z][a-z0-9]*)+$/.test(name)) return 'not in snake case, or without prefix'
  if ((name !== base) !== (kind === 'counter' || kind === 'info')) return '`_total` is for counters'
  if (/_(?:bucket|count|created|gsum|info|sum)$/.test(base)) return 'ends as a sample of another kind'
  if (wrongUnits.test(base)) return 'no base unit'
  if (/_(?:counter|gauge|histogram|metric)(?:_|$)/.test(base)) return 'names its kind'
  if (!/^(?:[A-Z]|vCard).*[^.]$/.test(help) || help.includes('\n')) return 'its help is no one line without a full stop'
  return ''
}

describe('the law of names', () => {
  it('holds for every figure that a server with all its modules has', async () => {
    await SymbolicServer.run({ listeners }, async ({ server }) => {
      const figures = server.metrics.families()
      assert.ok(figures.length > 70, `${figures.length}`)
      for (const figure of figures) assert.equal(fault(figure), '', figure.name)
      assert.equal(new Set(figures.map(({ name }) => name.replace(/_total$/, ''))).size, figures.length)
    })
  })

  it('holds for every name that stands in a source, whether it was registered here or not', () => {
    const sources = files('src/**/*.ts').filter((file) => !/\.(?:test|testing|real)\.ts$/.test(file))
    const names = sources.flatMap((file) =>
      [...text(file).matchAll(/['"`](ratatosk_[a-z0-9_]+)['"`]/g)].map(([, name]) => name),
    )
    assert.ok(names.length > 40, `${names.length}`)
    for (const name of names as string[]) {
      const kind = name.endsWith('_total') ? 'counter' : name.endsWith('_info') ? 'info' : 'gauge'
      assert.equal(fault({ name, kind, help: 'None' }), '', name)
    }
  })

  it('tells what is against it', () => {
    const rows: readonly (readonly [name: string, kind: string, fault: string])[] = [
      ['ratatosk_delay_ms', 'gauge', 'no base unit'],
      ['ratatosk_sent', 'counter', '`_total` is for counters'],
      ['ratatosk_sent_total', 'gauge', '`_total` is for counters'],
      ['ratatosk_Sent_total', 'counter', 'not in snake case, or without prefix'],
      ['sent_total', 'counter', 'not in snake case, or without prefix'],
      ['ratatosk_queue_count', 'gauge', 'ends as a sample of another kind'],
      ['ratatosk_gauge_queue', 'gauge', 'names its kind'],
    ]
    for (const [name, kind, told] of rows) assert.equal(fault({ name, kind, help: 'Some' }), told, name)
    assert.notEqual(fault({ name: 'ratatosk_sent_total', kind: 'counter', help: 'sent.' }), '')
  })
})
