/** Reads a declaration file as tsc writes it: top-level statements with the names they declare, import and export. */
import { type Token, tokens } from '../lib/lexer.ts'

export type Statement = {
  /** The text without comments. */
  readonly text: string
  readonly tokens: readonly Token[]
  readonly kind: 'declaration' | 'import' | 'export' | 'augmentation'
  /** What a declaration declares. */
  readonly names: readonly string[]
  readonly exported: boolean
  /** The module of an import, of a re-export or of an augmentation. */
  readonly specifier?: string
  /** Local (or, in a re-export, foreign) name by the name given; `*` stands for the whole module. */
  readonly bindings: ReadonlyMap<string, string>
}

const OPEN = new Set(['(', '[', '{', '<'])
const CLOSE = new Set([')', ']', '}', '>'])
const BLOCKS = new Set(['interface', 'class', 'module', 'namespace', 'global', 'enum'])
const DECLARING = new Set(['interface', 'class', 'type', 'function', 'namespace', 'enum', 'const', 'let', 'var'])
const MODIFIERS = new Set(['export', 'declare', 'abstract', 'default', 'async'])

export function statementsOf(source: string): Statement[] {
  return split(tokens(source)).map((list) => statement(source, list))
}

/** Cuts at each `;` outside all brackets, and after the block of what ends in one. */
function split(list: readonly Token[]): Token[][] {
  const found: Token[][] = []
  let current: Token[] = []
  let depth = 0
  for (const token of list) {
    current.push(token)
    if (token.kind !== 'mark') continue
    if (OPEN.has(token.text)) depth++
    else if (CLOSE.has(token.text)) depth--
    const blockEnds = token.text === '}' && BLOCKS.has(keyword(current))
    if (depth === 0 && (token.text === ';' || blockEnds)) {
      if (current.length > 1) found.push(current)
      current = []
    }
  }
  if (current.length > 0) found.push(current)
  return found
}

function keyword(list: readonly Token[]): string {
  return list.find((token) => !MODIFIERS.has(token.text))?.text ?? ''
}

function statement(source: string, list: readonly Token[]): Statement {
  const at = list.findIndex((token) => !MODIFIERS.has(token.text))
  const word = list[at]?.text ?? ''
  const exported = list[0]?.text === 'export'
  const base = {
    text: textOf(source, list),
    tokens: list,
    exported,
    names: [] as string[],
    bindings: new Map<string, string>(),
  }
  const last = list.findLast((token) => token.kind === 'string')?.text
  if (word === 'import') return { ...base, kind: 'import', bindings: imported(list), specifier: last ?? '' }
  if (word === 'module' || word === 'global') {
    return { ...base, kind: 'augmentation', ...(word === 'module' ? { specifier: list[at + 1]?.text ?? '' } : {}) }
  }
  const clause =
    exported && (word === '{' || word === '*' || (word === 'type' && /^[{*]$/.test(list[at + 1]?.text ?? '')))
  if (clause) {
    return { ...base, kind: 'export', bindings: reexported(list), ...(last === undefined ? {} : { specifier: last }) }
  }
  const name = DECLARING.has(word) ? list[at + 1]?.text : undefined
  return { ...base, kind: 'declaration', names: name ? [name] : [] }
}

function textOf(source: string, list: readonly Token[]): string {
  let text = ''
  list.forEach((token, i) => {
    const before = list[i - 1]
    if (before) text += blank(source.slice(before.end, token.start))
    text += source.slice(token.start, token.end)
  })
  return text
}

/** What stands between two tokens, without comments and empty lines. */
function blank(between: string): string {
  if (!/[/\n]/.test(between)) return between
  return between.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '').replace(/[ \t]*\n\s*\n/g, '\n')
}

/** `import a, * as b, { c as d }`: local name → foreign name. */
function imported(list: readonly Token[]): Map<string, string> {
  const bindings = new Map<string, string>()
  for (let i = 1; i < list.length && list[i]?.text !== 'from'; i++) {
    const token = list[i] as Token
    if (
      token.kind === 'string' ||
      (token.text === 'type' && /^[{*\w]/.test(list[i + 1]?.text ?? '') && list[i + 1]?.text !== 'from')
    )
      continue
    if (token.text === '*') bindings.set(list[i + 2]?.text ?? '', '*')
    else if (token.text === '{') return named(list, i, bindings)
    else if (token.kind === 'name' && list[i - 1]?.text !== 'as' && token.text !== 'as')
      bindings.set(token.text, 'default')
  }
  return bindings
}

/** `export { a as b }` and `export * as c`: name given → local or foreign name; a bare `export *` has the key `*`. */
function reexported(list: readonly Token[]): Map<string, string> {
  const star = list.findIndex((token) => token.text === '*')
  if (star >= 0) return new Map([[list[star + 1]?.text === 'as' ? (list[star + 2]?.text ?? '') : '*', '*']])
  return named(
    list,
    list.findIndex((token) => token.text === '{'),
    new Map(),
  )
}

/** The names between braces. For an export the given name is the key, for an import the local one: both stand last. */
function named(list: readonly Token[], open: number, bindings: Map<string, string>): Map<string, string> {
  let part: string[] = []
  for (let i = open + 1; i < list.length; i++) {
    const text = (list[i] as Token).text
    if (text !== ',' && text !== '}') {
      part.push(text)
      continue
    }
    if (part.length > 1 && part[0] === 'type' && part[1] !== 'as') part.shift()
    if (part.length > 0) bindings.set(part.at(-1) as string, part[0] as string)
    part = []
    if (text === '}') break
  }
  return bindings
}
