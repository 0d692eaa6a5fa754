import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishedDeclarations, publishedManifest } from './build.ts'

test('declarations name JavaScript files, and only relative TypeScript files are renamed', () => {
  const source = `import type { A } from './a.ts';
export type * from "../b/c.ts";
declare module './d.ts' { interface E { f: import('./g.ts').G } }
// './h.ts'
export declare const i: 'j.ts';`
  assert.equal(
    publishedDeclarations(source),
    `import type { A } from './a.js';
export type * from '../b/c.js';
declare module './d.js' { interface E { f: import('./g.js').G } }
// './h.ts'
export declare const i: 'j.ts';`,
  )
})

test('the published manifest has doors to JavaScript, an engine, and nothing of the checkout', () => {
  const manifest = {
    name: 'ratatosk',
    version: '1.2.3',
    description: 'd',
    license: 'Apache-2.0',
    private: true,
    scripts: { test: 't' },
    devDependencies: { typescript: '7' },
    exports: { '.': './src/index.ts', './xml': './src/xml/index.ts' },
    dependencies: { yaml: '2.9.1' },
  }
  assert.deepEqual(
    publishedManifest(manifest, () => true),
    {
      name: 'ratatosk',
      version: '1.2.3',
      description: 'd',
      license: 'Apache-2.0',
      type: 'module',
      exports: {
        '.': { types: './index.d.ts', default: './index.js' },
        './xml': { types: './xml/index.d.ts', default: './xml/index.js' },
        './package.json': './package.json',
        './ratatosk.schema.json': './ratatosk.schema.json',
      },
      bin: { ratatosk: './bin/ratatosk' },
      engines: { node: '>=24' },
      dependencies: { yaml: '2.9.1' },
    },
  )
})
