/** LST-14: listeners come, change and go by a reload, and one that fails comes back alone. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { Wire } from '../../plays/language/wire.ts'
import { type Config, finishConfig, openConfig } from '../core/config/index.ts'
import { opt } from '../core/config/opt.ts'
import { Metrics } from '../core/metrics.ts'
import { defineModule, type ModuleDefinition } from '../core/module.ts'
import { createServer, type Server } from '../index.ts'
import { jid } from '../jid/jid.ts'
import { Admission } from '../listeners/admission.ts'
import { simulate } from '../sim/index.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { ClientFailure, connectClient, type XmppClient } from '../stream/client.ts'
import { createWorld } from '../world/index.ts'
import { renewLocalCertificates } from '../world/local-ca.ts'
import type { ListenOptions, Net } from '../world/net.types.ts'
import type { World } from '../world/world.types.ts'
import { type Element, parseElement } from '../xml/index.ts'
import { address } from './embed.testing.ts'
import { Listeners } from './listeners.ts'

const plain = { name: 'plain', protocol: 'c2s', tls: 'none', address, port: 0 }
const base = {
  hosts: ['localhost'],
  store: { engine: 'memory' },
  auth: { scram_iterations: 4096 },
  session: { max_per_user: 1000 },
  limits: { connections_per_address: 1000 },
}

const placeOf = (server: Server, name: string) => {
  const found = server.listening.find((listener) => listener.name === name)
  assert.ok(found !== undefined, `no listener ${name}`)
  return found.place
}

interface Talker {
  readonly client: XmppClient
  /** Sends a message to its own session and waits until it is there. */
  talk(text: string): Promise<void>
}

async function signIn(world: World, server: Server, listener = 'plain'): Promise<Talker> {
  let heard: (el: Element) => void = () => undefined
  const client = await connectClient(world, {
    jid: jid('juliet@localhost'),
    password: 'balcony',
    place: placeOf(server, listener),
    tls: 'none',
    onStanza: (el) => heard(el),
  })
  if (client instanceof ClientFailure) throw new Error(String(client))
  client.onStanza = (el) => heard(el)
  const talk = async (text: string) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    heard = (el) => resolve(el.child('body', NS_CLIENT)?.text ?? '')
    void client.ended.then((end) => reject(new Error(`the stream ended: ${JSON.stringify(end)}`)))
    const xml = `<m xmlns='${NS_CLIENT}'><message type='chat' to='${client.jid}'><body>${text}</body></message></m>`
    client.send(parseElement(xml).elements[0] as Element)
    assert.equal(await promise, text)
  }
  return { client, talk }
}

