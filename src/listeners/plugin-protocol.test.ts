/** LST-13: a listener's protocol is a plugin's affair. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Wire } from '../../plays/language/wire.ts'
import { ConfigError } from '../core/config/index.ts'
import { createServer } from '../index.ts'
import { defineModule, type ModuleDefinition, opt } from '../plugin.ts'
import { SimLog } from '../sim/log.ts'
import { createWorld } from '../world/index.ts'
import { proxyHeaders } from './listeners.testing.ts'

const left: string[] = []

// The whole plugin.
const echo = defineModule({
  name: 'echo',
  protocols: {
    echo: {
      tls: ['none', 'direct'],
      ports: { none: 7 },
      options: { greeting: opt.string({ default: '', description: 'Said first.' }) },
    },
  },
  setup({ protocol }) {
    protocol('echo', (connection) => {
      connection.write(Buffer.from(String(connection.options['greeting'])))
      return {
        data: (bytes) => connection.write(bytes),
        closed: () => left.push(connection.client.host),
      }
    })
  },
})

/** Throws at what it is told to throw at. */
const clumsy = defineModule({
  name: 'clumsy',
  protocols: { clumsy: { tls: ['none'], ports: {}, options: {} } },
  setup({ protocol }) {
    protocol('clumsy', (connection) => {
      if (connection.client.host === '192.0.2.7') throw new Error('not him')
      return {
        data: (bytes) => {
          if (bytes[0] === 0x21) throw new Error('not that')
          connection.write(bytes)
        },
      }
    })
  },
})

const address = '127.0.0.1'
const base = { hosts: ['localhost'], store: { engine: 'memory' } }

async function serve(listeners: readonly object[], plugins: readonly unknown[], more: object = {}) {
  const world = createWorld()
  const log = new SimLog(() => 0)
  const server = await createServer({
    config: { ...base, ...more, listeners },
    plugins: plugins as readonly ModuleDefinition[],
    log,
  })
  const open = (name: string) => {
    const found = server.listening.find((listener) => listener.name === name)
    assert.ok(found !== undefined)
    return Wire.open(world, found.place, 5_000)
  }
  return { server, log, open, [Symbol.asyncDispose]: () => server.close() }
}

const at = (name: string, protocol: string, more: object = {}) => ({ name, protocol, address, port: 0, ...more })

it('LST-13: an echo server is a plugin of some twenty lines, with TLS, limits and balancers like the rest', async () => {
  const listeners = [
    at('plain', 'echo', { greeting: 'hello', limits: { connections_per_address: 1 } }),
    at('proxied', 'echo', { proxy_protocol: true }),
    at('direct', 'echo', { tls: 'direct', greeting: 'secret' }),
  ]
  await using served = await serve(listeners, [echo])
  const one = await served.open('plain')
  await one.hears(/^hello/)
  one.says('hallo \u0000\u00ff')
  await one.hears(/hallo \0\u00ff/)
  const second = await served.open('plain')
  await second.isClosed()
  one.transport.close()
  await one.isClosed()
  const behind = await served.open('proxied')
  behind.says(`${Buffer.from(proxyHeaders.v1).toString()}glued`)
  await behind.hears(/^glued/)
  behind.transport.close()
  await behind.isClosed()
  const secure = await served.open('direct')
  const ca = served.server.authority?.certPem ?? ''
  await secure.secures({ servername: 'localhost', alpn: [], ca, verify: true })
  await secure.hears(/^secret/)
  secure.transport.close()
  await secure.isClosed()
  await served.server.close()
  assert.deepEqual(left.sort(), [address, address, '192.0.2.7'])
  assert.equal(served.server.metrics.value('ratatosk_connections'), 0)
})

