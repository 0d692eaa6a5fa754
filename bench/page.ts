/** The page of the figures, docs/benchmarks.md: what its tables look like, and the places between markers that reports fill. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const PAGE = join(import.meta.dirname, '..', 'docs', 'benchmarks.md')

/** Three digits that count, or all of a large one. */
export function rounded(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

/**
 * With `--write` on the command line puts the text between the page's markers `<!-- begin: NAME -->` and `<!-- end: NAME -->`,
 * else prints it. Throws when the page has no such place.
 */
export function publish(name: string, text: string, write = process.argv.includes('--write')): void {
  if (!write) {
    process.stdout.write(`${text}\n`)
    return
  }
  const [begin, end] = [`<!-- begin: ${name} -->`, `<!-- end: ${name} -->`]
  const page = readFileSync(PAGE, 'utf8')
  const [before, rest] = page.split(begin)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`${PAGE} has no place for the tables: ${begin} … ${end}`)
  writeFileSync(PAGE, `${before}${begin}\n\n${text}\n\n${end}${after}`)
}
