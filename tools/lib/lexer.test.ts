import assert from 'node:assert/strict'
import { test } from 'node:test'
import { importsOf, tokens } from './lexer.ts'

const specifiers = (source: string) => importsOf(tokens(source)).map((found) => found.specifier)

test('every form of import is found', () => {
  const source = `
    import './a.ts'
    import b from './b.ts'
    import * as c from "./c.ts"
    import type { D } from './d.ts'
    import { type E, from, default as type } from './e.ts'
    import f, { g } from './f.ts'
    import type G from './g.ts'
    export * from './h.ts'
    export * as i from './i.ts'
    export { j as from } from './j.ts'
    export type { K } from './k.ts'
    const l = await import('./l.ts')
    let m: import('./m.ts').M
    import n from './n.json' with { type: 'json' }
    import { 'odd name' as o } from './o.ts'
    import type from './p.ts'
  `
  assert.deepEqual(
    specifiers(source),
    'abcdefghijklm'
      .split('')
      .map((letter) => `./${letter}.ts`)
      .concat('./n.json', './o.ts', './p.ts'),
  )
  const typeOnly = importsOf(tokens(source)).filter((found) => found.typeOnly)
  assert.deepEqual(
    typeOnly.map((found) => found.specifier),
    ['./d.ts', './g.ts', './k.ts'],
  )
  assert.equal(importsOf(tokens(source))[1]?.line, 3)
})

test('nothing that only looks like an import is found', () => {
  const source = [
    "// import './a.ts'",
    "/* import './a.ts' */",
    `const a = "import './a.ts'"`,
    "const b = `import './a.ts' ${`import('./b.ts')`} import './c.ts'`",
    "const c = /import '.\\/a.ts[/'\"]/g.test(x) / 2",
    'const d = (1 + 2) / 3 / 4',
    "export const from = './a.ts'",
    "export default './a.ts'",
    "declare module './a.ts' { interface A { b: 1 } }",
    'const e = import.meta.url',
    "thing.import('./a.ts')",
    "export function f() { return from('./a.ts') }",
    "export { a }\nconst g = Array.from('./a.ts')",
  ].join('\n')
  assert.deepEqual(specifiers(source), [])
})

test('an import inside a template expression is found, and the text after it is text again', () => {
  const source = "`a ${ await import('./a.ts') } b ${ { c: `${1}` } } import('./b.ts')`; import './c.ts'"
  assert.deepEqual(specifiers(source), ['./a.ts', './c.ts'])
})

test('a dynamic import of something computed is found without a specifier', () => {
  assert.deepEqual(specifiers('await import(name)'), [''])
  assert.deepEqual(specifiers("await import('./a' + name)"), [''])
})

test('lines are counted through comments, strings and templates', () => {
  const found = tokens('/* 1\n2 */ a `\n\n` b\nc')
  assert.deepEqual(
    found.filter((token) => token.kind === 'name').map((token) => [token.text, token.line]),
    [
      ['a', 2],
      ['b', 4],
      ['c', 5],
    ],
  )
})
