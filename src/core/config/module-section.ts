/** The sections `modules` and `host_types.NAME.modules`: names of modules with their options. */
import { emptyMap, entryOf, type Input, type InputEntry, type MapInput } from './input.ts'
import { wrongType } from './make.ts'
import { nearest } from './mistake.ts'
import { readFields } from './opt-structure.ts'
import type { OptionSchema, Reading } from './option.ts'

export interface KnownModules {
  readonly modules: ReadonlyMap<string, OptionSchema>
  readonly defaultModules: readonly string[]
}

/**
 * What a host type loads: the defaults, what `base` adds for all and what `own` adds for this one; `NAME: false` takes a
 * module out, `true`, nothing or a map of options puts it in. Options of `own` stand before those of `base`.
 */
export function readModules(
  base: MapInput,
  own: MapInput,
  known: KnownModules,
  reading: Reading,
): ReadonlyMap<string, Readonly<Record<string, unknown>>> {
  const modules = new Map<string, Readonly<Record<string, unknown>>>()
  const names = new Set([...known.defaultModules, ...namesIn(base), ...namesIn(own)])
  for (const name of names) {
    const entries = [entryOf(base, name), entryOf(own, name)].filter((entry) => entry !== undefined)
    const schema = known.modules.get(name)
    if (schema === undefined) {
      for (const entry of entries) unknownModule(entry, known, reading)
      continue
    }
    const inputs = entries.map((entry) => optionsInput(entry, reading))
    const last = inputs.at(-1)
    if (last === 'off' || last === undefined) {
      if (entries.length > 0) continue
    }
    const maps = inputs.filter((input) => input !== 'off' && input !== undefined)
    const options = readFields(schema, joined(name, maps), reading)
    if (options !== undefined) modules.set(name, options)
  }
  return modules
}

const namesIn = (map: MapInput): readonly string[] => map.entries.map((entry) => entry.key)

/** 'off' for `NAME: false`; undefined after a mistake. */
function optionsInput(entry: InputEntry, reading: Reading): MapInput | 'off' | undefined {
  const value: Input = entry.value
  if (value.kind === 'map') return value
  if (value.kind === 'null') return emptyMap(value.path, entry.place)
  if (value.kind === 'bool') return value.value ? emptyMap(value.path, entry.place) : 'off'
  const hint =
    value.kind === 'string' && ['off', 'no'].includes(value.value) ? "write 'false' to leave the module out" : ''
  return wrongType(value, reading, 'a map of options, true or false', hint)
}

function joined(name: string, maps: readonly MapInput[]): MapInput {
  const [first, second] = maps
  if (first === undefined) return emptyMap(`modules.${name}`)
  if (second === undefined) return first
  const over = new Set(namesIn(second))
  return { ...second, entries: [...first.entries.filter((entry) => !over.has(entry.key)), ...second.entries] }
}

function unknownModule(entry: InputEntry, known: KnownModules, reading: Reading): void {
  const at = { place: entry.place, path: entry.value.path }
  const near = nearest(entry.key, known.modules.keys())
  reading.report.error(
    at,
    'RTK_CONFIG_UNKNOWN_MODULE',
    `there is no module '${entry.key}'`,
    near === undefined ? "is its plugin in 'plugins'?" : `did you mean '${near}'?`,
  )
}
