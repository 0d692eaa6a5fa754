/**
 * A small lexer for TypeScript: enough to read imports, names and calls without being fooled by comments, strings,
 * templates or regular expressions. TypeScript 7 offers no stable parser to programs, and its type stripping drops the
 * type-only imports which the import law counts too.
 */

export type Token = {
  readonly kind: 'name' | 'string' | 'template' | 'number' | 'regexp' | 'mark'
  /** The source text; for `string` the content without quotes and escapes undone only as far as `\x` is `x`. */
  readonly text: string
  readonly start: number
  readonly end: number
  readonly line: number
}

const NAME_START = /[\p{ID_Start}$_#@]/u
const NAME = /[\p{ID_Continue}$\u200c\u200d]*/uy
const NUMBER = /(?:0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?[\d_]+)?)n?/y
const BEFORE_REGEXP = new Set(
  'return typeof case in of delete void throw new instanceof do else yield await extends default'.split(' '),
)

/** Whether a slash after this token begins a regular expression rather than a division. */
function regexpMayFollow(last: Token | undefined): boolean {
  if (!last) return true
  if (last.kind === 'mark') return last.text !== ')' && last.text !== ']' && last.text !== '}'
  return last.kind === 'name' && BEFORE_REGEXP.has(last.text)
}

/** All tokens of a source text. Throws `SyntaxError` on an unfinished comment, string or template. */
export function tokens(source: string): Token[] {
  return new Lexer(source).all()
}

class Lexer {
  readonly source: string
  at = 0
  line = 1
  readonly out: Token[] = []
  /** For each open template the depth of braces inside its current `${`. */
  readonly templates: number[] = []

  constructor(source: string) {
    this.source = source
    if (source.startsWith('#!')) this.at = this.lineEnd(0)
  }

  all(): Token[] {
    while (this.skipBlank()) this.next()
    return this.out
  }

  next(): void {
    const { source, at } = this
    const character = source[at] as string
    if (character === '"' || character === "'") return this.string(character)
    if (character === '`') return this.template(at + 1)
    if (NAME_START.test(String.fromCodePoint(source.codePointAt(at) as number))) return this.sticky('name', NAME, 1)
    if (/\d/.test(character) || (character === '.' && /\d/.test(source[at + 1] ?? ''))) {
      return this.sticky('number', NUMBER, 0)
    }
    if (character === '/' && regexpMayFollow(this.out.at(-1))) return this.regexp()
    const braces = this.templates.length - 1
    const depth = this.templates[braces]
    if (depth !== undefined && character === '{') this.templates[braces] = depth + 1
    if (depth !== undefined && character === '}') {
      if (depth === 0) {
        this.templates.pop()
        return this.template(at + 1)
      }
      this.templates[braces] = depth - 1
    }
    this.push('mark', at + (source.startsWith('=>', at) || source.startsWith('?.', at) ? 2 : 1))
  }

  push(kind: Token['kind'], end: number, text = this.source.slice(this.at, end)): void {
    this.out.push({ kind, text, start: this.at, end, line: this.line })
    for (let i = this.at; i < end; i++) if (this.source[i] === '\n') this.line++
    this.at = end
  }

  sticky(kind: Token['kind'], pattern: RegExp, head: number): void {
    pattern.lastIndex = this.at + head
    const length = pattern.exec(this.source)?.[0].length ?? 0
    this.push(kind, this.at + Math.max(1, head + length))
  }

  string(quote: string): void {
    let text = ''
    let at = this.at + 1
    while (this.source[at] !== quote) {
      if (at >= this.source.length || this.source[at] === '\n') this.fail('unfinished string')
      if (this.source[at] === '\\') at++
      text += this.source[at++] ?? ''
    }
    this.push('string', at + 1, text)
  }

  /** One stretch of template text, up to its end or to the next `${`. */
  template(from: number): void {
    let at = from
    for (; at < this.source.length; at++) {
      const character = this.source[at]
      if (character === '\\') at++
      else if (character === '`') return this.push('template', at + 1, this.source.slice(from, at))
      else if (character === '$' && this.source[at + 1] === '{') {
        this.templates.push(0)
        return this.push('template', at + 2, this.source.slice(from, at))
      }
    }
    this.fail('unfinished template')
  }