it('LST-14: 100 sessions talk on through 50 reloads of other listeners, hosts, limits, rules and modules, and lose nothing', async () => {
  const world = createWorld()
  const folder = mkdtempSync(join(tmpdir(), 'rtk-reload-'))
  const server = await createServer({ config: { ...base, listeners: [plain] } })
  try {
    await server.accounts.add(jid('juliet@localhost'), 'balcony')
    const talkers: Talker[] = []
    for (let i = 0; i < 100; i++) talkers.push(await signIn(world, server))
    const sessions = new Set<unknown>()
    server.core.sessions.each(undefined, (session) => sessions.add(session))
    assert.equal(sessions.size, 100)
    const before = placeOf(server, 'plain')
    const seen = { opened: 0, changed: 0, closed: 0 }
    for (let i = 0; i < 50; i++) {
      const others = [
        { name: 'web', protocol: 'http', address, port: 0, accept_rate: `${100 + i}/s` },
        ...(i % 2 === 0 ? [{ name: 'odd', protocol: 'c2s', tls: 'none', path: join(folder, 'odd.sock') }] : []),
        {
          name: 'own',
          protocol: i % 3 === 0 ? 'http' : 'c2s',
          tls: 'none',
          path: join(folder, 'own.sock'),
          backlog: 100 + i,
        },
      ]
      // Hosts, limits, rules and modules too.
      const changed = {
        hosts: [...base.hosts, ...(i % 2 === 0 ? ['even.example', `${i}.example`] : [])],
        limits: { ...base.limits, hook_timeout: `${i + 1} seconds`, session_pending_stanzas: 10 + i },
        session: { max_per_user: 1000 + i },
        shapers: { slow: { rate: `${i + 1} KB/s` } },
        modules: { time: i % 2 === 0, offline: { messages_max: 100 + i } },
      }
      const [done] = await Promise.all([
        server.reload({ ...base, ...changed, listeners: [...others, plain] }),
        ...talkers.map(({ talk }, who) => talk(`${who} says ${i}`)),
      ])
      assert.deepEqual(done.needsRestart, [])
      assert.equal(done.hosts[i % 2 === 0 ? 'added' : 'removed'].length, 2)
      assert.ok(done.applied.includes('session.max_per_user') || i === 0)
      for (const key of ['opened', 'changed', 'closed'] as const) seen[key] += done.listeners[key].length
      assert.ok(!JSON.stringify(done.listeners).includes('plain'), 'what has not changed is left alone')
      assert.equal(server.listening.length, others.length + 1)
      await (talkers[i * 2] as Talker).talk(`after ${i}`)
    }
    assert.deepEqual(seen, { opened: 27, changed: 98, closed: 25 })
    assert.deepEqual(placeOf(server, 'plain'), before)
    for (const [i, { talk }] of talkers.entries()) await talk(`to the end ${i}`)
    server.core.sessions.each(undefined, (session) => assert.ok(sessions.has(session)))
    assert.equal(server.core.sessions.count(), 100)
    // A listener that goes takes no connection along; nobody new gets in by it.
    const last = await server.reload({ ...base, listeners: [] })
    assert.equal(last.listeners.closed.length, 3)
    await assert.rejects(Wire.open(world, before, 1_000), { code: 'RTK_NET_REFUSED' })
    for (const { talk } of talkers) await talk('closed behind us')
  } finally {
    await server.close()
    rmSync(folder, { recursive: true })
  }
})

it('an option of a place that stays counts from the next connection on, without a new socket', async () => {
  const world = createWorld()
  const server = await createServer({ config: { ...base, listeners: [plain] } })
  try {
    await server.accounts.add(jid('juliet@localhost'), 'balcony')
    const old = await signIn(world, server)
    const before = placeOf(server, 'plain')
    const done = await server.reload({ ...base, listeners: [{ ...plain, access: 'none' }] })
    assert.deepEqual(done.listeners, { opened: [], changed: [`plain ${address}:${portOf(before)}`], closed: [] })
    await assert.rejects(signIn(world, server), /RTK|policy|not-authorized/)
    await old.talk('I was here before')
    const limits = { connections_per_address: 1 }
    const store = { engine: 'memory', synchronous: 'normal' }
    const later = await server.reload({ ...base, store, limits, listeners: [plain] })
    assert.deepEqual(later.applied, ['limits.connections_per_address'])
    assert.deepEqual(later.needsRestart, ['store.synchronous'])
    assert.deepEqual(server.config.store.synchronous, 'full')
    await assert.rejects(signIn(world, server))
    await server.reload({ ...base, listeners: [plain] })
    await (await signIn(world, server)).talk('let in again')
    assert.deepEqual(placeOf(server, 'plain'), before)
  } finally {
    await server.close()
  }
})

const portOf = (place: { readonly kind: string; readonly port?: number }) => place.port ?? 0

const house = defineModule({
  name: 'house',
  options: {
    rooms: opt.int({ default: 3, description: 'Rooms.' }),
    street: opt.string({ default: 'Elm', reload: 'restart', description: 'Where it stands.' }),
  },
  setup() {},
}) as unknown as ModuleDefinition

