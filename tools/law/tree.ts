/** The TypeScript files of a checkout, their tokens and imports, and what its manifest says. */
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { type Import, importsOf, type Token, tokens } from '../lib/lexer.ts'
import { files } from '../lib/repository.ts'

const PATTERNS = ['src/**/*.ts', 'plays/**/*.ts', 'tools/**/*.ts', 'bench/**/*.ts', 'conform/**/*.ts']

export class Tree {
  readonly root: string
  readonly files: readonly string[]
  readonly dependencies: ReadonlySet<string>
  readonly devDependencies: ReadonlySet<string>
  /** Packages with a line in docs/dependencies.md. */
  readonly documented: ReadonlySet<string>
  readonly #known: ReadonlySet<string>
  readonly #sources = new Map<string, string>()
  readonly #tokens = new Map<string, Token[]>()

  constructor(root: string) {
    this.root = root
    this.files = files(PATTERNS, root)
    this.#known = new Set(this.files)
    const manifest = JSON.parse(this.source('package.json')) as Record<string, Record<string, string>>
    this.dependencies = new Set(Object.keys(manifest['dependencies'] ?? {}))
    this.devDependencies = new Set(Object.keys(manifest['devDependencies'] ?? {}))
    const rows = this.source('docs/dependencies.md').matchAll(/^\| `([^`]+)`/gm)
    this.documented = new Set([...rows].map((row) => row[1] as string))
  }

  source(file: string): string {
    let source = this.#sources.get(file)
    if (source === undefined) this.#sources.set(file, (source = readFileSync(join(this.root, file), 'utf8')))
    return source
  }

  /** Throws with the file's name where the text cannot be read as TypeScript. */
  tokens(file: string): Token[] {
    let list = this.#tokens.get(file)
    if (list) return list
    try {
      list = tokens(this.source(file))
    } catch (error) {
      throw new Error(`${file}: ${error}`)
    }
    this.#tokens.set(file, list)
    return list
  }

  /** What a file imports; `target` is the file of the checkout that a relative specifier means, if there is one. */
  imports(file: string): (Import & { readonly target: string | undefined })[] {
    return importsOf(this.tokens(file)).map((found) => {
      const path = posix.join(posix.dirname(file), found.specifier)
      return { ...found, target: found.specifier.startsWith('.') && this.#known.has(path) ? path : undefined }
    })
  }

  /** The files of the checkout that a file imports, type-only imports included. */
  edges(file: string): string[] {
    return this.imports(file).flatMap((found) => found.target ?? [])
  }
}
