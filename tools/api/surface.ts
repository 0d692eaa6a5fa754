/**
 * What a door of the package shows: its exports and every declaration that they mention, over all files. Names are
 * matched by their text within a file, so that a little too much may be counted in, never too little.
 */
import { posix } from 'node:path'
import type { Token } from '../lib/lexer.ts'
import { type Statement, statementsOf } from './declarations.ts'

export type Surface = {
  /** The declarations, by file, in the order of their files' names and then of their text. */
  readonly text: string
  /** Packages whose types the door shows. */
  readonly packages: readonly string[]
}

/** Reads a declaration file by its path without `.d.ts`; undefined when there is none. */
export type Read = (path: string) => string | undefined

export function surfaceOf(door: string, read: Read): Surface {
  return new Walk(read).from(door)
}

class Walk {
  readonly #read: Read
  readonly #files = new Map<string, Statement[]>()
  readonly #reached = new Map<string, Set<Statement>>()
  readonly #packages = new Set<string>()

  constructor(read: Read) {
    this.#read = read
  }

  from(door: string): Surface {
    for (const statement of this.#statements(door)) {
      if (statement.exported || statement.kind === 'augmentation') this.#take(door, statement)
    }
    const parts: string[] = []
    for (const file of [...this.#reached.keys()].sort()) {
      const reached = this.#reached.get(file) as Set<Statement>
      const texts = this.#statements(file).filter((statement) => reached.has(statement))
      parts.push(`// ${file}.ts\n${texts.map((statement) => statement.text).join('\n')}\n`)
    }
    return { text: parts.join('\n'), packages: [...this.#packages].sort() }
  }

  #statements(file: string): Statement[] {
    let found = this.#files.get(file)
    if (!found) {
      const source = this.#read(file)
      if (source === undefined) throw new Error(`no declarations of ${file}`)
      this.#files.set(file, (found = statementsOf(source)))
    }
    return found
  }

  /** The file that a specifier means, or undefined for a package, which is noted. */
  #target(file: string, specifier: string): string | undefined {
    if (specifier.startsWith('.')) return posix.join(posix.dirname(file), specifier.replace(/\.[jt]s$/, ''))
    this.#packages.add(specifier)
    return undefined
  }

  #take(file: string, statement: Statement): void {
    let reached = this.#reached.get(file)
    if (!reached) {
      this.#reached.set(file, (reached = new Set()))
      for (const other of this.#statements(file)) if (other.kind === 'augmentation') this.#take(file, other)
    }
    if (reached.has(statement)) return
    reached.add(statement)
    if (statement.kind === 'export') this.#reexport(file, statement)
    else this.#mentions(file, statement.tokens)
  }

  #reexport(file: string, statement: Statement): void {
    if (statement.specifier === undefined) {
      for (const local of statement.bindings.values()) this.#mention(file, local, undefined)
      return
    }
    const target = this.#target(file, statement.specifier)
    if (target === undefined) return
    for (const foreign of statement.bindings.values()) this.#export(target, foreign)
  }

  /** Takes what a file exports under a name; `*` is everything. */
  #export(file: string, name: string): boolean {
    let found = false
    for (const statement of this.#statements(file)) {
      if (statement.kind === 'declaration' && statement.exported) {
        const isDefault = name === 'default' && statement.tokens[1]?.text === 'default'
        if (name === '*' || isDefault || statement.names.includes(name)) {
          this.#take(file, statement)
          found = true
        }
      } else if (statement.kind === 'export') found = this.#throughExport(file, statement, name) || found
    }
    return found
  }

  #throughExport(file: string, statement: Statement, name: string): boolean {
    const foreign = name === '*' ? undefined : statement.bindings.get(name)
    if (name !== '*' && foreign === undefined && !statement.bindings.has('*')) return false
    if (name === '*') {
      this.#take(file, statement)
      return true
    }
    if (statement.specifier === undefined) return this.#mention(file, foreign ?? name, undefined)
    const target = this.#target(file, statement.specifier)
    return target !== undefined && this.#export(target, foreign ?? name)
  }

  #mentions(file: string, list: readonly Token[]): void {
    list.forEach((token, i) => {
      if (token.kind !== 'name' || list[i - 1]?.text === '.') return
      if (token.text === 'import' && list[i + 1]?.text === '(' && list[i + 2]?.kind === 'string') {
        const target = this.#target(file, (list[i + 2] as Token).text)
        if (target !== undefined) this.#export(target, list[i + 5]?.text ?? '*')
        return
      }
      if (!isMemberName(list, i))
        this.#mention(file, token.text, list[i + 1]?.text === '.' ? list[i + 2]?.text : undefined)
    })
  }

  /** Takes what a name means in a file, if it means anything there: a declaration or something imported. */
  #mention(file: string, name: string, member: string | undefined): boolean {
    let found = false
    for (const statement of this.#statements(file)) {
      if (statement.kind === 'declaration' && statement.names.includes(name)) {
        this.#take(file, statement)
        found = true
      }
      const foreign = statement.kind === 'import' ? statement.bindings.get(name) : undefined
      if (foreign === undefined) continue
      const target = this.#target(file, statement.specifier ?? '')
      if (target !== undefined) this.#export(target, foreign === '*' ? (member ?? '*') : foreign)
      found = true
    }
    return found
  }
}

/** `name:`, `name?:` after `{`, `;`, `,`, `(` or `readonly` names a member or a parameter. */
function isMemberName(list: readonly Token[], i: number): boolean {
  const next = list[i + 1]?.text === '?' ? list[i + 2]?.text : list[i + 1]?.text
  return next === ':' && /^([{;,(]|readonly)$/.test(list[i - 1]?.text ?? '')
}
