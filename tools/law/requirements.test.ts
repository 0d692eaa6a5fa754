/** What docs/requirements.md calls done has a test that says so by its id, and no file names an id that is not there. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  doneRows,
  namingSources,
  proofSources,
  proofs,
  REQUIREMENTS,
  requirementFaults,
  requirementsPage,
  rowsOf,
} from '../docs/requirements.ts'
import { text } from '../lib/repository.ts'

const page = text(REQUIREMENTS)

test('each requirement that is done is named by a test, play or benchmark, and each id that is named has a row', () => {
  assert.ok(rowsOf(page).length > 70 && doneRows(page).length > 40, `${rowsOf(page).length}, ${doneRows(page).length}`)
  assert.deepEqual(requirementFaults(page, proofSources(), namingSources()), [])
})

test('the files beside them are those that name them', () => {
  assert.ok(requirementsPage(page, proofSources()) === page, `${REQUIREMENTS} is not up to date: run "npm run docs"`)
})

/** Ids of rows that are none, written so that this file names none. */
const id = (number: string) => `LST-${number}`

function small(...done: readonly string[]): string {
  const rows = ['01', '02'].map((number) => `| ${id(number)} | something | wire |`)
  return [
    '| ID | Requirement | Test |',
    ...rows,
    '',
    '### What is done, and where it is proven',
    '| ID | Done | Proof |',
    ...done,
    '',
  ].join('\n')
}

test('a row without a proof, one that is not there and one that says nothing are faults', () => {
  const none = new Map<string, string>()
  const faults = (...done: readonly string[]) => requirementFaults(small(...done), none, none)
  assert.deepEqual(faults(), [])
  assert.deepEqual(faults(`| ${id('01')} | yes |  |`), [`${id('01')} is done, and no test, play or benchmark names it`])
  assert.deepEqual(faults(`| ${id('02')} | almost |  |`), [`${id('02')} is neither "yes" nor "in part"`])
  assert.match(faults(`| ${id('77')} | in part, one half |  |`)[0] ?? '', /is done and has no row/)
  const naming = new Map([['src/a.ts', `/** Does ${id('02')} and ${id('78')}. */`]])
  assert.deepEqual(requirementFaults(small(), none, naming), [`src/a.ts names ${id('78')}: no row`])
})

test('a title proves, a comment does not; of a benchmark its first comment does', () => {
  const call = (open: string, rest: string) => `${open}${id('01')}: x${rest}`
  const proves = (file: string, source: string) =>
    proofs(small(), new Map([[file, source]]))
      .get(id('01'))
      ?.join() === file
  for (const open of ["it('", "test(\n  '", 'describe(`${a} ', "play('", "title: '"]) {
    assert.equal(proves('src/a.test.ts', call(open, "'`")), true, open)
  }
  assert.equal(proves('src/a.test.ts', `// ${id('01')}\nit('x')`), false)
  assert.equal(proves('src/a.test.ts', `it('x', () => { assert.ok(y, '${id('01')}') })`), false)
  assert.equal(proves('bench/inner/a.ts', `/**\n * ${id('01')}: x\n */`), true)
  assert.equal(proves('bench/inner/a.ts', `const x = '${id('01')}'`), false)
})

test('the files are written beside the rows, and nothing else of the page changes', () => {
  const sources = new Map([
    ['src/core/a.test.ts', `it('${id('01')}: x', () => {})`],
    ['plays/b.play.ts', `play('${id('01')}: x', {})`],
  ])
  const before = small(`| ${id('01')} | in part, x | old |`)
  const cell = '[core/a](../src/core/a.test.ts), [plays/b](../plays/b.play.ts)'
  assert.equal(requirementsPage(before, sources), before.replace('old', cell))
})
