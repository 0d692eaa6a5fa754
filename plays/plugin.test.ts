/**
 * A plugin from outside the tree (plays/packed/sample-plugin) through all its doors, in a server with two host types, and
 * reloaded again and again. In the checkout `ratatosk/…` is the sources; in test:packed it is the installed package.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CommandCaller } from '../src/core/commands.ts'
import { ConfigError, createServer, type Server } from '../src/index.ts'
import { jid } from '../src/jid/index.ts'
import { startTestServer, type TestClient, type TestServer } from '../src/test.ts'
import { leftByEach } from '../tools/lib/heap.ts'

registerHooks({
  resolve(specifier, context, next) {
    const door = /^ratatosk(\/\w+)?$/.exec(specifier)
    if (door === null) return next(specifier, context)
    try {
      return next(specifier, context)
    } catch {
      return next(new URL(`../src${door[1] ?? '/index'}.ts`, import.meta.url).href, context)
    }
  },
})

const plugin = join(import.meta.dirname, 'packed/sample-plugin/index.ts')
const NS = 'urn:example:acorns'
const admin: CommandCaller = { name: 'test', permits: () => true, signal: new AbortController().signal }

const config = {
  plugins: [plugin],
  host_types: { oak: { modules: { acorns: { acorns_max: 5 } } }, bare: { modules: { acorns: false, hoard: false } } },
  hosts: { 'ash.example': {}, 'oak.example': { type: 'oak' }, 'bare.example': { type: 'bare' } },
}
const accounts = {
  'juliet@ash.example': 'a',
  'romeo@ash.example': 'b',
  'nurse@oak.example': 'c',
  'tybalt@bare.example': 'd',
}

const iq = (type: 'get' | 'set', to: string, name: string, attrs = '') =>
  `<iq type='${type}' to='${to}' id='i${name}'><${name} xmlns='${NS}' ${attrs}/></iq>`

const conditionOf = (el: { child(name: string, ns: string): { elements: readonly { name: string }[] } | undefined }) =>
  el.child('error', 'jabber:client')?.elements[0]?.name

function httpOf(server: Server): string {
  const place = server.listening.find(({ protocol }) => protocol === 'http')?.place
  assert.ok(place?.kind === 'tcp')
  return `http://127.0.0.1:${place.port}`
}

describe('a plugin from outside', () => {
  let server: TestServer
  let juliet: TestClient
  let romeo: TestClient
  let nurse: TestClient
  let tybalt: TestClient

  before(async () => {
    server = await startTestServer({ accounts, config })
    juliet = await server.connect('juliet@ash.example/j')
    romeo = await server.connect('romeo@ash.example/r')
    nurse = await server.connect('nurse@oak.example/n')
    tybalt = await server.connect('tybalt@bare.example/t')
  })
  after(() => server.close())

  it('is told of sessions (notice), and its figures are those of all host types', () => {
    assert.equal(server.server.metrics.value('ratatosk_acorns_sessions'), 3)
  })

  it('answers requests, waiting for its store, and refuses by returning and by throwing', async () => {
    assert.equal((await juliet.request(iq('set', 'ash.example', 'acorn', "place='root'"))).attr('type'), 'result')
    assert.equal(conditionOf(await juliet.request(iq('set', 'ash.example', 'acorn'))), 'bad-request')
    await juliet.request(iq('set', 'ash.example', 'acorn', "place='crown'"))
    await juliet.request(iq('set', 'ash.example', 'acorn', "place='crown'"))
    const fourth = await juliet.request(iq('set', 'ash.example', 'acorn', "place='crown'"))
    assert.equal(conditionOf(fourth), 'resource-constraint')
    const count = await juliet.request(iq('get', 'ash.example', 'acorns'))
    assert.equal(count.child('acorns', NS)?.attr('count'), '3')
    assert.equal(server.server.metrics.value('ratatosk_acorns_found_total'), 3)
  })

  it('has the options of its host type', async () => {
    for (let i = 0; i < 5; i++) {
      const answer = await nurse.request(iq('set', 'oak.example', 'acorn', "place='bark'"))
      assert.equal(answer.attr('type'), 'result')
    }
    const sixth = await nurse.request(iq('set', 'oak.example', 'acorn', "place='bark'"))
    assert.equal(conditionOf(sixth), 'resource-constraint')
  })

  it('is not there in a host type without it', async () => {
    assert.equal(conditionOf(await tybalt.request(iq('get', 'bare.example', 'acorns'))), 'service-unavailable')
    assert.equal(tybalt.client.features.child('acorns', NS), undefined)
  })

  it('gives a service to another module, which hears its hook', async () => {
    const hoard = (await juliet.request(iq('get', 'ash.example', 'hoard'))).child('hoard', NS)
    assert.deepEqual([hoard?.attr('kept'), hoard?.attr('seen'), hoard?.attr('contacts')], ['3', '3', '0'])
  })

  it('adds to the stream features (fold)', () => {
    assert.ok(juliet.client.features.child('acorns', NS) !== undefined)
  })

  it('refuses and drops messages at once (filter)', async () => {
    romeo.send('<presence/>')
    await romeo.receive((el) => el.name === 'presence')
    const to = romeo.jid
    juliet.send(`<message to='${to}' id='m1'><lost xmlns='${NS}'/></message>`)
    juliet.send(`<message to='${to}' id='m2'><poison xmlns='${NS}'/></message>`)
    const bounce = await juliet.receive((el) => el.attr('type') === 'error')
    assert.equal(bounce.attr('id'), 'm2')
    assert.equal(conditionOf(bounce), 'not-acceptable')
    assert.deepEqual(romeo.unread, [])
  })

  it('waits for its store in a filter, keeps the order of the session and counts in a slot', async () => {
    const to = romeo.jid
    juliet.send(`<message to='${to}' id='m3'><count xmlns='${NS}'/></message>`)
    juliet.send(`<message to='${to}' id='m4'><body>after it</body></message>`)
    const first = await romeo.receive((el) => el.name === 'message')
    const second = await romeo.receive((el) => el.name === 'message')
    assert.deepEqual([first.attr('id'), second.attr('id')], ['m3', 'm4'])
    const mark = first.child('acorns', NS)
    assert.deepEqual([mark?.attr('count'), mark?.attr('sent')], ['3', '1'])
  })

  it('answers a concurrent request when it can, and others before it', async () => {
    const order: string[] = []
    const slow = juliet.request(iq('get', 'ash.example', 'slow')).then(() => order.push('slow'))
    await juliet.request(iq('get', 'ash.example', 'acorns')).then(() => order.push('quick'))
    await slow
    assert.deepEqual(order, ['quick', 'slow'])
  })

  it('is found by disco', async () => {
    const ask = async (node: string) =>
      (
        await juliet.request(
          `<iq type='get' to='ash.example'><query xmlns='http://jabber.org/protocol/disco#info' ${node}/></iq>`,
        )
      ).child('query', 'http://jabber.org/protocol/disco#info')
    const info = await ask('')
    assert.ok(info?.elements.some((el) => el.name === 'feature' && el.attr('var') === NS))
    assert.ok(info?.elements.some((el) => el.attr('name') === 'The old oak'))
    assert.equal((await ask(`node='${NS}'`))?.elements[0]?.attr('name'), '0 acorns')
  })

  it('speaks to all sessions of the host at once (fan-out)', async () => {
    await juliet.request(iq('set', 'ash.example', 'shout'))
    for (const client of [juliet, romeo]) {
      const heard = await client.receive((el) => el.attr('type') === 'headline')
      assert.equal(heard.attr('from'), 'ash.example')
      assert.equal(heard.attr('to'), client.jid)
    }
    assert.deepEqual([nurse.unread, tybalt.unread], [[], []])
  })

  it('RTR-02: has a domain of its own in each host type', async () => {
    for (const [client, domain] of [
      [juliet, 'acorns.ash.example'],
      [nurse, 'acorns.oak.example'],
    ] as const) {
      assert.ok((await client.request(iq('get', domain, 'any'))).child('oak', NS) !== undefined)
    }
  })

  it('has commands, one in the registry for all host types', async () => {
    const names = server.server.commands.list().map(({ name }) => name)
    assert.deepEqual(
      names.filter((name) => name.startsWith('acorns')),
      ['acorns count', 'acorns list'],
    )
    const call = async (name: string, args: Record<string, string>) => {
      const { result, ...outcome } = await server.server.commands.call(name, args, admin)
      return outcome.ok ? result : outcome.error.code
    }
    assert.deepEqual(await call('acorns count', { jid: 'juliet@ash.example' }), [{ acorns: 3 }])
    assert.deepEqual(await call('acorns count', { jid: 'nurse@oak.example' }), [{ acorns: 5 }])
    assert.equal(await call('acorns count', { jid: 'tybalt@bare.example' }), 'RTK_COMMAND_HOST')
    assert.equal(await call('acorns count', { jid: 'ash.example' }), 'RTK_ACORNS_NOBODY')
    // It names no host itself: the caller does.
    assert.equal(await call('acorns list', {}), 'RTK_COMMAND_HOST_NEEDED')
    assert.deepEqual(await call('acorns list', { host: 'oak.example' }), [{ account: 'nurse@oak.example', acorns: 5 }])
  })

  it('serves HTTP for its hosts, and for no others', async () => {
    const ask = async (host: string, path: string, init: RequestInit = {}) => {
      // fetch does not let us choose the Host; a request by hand does.
      const { request } = await import('node:http')
      return new Promise<{ status: number | undefined; body: string; cors: string | undefined }>((resolve, reject) => {
        const options = { method: init.method ?? 'GET', headers: { host, ...(init.headers as Record<string, string>) } }
        request(httpOf(server.server) + path, options, (answer) => {
          let body = ''
          answer.on('data', (chunk) => {
            body += chunk
          })
          answer.on('end', () =>
            resolve({ status: answer.statusCode, body, cors: answer.headers['access-control-allow-origin'] }),
          )
        })
          .on('error', reject)
          .end()
      })
    }
    assert.deepEqual(await ask('ash.example', '/acorns/juliet'), { status: 200, body: '{"acorns":3}', cors: '*' })
    assert.deepEqual(await ask('OAK.example:5280', '/acorns/nurse'), { status: 200, body: '{"acorns":5}', cors: '*' })
    assert.equal((await ask('bare.example', '/acorns/tybalt')).status, 404)
    assert.equal((await ask('elsewhere.example', '/acorns/juliet')).status, 421)
    assert.equal((await ask('elsewhere.example', '/health')).status, 200)
    const preflight = { method: 'OPTIONS', headers: { origin: 'https://a', 'access-control-request-method': 'GET' } }
    assert.equal((await ask('ash.example', '/acorns/juliet', preflight)).status, 204)
    assert.equal((await ask('ash.example', '/health', preflight)).status, 404)
  })

  it('exports, imports and forgets the data of an account', async () => {
    const type = server.server.core.hostType('default')
    const host = server.server.core.host('ash.example')
    assert.ok(host !== undefined)
    const data = await type.hooks.waitingFold('account:export', [], { host, local: 'juliet' })
    assert.deepEqual(
      data.filter(({ store }) => store === 'acorns'),
      [{ store: 'acorns', rows: [{ count: 3 }] }],
    )
    await server.addAccount('heir@ash.example', 'e')
    assert.equal(await type.hooks.waitingNotice('account:import', { host, local: 'heir', data }), 0)
    const count = async () =>
      (await server.server.commands.call('acorns count', { jid: 'heir@ash.example' }, admin)).result[0]?.['acorns']
    assert.equal(await count(), 3)
    await server.server.accounts.remove(jid('heir@ash.example'))
    assert.equal(await count(), 0)
  })

  it('comes back from 50 reloads with everything as it was, and the heap too', async () => {
    const { core, commands } = server.server
    const set = server.server.modulesOf('default')
    assert.ok(set !== undefined)
    const measure = () => {
      const { hooks, iq: requests, features, services } = core.hostType('default')
      return {
        handlers: hooks.size,
        order: hooks.describe(),
        requests: requests.size,
        features: features.list('host'),
        identities: features.identities('host').length,
        services: ['acorns', 'roster'].map((name) => services.find(name as 'roster') !== undefined),
        commands: commands.list().length,
        http: core.http.size,
        routes: core.router.domains.length,
        gauges: core.metrics.gaugeCount,
        slots: core.slots.count,
        modules: [...set.names].sort(),
      }
    }
    const before = measure()
    for (let i = 0; i < 10; i++) await set.reload('acorns')
    const perReload = await leftByEach(50, 2_048, () => set.reload('acorns'))
    assert.deepEqual(measure(), before)
    assert.ok(perReload < 2_048, `each reload leaves ${perReload} bytes`)
    // It works as before, with what it had stored, and so does the one that uses it.
    const hoard = (await juliet.request(iq('get', 'ash.example', 'hoard'))).child('hoard', NS)
    assert.deepEqual([hoard?.attr('kept'), hoard?.attr('seen')], ['3', '0'])
  })

  it('can be reloaded with other options, and runs on with the old ones where that fails', async () => {
    const set = server.server.modulesOf('default')
    assert.ok(set !== undefined)
    const definition = set.definition('acorns')
    assert.ok(definition !== undefined)
    await set.reload('acorns', { acorns_max: 4, patience: 10, may_ask: { allows: () => false } })
    assert.equal((await juliet.request(iq('set', 'ash.example', 'acorn', "place='leaf'"))).attr('type'), 'result')
    assert.equal(
      conditionOf(await juliet.request(iq('set', 'ash.example', 'acorn', "place='leaf'"))),
      'resource-constraint',
    )
    const hostile = {
      get acorns_max(): number {
        return 9
      },
      get may_ask(): never {
        throw new Error('no such rule')
      },
    }
    await assert.rejects(set.reload('acorns', hostile), { code: 'RTK_MODULE_SETUP', message: /no such rule/ })
    assert.equal(
      conditionOf(await juliet.request(iq('set', 'ash.example', 'acorn', "place='leaf'"))),
      'resource-constraint',
    )
    assert.ok((await juliet.request(iq('get', 'ash.example', 'hoard'))).child('hoard', NS) !== undefined)
  })

  it('cannot go while another module needs it', async () => {
    const set = server.server.modulesOf('default')
    await assert.rejects(set?.unload('acorns') ?? Promise.resolve(), { code: 'RTK_MODULE_NEEDED', message: /hoard/ })
    await set?.unload('hoard')
    await set?.unload('acorns')
    assert.equal(conditionOf(await juliet.request(iq('get', 'ash.example', 'acorns'))), 'service-unavailable')
    // The other host type has its own.
    assert.ok((await nurse.request(iq('get', 'oak.example', 'acorns'))).child('acorns', NS) !== undefined)
  })
})

describe('the configuration of a plugin', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ratatosk-plugin-'))
  after(() => rmSync(folder, { recursive: true }))

  it('has its mistakes reported by file and line', async () => {
    const file = join(folder, 'ratatosk.yaml')
    const lines = [
      `plugins: ['${plugin}']`,
      'store: { engine: memory }',
      'modules:',
      '  acorns:',
      '    acorns_max: 0',
      '    patience: soon',
      '    acorn_max: 3',
      '    may_ask: nobodie',
      '  hord: {}',
    ]
    writeFileSync(file, lines.join('\n'))
    await assert.rejects(createServer({ config: { file } }), (error) => {
      assert.ok(error instanceof ConfigError)
      const found = error.mistakes.map(({ file: where, line, path }) => `${where === file} ${line} ${path}`)
      assert.deepEqual(found, [
        'true 5 modules.acorns.acorns_max',
        'true 6 modules.acorns.patience',
        'true 7 modules.acorns.acorn_max',
        'true 8 modules.acorns.may_ask',
        'true 9 modules.hord',
      ])
      assert.match(error.message, /did you mean 'hoard'/)
      return true
    })
  })
})
