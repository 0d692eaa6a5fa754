/** YAML to `Input`, places kept. Syntax errors and duplicate keys are reported, and what could be read is given back. */
import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type YAMLError,
} from 'yaml'
import { childPath, emptyMap, type Input, type InputEntry, type Place } from './input.ts'
import { Report, suggest } from './mistake.ts'

/** Aliases may blow a small file up: no configuration has more values than this, and none is deeper. */
const MAX_NODES = 1_000_000
const MAX_DEPTH = 100

export interface ParsedYaml {
  readonly input: Input
  readonly report: Report
  /** Line of the first syntax error, Infinity for none. What stands before it can be relied on. */
  readonly brokenFrom: number
}

/** Words of YAML (some 6 to a line) that are read between two pauses: about 5 ms. */
const lexemesInTurn = 4_000

export function parseYaml(text: string, file: string): ParsedYaml {
  const steps = parseInSteps(text, file)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** The same with pauses, in which a running server serves: 10,000 hosts take a tenth of a second. */
export async function parseYamlInTurns(text: string, file: string, pause: () => Promise<void>): Promise<ParsedYaml> {
  const steps = parseInSteps(text, file)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    await pause()
  }
}

/** What the library's `parseDocument` does, in parts. */
function* parseInSteps(text: string, file: string): Generator<void, ParsedYaml> {
  const report = new Report(file)
  const lines = new LineCounter()
  lines.addNewLine(0)
  const parser = new Parser(lines.addNewLine)
  const tokens: CST.Token[] = []
  let lexemes = 0
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token)
    if (++lexemes % lexemesInTurn === 0) yield
  }
  tokens.push(...parser.end())
  const isLong = lexemes > lexemesInTurn
  if (isLong) yield
  const composer = new Composer({ lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: 'silent' })
  const [doc] = [...composer.compose(tokens, true, text.length)]
  if (doc === undefined) throw new Error('the library gave no document')
  if (isLong) yield
  let brokenFrom = Number.POSITIVE_INFINITY
  for (const error of doc.errors) {
    const place = placeAt(lines, error.pos[0])
    brokenFrom = Math.min(brokenFrom, place.line)
    report.error({ place, path: '' }, 'RTK_CONFIG_SYNTAX', syntaxText(error), syntaxHint(error))
  }
  for (const warning of doc.warnings) {
    report.warning({ place: placeAt(lines, warning.pos[0]), path: '' }, 'RTK_CONFIG_SYNTAX', syntaxText(warning))
  }
  const input = new Reader(doc, lines, report).read(doc.contents, '', 0)
  if (isLong) yield
  return { input, report, brokenFrom }
}

function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

function syntaxText(error: YAMLError | { message: string }): string {
  return `YAML: ${error.message.replace(/\.?\s*$/, '')}`
}

function syntaxHint(error: YAMLError): string {
  if (error.code === 'TAB_AS_INDENT') return 'indent with spaces'
  if (error.code === 'MULTIPLE_DOCS') return "one file is one document: remove '---'"
  if (error.code === 'BAD_SCALAR_START' || error.code === 'BLOCK_AS_IMPLICIT_KEY') return 'write the text in quotes'
  if (error.code === 'MISSING_CHAR') return 'a bracket or quote is not closed'
  if (error.code === 'BAD_INDENT') return 'a bracket or quote is not closed, or what it holds is not indented'
  return 'is what stands before this complete?'
}

class Reader {
  readonly #doc: Document
  readonly #lines: LineCounter
  readonly #report: Report
  #nodes = 0
  #isTooLarge = false

  constructor(doc: Document, lines: LineCounter, report: Report) {
    this.#doc = doc
    this.#lines = lines
    this.#report = report
  }

  /** `node` is what the library gives: a node, or null for an empty value. */
  read(node: unknown, path: string, depth: number, fallback: Place = { line: 1, column: 1 }): Input {
    const place = this.#place(node) ?? fallback
    if (++this.#nodes > MAX_NODES || depth > MAX_DEPTH) return this.#tooLarge(place, path)
    if (isAlias(node)) {
      const target = node.resolve(this.#doc)
      if (target !== undefined) return this.read(target, path, depth + 1, place)
      this.#report.error(
        { place, path },
        'RTK_CONFIG_SYNTAX',
        `YAML: there is no anchor '&${node.source}' before this`,
        `write '&${node.source}' at the value that is meant`,
      )
      return { kind: 'null', place, path }
    }
    if (isMap(node)) return this.#map(node.items, place, path, depth)
    if (isSeq(node)) {
      const items = node.items.map((item, i) => this.read(item, `${path}[${i}]`, depth + 1, place))
      return { kind: 'list', place, path, items }
    }
    const value: unknown = isScalar(node) ? node.value : null
    if (typeof value === 'boolean') return { kind: 'bool', place, path, value }
    if (typeof value === 'number') return { kind: 'number', place, path, value }
    if (typeof value === 'bigint') return { kind: 'number', place, path, value: Number(value) }
    if (typeof value === 'string') return { kind: 'string', place, path, value }
    return { kind: 'null', place, path }
  }

  #map(items: readonly { key: unknown; value: unknown }[], place: Place, path: string, depth: number): Input {
    const entries = new Map<string, InputEntry>()
    for (const { key, value } of items) {
      const keyPlace = this.#place(key) ?? place
      const name = isScalar(key) && key.value !== null ? String(key.value) : undefined
      if (name === undefined) {
        this.#report.error(
          { place: keyPlace, path },
          'RTK_CONFIG_SYNTAX',
          'a key has to be a plain text',
          'write the key in quotes',
        )
        continue
      }
      const inside = childPath(path, name)
      const first = entries.get(name)
      if (first !== undefined) {
        const text = `'${name}' is there twice`
        this.#report.error(
          { place: keyPlace, path: inside },
          'RTK_CONFIG_DUPLICATE_KEY',
          text,
          `first in line ${first.place.line}`,
        )
      }
      const read = this.read(value, inside, depth + 1, keyPlace)
      if (first === undefined) entries.set(name, { key: name, place: keyPlace, value: read })
    }
    return { kind: 'map', place, path, entries: [...entries.values()] }
  }

  #place(node: unknown): Place | undefined {
    const range = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range : undefined
    return range === undefined || range === null ? undefined : placeAt(this.#lines, range[0])
  }

  #tooLarge(place: Place, path: string): Input {
    if (!this.#isTooLarge) {
      const text = `more than ${MAX_NODES} values, or more than ${MAX_DEPTH} levels`
      this.#report.error({ place, path }, 'RTK_CONFIG_SIZE', text, 'do aliases refer to one another?')
    }
    this.#isTooLarge = true
    return { kind: 'null', place, path }
  }
}

/** The whole of a file has to be a map of sections. */
export function sectionsOf(input: Input, report: Report, known: readonly string[]): Extract<Input, { kind: 'map' }> {
  if (input.kind === 'map') return input
  if (input.kind !== 'null') {
    const hint =
      input.kind === 'string'
        ? suggest(input.value.replace(/:?$/, ''), known)
        : 'a file begins with the name of a section'
    report.error(input, 'RTK_CONFIG_TYPE', `expected sections such as 'hosts:', found a ${input.kind}`, hint)
  }
  return emptyMap('', input.place)
}