it('LST-13: one that throws loses the connection it threw at, and nobody else', async () => {
  await using served = await serve([at('plain', 'clumsy'), at('proxied', 'clumsy', { proxy_protocol: true })], [clumsy])
  const calm = await served.open('plain')
  const told = await served.open('plain')
  told.says('!')
  await told.isClosed()
  const foreign = await served.open('proxied')
  foreign.says(Buffer.from(proxyHeaders.v1).toString())
  await foreign.isClosed()
  calm.says('still here')
  await calm.hears(/still here/)
  const faults = served.log.entries.filter(({ fields }) => fields['code'] === 'RTK_HANDLER_FAILED')
  assert.deepEqual(
    faults.map(({ fields }) => `${fields['place']} ${fields['module']}`),
    ['protocol clumsy clumsy'],
  )
  calm.transport.destroy()
})

it('its options are checked by line, and it takes part in reloads of the module and of the listeners', async () => {
  const two = { host_types: { other: {} }, hosts: { localhost: {}, 'other.example': { type: 'other' } } }
  await using served = await serve([at('plain', 'echo', { greeting: 'one ' })], [echo], two)
  const reload = (listener: object) => served.server.reload({ ...base, ...two, listeners: [listener] })
  await assert.rejects(reload(at('plain', 'echo', { greting: 'x' })), (error) => {
    return error instanceof ConfigError && /greting.*greeting/.test(error.message)
  })
  await assert.rejects(reload(at('plain', 'ehco')), /no protocol 'ehco'.*'echo'/)
  await reload(at('plain', 'echo', { greeting: 'two ' }))
  const wire = await served.open('plain')
  await wire.hears(/^two /)
  // Either host type's module serves; without any there is nobody to speak.
  await served.server.modulesOf('default')?.unload('echo')
  const again = await served.open('plain')
  await again.hears(/^two /)
  await served.server.modulesOf('other')?.unload('echo')
  const late = await served.open('plain')
  await late.isClosed()
  wire.says('connections live on')
  await wire.hears(/connections live on/)
  for (const one of [wire, again, late]) one.transport.destroy()
})

it('a protocol has one owner, who declares it', async () => {
  const twin = { ...echo, name: 'twin' } as unknown as ModuleDefinition
  await assert.rejects(serve([], [echo, twin]), { code: 'RTK_PLUGIN_PROTOCOL' })
  const thief = { ...twin, protocols: { c2s: { tls: ['none'], ports: {}, options: {} } } }
  await assert.rejects(serve([], [thief]), { code: 'RTK_PLUGIN_PROTOCOL' })
  const mute = defineModule({ name: 'mute', setup: ({ protocol }) => protocol('mute', () => ({ data() {} })) })
  await assert.rejects(serve([], [mute]), /declares no protocol mute/)
})

it('a client that offers ALPN to a protocol of a module is not refused for it: the names of ours are none of its own', async () => {
  await using served = await serve([at('direct', 'echo', { tls: 'direct', greeting: 'hello' })], [echo])
  const wire = await served.open('direct')
  const ca = served.server.authority?.certPem ?? ''
  await wire.secures({ servername: 'localhost', alpn: ['echo/1'], ca, verify: true })
  await wire.hears(/^hello/)
  wire.transport.close()
  await wire.isClosed()
})

it('connections of a module end before the module does', async () => {
  const told: string[] = []
  const polite = defineModule({
    name: 'polite',
    protocols: { polite: { tls: ['none'], ports: {}, options: {} } },
    setup({ protocol, onStop }) {
      protocol('polite', (connection) => {
        connection.write(Buffer.from('hello'))
        return { data: () => undefined, closed: () => void told.push('a connection ends') }
      })
      onStop(() => void told.push('the module ends'))
    },
  })
  const served = await serve([at('plain', 'polite')], [polite])
  const wire = await served.open('plain')
  await wire.hears(/^hello/)
  const closing = served.server.close()
  wire.transport.close()
  await closing
  assert.deepEqual(told, ['a connection ends', 'the module ends'])
  await wire.isClosed()
})