it('what needs a restart is named with its place, each time until then; the rest counts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rtk-reload-'))
  const file = join(folder, 'r.yaml')
  const lines = (...more: readonly string[]) =>
    writeFileSync(file, ['store: { engine: memory }', 'listeners: []', ...more, ''].join('\n'))
  lines('host_types: { school: {}, staff: {} }', 'hosts: { localhost: default, b.example: school, c.example: school }')
  const server = await createServer({ config: { file }, plugins: [house] })
  try {
    lines(
      'host_types:',
      '  school:',
      '    modules:',
      '      house: { rooms: 7, street: Oak }',
      '  staff:',
      '    session: { max_per_user: 4 }',
      'hosts: { localhost: default, b.example: default, d.example: staff }',
      'session: { max_per_user: 5 }',
      'modules:',
      '  time: false',
      '  house: { street: Ash }',
      'control: { enabled: false }',
    )
    const first = await server.reload()
    assert.deepEqual(first.applied, [
      `host_types.school.modules.house.rooms (${file}:6)`,
      `modules.time (${file}:12)`,
      `session.max_per_user (${file}:10)`,
    ])
    const waiting = [
      `control.enabled (${file}:14)`,
      `host_types.school.modules.house.street (${file}:6)`,
      `hosts['b.example'] (${file}:9)`,
      `modules.house.street (${file}:13)`,
    ]
    assert.deepEqual(first.hosts, { added: ['d.example'], removed: ['c.example'], sessionsEnded: 0 })
    assert.deepEqual(first.needsRestart, waiting)
    assert.deepEqual((await server.reload()).needsRestart, waiting)
    assert.deepEqual((await server.reload()).applied, [])
    assert.deepEqual([...server.config.hosts.keys()], ['localhost', 'b.example', 'd.example'])
    const types = server.core.hosts().map(({ domain, type }) => `${domain} ${type}`)
    assert.deepEqual(types, ['localhost default', 'b.example school', 'd.example staff'])
    // Where a rule stands says nothing of what it does.
    const rule = ['auth: { access: staff }', 'access: { staff: [{ allow: all }] }']
    lines(...rule)
    await server.reload()
    lines('', '', ...rule)
    assert.deepEqual((await server.reload()).applied, [])
  } finally {
    await server.close()
    rmSync(folder, { recursive: true })
  }
})

it('of a file with mistakes, or a listener that cannot be opened, nothing is taken over', async () => {
  const world = createWorld()
  const folder = mkdtempSync(join(tmpdir(), 'rtk-reload-'))
  const file = join(folder, 'r.yaml')
  const good = 'hosts: [localhost]\nstore: { engine: memory }\nauth: { scram_iterations: 4096 }\n'
  const listening = (lines: string) =>
    `${good}listeners:\n  - { name: plain, protocol: c2s, tls: none, address: ${address}, port: 0 }\n${lines}`
  writeFileSync(file, listening(''))
  const server = await createServer({ config: { file } })
  const taken = await world.net.listen({ kind: 'tcp', host: address, port: 0 }, { backlog: 1 }, (transport) => {
    transport.destroy()
    return { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }
  })
  try {
    await server.accounts.add(jid('juliet@localhost'), 'balcony')
    const talker = await signIn(world, server)
    const before = JSON.stringify(server.listening)
    const config = server.config
    writeFileSync(
      file,
      listening('  - { name: web, protocol: htpt, port: 0 }\n  - { protocol: http, prot: 1 }\nlog: { level: loud }\n'),
    )
    await assert.rejects(server.reload(), ({ code, mistakes }: { code: string; mistakes: { line: number }[] }) => {
      assert.equal(code, 'RTK_CONFIG')
      assert.deepEqual(
        mistakes.map(({ line }) => line),
        [6, 7, 8],
      )
      return true
    })
    // One that is removed by the same file is there again.
    const clash = { name: 'late', protocol: 'http', address, port: portOf(taken.place) }
    await assert.rejects(server.reload({ ...base, listeners: [clash] }), { code: 'RTK_NET_ADDRESS_IN_USE' })
    assert.equal(JSON.stringify(server.listening), before)
    assert.equal(server.config, config)
    await talker.talk('as before')
    await (await signIn(world, server)).talk('new ones too')
    // What was refused is not what the next reload reads.
    writeFileSync(file, listening(''))
    assert.deepEqual((await server.reload()).listeners, { opened: [], changed: [], closed: [] })
  } finally {
    await taken.close()
    await server.close()
    rmSync(folder, { recursive: true })
  }
})

