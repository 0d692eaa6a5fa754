/** YAML is read in steps, so that a running server serves meanwhile; what comes of it is what the library says. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { parseDocument } from 'yaml'
import { parseYaml, parseYamlInTurns } from './yaml.ts'

const many = (hosts: number) =>
  `hosts:\n${Array.from({ length: hosts }, (_, n) => `  host${n}.example: default\n`).join('')}`

it('is the same with pauses as without, and has some for every thousand lines', async () => {
  let pauses = 0
  const pause = () => {
    pauses++
    return Promise.resolve()
  }
  for (const text of [many(3_000), `${many(2_000)}more: [`, `${many(2_000)}hosts: {}\n`]) {
    pauses = 0
    assert.deepEqual(await parseYamlInTurns(text, 'f', pause), parseYaml(text, 'f'))
    assert.ok(pauses >= 5, `${pauses} pauses`)
  }
  pauses = 0
  await parseYamlInTurns(many(10), 'f', pause)
  assert.equal(pauses, 0)
})

it('has the mistakes and the values that the library has', () => {
  const piece = fc.constantFrom(
    ...[
      'a',
      'b: ',
      '- ',
      '\n',
      '\n  ',
      '\n    ',
      '[',
      ']',
      '{',
      '}',
      ', ',
      '"',
      "'",
      '&x ',
      '*x',
      '# c',
      '---\n',
      '|',
      '>',
      '\t',
      '? ',
      '1',
      'é',
      '%Y 1\n',
    ],
  )
  const options = { prettyErrors: false, uniqueKeys: false, logLevel: 'silent' } as const
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join('')
      const expected = parseDocument(text, options)
      const { report, brokenFrom } = parseYaml(text, 'f')
      const syntax = report.mistakes.filter(
        ({ code, severity }) => code === 'RTK_CONFIG_SYNTAX' && severity === 'error',
      )
      const told = expected.errors.map(({ message }) => `YAML: ${message.replace(/\.?\s*$/, '')}`)
      assert.deepEqual(syntax.map((mistake) => mistake.text).slice(0, told.length), told)
      assert.equal(brokenFrom === Number.POSITIVE_INFINITY, told.length === 0)
    }),
    { numRuns: 2_000 },
  )
})
