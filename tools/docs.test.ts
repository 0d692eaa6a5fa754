import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkConfig } from '../src/core/config/index.ts'
import { defaultModules } from '../src/server/modules.ts'
import { chapters } from './docs/configuration.ts'
import { GUIDE, guide, optionRows, SCHEMA, schema } from './docs.ts'
import { exists, text } from './lib/repository.ts'

test('the guide of the configuration is as the sources are', () => {
  const committed = exists(GUIDE) ? text(GUIDE) : ''
  assert.ok(committed === guide(), `${GUIDE} differs from the descriptions of the options: run "npm run docs"`)
})

test('the published JSON Schema is as the sources are', () => {
  const committed = exists(SCHEMA) ? text(SCHEMA) : ''
  assert.ok(committed === schema(), `${SCHEMA} differs from the options: run "npm run docs"`)
})

test('each option is in it: those of the core, of listeners, and of the default modules', () => {
  const page = guide()
  const paths = optionRows().map((row) => row.path)
  assert.ok(paths.includes('modules.offline.messages_max') && paths.includes('limits.stanza_bytes'))
  const told = paths.filter((path) => !path.startsWith('listeners[].limits.'))
  assert.deepEqual(
    told.filter((path) => !page.includes(`\n| \`${path}\` |`)),
    [],
  )
})

test('an option that no chapter has, and a chapter without options, are faults', () => {
  const [row] = optionRows()
  assert.ok(row)
  assert.throws(() => guide([...optionRows(), { ...row, path: 'ropes.length' }]), /no chapter .* ropes\.length/)
  assert.throws(() => guide([row]), /has no option/)
})

test('a row tells range, secret, need and choice', () => {
  const rows = optionRows().map((row) =>
    row.path === 'log.level'
      ? { ...row, values: ['a|b'], required: true }
      : row.path === 'auth.scram_iterations'
        ? { ...row, secret: true }
        : row,
  )
  const page = guide(rows)
  assert.ok(page.includes('| `log.level` | `a\\|b` | (needed) | hot |'))
  assert.ok(page.includes('| `auth.scram_iterations` | int, 4096 to 10000000, secret | `10000` | hot |'))
})

test('every example is a good configuration', () => {
  const modules = new Map(defaultModules.map(({ name, options }) => [name, options ?? {}]))
  let count = 0
  for (const { title, example } of chapters) {
    if (example === undefined) continue
    count++
    const { mistakes } = checkConfig(example, title, { modules, defaultModules: [...modules.keys()] })
    assert.deepEqual(mistakes, [], title)
  }
  assert.ok(count > 10)
})
