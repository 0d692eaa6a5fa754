import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Jid, jid } from '../../jid/index.ts'
import { describeOptions } from './describe.ts'
import { inputOf } from './input.ts'
import { plainReading } from './make.ts'
import { type OptionSchema, type OptionsOf, opt, type Secret } from './opt.ts'
import { asMap, readFields } from './opt-structure.ts'

function read<S extends OptionSchema>(schema: S, value: unknown) {
  const reading = plainReading()
  const input = asMap(inputOf(value))
  assert(input !== undefined)
  const options = readFields(schema, input, reading)
  return { options, mistakes: reading.report.mistakes.map((m) => `${m.path}: ${m.text} (${m.hint})`), reading }
}

/** True only when both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const sure = <_T extends true>() => {}

const schema = {
  timeout: opt.duration({ default: '10 minutes', min: '1 second', description: 'Silence.' }),
  size: opt.bytes({ default: '256 KiB', unlimited: true, description: 'Size.', reload: 'restart' }),
  speed: opt.rate({ default: '3 KB/s', description: 'Rate.' }),
  often: opt.frequency({ default: '50/s', description: 'How often.' }),
  mode: opt.oneOf(['replace', 'refuse'], { default: 'replace', description: 'What to do.' }),
  count: opt.int({ default: 3, min: 1, max: 9, description: 'How many.' }),
  on: opt.bool({ default: true, description: 'Whether.' }),
  owner: opt.optional(opt.jid({ bare: true, description: 'Whose.' })),
  key: opt.optional(opt.secret({ description: 'A key.' })),
  names: opt.list(opt.string({ description: 'A name.' }), { default: [], description: 'Names.' }),
  per: opt.map(opt.int({ description: 'N.' }), { default: {}, description: 'By name.' }),
  group: opt.object({ inner: opt.string({ default: 'x', description: 'In.' }) }, { description: 'A group.' }),
  domain: opt.domain({ default: 'localhost', description: 'Where.' }),
}

type Options = OptionsOf<typeof schema>
sure<Same<Options['timeout'], number>>()
sure<Same<Options['mode'], 'replace' | 'refuse'>>()
sure<Same<Options['owner'], Jid | undefined>>()
sure<Same<Options['key'], Secret | undefined>>()
sure<Same<Options['names'], readonly string[]>>()
sure<Same<Options['per'], ReadonlyMap<string, number>>>()
sure<Same<Options['group'], { readonly inner: string }>>()

test('defaults are given in the unit of the code', () => {
  const { options, mistakes } = read(schema, {})
  assert.deepEqual(mistakes, [])
  assert.equal(options?.timeout, 600_000)
  assert.equal(options?.size, 262_144)
  assert.equal(options?.speed, 3_000)
  assert.equal(options?.often, 50)
  assert.equal(options?.mode, 'replace')
  assert.equal(options?.owner, undefined)
  assert.deepEqual(options?.names, [])
  assert.equal(options?.group.inner, 'x')
  assert(Object.isFrozen(options))
})

test('values are read', () => {
  const { options, mistakes } = read(schema, {
    timeout: '1 hour 30 minutes',
    size: 'unlimited',
    often: '6/minute',
    owner: 'Romeo@Example.ORG',
    key: 'wherefore',
    names: 'alone',
    per: { a: 1, b: 2 },
    domain: 'MÜLLER.example',
  })
  assert.deepEqual(mistakes, [])
  assert.equal(options?.timeout, 5_400_000)
  assert.equal(options?.size, Number.POSITIVE_INFINITY)
  assert.equal(options?.often, 0.1)
  assert(options?.owner?.equals(jid('romeo@example.org')))
  assert.deepEqual(options?.names, ['alone'])
  assert.deepEqual(
    [...(options?.per ?? [])],
    [
      ['a', 1],
      ['b', 2],
    ],
  )
  assert.equal(options?.domain, 'müller.example')
})

test('a secret prints as nothing but [secret]', () => {
  const { options } = read(schema, { key: 'wherefore' })
  assert.equal(options?.key?.reveal(), 'wherefore')
  assert.doesNotMatch(`${options?.key} ${JSON.stringify(options)}`, /wherefore/)
  const wrong = read(schema, { key: ['wherefore'] })
  assert.doesNotMatch(wrong.mistakes.join(), /wherefore/)
  const file = read(schema, { key: { file: '/run/key' } })
  assert.equal(file.reading.secrets[0]?.file, '/run/key')
  file.reading.secrets[0]?.fill('art thou')
  assert.equal(file.options?.key?.reveal(), 'art thou')
})

test('every mistake is reported, each with what to do', () => {
  const { options, mistakes } = read(schema, {
    timout: '1 s',
    timeout: 90,
    size: '3 potatoes',
    mode: 'replcae',
    count: 10,
    on: 'yes',
    owner: 'a@b/c',
    names: [1, true],
    group: { iner: 'y' },
    domain: 'romeo@example.org',
  })
  assert.equal(options, undefined)
  assert.deepEqual(mistakes, [
    "timout: there is no option 'timout' (known: speed, often, key, per)",
    "timeout: 90 has no unit (for example '90 seconds')",
    "size: expected a size such as '256 KiB', found '3 potatoes' ()",
    "mode: 'replcae' is not one of replace, refuse (did you mean 'replace'?)",
    'count: the number 10 is out of range (1 to 9)',
    "on: expected true or false, found 'yes' (write true)",
    "owner: 'a@b/c' has a resource (write a@b)",
    "names[0]: expected a text, found the number 1 (write it in quotes: '1')",
    "names[1]: expected a text, found true (write it in quotes: 'true')",
    "group.iner: there is no option 'iner' in group (did you mean 'inner'?)",
    "domain: 'romeo@example.org' is no domain (the domain of a JID stands after the '@')",
  ])
})

test('what has no default is required', () => {
  const needed = {
    host: opt.domain({ description: 'Where.' }),
    in: opt.object({ n: opt.int({ description: 'N.' }) }, { description: 'G.' }),
  }
  const { mistakes } = read(needed, {})
  assert.deepEqual(mistakes, [
    ": 'host' is missing (it is a domain such as example.org)",
    "in: 'n' is missing (it is a whole number)",
  ])
})

test('a wrong default is a fault of the program', () => {
  assert.throws(() => opt.duration({ default: '10 parsecs', description: 'Kessel run.' }), TypeError)
  assert.throws(() => opt.int({ default: 10, max: 9, description: 'Too much.' }), TypeError)
})

test('a table of the options can be made', () => {
  const rows = describeOptions(schema)
  assert.deepEqual(rows[0], {
    path: 'timeout',
    type: 'duration',
    unit: 'ms',
    default: '10 minutes',
    required: false,
    reload: 'hot',
    secret: false,
    description: 'Silence.',
    range: 'at least 1000',
    values: [],
  })
  assert.equal(rows.find((row) => row.path === 'size')?.reload, 'restart')
  assert.equal(rows.find((row) => row.path === 'key')?.secret, true)
  assert.equal(rows.find((row) => row.path === 'group.inner')?.default, 'x')
})
