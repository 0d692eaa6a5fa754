import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { surfaceOf } from './api/surface.ts'
import { API, changelogLines, explanationOf, pluginSurface, written } from './api.ts'
import { exists, text } from './lib/repository.ts'

const surface = (files: Record<string, string>) => surfaceOf('src/plugin', (path) => files[path])

test('the surface is what the door exports and what that mentions, and nothing beside it', () => {
  const found = surface({
    'src/plugin': `import type { Local } from './core/a.ts';
import * as names from './core/names.ts';
export { make as create, type Options } from './core/a.ts';
export type * from './core/all.ts';
/** Says a word. */
export declare function own<T extends { a: 1 }>(local: Local<T>): names.First;
declare function hidden(): void;
export {};
`,
    'src/core/a': `import type { Deep } from '../xml/deep.ts';
export interface Options {
    /** A comment that may change. */
    readonly deep?: Deep;

    size: number;
}
export interface Local<T> {
    value: T;
}
export declare class Unused {
}
export declare const make: (options: Options) => import('./b.ts').Made;
`,
    'src/core/all': 'export type One = 1;\nexport type { Two } from "./two.ts";\n',
    'src/core/two': 'export type Two = 2;\nexport type Three = 3;\n',
    'src/core/names': 'export type First = 1;\nexport type Second = 2;\n',
    'src/core/b': `export interface Made { own(): void; }
declare module './a.ts' { interface Options { more: Extra } }
interface Extra { }
interface Other { }
`,
    'src/xml/deep': 'type Hidden = string;\nexport type Deep = Hidden | `${Hidden}-${number}`;\ntype Not = 1;\n',
  })
  assert.deepEqual(found.packages, [])
  assert.equal(
    found.text,
    `// src/core/a.ts
export interface Options {
    readonly deep?: Deep;
    size: number;
}
export interface Local<T> {
    value: T;
}
export declare const make: (options: Options) => import('./b.ts').Made;

// src/core/all.ts
export type One = 1;
export type { Two } from "./two.ts";

// src/core/b.ts
export interface Made { own(): void; }
declare module './a.ts' { interface Options { more: Extra } }
interface Extra { }

// src/core/names.ts
export type First = 1;

// src/core/two.ts
export type Two = 2;

// src/plugin.ts
export { make as create, type Options } from './core/a.ts';
export type * from './core/all.ts';
export declare function own<T extends { a: 1 }>(local: Local<T>): names.First;
export {};

// src/xml/deep.ts
type Hidden = string;
export type Deep = Hidden | \`\${Hidden}-\${number}\`;
`,
  )
})

test('a package that shows through is named, however it comes in', () => {
  const found = surface({
    'src/plugin': `import { z } from 'zod';
import type { Unused } from 'commander';
export declare const schema: z.ZodString;
export declare const db: import('kysely').Kysely<unknown>;
export type { Logger } from 'pino';
`,
  })
  assert.deepEqual(found.packages, ['kysely', 'pino', 'zod'])
})

test('lines of the changelog are found by section, folded ones in one', () => {
  const changelog = '# C\n\n## Unreleased\n\n### Added\n\n- One\n  and more.\n- Two\n\n## 1.0.0\n\n- Three\n'
  assert.deepEqual(changelogLines(changelog, 'Unreleased'), ['One and more.', 'Two'])
  assert.deepEqual(changelogLines(changelog), ['One and more.', 'Two', 'Three'])
})

describe('ratatosk/plugin', { skip: exists('src/plugin.ts') ? false : 'src/plugin.ts is not written yet' }, () => {
  test('its surface is written down, and CHANGELOG.md explains it', async () => {
    const found = await pluginSurface()
    assert.deepEqual(found.packages, [], 'a plugin sees our own types only')
    const committed = exists(API) ? text(API) : ''
    const line = explanationOf(committed) ?? ''
    assert.ok(changelogLines(text('CHANGELOG.md')).includes(line), `CHANGELOG.md has no line "${line}"`)
    assert.ok(
      committed === written(found, line),
      `${API} differs: write a line in CHANGELOG.md, then npm run api -- "part of it"`,
    )
  })
})
