/**
 * The sample plugin against the installed package: what must and what must not compile with its declarations, and its
 * JavaScript as a package in `node_modules` (Node strips no types there).
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'

const packed = process.env['RATATOSK_PACKED_FOLDER'] ?? ''
const checkout = process.env['RATATOSK_CHECKOUT'] ?? ''
const sample = join(import.meta.dirname, 'sample-plugin')
const tsc = join(checkout, 'node_modules/typescript/bin/tsc')

const compilerOptions = {
  target: 'es2024',
  lib: ['es2024', 'esnext.disposable', 'esnext.iterator'],
  module: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  declaration: true,
  types: ['node'],
  typeRoots: [join(checkout, 'node_modules/@types')],
}

function compile(folder: string, name: string, files: readonly string[], options: object): string {
  const config = join(folder, `${name}.json`)
  writeFileSync(config, JSON.stringify({ compilerOptions: { ...compilerOptions, ...options }, files }))
  // The compiler is a development tool: it runs on the Node of the checkout, whatever this test runs on.
  const ran = spawnSync(join(checkout, 'bin/node'), [tsc, '-p', config, '--pretty', 'false'], { encoding: 'utf8' })
  return ran.status === 0 ? '' : ran.stdout + ran.stderr
}

describe('a plugin against the packed declarations', () => {
  const folder = mkdtempSync(join(packed, 'types-'))
  after(() => rmSync(folder, { recursive: true }))

  it('compiles', () => {
    cpSync(join(sample, 'index.ts'), join(folder, 'index.ts'))
    assert.equal(compile(folder, 'good', ['index.ts'], { noEmit: true }), '')
  })

  const frame = (setup: string) => `
import { defineCommand, defineModule, defineStore, field, type Notice, one, opt, refuse, StanzaError, text, x } from 'ratatosk/plugin'
declare module 'ratatosk/plugin' {
  interface Hooks { 'nuts:found': Notice<{ readonly count: number }> }
  interface Services { nuts: { count(): number } }
}
const error = new StanzaError('RTK_NUTS', 'bad-request')
const store = defineStore({ name: 'nuts', migrations: [], operations: { get: one({ host: text }, { local: text }, 'select local from nuts where host = :host') } })
export default defineModule({
  name: 'nuts',
  needs: { nuts: 'soft', roster: 'hard' },
  options: { limit: opt.int({ default: 1, description: 'A limit.' }) },
  async setup(ctx) {
    ${setup}
  },
})
void [defineCommand, field, refuse, error, store, x]
`

  const right = [
    `ctx.on('session:bound', (session) => void session.jid.local)`,
    `ctx.on('stanza:route', (packet) => (packet.kind === 'message' ? refuse(error) : undefined))`,
    `ctx.on('stanza:sent', async () => undefined)`,
    `ctx.on('nuts:found', ({ count }) => void (count + 1)); ctx.tell('nuts:found', { count: 1 })`,
    `const limit: number = ctx.options.limit; void limit`,
    `const maybe: number | undefined = ctx.services.nuts?.count(); void maybe`,
    `const row: { readonly local: string } | undefined = await (await ctx.store(store)).get({ host: 'a' }); void row`,
    `ctx.command(defineCommand({ name: 'nuts count', summary: '', permission: 'nuts:read', args: {}, result: { n: field.int('N', '') }, run: () => ({ n: 1 }) }))`,
    `const slot = ctx.slot('n', () => 0); ctx.on('session:bound', (session) => session.slots.set(slot, 1))`,
  ]

  /** What is wrong with each is in the error that is expected. */
  const wrong: readonly (readonly [what: string, setup: string, error: RegExp])[] = [
    ['a misspelt hook', `ctx.on('session:bond', () => undefined)`, /"?'?session:bond/],
    ['a verdict that is none', `ctx.on('stanza:route', () => 'drop')`, /string.*Verdict|Verdict/s],
    ['a fold that returns nothing', `ctx.on('stream:features', () => undefined)`, /undefined/],
    ['a fold with a wrong value', `ctx.on('stream:features', (features) => [...features, 'acorn'])`, /string/],
    ['a promise from a filter that must not wait', `ctx.on('stanza:route', async () => undefined)`, /Promise/],
    ['a promise from a fold that must not wait', `ctx.on('stream:features', async (features) => features)`, /Promise/],
    ['an event of the wrong type', `ctx.tell('nuts:found', { count: 'one' })`, /string/],
    ['a hook of another kind', `ctx.tell('stream:features', [])`, /stream:features/],
    ['an option of the wrong type', `const limit: string = ctx.options.limit; void limit`, /number/],
    ['an option that was not declared', `void ctx.options.limits`, /limits/],
    ['a service that was not asked for', `void ctx.services.disco`, /disco/],
    ['an unknown service', `void ctx.service('acorn')`, /acorn/],
    ['a service that may be missing', `void ctx.services.nuts.count()`, /undefined/],
    ['a service that is none', `ctx.provide('nuts', { count: () => 'one' })`, /string/],
    ['an iq answer that is none', `ctx.iq.get({ name: 'a', ns: 'b' }, () => 'answer')`, /string/],
    ['a parameter of the wrong type', `await (await ctx.store(store)).get({ host: 1 })`, /number/],
    ['an operation that is none', `await (await ctx.store(store)).got({ host: 'a' })`, /got/],
    ['a parameter that is missing', `await (await ctx.store(store)).get({})`, /host/],
    [
      'a command with the wrong result',
      `ctx.command(defineCommand({ name: 'nuts count', summary: '', permission: 'p', args: {}, result: { n: field.int('N', '') }, run: () => ({ n: 'one' }) }))`,
      /string/,
    ],
    [
      'a slot with the wrong value',
      `const slot = ctx.slot('n', () => 0); ctx.on('session:bound', (s) => s.slots.set(slot, 'a'))`,
      /string/,
    ],
    ['a default that is none', `void opt.int({ default: {}, description: '' })`, /\{\}|default/],
  ]

  it('compiles each door on its own', () => {
    right.forEach((setup, i) => {
      writeFileSync(join(folder, `right${i}.ts`), frame(setup))
    })
    assert.equal(
      compile(
        folder,
        'right',
        right.map((_, i) => `right${i}.ts`),
        { noEmit: true },
      ),
      '',
    )
  })

  it('does not compile what is wrong', () => {
    wrong.forEach(([, setup], i) => {
      writeFileSync(join(folder, `wrong${i}.ts`), frame(setup))
    })
    const report = compile(
      folder,
      'wrong',
      wrong.map((_, i) => `wrong${i}.ts`),
      { noEmit: true },
    )
    const told = report.split(/\n(?=\S*wrong\d+\.ts)/)
    wrong.forEach(([what, , expected], i) => {
      const mine = told.filter((text) => text.includes(`wrong${i}.ts(`))
      assert.notEqual(mine.length, 0, `${what} compiles`)
      assert.ok(
        mine.some((text) => expected.test(text)),
        `${what}: ${mine.join('\n')}`,
      )
    })
  })
})

