/** `config check`, `config options` and `config schema`: they need no server. */
import { stat } from 'node:fs/promises'
import {
  ConfigError,
  configSchema,
  describeConfig,
  describeOptions,
  formatMistake,
  type Mistake,
  type OptionRow,
} from '../core/config/index.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { configure } from '../index.ts'
import { defaultModules } from '../server/modules.ts'
import { loadPlugins, protocolsOf, schemasOf } from '../server/plugins.ts'
import { EXIT } from './exit.ts'
import { meaningOf, TableWriter } from './render.ts'
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
  { world, variables }: Surroundings,
  onWarning: (mistake: Mistake) => void,
) {
  const config = file === undefined ? {} : { file }
  const variable = (name: string) => variables[name]
  return configure({ config, modeOf, variable, onWarning, ...(dataDir === undefined ? {} : { dataDir }) }, world)
}

const plural = (count: number, word: string) => `${count} ${word}${count === 1 ? '' : 's'}`

function line(mistake: Mistake, options: GlobalOptions): string {
  return `${options.json === true ? JSON.stringify(mistake) : formatMistake(mistake)}\n`
}

/** Every option, with those of the plugins that the configuration names, whatever mistakes it has otherwise. */
export async function optionsCommand(options: GlobalOptions, around: Surroundings): Promise<number> {
  const { modules } = await modulesOf(options, around)
  const rows = optionsOf(modules)
  if (options.json === true) for (const row of rows) around.terminal.out(`${JSON.stringify(row)}\n`)
  else table(rows, around)
  return EXIT.ok
}

/** The schema of `schemaText`, with the plugins that the configuration names: what they do not bring is a mistake then. */
export async function schemaCommand(options: GlobalOptions, around: Surroundings): Promise<number> {
  around.terminal.out(schemaText(await modulesOf(options, around)))
  return EXIT.ok
}

/** As it is published: `docs/guide/ratatosk.schema.json` is that of a server without plugins. */
export function schemaText({ modules, isWhole }: KnownModules): string {
  const schema = configSchema({ modules: schemasOf(modules), protocols: protocolsOf(modules), isOpen: !isWhole })
  return `${JSON.stringify({ $schema: 'http://json-schema.org/draft-07/schema#', ...schema }, null, 2)}\n`
}

export interface KnownModules {
  readonly modules: ReadonlyMap<string, ModuleDefinition>
  /** True: the configuration names plugins, and all of them are among these. */
  readonly isWhole: boolean
}

/** Our modules and those of plugins. What cannot be read or loaded is told of, and its options are missing. */
async function modulesOf(options: GlobalOptions, around: Surroundings): Promise<KnownModules> {
  const modules = new Map(defaultModules.map((definition) => [definition.name, definition]))
  let isWhole = false
  const warn = (text: string) => around.terminal.err(`warning: ${text}\n`)
  try {
    const { document, folder } = (await readSettings(options, around)).opened
    const named = await loadPlugins(document.plugins, around.world.disk.resolve(folder, '.'))
    for (const definition of named.modules) modules.set(definition.name, definition)
    isWhole = document.plugins.length > 0 && named.failed.size === 0
    for (const { message } of named.failed.values()) warn(`${message}: its options are not listed`)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const mistake of error.mistakes) warn(`${formatMistake(mistake)}: options of plugins are not listed`)
  }
  return { modules, isWhole }
}

function optionsOf(modules: ReadonlyMap<string, ModuleDefinition>): readonly OptionRow[] {
  const rows = describeConfig(schemasOf(modules))
  const own = [...protocolsOf(modules)].flatMap(([protocol, { options }]) =>
    describeOptions(options, 'listeners[]').map((row) => ({
      ...row,
      description: `${row.description} With protocol: ${protocol}.`,
    })),
  )
  const after = rows.findLastIndex((row) => row.path.startsWith('listeners[]')) + 1
  return [...rows.slice(0, after), ...own, ...rows.slice(after)]
}

/** Characters of a default in the table; `--json` has all of it. */
const DEFAULT_WIDTH = 32

function table(rows: readonly OptionRow[], { terminal }: Surroundings): void {
  const columns = ['option', 'value', 'default', 'change', 'meaning'] as const
  const fields = columns.map((name) => ({ name, form: 'text' as const, title: name, description: '' }))
  const writer = new TableWriter(fields, (text) => terminal.out(text))
  for (const row of rows) {
    const { path, type, range, unit, reload, required, default: given } = row
    const limits = range === '' ? '' : `, ${range}${unit === '' ? '' : ` ${unit}`}`
    const shown = given.length > DEFAULT_WIDTH ? `${given.slice(0, DEFAULT_WIDTH - 1)}…` : given
    writer.row({
      option: path,
      value: `${type}${limits}`,
      default: required ? '(needed)' : shown,
      change: reload,
      meaning: meaningOf(row),
    })
  }
  writer.end()
}
