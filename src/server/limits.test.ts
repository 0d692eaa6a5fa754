/**
 * DESIGN.md section 1, sentence 4: everything has a limit, and the limit has a name, a default, a metric and an error. Each
 * limit of the configuration is passed once, in a whole server: the error of `tools/docs/limits.ts` is heard on the wire,
 * and its metric moves then and not before.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Answer, fixedLimits, limits, noLimits } from '../../tools/docs/limits.ts'
import { optionRows } from '../../tools/docs.ts'
import { connectionProofs } from './limits-of-connections.testing.ts'
import { httpProofs } from './limits-of-http.testing.ts'
import { fixedProofs } from './limits-of-our-own.testing.ts'
import { serverProofs } from './limits-of-users.testing.ts'

type Proofs = Readonly<Record<string, (metric: string) => Promise<{ readonly heard: string; readonly moved: number }>>>

const proofs: Proofs = { ...connectionProofs, ...serverProofs }
const ours: Proofs = { ...fixedProofs, ...httpProofs }

/** Kinds of options that a number is given to. */
const numeric: ReadonlySet<string> = new Set(['int', 'number', 'duration', 'bytes', 'rate', 'frequency', 'value rule'])

const rows = optionRows().filter(({ type }) => numeric.has(type))
/** A listener's own limits are those of `limits`. */
const told = rows.filter(({ path }) => !path.startsWith('listeners[].limits.'))

/** What must be on the wire; undefined: nothing. */
function wireOf(answer: Answer): RegExp | undefined {
  if ('stream' in answer) return new RegExp(`<stream:error><${answer.stream} `)
  if ('stanza' in answer) return new RegExp(`<error type='[a-z]+'><${answer.stanza} `)
  if ('sasl' in answer) return new RegExp(`<failure [^>]*><${answer.sasl}/>`)
  if ('http' in answer) return new RegExp(`^HTTP/1\\.1 ${answer.http} `)
  if ('control' in answer) return new RegExp(`"${answer.control}"`)
  return undefined
}

describe('the table of limits', () => {
  it('has every option with a number, or the reason why it is no limit', () => {
    const known = [...Object.keys(limits), ...Object.keys(noLimits)].sort()
    assert.deepEqual(told.map(({ path }) => path).sort(), known)
  })

  it('has for each limit a default that the schema gives', () => {
    const without = told.filter(({ path, default: text, required }) => limits[path] && text === '' && !required)
    assert.deepEqual(without, [])
    const needed = told.filter(({ path, required }) => limits[path] && required).map(({ path }) => path)
    assert.deepEqual(needed, ['shapers.NAME.rate'], 'a shaper is nothing without its rate')
  })

  it("has a listener's own limits among those of the server", () => {
    for (const { path } of rows.filter((row) => row.path.startsWith('listeners[].limits.')))
      assert.ok(path.replace('listeners[].', '') in limits, path)
  })

  it('has a proof for each', () => {
    assert.deepEqual(Object.keys(proofs).sort(), Object.keys(limits).sort())
    assert.deepEqual(Object.keys(ours).sort(), Object.keys(fixedLimits).sort())
  })
})

for (const [title, table, shown] of [
  ['a limit of the configuration, when it is passed', limits, proofs],
  ['a limit that is no option, when it is passed', fixedLimits, ours],
] as const) {
  describe(title, () => {
    for (const [name, { answer, metric }] of Object.entries(table)) {
      it(`${name}: ${metric}`, async () => {
        const { heard, moved } = (await shown[name]?.(metric)) ?? assert.fail(`no proof of ${name}`)
        assert.ok(moved > 0, `${metric} did not move`)
        const wire = wireOf(answer)
        if (wire === undefined) assert.doesNotMatch(heard, /<stream:error>|<failure |<error /)
        else assert.match(heard, wire)
      })
    }
  })
}
