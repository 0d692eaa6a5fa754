/** LST-13: a listener is acceptor, TLS and protocol; what it speaks need not be XMPP. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Wire } from '../../plays/language/wire.ts'
import { finishConfig, openConfig } from '../core/config/index.ts'
import { Metrics } from '../core/metrics.ts'
import { Listeners } from '../server/listeners.ts'
import { createWorld } from '../world/index.ts'
import { fromBytes } from '../xml/index.ts'
import type { Protocol } from './acceptor.ts'
import { Admission } from './admission.ts'
import { proxyHeaders } from './listeners.testing.ts'

const left: string[] = []
const allLeft = Promise.withResolvers<void>()

// The whole plugin: what configurations may say of it, and what it does with a connection.
const config = new Map([['echo', { tls: ['none'], ports: { none: 7 }, options: {} }]] as const)
const echo: Protocol = {
  name: 'echo',
  accept: (connection) => {
    const { transport, early, refusal } = connection
    if (refusal !== undefined) transport.close()
    if (early !== undefined) transport.write(fromBytes(early))
    return {
      data: (bytes, start, end) => transport.write(fromBytes(bytes.subarray(start, end))),
      drained() {},
      secured() {},
      ended: () => transport.close(),
      closed: () => {
        left.push(connection.client.host)
        connection.left()
        if (left.length === 3) allLeft.resolve()
      },
    }
  },
}

it('LST-13: a protocol of somebody else has listeners with balancers and limits like the rest', async () => {
  const world = createWorld()
  const { disk, net, clock, log } = world
  const at = (name: string, more: Readonly<Record<string, unknown>>) => {
    return { name, protocol: 'echo', address: '127.0.0.1', port: 0, ...more }
  }
  const opened = await openConfig(
    {
      value: {
        hosts: { localhost: {} },
        store: { engine: 'memory' },
        listeners: [at('plain', { limits: { connections_per_address: 1 } }), at('proxied', { proxy_protocol: true })],
      },
    },
    disk,
  )
  const finished = await finishConfig(opened, {
    modules: new Map(),
    defaultModules: [],
    protocols: config,
    disk,
    tls: net.tls,
    dataDir: undefined,
  })
  assert.ok(finished.config !== undefined, JSON.stringify(finished.mistakes))
  const metrics = new Metrics()
  const limits = { connections: 10, accountFailures: 100, failures: 10, failureWindowMs: 1_000 }
  const admission = new Admission(clock, () => limits, metrics)
  const listeners = new Listeners([echo], { net, clock, log, metrics, admission })
  await listeners.open(finished.config)
  try {
    const [plain, proxied] = listeners.list.map(({ place }) => place)
    assert.ok(plain !== undefined && proxied !== undefined)
    const one = await Wire.open(world, plain, 5_000)
    one.says('hallo \u0000\u00ff')
    await one.hears(/hallo \0\u00ff/)
    const second = await Wire.open(world, plain, 5_000)
    await second.isClosed()
    second.transport.close()
    const behind = await Wire.open(world, proxied, 5_000)
    behind.says(`${Buffer.from(proxyHeaders.v1).toString()}glued`)
    await behind.hears(/^glued/)
    behind.transport.close()
    await behind.isClosed()
    one.transport.close()
    await one.isClosed()
    await allLeft.promise
  } finally {
    await listeners.close()
  }
  assert.deepEqual(left.sort(), ['127.0.0.1', '127.0.0.1', '192.0.2.7'])
  assert.equal(metrics.value('ratatosk_connections'), 0)
})
