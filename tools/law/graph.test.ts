import assert from 'node:assert/strict'
import { test } from 'node:test'
import { node, root } from '../lib/repository.ts'
import { Tree } from './tree.ts'

test('our lexer and the compiler see the same imports', async () => {
  const tree = new Tree(root)
  const told = await node([
    'node_modules/typescript/bin/tsc',
    '-p',
    'tsconfig.json',
    '--explainFiles',
    '--pretty',
    'false',
  ])
  const edges = new Set<string>()
  let target = ''
  for (const line of told.output.split('\n')) {
    if (/^\S+\.ts$/.test(line)) target = line
    const from = /^ {3}Imported via .* from file '([^']+)'$/.exec(line)?.[1]
    if (from && tree.files.includes(from) && tree.files.includes(target)) edges.add(`${from} → ${target}`)
  }
  // One edge is enough to know that the compiler's report was understood: this file's own.
  assert.ok(edges.has('tools/law/graph.test.ts → tools/law/tree.ts'), told.output.slice(0, 2000))
  const ours = new Set(tree.files.flatMap((file) => tree.edges(file).map((to) => `${file} → ${to}`)))
  assert.deepEqual([...ours].sort(), [...edges].sort())
})
