/**
 * Where the requirements of docs/requirements.md are proven. A test, play or real test proves a row when a title in it
 * names the row's id, a file of `bench/` when its first comment does. Which rows are done is written on the page by hand;
 * the files beside them are found here.
 */
import { files, text } from '../lib/repository.ts'

export const REQUIREMENTS = 'docs/requirements.md'

const ROW = /^\| ([A-Z]+-\d+) \|/gm
/** A row of the last table: id, what is done, the files. */
const DONE = /^\| ([A-Z]+-\d+) \| ((?:yes|in part)(?:, [^|]+)?) \| ([^|]*) \|$/gm
const HEADING = '\n### What is done, and where it is proven\n'
const TITLE = /(?:\b(?:describe|it|test|play)\(|\btitle:)\s*('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`)/g
const FIRST_COMMENT = /^\/\*\*[\s\S]*?\*\//

const PROOFS = [
  'src/**/*.{test,real}.ts',
  'plays/**/*.{test,real,play}.ts',
  'tools/**/*.{test,real}.ts',
  'bench/**/*.ts',
]
/** Whatever may name an id. */
const NAMES = ['{src,plays,tools,bench}/**/*.ts', 'docs/**/*.md', '*.md']

export type Sources = ReadonlyMap<string, string>
const read = (patterns: readonly string[]): Sources => new Map(files(patterns).map((file) => [file, text(file)]))
export const proofSources = (): Sources => read(PROOFS)
export const namingSources = (): Sources => read(NAMES)

function halves(page: string): readonly [rows: string, done: string] {
  const at = page.indexOf(HEADING)
  if (at < 0) throw new Error(`${REQUIREMENTS} has no heading "${HEADING.trim()}"`)
  return [page.slice(0, at), page.slice(at)]
}

/** The ids of all rows. */
export const rowsOf = (page: string): string[] => [...halves(page)[0].matchAll(ROW)].map((found) => found[1] as string)

/** The ids of rows that are done, in whole or in part, in the order of the page. */
export const doneRows = (page: string): string[] =>
  [...halves(page)[1].matchAll(DONE)].map((found) => found[1] as string)

/** Rows of the last table that say neither `yes` nor `in part`. */
export function unreadableRows(page: string): string[] {
  const readable = doneRows(page)
  return [...halves(page)[1].matchAll(ROW)].map((found) => found[1] as string).filter((id) => !readable.includes(id))
}

function idPattern(page: string): RegExp {
  const areas = new Set(rowsOf(page).map((id) => id.split('-')[0]))
  return new RegExp(`\\b(?:${[...areas].join('|')})-\\d+\\b`, 'g')
}

/** The files that prove each row, in order. */
export function proofs(page: string, sources: Sources): Map<string, string[]> {
  const pattern = idPattern(page)
  const found = new Map<string, string[]>()
  for (const [file, source] of sources) {
    const isBench = file.startsWith('bench/') && !file.endsWith('.test.ts')
    const names = isBench
      ? (FIRST_COMMENT.exec(source)?.[0] ?? '')
      : [...source.matchAll(TITLE)].map((title) => title[1]).join('\n')
    for (const id of new Set(names.match(pattern))) found.set(id, [...(found.get(id) ?? []), file])
  }
  return found
}

/** What is wrong between the page and the files, a line each. */
export function requirementFaults(page: string, proving: Sources, naming: Sources): string[] {
  const rows = rowsOf(page)
  const found = proofs(page, proving)
  const pattern = idPattern(page)
  const done = doneRows(page)
  return [
    ...rows.filter((id, index) => rows.indexOf(id) !== index).map((id) => `${id} is there twice`),
    ...done.filter((id, index) => done.indexOf(id) !== index).map((id) => `${id} is done twice`),
    ...unreadableRows(page).map((id) => `${id} is neither "yes" nor "in part"`),
    ...done.filter((id) => !rows.includes(id)).map((id) => `${id} is done and has no row`),
    ...done.filter((id) => !found.has(id)).map((id) => `${id} is done, and no test, play or benchmark names it`),
    ...[...naming].flatMap(([file, source]) =>
      [...new Set(source.match(pattern))].filter((id) => !rows.includes(id)).map((id) => `${file} names ${id}: no row`),
    ),
  ]
}

/** The page with the files beside the rows that are done. */
export function requirementsPage(page: string, sources: Sources): string {
  const found = proofs(page, sources)
  const [rows, done] = halves(page)
  const filled = done.replace(DONE, (_, id: string, how: string) => {
    const cell = (found.get(id) ?? []).map((file) => `[${shortOf(file)}](../${file})`).join(', ')
    return `| ${id} | ${how} | ${cell} |`
  })
  return rows + filled
}

/** `src/xml/split.test.ts` → `xml/split`. */
const shortOf = (file: string): string => file.replace(/^src\//, '').replace(/(?:\.(?:test|play))?\.ts$/, '')
