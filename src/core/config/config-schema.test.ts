/** The published JSON Schema against the checker itself: what it refuses is wrong, and what is often mistaken it refuses. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { chapters } from '../../../tools/docs/configuration.ts'
import { optionRows } from '../../../tools/docs.ts'
import { text } from '../../../tools/lib/repository.ts'
import { defaultModules } from '../../server/modules.ts'
import type { Json } from '../command-result.ts'
import { checkDocument, type ModuleProtocol, parseConfigValue } from './check.ts'
import { configSchema } from './config-schema.ts'
import { checkWellFormed, faultsOf } from './json-schema.testing.ts'
import type { JsonSchema } from './json-schema.ts'
import { opt } from './opt.ts'
import type { OptionSchema } from './option.ts'
import { amountPatterns, parseByteRate, parseBytes, parseDuration, parseFrequency } from './units.ts'

const modules = new Map(defaultModules.map(({ name, options }) => [name, options ?? {}]))
const published = configSchema({ modules, protocols: new Map(), isOpen: true })

/** A plugin with a module, `lamp`, whose brightness is needed, and a protocol. */
const lamp: OptionSchema = { brightness: opt.int({ min: 1, max: 10, description: 'How bright.' }) }
const withLamp = new Map([...modules, ['lamp', lamp]])
const protocols = new Map<string, ModuleProtocol>([
  ['morse', { tls: ['none'], ports: { none: 7 }, options: { speed: opt.int({ min: 1, description: 'Words.' }) } }],
])
const whole = configSchema({ modules: withLamp, protocols, isOpen: false })

const isTaken = (value: Json, schema: JsonSchema = published) => faultsOf(value, schema, schema).length === 0

/** Whether the checker takes it: no mistake that is an error. */
function isGood(value: Json): boolean {
  return checkDocument(parseConfigValue(value), { modules, defaultModules: [...modules.keys()] }).config !== undefined
}

/** All YAML of a page of the guide that is a configuration. */
function blocks(page: string): readonly Json[] {
  const found = [...text(page).matchAll(/```yaml\n([\s\S]*?)```/g)]
  return found.map(([, yaml]) => parse(yaml ?? '') as Json)
}