it('reads certificates again', async () => {
  const world = createWorld()
  const folder = mkdtempSync(join(tmpdir(), 'rtk-reload-'))
  const write = () => {
    const { authority, host } = renewLocalCertificates({}, ['localhost'], new Date())
    writeFileSync(join(folder, 'c.pem'), host.certPem, { mode: 0o600 })
    writeFileSync(join(folder, 'k.pem'), host.keyPem, { mode: 0o600 })
    return authority.certPem
  }
  const first = write()
  const direct = { name: 'direct', protocol: 'c2s', tls: 'direct', address, port: 0 }
  const certificates = [{ cert: join(folder, 'c.pem'), key: join(folder, 'k.pem') }]
  const server = await createServer({ config: { ...base, listeners: [{ ...direct, certificates }] } })
  const isTrusted = async (ca: string) => {
    const wire = await Wire.open(world, placeOf(server, 'direct'), 5_000)
    try {
      await wire.secures({ servername: 'localhost', alpn: ['xmpp-client'], ca, verify: true })
      return true
    } catch {
      return false
    } finally {
      wire.transport.destroy()
    }
  }
  try {
    assert.equal(await isTrusted(first), true)
    const second = write()
    assert.deepEqual((await server.reload()).listeners, { opened: [], changed: [], closed: [] })
    assert.equal(await isTrusted(second), true)
    assert.equal(await isTrusted(first), false)
  } finally {
    await server.close()
    rmSync(folder, { recursive: true })
  }
})

async function configOf(world: World, listeners: readonly unknown[]): Promise<Config> {
  const opened = await openConfig({ value: { ...base, listeners } }, world.disk)
  const needs = { modules: new Map(), defaultModules: [], disk: world.disk, tls: world.net.tls, dataDir: undefined }
  const { config, mistakes } = await finishConfig(opened, needs)
  assert.ok(config !== undefined, JSON.stringify(mistakes))
  return config
}

it('LST-14: a listener whose socket fails is opened again alone, later each time', () =>
  simulate(7, async (simulation) => {
    const world = simulation.world('server')
    const tries = new Map<string, number[]>()
    const failing = new Map<string, NonNullable<ListenOptions['failed']>>()
    let isBroken = false
    const net: Net = {
      tls: world.net.tls,
      queues: world.net.queues,
      connect: (...args) => world.net.connect(...args),
      listen: (place, options, accept) => {
        const key = String(portOf(place))
        tries.set(key, [...(tries.get(key) ?? []), simulation.now])
        if (options.failed !== undefined) failing.set(key, options.failed)
        // A place that is no address of this host: refused as by a real one.
        return world.net.listen(isBroken ? { kind: 'tcp', host: '192.0.2.1', port: 1 } : place, options, accept)
      },
    }
    const { clock, log } = world
    const metrics = new Metrics()
    const limits = { connections: 10, failures: 10, accountFailures: 10, failureWindowMs: 1_000 }
    const admission = new Admission(clock, () => limits, metrics)
    const listeners = new Listeners([{ name: 'http', accept: () => assert.fail('nobody comes') }], {
      net,
      clock,
      log,
      metrics,
      admission,
    })
    const at = (port: number) => ({ protocol: 'http', tls: 'none', address, port })
    await listeners.open(await configOf(world, [at(1000), at(2000)]))
    const start = simulation.now
    const since = (port: number) =>
      (tries.get(String(port)) ?? []).slice(1).map((ms) => Math.round((ms - start) / 1_000))
    isBroken = true
    failing.get('1000')?.('EBADF')
    assert.deepEqual(
      listeners.list.map(({ place }) => portOf(place)),
      [2000],
    )
    await simulation.advance(16_000)
    isBroken = false
    await simulation.advance(120_000)
    assert.deepEqual(since(1000), [1, 3, 7, 15, 31])
    assert.deepEqual(since(2000), [])
    assert.deepEqual(
      listeners.list.map(({ place }) => portOf(place)),
      [1000, 2000],
    )
    // One that a reload removes while it waits does not come back.
    failing.get('1000')?.('EBADF')
    await listeners.apply(await configOf(world, [at(2000)]))
    await simulation.advance(120_000)
    assert.equal(since(1000).length, 5)
    await listeners.close()
  }))
