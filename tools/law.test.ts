import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { circles } from './law/circles.ts'
import { Tree } from './law/tree.ts'
import { judge, MAX_LINES, readExceptions, tierOf, weigh } from './law.ts'
import { root } from './lib/repository.ts'

const MANIFEST = { dependencies: { yaml: '1', zod: '1' }, devDependencies: { saxes: '1' } }
const DOCUMENT = '| `yaml` | parses |\n| `saxes` | checks |\n'

/** The faults of a made-up tree, as `file:line rule`. */
function faultsOf(sources: Record<string, string>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'ratatosk-law-'))
  try {
    const all = { 'package.json': JSON.stringify(MANIFEST), 'docs/dependencies.md': DOCUMENT, ...sources }
    for (const [path, source] of Object.entries(all)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), source)
    }
    return judge(new Tree(folder)).map((fault) => `${fault.file}:${fault.line} ${fault.rule}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('RCV-05: the tree keeps the law', () => {
  const exceptions = readExceptions()
  const { open, stale } = weigh(judge(new Tree(root)), exceptions)
  assert.deepEqual(
    open.map((fault) => `${fault.file}:${fault.line} ${fault.rule}: ${fault.text}`),
    [],
  )
  assert.deepEqual(stale, [], 'the list of exceptions only shrinks: take these out')
  assert.deepEqual(
    exceptions.filter((entry) => !entry.why),
    [],
    'an exception says why',
  )
})

test('an exception covers its file and rule only, and is stale when it covers nothing', () => {
  const fault = (file: string, rule: string) => ({ file, line: 1, rule, text: 'x' })
  const faults = [fault('src/a.ts', 'state'), fault('src/a.ts', 'tier'), fault('src/b.ts', 'state')]
  const exceptions = [
    { file: 'src/a.ts', rule: 'state', why: 'a cache' },
    { file: 'src/c.ts', rule: 'state', why: 'gone' },
  ]
  assert.deepEqual(weigh(faults, exceptions), {
    open: faults.slice(1),
    allowed: [{ fault: faults[0], why: 'a cache' }],
    stale: exceptions.slice(1),
  })
})

test('the command ends with 0 on a tree that keeps the law but for its exceptions', () => {
  const run = spawnSync(process.execPath, ['tools/law.ts'], { cwd: root, encoding: 'utf8' })
  const told = run.stdout.trim().split('\n')
  assert.deepEqual(
    told.filter((line) => !/^\S+:\d+ \w+: allowed, /.test(line)),
    [],
  )
  assert.equal(run.status, 0, run.stderr)
})

test('every folder has its tier, and no tier is above the tests', () => {
  assert.equal(tierOf('src/xml/scan.ts'), 0)
  assert.equal(tierOf('src/rooms/core/room.ts'), 2)
  assert.equal(tierOf('src/rooms/links/link.ts'), 3)
  assert.equal(tierOf('src/nowhere/a.ts'), undefined)
  assert.deepEqual(faultsOf({ 'src/nowhere/a.ts': '' }), ['src/nowhere/a.ts:1 tier'])
})

test('a file imports its own tier or lower, type-only imports included', () => {
  const faults = faultsOf({
    'src/xml/a.ts': "import type { B } from '../core/b.ts'\nimport '../jid/c.ts'",
    'src/core/b.ts': "export * from '../store/d.ts'\nexport type { E } from '../modules/e/e.ts'",
    'src/jid/c.ts': '',
    'src/store/d.ts': "const f = await import('../cli/f.ts')",
    'src/modules/e/e.ts': "import '../../listeners/g.ts'\nimport '../../index.ts'",
    'src/listeners/g.ts': "import { h } from '../sim/h.ts'",
    'src/cli/f.ts': "import '../index.ts'",
    'src/index.ts': "import './test.ts'",
    'src/sim/h.ts': '',
    'src/test.ts': "import './sim/h.ts'",
  })
  assert.deepEqual(
    faults.filter((fault) => fault.endsWith(' tier')),
    [
      'src/core/b.ts:2 tier',
      'src/index.ts:1 tier',
      'src/listeners/g.ts:1 tier',
      'src/modules/e/e.ts:2 tier',
      'src/store/d.ts:1 tier',
      'src/xml/a.ts:1 tier',
    ],
  )
})

test('circles are faults, told once each', () => {
  const faults = faultsOf({
    'src/core/a.ts': "import type { B } from './b.ts'",
    'src/core/b.ts': "import './c.ts'",
    'src/core/c.ts': "export * from './a.ts'\nimport './d.ts'",
    'src/core/d.ts': '',
  })
  assert.deepEqual(faults, ['src/core/a.ts:1 circle'])
  assert.deepEqual(
    circles(
      new Map([
        ['a', ['b', 'a']],
        ['b', ['c']],
        ['c', ['b']],
      ]),
    ),
    [
      ['b', 'c', 'b'],
      ['a', 'a'],
    ],
  )
})

test('modules never import each other, nor the list of them', () => {
  const faults = faultsOf({
    'src/modules/ping/ping.ts': "import '../time/time.ts'\nimport './codec.ts'\nimport '../defaults.ts'",
    'src/modules/ping/codec.ts': '',
    'src/modules/time/time.ts': '',
    'src/modules/defaults.ts': "import './time/time.ts'",
  })
  assert.deepEqual(faults, ['src/modules/ping/ping.ts:1 module', 'src/modules/ping/ping.ts:3 module'])
})

test('RCV-05: the receiver reaches no session, router or module by any path', () => {
  const faults = faultsOf({
    'src/stream/machine.ts': "import '../stanza/reply.ts'",
    'src/stanza/reply.ts': "import '../core/router.ts'",
    'src/core/router.ts': '',
  })
  assert.deepEqual(faults, ['src/stanza/reply.ts:1 tier', 'src/stream/machine.ts:1 reach'])
})

test('only world/, the store engines and cli/ import node:*', () => {
  const code = "import { readFileSync } from 'node:fs'"
  const faults = faultsOf({
    'src/world/disk.ts': code,
    'src/store/engine/worker.ts': code,
    'src/store/sqlite.ts': code,
    'src/store/postgres/pool.ts': code,
    'src/cli/main.ts': code,
    'src/store/accounts.ts': code,
    'src/core/config.ts': code,
    'src/core/config.test.ts': code,
  })
  assert.deepEqual(faults, ['src/core/config.ts:1 node', 'src/store/accounts.ts:1 node'])
})

test('timers, clocks and dice are the world’s; printing is the command’s', () => {
  const code = [
    'setTimeout(f, 1)',
    'globalThis.setInterval(f, 1)',
    'const wait = setImmediate',
    'Date.now()',
    'new Date()',
    'Math.random()',
    'performance.now()',
    'crypto.randomUUID()',
    'process.exit(1)',
    "console.log('a')",
  ].join('\n')
  const rules = ['timer', 'timer', 'timer', 'clock', 'clock', 'clock', 'clock', 'clock', 'process', 'print']
  assert.deepEqual(
    faultsOf({ 'src/core/a.ts': code }),
    rules.map((rule, i) => `src/core/a.ts:${i + 1} ${rule}`),
  )
  assert.deepEqual(faultsOf({ 'src/world/a.ts': code }), ['src/world/a.ts:10 print'])
  assert.deepEqual(
    faultsOf({ 'src/cli/a.ts': code }),
    rules.slice(0, 8).map((rule, i) => `src/cli/a.ts:${i + 1} ${rule}`),
  )
  const innocent = [
    'clock.setTimeout(f, 1)',
    'new Date(0)',
    'interface A { setTimeout: 1; process: 2 }',
    "// setTimeout(f)\nconst a = 'Date.now()'",
    'session.process.start()',
  ].join('\n')
  assert.deepEqual(faultsOf({ 'src/core/a.ts': innocent }), [])
})

test('nothing is kept at the top level of a file', () => {
  const faults = faultsOf({
    'src/core/a.ts': [
      'let count = 0',
      'export const known = new Map<string, number>()',
      'const list: string[] = []',
      'const made: Set<string> = new Set()',
      'var old',
      'export let other: Map<string, () => void>',
    ].join('\n'),
    'src/core/b.ts': [
      "const names: ReadonlySet<string> = new Set(['a'])",
      'const none: readonly string[] = []',
      'const table: Readonly<Record<string, number>> = {}',
      'class A { readonly #inner = new Map(); run() { let here = 1; const found = new Map(); return [here, found] } }',
      'for (const one of []) { let two = one }',
      'export const limits = Object.freeze({ a: 1 }) as const',
      'export function f<const T>(t: T) { let again = t; return again }',
    ].join('\n'),
    'src/core/a.test.ts': 'let seen = 0',
  })
  assert.deepEqual(
    faults,
    [1, 2, 3, 4, 5, 6].map((line) => `src/core/a.ts:${line} state`),
  )
})

test('a worker’s file is named through the one helper', () => {
  const code = "new URL('./worker.ts', import.meta.url)"
  assert.deepEqual(faultsOf({ 'src/store/engine/a.ts': code }), ['src/store/engine/a.ts:1 worker'])
})

test('tests do not sleep', () => {
  const faults = faultsOf({
    'src/xml/a.test.ts': 'await new Promise((resolve) => setTimeout(resolve, 10))',
    'plays/b.test.ts': "import { setTimeout } from 'node:timers/promises'",
    'src/xml/c.test.ts': "clock.setTimeout(1)\nmock.timers.enable({ apis: ['setTimeout'] })",
  })
  assert.deepEqual(faults, ['plays/b.test.ts:1 sleep', 'src/xml/a.test.ts:1 sleep'])
})

test('files end somewhere', () => {
  const long = '\n'.repeat(MAX_LINES + 1)
  const faults = faultsOf({
    'src/xml/a.ts': long,
    'src/xml/b.ts': '\n'.repeat(MAX_LINES),
    'src/xml/c.test.ts': long,
    'src/xml/c.testing.ts': long,
    'src/xml/d.generated.ts': long,
    'bench/e.ts': long,
  })
  assert.deepEqual(faults, [`src/xml/a.ts:${MAX_LINES + 1} length`])
})

test('third-party code is what package.json and docs/dependencies.md name', () => {
  const faults = faultsOf({
    'src/core/a.ts': "import 'yaml'\nimport 'zod'\nimport 'saxes'\nimport 'left-pad/sub'",
    'src/xml/b.ts': "import 'yaml'",
    'src/world/load.ts': 'await import(name)',
    'src/core/c.test.ts': "import 'saxes'\nimport 'left-pad'",
    'src/core/d.ts':
      "import 'ratatosk'\nawait import(name)\nimport './absent.ts'\nimport './c.test.ts'\nimport '../../plays/e.ts'",
    'plays/e.ts': "import 'ratatosk/plugin'",
  })
  assert.deepEqual(faults, [
    'src/core/a.ts:2 dependency',
    'src/core/a.ts:3 dependency',
    'src/core/a.ts:4 dependency',
    'src/core/d.ts:1 dependency',
    'src/core/d.ts:2 computed',
    'src/core/d.ts:3 missing',
    'src/core/d.ts:4 test',
    'src/core/d.ts:5 outside',
    'src/xml/b.ts:1 dependency',
    'src/core/c.test.ts:2 dependency',
  ])
})

test('every dependency has its line in docs/dependencies.md, and no line is without one', () => {
  const tree = new Tree(root)
  const named = [...tree.dependencies, ...tree.devDependencies].sort()
  assert.deepEqual([...tree.documented].sort(), named)
})
