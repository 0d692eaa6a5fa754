/**
 * `npm run api [-- "part of a line of CHANGELOG.md"]`: writes `api/plugin.d.ts`, the whole surface that a plugin sees. A
 * difference must be explained by a line under *Unreleased*; `npm test` compares the file with the sources.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Surface, surfaceOf } from './api/surface.ts'
import { exists, node, root, say, text } from './lib/repository.ts'

export const API = 'api/plugin.d.ts'
const DOOR = 'src/plugin'

/** The surface of `ratatosk/plugin` as the sources have it. Throws when the compiler writes no declarations. */
export async function pluginSurface(): Promise<Surface> {
  mkdirSync(join(root, '.cache'), { recursive: true })
  const folder = mkdtempSync(join(root, '.cache/api-'))
  try {
    const tsc = [
      'node_modules/typescript/bin/tsc',
      '-p',
      'tsconfig.build.json',
      '--emitDeclarationOnly',
      '--outDir',
      folder,
    ]
    const ran = await node([...tsc, '--pretty', 'false'])
    const read = (path: string) => {
      const file = join(folder, `${path.replace(/^src\//, '')}.d.ts`)
      return existsSync(file) ? readFileSync(file, 'utf8') : undefined
    }
    if (read(DOOR) === undefined) throw new Error(`tsc wrote no declarations:\n${ran.output}`)
    return surfaceOf(DOOR, read)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The file: its head names the line of CHANGELOG.md that explains the latest difference. */
export function written(surface: Surface, line: string): string {
  return `// What ratatosk/plugin shows, written by "npm run api": not compiled, only compared.\n// CHANGELOG.md: ${line}\n\n${surface.text}`
}

export function explanationOf(file: string): string | undefined {
  return /^\/\/ CHANGELOG\.md: (.+)$/m.exec(file)?.[1]
}

/** The entries of CHANGELOG.md, each on one line; with `section` only those below `## section`. */
export function changelogLines(changelog: string, section?: string): string[] {
  const parts = changelog.split(/^## /m).slice(1)
  const chosen = section === undefined ? parts : parts.filter((part) => part.startsWith(section))
  return chosen.flatMap((part) =>
    [...part.matchAll(/^- ((?:.|\n {2})+)/gm)].map((match) => (match[1] as string).replace(/\s+/g, ' ')),
  )
}

async function main(wanted: string | undefined): Promise<number> {
  if (!exists(`${DOOR}.ts`)) {
    say(`NOTE: there is no ${DOOR}.ts, so there is no plugin API to write down`)
    return 1
  }
  const surface = await pluginSurface()
  const before = exists(API) ? text(API) : ''
  const known = explanationOf(before)
  if (known !== undefined && before === written(surface, known)) {
    say(`${API} is as the sources are`)
    return 0
  }
  const lines = changelogLines(text('CHANGELOG.md'), 'Unreleased')
  const line = lines.find((entry) => entry.includes(wanted ?? known ?? 'plugin API'))
  if (!line) {
    say(`The plugin API differs. Write a line under "Unreleased" in CHANGELOG.md, then: npm run api -- "part of it"`)
    return 1
  }
  mkdirSync(join(root, 'api'), { recursive: true })
  writeFileSync(join(root, API), written(surface, line))
  say(`wrote ${API}, explained by: ${line}`)
  return 0
}

if (import.meta.main) process.exitCode = await main(process.argv[2])