  regexp(): void {
    let inClass = false
    let at = this.at + 1
    for (; ; at++) {
      const character = this.source[at]
      if (character === undefined || character === '\n') this.fail('unfinished regular expression')
      if (character === '\\') at++
      else if (character === '[') inClass = true
      else if (character === ']') inClass = false
      else if (character === '/' && !inClass) break
    }
    NAME.lastIndex = at + 1
    this.push('regexp', at + 1 + (NAME.exec(this.source)?.[0].length ?? 0))
  }

  /** Steps over white space and comments; false at the end of the source. */
  skipBlank(): boolean {
    while (this.at < this.source.length) {
      const character = this.source[this.at] as string
      if (this.source.startsWith('//', this.at)) this.at = this.lineEnd(this.at)
      else if (this.source.startsWith('/*', this.at)) this.skipComment()
      else if (/\s|\ufeff/.test(character)) {
        if (character === '\n') this.line++
        this.at++
      } else return true
    }
    return false
  }

  skipComment(): void {
    const end = this.source.indexOf('*/', this.at + 2)
    if (end < 0) this.fail('unfinished comment')
    for (let i = this.at; i < end; i++) if (this.source[i] === '\n') this.line++
    this.at = end + 2
  }

  lineEnd(from: number): number {
    const end = this.source.indexOf('\n', from)
    return end < 0 ? this.source.length : end
  }

  fail(what: string): never {
    throw new SyntaxError(`${what} in line ${this.line}`)
  }
}

export type Import = {
  readonly specifier: string
  readonly line: number
  readonly typeOnly: boolean
  readonly dynamic: boolean
}

/**
 * Every module that a file names: `import`, `export … from`, `import()`, `import('…').Type`, `declare module '…'` is
 * not one. A dynamic import whose argument is not a string has the specifier ''.
 */
export function importsOf(list: readonly Token[]): Import[] {
  const found: Import[] = []
  for (let i = 0; i < list.length; i++) {
    const token = list[i] as Token
    if (token.kind !== 'name' || list[i - 1]?.text === '.' || list[i - 1]?.text === '?.') continue
    const next = list[i + 1]
    if (token.text === 'import' && next?.text === '(') {
      const argument = list[i + 2]
      const fixed = argument?.kind === 'string' && /^[),]$/.test(list[i + 3]?.text ?? '')
      found.push({ specifier: fixed ? argument.text : '', line: token.line, typeOnly: false, dynamic: true })
    } else if (token.text === 'import' && next?.kind === 'string') {
      found.push({ specifier: next.text, line: token.line, typeOnly: false, dynamic: false })
    } else if (token.text === 'import' || token.text === 'export') {
      const specifier = fromClause(list, i + 1)
      const typeOnly = next?.text === 'type' && list[i + 2]?.text !== 'from'
      if (specifier) found.push({ specifier: specifier.text, line: specifier.line, typeOnly, dynamic: false })
    }
  }
  return found
}

/** The string after `from` of an import or export clause that begins here, if it is such a clause. */
function fromClause(list: readonly Token[], start: number): Token | undefined {
  let depth = 0
  for (let i = start; i < list.length; i++) {
    const token = list[i] as Token
    const next = list[i + 1]
    if (token.text === '{' && token.kind === 'mark') depth++
    else if (token.text === '}' && token.kind === 'mark') depth--
    else if (token.text === 'from' && depth === 0 && next?.kind === 'string') return next
    else if (token.kind === 'mark' && token.text !== ',' && token.text !== '*') return undefined
    else if (token.kind === 'string' && depth === 0) return undefined
    else if (token.kind !== 'name' && token.kind !== 'mark' && token.kind !== 'string') return undefined
    else if (depth === 0 && DECLARES.has(token.text)) return undefined
  }
  return undefined
}

const DECLARES = new Set('const let var function class interface enum namespace abstract async declare'.split(' '))