describe('the JSON Schema of the configuration', () => {
  it('is well formed, with a description of every option', () => {
    assert.ok(checkWellFormed(published) > 300)
    assert.ok(checkWellFormed(whole) > 300)
    const all = JSON.stringify(published)
    for (const { description } of optionRows()) {
      // Two are told in other words.
      if (['c2s or http.', 'Mode of the file of a Unix socket.'].includes(description)) continue
      assert.ok(all.includes(JSON.stringify(description).slice(1, -1)), description)
    }
  })

  it('takes every example of the guide, of the README and of the other pages, and an empty file', () => {
    const examples = chapters.flatMap(({ title, example }) =>
      example === undefined ? [] : [[title, parse(example)] as const],
    )
    assert.ok(examples.length > 12)
    for (const [title, example] of examples)
      assert.deepEqual(faultsOf(example as Json, published, published), [], title)
    for (const page of [
      'README.md',
      'docs/guide/operate.md',
      'docs/guide/metrics.md',
      'docs/guide/write-a-plugin.md',
    ]) {
      const found = blocks(page)
      assert.ok(found.length > 0, page)
      for (const example of found) assert.deepEqual(faultsOf(example, published, published), [], page)
    }
    for (const value of [null, {}]) assert.ok(isTaken(value))
  })

  it('takes what may be written in several ways', () => {
    const rows: readonly Json[] = [
      { hosts: 'example.org' },
      { hosts: { 'example.org': null, 'b.example': 'default', 'c.example': { type: 'default' } } },
      { listeners: { protocol: 'c2s' } },
      { listeners: [{ protocol: 'http', path: '/run/http.sock', mode: 660 }] },
      { modules: { time: false, version: null, ping: true }, auth: null, limits: null, access: null },
      {
        access: {
          one: { allow: 'all' },
          two: [{ deny: [{ address: '192.0.2.0/24' }, 'unix'] }, { allow: { anonymous: true } }],
        },
      },
      { access: { many: [{ value: 30, if: 'loopback' }, { value: 3 }] }, session: { max_per_user: 'many' } },
      { limits: { stanza_bytes: '1_000 KB', hook_timeout: '1 minute, 30 SECONDS' } },
      { listeners: [{ protocol: 'c2s', accept_rate: 'unlimited', tcp_keepalive: 'never' }] },
      { store: { engine: 'postgres', url: 'postgres://me@db/x', password: { env: 'PGPASSWORD' } } },
      { store: { engine: 'postgres', url: 'postgres://me@db/x', password: { file: '/run/secret' } } },
      { plugins: './lamp.ts', tls: { certificates: { cert: 'a.pem', key: 'a.key' } } },
    ]
    for (const value of rows) {
      assert.deepEqual(faultsOf(value, published, published), [], JSON.stringify(value))
      if (!('plugins' in (value as object))) assert.ok(isGood(value), JSON.stringify(value))
    }
  })

  it('refuses what is often mistaken, as the checker does', () => {
    const rows: readonly Json[] = [
      { host: ['example.org'] },
      { hosts: [] },
      { hosts: [5] },
      { hosts: { 'example.org': { typ: 'x' } } },
      { limits: { stanza_byte: '1 MiB' } },
      { limits: { stanza_bytes: 65_536 } },
      { limits: { stanza_bytes: '64' } },
      { limits: { stanza_bytes: '64 parsecs' } },
      { limits: { stanza_bytes: 'unlimited' } },
      { limits: { hook_timeout: 10 } },
      { limits: { depth: 4 } },
      { limits: { depth: 64.5 } },
      { limits: { depth: '64' } },
      { listeners: [{ port: 5222 }] },
      { listeners: [{ protocol: 'xmpp' }] },
      { listeners: [{ protocol: 'c2s', prot: 5222 }] },
      { listeners: [{ protocol: 'c2s', port: 70_000 }] },
      { listeners: [{ protocol: 'http', tls: 'starttls' }] },
      { listeners: [{ protocol: 'c2s', path: '/a', port: 1 }] },
      { listeners: [{ protocol: 'c2s', accept_rate: 50 }] },
      { listeners: { protocol: 'xmpp' } },
      { store: { engine: 'oracle' } },
      { store: { engine: 'SQLite' } },
      { log: { level: 'verbose' } },
      { log: 'debug' },
      { auth: { mechanisms: [] } },
      { auth: { mechanisms: ['SCRAM-SHA-384'] } },
      { tls: { min_version: 1.3 } },
      { tls: { certificates: [{ cert: 'a.pem' }] } },
      { session: { max_per_user: 0 } },
      { modules: { rooster: {} } },
      { modules: { roster: { items: 5 } } },
      { modules: { roster: 'off' } },
      { host_types: { staff: { modules: { rooster: true } } } },
      { host_types: { staff: { module: {} } } },
      { shapers: { none: { rate: '1 KB/s' } } },
      { shapers: { slow: { burst: '1 KB' } } },
      { shapers: { slow: { rate: '1 KB' } } },
      { access: { all: [{ allow: 'all' }] } },
      { access: { one: [{ permit: 'all' }] } },
      { access: { one: [{ allow: 'all', deny: 'unix' }] } },
      { access: { one: [{ allow: { ip: '192.0.2.1' } }] } },
      { access: { one: [{ allow: {} }] } },
      { store: { engine: 'postgres', password: { path: 'x' } } },
      { store: { engine: 'postgres', password: '' } },
      { metrics: { access: 5 } },
      { metrics: true },
      [],
      'hosts',
    ]
    for (const value of rows) {
      assert.equal(isGood(value), false, `the checker takes ${JSON.stringify(value)}`)
      assert.equal(isTaken(value), false, `the schema takes ${JSON.stringify(value)}`)
    }
  })

  it('never refuses what the checker takes: every option with every kind of value', () => {
    const values: readonly Json[] = [
      ...[
        null,
        true,
        false,
        0,
        1,
        5,
        64,
        4_096,
        20_000,
        -1,
        1.5,
        '',
        'x',
        'all',
        'none',
        'loopback',
        'example.org',
        'a@b.c',
      ],
      ...[
        '10 minutes',
        '2s',
        '0 s',
        'never',
        'unlimited',
        '256 KiB',
        '1 MB',
        '3 KB/s',
        '50/s',
        '5 / minute',
        '/tmp/x',
        '5',
      ],
      ...[
        '127.0.0.1',
        'localhost',
        '*',
        '0660',
        'direct',
        'none',
        'sqlite',
        'info',
        '1.3',
        'PLAIN',
        'refuse',
        'replace',
      ],
      ...[[], {}, ['x'], ['PLAIN'], ['127.0.0.1'], { file: 'x' }, [{ cert: 'a', key: 'b' }], { cert: 'a', key: 'b' }],
    ]
    const options = optionRows().filter(({ path }) => !/\[\]\.(?:cert|key)$/.test(path))
    let [good, wrong, missed] = [0, 0, 0]
    for (const { path } of options) {
      for (const value of values) {
        const config = at(path, value)
        const isValid = isTaken(config)
        if (isGood(config)) {
          good++
          assert.ok(isValid, `the schema refuses ${JSON.stringify(config)}: ${faultsOf(config, published, published)}`)
        } else if (isValid) missed++
        else wrong++
      }
    }
    assert.ok(good > 300, `${good}`)
    // Names that nobody has, and ranges of amounts, only the checker knows.
    assert.ok(missed < wrong / 5, `${missed} of ${wrong + missed} wrong values pass`)
  })

  it('takes each default where it stands', () => {
    for (const { path, default: written, type } of optionRows()) {
      if (written === '' || type === 'secret') continue
      const isText = !['int', 'number', 'bool', 'list', 'map', 'value rule'].includes(type)
      const config = at(path, isText || written === 'none' ? written : (JSON.parse(written) as Json))
      assert.deepEqual(faultsOf(config, published, published), [], path)
    }
  })

  it('leaves modules and protocols of plugins alone, until it is made with them', () => {
    const plugins = ['./lamp.ts']
    const good = { plugins, modules: { lamp: { brightness: 3 } }, listeners: [{ protocol: 'morse', speed: 9 }] }
    const wrong: readonly Json[] = [
      { plugins, modules: { lamp: { brightness: 11 } } },
      { plugins, modules: { lump: {} } },
      { plugins, listeners: [{ protocol: 'mors', speed: 9 }] },
      { plugins, listeners: [{ protocol: 'morse', tls: 'direct', speed: 9 }] },
      { plugins, listeners: [{ protocol: 'morse' }] },
      { plugins, listeners: [{ protocol: 'c2s', speed: 9 }] },
    ]
    assert.ok(isTaken(good) && isTaken(good, whole))
    for (const value of wrong) assert.equal(isTaken(value, whole), false, JSON.stringify(value))
    for (const value of wrong.slice(0, 3)) assert.ok(isTaken(value), JSON.stringify(value))
    // Without plugins nobody brings them.
    assert.equal(isTaken({ ...good, plugins: [] }), false)
    // What a module needs may stand in a host type.
    assert.ok(
      isTaken({ plugins, modules: { lamp: {} }, host_types: { a: { modules: { lamp: { brightness: 2 } } } } }, whole),
    )
  })

  it('knows amounts as the checker reads them', () => {
    const parsers = { duration: parseDuration, bytes: parseBytes, rate: parseByteRate, frequency: parseFrequency }
    const texts = [
      ...[
        '1 s',
        '1s',
        '1 S',
        '1 Secs',
        '1.5 hours',
        '1h30m',
        '1 hour, 30 minutes',
        '1_000 ms',
        ' 2 weeks',
        '3 mms',
        's',
        '1',
      ],
      ...[
        '1 KB',
        '1KiB',
        '2 bytes',
        '1 kb ',
        '1 kbs',
        '1 KB/s',
        '1 KB / second',
        '1 KB/',
        '/s',
        '5/minute',
        '5.5 / h',
        '5 B/s/s',
      ],
      ...['1 min', '1 mins', '1 m', '1 ms', '1 mss', '1 minute 5', '', ' ', '1e3 s', '-1 s', '١ s', '1 sec 1 KiB'],
    ]
    for (const [kind, parser] of Object.entries(parsers)) {
      const pattern = new RegExp(amountPatterns[kind as keyof typeof parsers], 'u')
      for (const amount of texts)
        assert.equal(pattern.test(amount), parser(amount) !== undefined, `${kind} '${amount}'`)
    }
  })
})

/** The configuration in which an option stands alone with this value. */
function at(path: string, value: Json): Json {
  const [, own] = /^listeners\[\]\.(.*)$/.exec(path) ?? []
  if (own !== undefined) return { listeners: [{ protocol: 'c2s', ...(nested(own, value) as object) }] }
  const [, shaping] = /^shapers\.NAME\.(.*)$/.exec(path) ?? []
  if (shaping !== undefined) return { shapers: { slow: { rate: '1 KB/s', [shaping]: value } } }
  const [, token] = /^auth\.jwt\.(.*)$/.exec(path) ?? []
  if (token !== undefined) return { auth: { jwt: { keys: 'keys.json', [token]: value } } }
  return nested(path, value)
}

function nested(path: string, value: Json): Json {
  return path.split('.').reduceRight<Json>((inner, name) => ({ [name]: inner }), value)
}
