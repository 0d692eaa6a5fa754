/**
 * LST-14: the marks in the guide are true. Each option that is marked hot has its effect seen after a reload, in a whole
 * server; each other one is reported as needing a restart. An option without a row here fails the first test.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connect } from 'node:tls'
import { limits } from '../../tools/docs/limits.ts'
import { optionRows } from '../../tools/docs.ts'
import { createServer } from '../index.ts'
import { jid } from '../jid/jid.ts'
import { createWorld } from '../world/index.ts'
import { openLog } from '../world/log.ts'
import type { ListenOptions } from '../world/net.types.ts'
import { type Element, parseElement } from '../xml/index.ts'
import { address } from './embed.testing.ts'
import { type Proof, hotProofs as plainProofs } from './hot-options.testing.ts'
import { tokenProofs } from './hot-tokens.testing.ts'
import type { Way } from './limits.testing.ts'
import { connectionProofs } from './limits-of-connections.testing.ts'
import { serverProofs } from './limits-of-users.testing.ts'

const hotProofs: Readonly<Record<string, Proof>> = { ...plainProofs, ...tokenProofs }

const rows = optionRows()
/** Without groups, whose members are all there is to them. */
const options = rows.filter(
  ({ path, type }) => type !== 'object' || !rows.some((row) => row.path.startsWith(`${path}.`)),
)
const paths = (reload: 'hot' | 'restart') =>
  options.flatMap((row) => (row.reload === reload && !/\[\]\.(cert|key)$/.test(row.path) ? [row.path] : [])).sort()

type Passing = (metric: string, way: Way) => Promise<{ readonly heard: string; readonly moved: number }>
const passed: Readonly<Record<string, Passing>> = { ...connectionProofs, ...serverProofs }

/** The proof of a limit, on a server that was started without it. */
function limitProof(path: string): Proof | undefined {
  const isOwn = path.startsWith('listeners[].limits.')
  const name = isOwn ? path.replace('listeners[].', '') : path
  const [pass, limit] = [passed[name], limits[name]]
  if (pass === undefined || limit === undefined) return undefined
  return async () => {
    const { moved } = await pass(limit.metric, isOwn ? "reload of the listener's own" : 'reload')
    assert.ok(moved > 0, `${limit.metric} did not move`)
  }
}

const inMemory = { hosts: ['localhost'], store: { engine: 'memory' } }

/** What only real sockets, files and logs show. */
const realProofs: Readonly<Record<string, Proof>> = {
  async 'metrics.access'() {
    const asked = (access: string) => ({
      ...inMemory,
      listeners: [{ protocol: 'http', address, port: 0 }],
      metrics: { access },
    })
    const server = await createServer({ config: asked('none') })
    try {
      const place = server.listening[0]?.place
      assert.ok(place?.kind === 'tcp')
      const status = async () => (await fetch(`http://${address}:${place.port}/metrics`)).status
      assert.equal(await status(), 403)
      await server.reload(asked('loopback'))
      assert.equal(await status(), 200)
    } finally {
      await server.close()
    }
  },
  async 'listeners[].mode'() {
    const folder = mkdtempSync(join(tmpdir(), 'rtk-hot-'))
    const path = join(folder, 'http.sock')
    const listening = (mode: string) => ({ ...inMemory, listeners: [{ protocol: 'http', path, mode }] })
    const server = await createServer({ config: listening('0600') })
    try {
      assert.equal(statSync(path).mode & 0o777, 0o600)
      await server.reload(listening('0660'))
      assert.equal(statSync(path).mode & 0o777, 0o660)
    } finally {
      await server.close()
      rmSync(folder, { recursive: true })
    }
  },
  async 'listeners[].backlog'() {
    const world = createWorld()
    const asked: number[] = []
    const listen = world.net.listen.bind(world.net)
    world.net.listen = (place, options: ListenOptions, accept) => {
      asked.push(options.backlog)
      return listen(place, options, accept)
    }
    const listening = (backlog: number) => ({
      ...inMemory,
      listeners: [{ protocol: 'http', address, port: 0, backlog }],
    })
    const server = await createServer({ world, config: listening(100) })
    await server.reload(listening(200))
    await server.close()
    assert.deepEqual(asked, [100, 200])
  },
  async 'listeners[].tcp_keepalive'() {
    const world = createWorld()
    const asked: number[] = []
    const listen = world.net.listen.bind(world.net)
    world.net.listen = (place, options, accept) =>
      listen(place, options, (transport) => {
        transport.keepAlive = (idleMs) => asked.push(idleMs)
        return accept(transport)
      })
    const listening = (more: object) => ({
      ...inMemory,
      listeners: [{ protocol: 'http', address, port: 0, ...more }],
    })
    const server = await createServer({ world, config: listening({}) })
    const asks = async () => {
      const place = server.listening[0]?.place
      assert.ok(place?.kind === 'tcp')
      await (await fetch(`http://${address}:${place.port}/ready`, { headers: { connection: 'close' } })).text()
    }
    await asks()
    await server.reload(listening({ tcp_keepalive: '5 minutes' }))
    await asks()
    await server.reload(listening({ tcp_keepalive: 'never' }))
    await asks()
    await server.close()
    assert.deepEqual(asked, [120_000, 300_000])
  },
  async 'tls.min_version'() {
    const config = { ...inMemory, listeners: [{ protocol: 'http', tls: 'direct', address, port: 0 }] }
    const server = await createServer({ config })
    try {
      const place = server.listening[0]?.place
      assert.ok(place?.kind === 'tcp')
      const versionOf = (maxVersion: 'TLSv1.2' | 'TLSv1.3') =>
        new Promise<string>((resolve) => {
          const socket = connect({ port: place.port, host: address, maxVersion, rejectUnauthorized: false }, () => {
            resolve(socket.getProtocol() ?? '')
            socket.destroy()
          })
          socket.on('error', () => resolve('refused'))
        })
      assert.equal(await versionOf('TLSv1.2'), 'TLSv1.2')
      await server.reload({ ...config, tls: { min_version: '1.3' } })
      assert.equal(await versionOf('TLSv1.2'), 'refused')
      assert.equal(await versionOf('TLSv1.3'), 'TLSv1.3')
    } finally {
      await server.close()
    }
  },
  async 'log.level'() {
    const written: string[] = []
    const log = await openLog({ level: 'error', format: 'text', write: (line) => written.push(line) })
    const server = await createServer({ world: createWorld({ log }), config: { ...inMemory, listeners: [] } })
    try {
      const el = parseElement(`<m xmlns='jabber:client'><message to='a@b.example'/></m>`).elements[0] as Element
      const isTold = () => {
        written.length = 0
        server.core.send(el, jid('localhost'), jid('a@b.example'))
        return written.some((line) => line.includes('stanza refused'))
      }
      assert.equal(isTold(), false)
      await server.reload({ ...inMemory, listeners: [], log: { level: 'debug' } })
      assert.equal(isTold(), true)
      await server.reload({ ...inMemory, listeners: [], log: { level: 'info' } })
      assert.equal(isTold(), false)
    } finally {
      await server.close()
    }
  },
  async 'log.format'() {
    const written: string[] = []
    const log = await openLog({ level: 'info', format: 'json', write: (line) => written.push(line) })
    const server = await createServer({ world: createWorld({ log }), config: { ...inMemory, listeners: [] } })
    try {
      const form = () => {
        written.length = 0
        log.with({ module: 'm' }).info('hello')
        return written[0]?.startsWith('{') ? 'json' : 'text'
      }
      assert.equal(form(), 'json')
      await server.reload({ ...inMemory, listeners: [], log: { format: 'text' } })
      assert.equal(form(), 'text')
    } finally {
      await server.close()
    }
  },
}

