/** `config check` and `config options` on real files with plugins. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Json } from '../core/command-result.ts'
import { faultsOf } from '../core/config/json-schema.testing.ts'
import { createWorld } from '../world/index.ts'
import { run } from './cli.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'rtk-config-'))
after(() => rmSync(folder, { recursive: true }))

const doors = new URL('../plugin.ts', import.meta.url).pathname
writeFileSync(
  join(folder, 'echo.ts'),
  `import { defineModule, opt } from '${doors}'
export default defineModule({
  name: 'echo',
  options: { mood: opt.oneOf(['dull', 'bright'], { default: 'dull', description: 'How it sounds.' }) },
  protocols: { echo: { tls: ['none'], ports: { none: 7 }, options: { greeting: opt.string({ default: '', description: 'Said first.' }) } } },
  setup({ protocol }) { protocol('echo', (connection) => ({ data: (bytes) => connection.write(bytes) })) },
})
`,
)

async function cli(yaml: string | undefined, ...argv: string[]) {
  const file = join(folder, 'r.yaml')
  if (yaml === undefined) rmSync(file, { force: true })
  else writeFileSync(file, yaml)
  const { exit, out, err } = await run(createWorld(), ['--config', file, ...argv])
  return { exit, out: out.replaceAll(folder, ''), err: err.replaceAll(folder, '') }
}

const plugged = 'plugins: [./echo.ts]\nlisteners: [{ protocol: echo, port: 0, greeting: hello }]\n'

test('a listener whose protocol no host speaks is a mistake, with its line and what to do', async () => {
  const rows: readonly (readonly [what: string, yaml: string, told: string])[] = [
    ['spoken', plugged, '/r.yaml: good\n'],
    [
      'left out of all',
      `${plugged}modules: { echo: false }\n`,
      `/r.yaml:2:25: nobody speaks the protocol 'echo': no host loads the module 'echo' (take out 'echo: false' in line 3, or this listener)\n/r.yaml: 1 mistake\n`,
    ],
    [
      'left out of the one host type that has hosts',
      `${plugged}hosts: { a.example: inner }\nhost_types: { inner: { modules: { echo: false } } }\n`,
      `/r.yaml:2:25: nobody speaks the protocol 'echo': no host loads the module 'echo' (take out 'echo: false' in line 4, or this listener)\n/r.yaml: 1 mistake\n`,
    ],
    [
      'one of two host types speaks it',
      `${plugged}hosts: { a.example: inner, b.example: }\nhost_types: { inner: { modules: { echo: false } } }\n`,
      '/r.yaml: good\n',
    ],
    [
      'left out of all but one',
      `${plugged}hosts: { a.example: inner }\nmodules: { echo: false }\nhost_types: { inner: { modules: { echo: true } } }\n`,
      '/r.yaml: good\n',
    ],
    [
      'misspelt',
      plugged.replace('protocol: echo', 'protocol: ehco'),
      `/r.yaml:2:25: there is no protocol 'ehco' (did you mean 'echo'?)\n/r.yaml: 1 mistake\n`,
    ],
    [
      'its plugin is not there: what it may have brought is no further mistake, what it did not is',
      `${plugged.replace('echo.ts', 'ehco.ts')}modules: { echo: {} }\nlog: { level: loud }\n`,
      `/r.yaml:1:11: plugin ./ehco.ts: there is no file /ehco.ts (a relative name is taken from the folder of this file)\n/r.yaml:4:15: 'loud' is not one of debug, info, warn, error\n/r.yaml: 2 mistakes\n`,
    ],
  ]
  for (const [what, yaml, told] of rows) {
    const { exit, out } = await cli(yaml, 'config', 'check')
    assert.equal(out.slice(0, told.length), told, what)
    assert.equal(exit, told.endsWith('good\n') ? 0 : 1, what)
  }
})

test('config options lists all options whatever mistakes the file has', async () => {
  const rows: readonly (readonly [what: string, yaml: string | undefined, err: RegExp])[] = [
    ['good', plugged, /^$/],
    ['wrong values', `${plugged}limits: { depth: many }\nmodules: { ech: {} }\nlog: 7\n`, /^$/],
    ['no YAML behind the plugins', `${plugged}limits: [\n  }`, /^$/],
    ['no such file', undefined, /^warning: \/r\.yaml: there is no such file/],
    ['no such plugin', 'plugins: [./none.ts]\n', /^warning: plugin \.\/none\.ts: .*its options are not listed\n$/],
  ]
  for (const [what, yaml, err] of rows) {
    const ran = await cli(yaml, 'config', 'options')
    assert.equal(ran.exit, 0, what)
    assert.match(ran.err, err, what)
    assert.match(ran.out, /^limits\.depth +int, .* +64 +/m, what)
    assert.match(ran.out, /^log\.level +one of +info .*One of debug, info, warn, error\.$/m, what)
    assert.match(ran.out, /^auth\.mechanisms +list .*Any of SCRAM-SHA-512-PLUS, .*PLAIN\.$/m, what)
    assert.equal(/^modules\.echo\.mood .*One of dull, bright\.$/m.test(ran.out), err.source === '^$', what)
    assert.equal(/^listeners\[\]\.greeting .*With protocol: echo\.$/m.test(ran.out), err.source === '^$', what)
    assert.ok(
      ran.out.split('\n').every((line) => !/\S {60}/.test(line)),
      `${what}: a column is too wide`,
    )
  }
})

test('config options as JSON keeps values and defaults whole', async () => {
  const { out } = await cli(plugged, '--json', 'config', 'options')
  const rows = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const mechanisms = rows.find((row) => row.path === 'auth.mechanisms')
  assert.equal(mechanisms.values.length, 7)
  assert.equal(JSON.parse(mechanisms.default).length, 7)
  assert.deepEqual(rows.find((row) => row.path === 'modules.echo.mood').values, ['dull', 'bright'])
})

test('config schema is the published one, and with plugins knows them and nobody else', async () => {
  const published = readFileSync(new URL('../../docs/guide/ratatosk.schema.json', import.meta.url), 'utf8')
  const plain = await cli('hosts: [a.example]\n', 'config', 'schema')
  assert.deepEqual(plain, { exit: 0, out: published, err: '' })
  const { exit, out, err } = await cli(plugged, 'config', 'schema')
  assert.deepEqual([exit, err], [0, ''])
  const schema = JSON.parse(out)
  const faults = (value: Json) => faultsOf(value, schema, schema)
  const plugins = ['./echo.ts']
  const listeners = [{ protocol: 'echo', port: 0, greeting: 'hello' }]
  assert.deepEqual(faults({ plugins, listeners, modules: { echo: { mood: 'dull' } } }), [])
  assert.equal(faults({ plugins, modules: { echo: { mood: 'wild' } } }).length, 1)
  assert.equal(faults({ plugins, modules: { ehco: {} } }).length, 1)
  // One that cannot be loaded may bring anything.
  const missing = await cli('plugins: [./none.ts]\n', 'config', 'schema')
  assert.equal(missing.out, published)
  assert.match(missing.err, /^warning: plugin \.\/none\.ts: .*its options are not listed\n$/)
})
