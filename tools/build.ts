/**
 * `npm run build`: the published package in `dist/`: JavaScript with declarations in the layout of `src/`, what is not
 * TypeScript copied beside it, the launchers, and a manifest without anything that only a checkout needs.
 */
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SCHEMA } from './docs/configuration.ts'
import { tokens } from './lib/lexer.ts'
import { exists, files, node, root, say, text } from './lib/repository.ts'

/** Node has no type stripping under `node_modules`; the oldest version with all that the sources use. */
const ENGINE = '>=24'

type Manifest = {
  name: string
  version: string
  description: string
  license: string
  exports: Record<string, string>
  dependencies: Record<string, string>
}

/** The manifest of the published package. A door of the checkout whose file does not exist (yet) is left out aloud. */
export function publishedManifest(manifest: Manifest, has: (path: string) => boolean): object {
  const doors: Record<string, { types: string; default: string }> = {}
  for (const [door, source] of Object.entries(manifest.exports)) {
    if (!has(source)) {
      say(`NOTE: no ${source}, so the package has no door "${door}"`)
      continue
    }
    const path = source.replace(/^\.\/src\//, './').replace(/\.ts$/, '')
    doors[door] = { types: `${path}.d.ts`, default: `${path}.js` }
  }
  return {
    name: manifest.name,
    version: manifest.version,
    description: manifest.description,
    license: manifest.license,
    type: 'module',
    exports: { ...doors, './package.json': './package.json', './ratatosk.schema.json': './ratatosk.schema.json' },
    bin: { ratatosk: './bin/ratatosk' },
    engines: { node: ENGINE },
    dependencies: manifest.dependencies,
  }
}

/** A declaration file with `./x.js` where the compiler left `./x.ts`, as it rewrites only JavaScript. */
export function publishedDeclarations(source: string): string {
  let out = ''
  let at = 0
  for (const token of tokens(source)) {
    if (token.kind !== 'string' || !/^\.{1,2}\/.*\.ts$/.test(token.text)) continue
    out += `${source.slice(at, token.start)}'${token.text.slice(0, -'.ts'.length)}.js'`
    at = token.end
  }
  return out + source.slice(at)
}

/** Builds into `dist/`; throws with the compiler's report when it fails. */
export async function build(): Promise<string> {
  const dist = join(root, 'dist')
  rmSync(dist, { recursive: true, force: true })
  const compiled = await node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--pretty', 'false'])
  if (compiled.code !== 0) throw new Error(`tsc failed:\n${compiled.output}`)
  for (const path of files('**/*.d.ts', dist)) {
    const file = join(dist, path)
    writeFileSync(file, publishedDeclarations(readFileSync(file, 'utf8')))
  }
  for (const path of files('src/**/*').filter((path) => /\.[a-z\d]+$/i.test(path) && !path.endsWith('.ts'))) {
    if (!path.includes('/fixtures/')) cpSync(join(root, path), join(dist, path.slice('src/'.length)))
  }
  for (const path of ['bin/node', 'bin/ratatosk']) {
    cpSync(join(root, path), join(dist, path))
    chmodSync(join(dist, path), 0o755)
  }
  for (const path of ['README.md', 'LICENSE', 'CHANGELOG.md']) {
    if (existsSync(join(root, path))) cpSync(join(root, path), join(dist, path))
  }
  cpSync(join(root, SCHEMA), join(dist, 'ratatosk.schema.json'))
  const manifest = publishedManifest(JSON.parse(text('package.json')) as Manifest, exists)
  writeFileSync(join(dist, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return dist
}

if (import.meta.main) {
  await build()
  say('built dist/')
}
