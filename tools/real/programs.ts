/**
 * The foreign programs that `*.real.ts` tests run against, where they are found and which Debian package has them.
 * A test file names what it needs in a comment of its own: `// needs: prosody slixmpp`.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

type Known = {
  /** Debian packages that bring it. */
  readonly packages: readonly string[]
  /** Names of the program, the first found counts; without it the name itself. */
  readonly programs?: readonly string[]
  /** A module that the interpreter must be able to import. */
  readonly python?: string
}

export const PROGRAMS: Readonly<Record<string, Known>> = {
  ejabberd: { packages: ['ejabberd'], programs: ['ejabberdctl'] },
  git: { packages: ['git'] },
  'go-sendxmpp': { packages: ['go-sendxmpp'] },
  npm: { packages: ['npm'] },
  openssl: { packages: ['openssl'] },
  postgresql: { packages: ['postgresql'], programs: ['postgres', 'initdb'] },
  profanity: { packages: ['profanity'] },
  prosody: { packages: ['prosody'] },
  slixmpp: { packages: ['python3-slixmpp'], python: 'slixmpp' },
}

/** Debian keeps these out of the PATH of ordinary users. */
const ALSO = [
  ...['/usr/sbin', '/sbin', '/usr/bin'],
  ...[18, 17, 16, 15, 14].map((version) => `/usr/lib/postgresql/${version}/bin`),
]

function folders(): string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  return [...new Set([...path, ...ALSO])]
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** All programs of this name, in the order of PATH. */
function all(name: string): string[] {
  return folders()
    .map((folder) => join(folder, name))
    .filter(executable)
}

/**
 * The absolute path of a known program, or undefined. For a Python library it is the first `python3` that can import it:
 * the first in PATH need not be Debian's. Throws for a name that the table lacks.
 */
export function locate(name: string): string | undefined {
  const known = PROGRAMS[name]
  if (!known) throw new Error(`unknown program ${name}: give it a line in tools/real/programs.ts`)
  if (known.python) {
    const importable = (path: string) => spawnSync(path, ['-c', `import ${known.python}`]).status === 0
    return all('python3').find(importable)
  }
  return (known.programs ?? [name]).map((program) => all(program)[0]).find((path) => path !== undefined)
}

/** Like `locate`, for a test that runs only because its needs were found. */
export function program(name: string): string {
  const path = locate(name)
  if (!path) throw new Error(`${name} is not installed: npm run test:real -- --install brings it`)
  return path
}

/** What a test file says it needs. */
export function needsOf(source: string): string[] {
  return [...source.matchAll(/^\/\/ needs: (.*)$/gm)]
    .flatMap((match) => (match[1] ?? '').split(/[\s,]+/))
    .filter(Boolean)
}