describe('a plugin as a package', () => {
  const home = join(packed, 'node_modules/ratatosk-plugin-acorns')
  const data = mkdtempSync(join(packed, 'data-'))
  const config = join(data, 'ratatosk.yaml')

  before(() => {
    mkdirSync(home, { recursive: true })
    cpSync(join(sample, 'package.json'), join(home, 'package.json'))
    const built = mkdtempSync(join(packed, 'build-'))
    cpSync(join(sample, 'index.ts'), join(built, 'index.ts'))
    assert.equal(compile(built, 'build', ['index.ts'], { outDir: home, rootDir: built }), '')
    rmSync(built, { recursive: true })
  })
  after(() => {
    rmSync(home, { recursive: true })
    rmSync(data, { recursive: true })
  })

  const run = (...args: readonly string[]) => {
    const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` }
    return spawnSync(process.env['RATATOSK_COMMAND'] ?? '', args, { env, cwd: data, encoding: 'utf8' })
  }

  it('is JavaScript with declarations', () => {
    assert.match(readFileSync(join(home, 'index.js'), 'utf8'), /from 'ratatosk\/plugin'/)
    assert.match(readFileSync(join(home, 'index.d.ts'), 'utf8'), /declare module 'ratatosk\/plugin'/)
  })

  it('is named in the configuration, whose mistakes are told by line', () => {
    writeFileSync(config, 'plugins: [ratatosk-plugin-acorns]\nmodules:\n  acorns:\n    acorns_max: none\n')
    const bad = run('config', 'check', '--config', config)
    assert.notEqual(bad.status, 0)
    assert.match(bad.stdout + bad.stderr, /ratatosk\.yaml:4:\d+: /)
    writeFileSync(config, 'plugins: [ratatosk-plugin-acorns]\nmodules:\n  acorns:\n    acorns_max: 7\n')
    const good = run('config', 'check', '--config', config)
    assert.equal(good.status, 0, good.stdout + good.stderr)
  })

  it('runs in a server embedded in another program, with a client', async () => {
    const { startTestServer } = await import('ratatosk/test')
    const NS = 'urn:example:acorns'
    await using server = await startTestServer({
      accounts: { 'juliet@localhost': 'a' },
      config: { plugins: [`${home}/index.js`] },
    })
    const juliet = await server.connect('juliet@localhost')
    const answer = await juliet.request(`<iq type='set' to='localhost'><acorn xmlns='${NS}' place='root'/></iq>`)
    assert.equal(answer.attr('type'), 'result')
    const count = await juliet.request(`<iq type='get' to='localhost'><acorns xmlns='${NS}'/></iq>`)
    assert.equal(count.child('acorns', NS)?.attr('count'), '1')
  })
})

describe('the guide', () => {
  const folder = mkdtempSync(join(packed, 'guide-'))
  after(() => rmSync(folder, { recursive: true }))
  const guide = readFileSync(join(checkout, 'docs/guide/write-a-plugin.md'), 'utf8')
  const blocks = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '')

  it('has code that compiles', () => {
    assert.ok(blocks.length >= 6, `${blocks.length} blocks`)
    const files = blocks.map((_, i) => `block${i}.ts`)
    blocks.forEach((block, i) => {
      writeFileSync(join(folder, `block${i}.ts`), block)
    })
    assert.equal(compile(folder, 'guide', files, { noEmit: true, declaration: false }), '')
  })

  it('has a first example that works, configured as it says', async () => {
    const { startTestServer } = await import('ratatosk/test')
    const [yaml] = [...guide.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '')
    const greeting = /greeting: (.+)/.exec(yaml ?? '')?.[1] ?? ''
    await using server = await startTestServer({
      accounts: { 'juliet@localhost': 'a' },
      config: { plugins: [join(folder, 'block0.ts')], modules: { greeter: { greeting } } },
    })
    const juliet = await server.connect('juliet@localhost')
    const ask = (attrs: string) =>
      juliet.request(`<iq type='get' to='localhost'><greet xmlns='urn:example:greeter' ${attrs}/></iq>`)
    assert.equal((await ask("name='Jul'")).child('greeting', 'urn:example:greeter')?.text, 'Good evening, Jul')
    assert.equal((await ask('')).attr('type'), 'error')
  })

  it('has a protocol that is spoken', async () => {
    const { startTestServer } = await import('ratatosk/test')
    const block = blocks.findIndex((code) => code.includes("name: 'lookout'"))
    const listeners = [
      { protocol: 'c2s', address: '127.0.0.1', port: 0 },
      { protocol: 'lookout', address: '127.0.0.1', port: 0, greeting: 'hello, who?' },
    ]
    await using server = await startTestServer({
      accounts: { 'juliet@localhost': 'a' },
      config: { plugins: [join(folder, `block${block}.ts`)], listeners },
    })
    await server.connect('juliet@localhost')
    const place = server.server.listening.find(({ protocol }) => protocol === 'lookout')?.place
    assert.ok(place?.kind === 'tcp')
    const socket = connect(place.port, '127.0.0.1')
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
    const next = async () => (await lines.next()).value
    assert.equal(await next(), 'hello, who?')
    socket.write('juliet@loc')
    socket.write('alhost\nromeo@localhost\n@@\n')
    assert.deepEqual([await next(), await next(), await next()], ['online', 'offline', 'offline'])
    socket.write('x'.repeat(2_000))
    assert.equal((await lines.next()).done, true)
  })

  it('has code in all its blocks that the server loads', async () => {
    const { createServer } = await import('ratatosk')
    const plugins = blocks.flatMap((block, i) =>
      block.includes('ratatosk/test') ? [] : [join(folder, `block${i}.ts`)],
    )
    const server = await createServer({ config: { plugins, store: { engine: 'memory' }, listeners: [] } })
    for (const name of ['greeter', 'tea', 'visits', 'weather', 'forecast', 'bell', 'lookout']) {
      assert.ok(server.modulesOf('default')?.names.includes(name), name)
    }
    await server.close()
  })
})
