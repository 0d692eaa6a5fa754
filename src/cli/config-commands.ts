/** `config check` and `config options`: they need no server. */
import { stat } from 'node:fs/promises'
import { ConfigError, describeConfig, formatMistake, type Mistake, type OptionRow } from '../core/config/index.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { configure } from '../index.ts'
import { EXIT } from './exit.ts'
import { TableWriter } from './render.ts'
import { type GlobalOptions, readSettings, type Surroundings } from './settings.ts'

/** Permission bits of a file; undefined when it cannot be seen. */
export async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o777
  } catch {
    return undefined
  }
}

/** Prints all mistakes and warnings; a file without errors is told as good. */
export async function checkCommand(options: GlobalOptions, around: Surroundings): Promise<number> {
  const { file } = await readSettings(options, around)
  const mistakes: Mistake[] = []
  const isGood = await check(file, options, around, mistakes)
  for (const mistake of mistakes) around.terminal.out(line(mistake, options))
  if (options.json === true) return isGood ? EXIT.ok : EXIT.refused
  const errors = mistakes.filter((mistake) => mistake.severity === 'error').length
  const warnings = mistakes.length - errors
  const counts = [plural(errors, 'mistake'), ...(warnings > 0 ? [plural(warnings, 'warning')] : [])].join(', ')
  around.terminal.out(
    `${file ?? 'no configuration file: the defaults'}: ${isGood && warnings === 0 ? 'good' : counts}\n`,
  )
  return isGood ? EXIT.ok : EXIT.refused
}

async function check(
  file: string | undefined,
  options: GlobalOptions,
  around: Surroundings,
  mistakes: Mistake[],
): Promise<boolean> {
  try {
    await configured(file, options, around, (mistake) => mistakes.push(mistake))
    return true
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    mistakes.push(...error.mistakes)
    return false
  }
}

function configured(
  file: string | undefined,
  { dataDir }: GlobalOptions,
  { world }: Surroundings,
  onWarning: (mistake: Mistake) => void,
) {
  const config = file === undefined ? {} : { file }
  return configure({ config, modeOf, onWarning, ...(dataDir === undefined ? {} : { dataDir }) }, world)
}

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`

function line(mistake: Mistake, options: GlobalOptions): string {
  return `${options.json === true ? JSON.stringify(mistake) : formatMistake(mistake)}\n`
}

/** Every option, with those of the modules and of the plugins that the configuration names. */
export async function optionsCommand(options: GlobalOptions, around: Surroundings): Promise<number> {
  const { file } = await readSettings(options, around)
  const { modules } = await configured(file, options, around, () => undefined)
  const rows = describeConfig(
    new Map([...modules].map(([name, module]: [string, ModuleDefinition]) => [name, module.options ?? {}])),
  )
  if (options.json === true) for (const row of rows) around.terminal.out(`${JSON.stringify(row)}\n`)
  else table(rows, around)
  return EXIT.ok
}

function table(rows: readonly OptionRow[], { terminal }: Surroundings): void {
  const columns = ['path', 'type', 'default', 'reload', 'description'] as const
  const fields = columns.map((name) => ({ name, form: 'text' as const, title: name, description: '' }))
  const writer = new TableWriter(fields, (text) => terminal.out(text))
  for (const row of rows) {
    writer.row({
      path: row.path,
      type: row.type,
      default: row.default,
      reload: row.reload,
      description: row.description,
    })
  }
  writer.end()
}