/** Other values of what needs a restart. */
const others = (folder: string) => ({
  hosts: ['localhost'],
  listeners: [{ protocol: 'parrot', path: join(folder, 'parrot.sock') }],
  data_dir: join(folder, 'elsewhere'),
  plugins: [join(folder, 'extra.mjs')],
  store: {
    engine: 'postgres',
    path: 'other.db',
    synchronous: 'normal',
    url: 'postgres://ratatosk@[::1]/ratatosk',
    password: 'secret',
    tls: 'verify',
    tls_ca: join(folder, 'ca.pem'),
    operation_timeout: '1 second',
    queue_operations: 1_000,
    queue_bytes: '1 MiB',
    silence_timeout: '1 second',
  },
  modules: { sm: { durable: true } },
  control: { enabled: false, socket: join(folder, 'c.sock') },
})

const proofOf = (path: string) => realProofs[path] ?? hotProofs[path] ?? limitProof(path)

describe('what the marks of options say', () => {
  it('is proven for each that is hot', () => {
    const without = paths('hot').filter((path) => proofOf(path) === undefined)
    assert.deepEqual(without, [])
    const known = new Set(paths('hot'))
    const stale = [...Object.keys(realProofs), ...Object.keys(hotProofs)].filter((path) => !known.has(path))
    assert.deepEqual(stale, ['access'])
  })

  it('is true of each that needs a restart: it is reported, with its line, and stays as it was', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rtk-hot-'))
    const file = join(folder, 'r.yaml')
    writeFileSync(
      join(folder, 'extra.mjs'),
      `export default {
        name: 'extra',
        protocols: { parrot: { tls: ['none'], ports: { none: 7 }, options: {} } },
        setup() {},
      }`,
    )
    writeFileSync(join(folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n')
    writeFileSync(file, JSON.stringify({ ...inMemory, listeners: [] }))
    const server = await createServer({ config: { file } })
    try {
      const before = server.config
      writeFileSync(file, JSON.stringify(others(folder), undefined, 2))
      const { needsRestart } = await server.reload()
      const lines = JSON.stringify(others(folder), undefined, 2).split('\n')
      const named = needsRestart.map((text) => {
        const [, path = text, line] = /^(\S+) \(.*:(\d+)\)$/.exec(text) ?? []
        if (line !== undefined) assert.ok(lines[Number(line) - 1]?.includes(`"${path.split('.').at(-1)}"`), text)
        return path
      })
      assert.deepEqual(named.sort(), [...paths('restart'), 'listeners', 'modules.extra'].sort())
      assert.deepEqual({ ...server.config, file: '' }, { ...before, file: '', listeners: [] })
    } finally {
      await server.close()
      rmSync(folder, { recursive: true })
    }
  })
})

describe('LST-14: an option that is hot, after a reload', () => {
  for (const path of [...paths('hot'), 'access']) {
    it(path, async () => (proofOf(path) ?? assert.fail('no proof'))())
  }
})
