/**
 * `npm run docs`: writes `docs/guide/configuration.md` and `docs/guide/ratatosk.schema.json` from the options, and into
 * `docs/requirements.md` which tests prove what is done. `npm test` compares them.
 * The words between the tables stand in `tools/docs/configuration.ts`.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { schemaText } from '../src/cli/config-commands.ts'
import { describeConfig, type OptionRow } from '../src/core/config/index.ts'
import { defaultModules } from '../src/server/modules.ts'
import { type Chapter, chapters, head, SCHEMA } from './docs/configuration.ts'
import { limitsChapter } from './docs/limits.ts'
import { proofSources, REQUIREMENTS, requirementsPage } from './docs/requirements.ts'
import { root, say, text } from './lib/repository.ts'

export const GUIDE = 'docs/guide/configuration.md'
export { SCHEMA }

/** Every option of a server without plugins. */
export function optionRows(): readonly OptionRow[] {
  return describeConfig(new Map(defaultModules.map(({ name, options }) => [name, options ?? {}])))
}

/** The JSON Schema of a server without plugins. */
export function schema(): string {
  return schemaText({ modules: new Map(defaultModules.map((one) => [one.name, one])), isWhole: false })
}

/** The whole page. Throws when an option has no chapter, or a chapter no option. */
export function guide(rows: readonly OptionRow[] = optionRows()): string {
  const left = new Set(rows)
  const parts = chapters.map((chapter) => {
    const own = rows.filter((row) => chapter.owns?.(row.path) === true)
    for (const row of own) left.delete(row)
    return written(chapter, own)
  })
  const [homeless] = left
  if (homeless !== undefined)
    throw new Error(`no chapter of tools/docs/configuration.ts has the option ${homeless.path}`)
  return `${[head, ...parts, limitsChapter(rows)].join('\n\n')}\n`
}

function written({ title, text, example, owns, isTold }: Chapter, rows: readonly OptionRow[]): string {
  const parts = [`## ${title}`, text, ...(example === undefined ? [] : [`\`\`\`yaml\n${example}\n\`\`\``])]
  const told = rows.filter((row) => isTold?.(row.path) !== false)
  if (owns !== undefined && told.length === 0) throw new Error(`the chapter ${title} has no option`)
  if (told.length > 0) parts.push(table(told))
  return parts.join('\n\n')
}

function table(rows: readonly OptionRow[]): string {
  const lines = rows.map((row) => {
    const cells = [`\`${row.path}\``, valueText(row), defaultText(row), row.reload, row.description]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return ['| option | value | default | change | meaning |', '|---|---|---|---|---|', ...lines].join('\n')
}

function valueText({ type, values, range, unit, secret }: OptionRow): string {
  const choice = values.map((value) => `\`${value}\``).join(', ')
  if (choice !== '') return type === 'list' ? `list of ${choice}` : choice
  const limits = range === '' ? '' : `, ${range}${unit === '' ? '' : ` ${unit}`}`
  return `${type}${limits}${secret ? ', secret' : ''}`
}

function defaultText(row: OptionRow): string {
  if (row.required) return '(needed)'
  return row.default === '' ? '' : `\`${row.default}\``
}

if (import.meta.main) {
  writeFileSync(join(root, GUIDE), guide())
  writeFileSync(join(root, SCHEMA), schema())
  writeFileSync(join(root, REQUIREMENTS), requirementsPage(text(REQUIREMENTS), proofSources()))
  say(`wrote ${GUIDE}, ${SCHEMA} and the proofs in ${REQUIREMENTS}`)
}
