/** Options made of others: lists, maps, objects, and what may be left out. See `opt.ts`. */
import { childPath, emptyMap, entryOf, type Input, type MapInput } from './input.ts'
import { type About, makeOption, outOfRange, wrongType } from './make.ts'
import { suggest } from './mistake.ts'
import type { Option, OptionSchema, OptionsOf, Reading } from './option.ts'

export interface CountLimits {
  readonly minItems?: number
  readonly maxItems?: number
}

/** A list; a single value counts as a list of one. */
export function list<T>(of: Option<T>, about: About<readonly unknown[]> & CountLimits): Option<readonly T[]> {
  return makeOption<readonly T[]>(about, {
    kind: 'list',
    expects: `a list, each ${of.expects}`,
    of,
    lengths: { min: about.minItems, max: about.maxItems },
    read: (input, reading) => {
      if (input.kind === 'null') return wrongType(input, reading, `a list, each ${of.expects}`)
      const items = input.kind === 'list' ? input.items : [input]
      if (outOfRange(input, reading, items.length, about.minItems, about.maxItems, ' items')) return undefined
      const values: T[] = []
      let whole = true
      for (const item of items) {
        const value = of.read(item, reading)
        if (value === undefined) whole = false
        else values.push(value)
      }
      return whole ? values : undefined
    },
  })
}

/** Names to values. */
export function map<T>(
  of: Option<T>,
  about: About<Readonly<Record<string, unknown>>> & CountLimits,
): Option<ReadonlyMap<string, T>> {
  const expects = `a map of names, each with ${of.expects}`
  return makeOption<ReadonlyMap<string, T>>(about, {
    kind: 'map',
    expects,
    of,
    lengths: { min: about.minItems, max: about.maxItems },
    read: (input, reading) => {
      if (input.kind !== 'map') return wrongType(input, reading, expects)
      if (outOfRange(input, reading, input.entries.length, about.minItems, about.maxItems, ' entries')) return undefined
      const values = new Map<string, T>()
      let whole = true
      for (const entry of input.entries) {
        const value = of.read(entry.value, reading)
        if (value === undefined) whole = false
        else values.set(entry.key, value)
      }
      return whole ? values : undefined
    },
  })
}

/** Reads the options of `schema` from a map: every unknown, missing and wrong one is reported. Undefined after a mistake. */
export function readFields<S extends OptionSchema>(
  schema: S,
  input: MapInput,
  reading: Reading,
  what = 'option',
): OptionsOf<S> | undefined {
  const values: Record<string, unknown> = {}
  let whole = true
  for (const entry of input.entries) {
    if (Object.hasOwn(schema, entry.key)) continue
    whole = false
    const at = { place: entry.place, path: entry.value.path }
    const missing = Object.keys(schema).filter((key) => entryOf(input, key) === undefined)
    const text = `there is no ${what} '${entry.key}'${input.path === '' ? '' : ` in ${input.path}`}`
    reading.report.error(at, 'RTK_CONFIG_UNKNOWN_KEY', text, suggest(entry.key, missing))
  }
  for (const [key, option] of Object.entries(schema)) {
    const entry = entryOf(input, key)
    const mistakes = reading.report.mistakes.length
    const value = entry === undefined ? option.absent(input, key, reading) : option.read(entry.value, reading)
    values[key] = value
    if (value === undefined && reading.report.mistakes.length > mistakes) whole = false
  }
  return whole ? (Object.freeze(values) as OptionsOf<S>) : undefined
}

/** A group of options. Left out, it is the group with all its defaults. */
export function object<S extends OptionSchema>(
  fields: S,
  about: { readonly description: string; readonly reload?: 'hot' | 'restart' },
): Option<OptionsOf<S>> {
  const expects = 'a map of options'
  return makeOption<OptionsOf<S>>(about, {
    kind: 'object',
    expects,
    fields,
    required: Object.values(fields).some((field) => field.required),
    absent: (parent, key, reading) => readFields(fields, emptyMap(childPath(parent.path, key), parent.place), reading),
    read: (input, reading) => {
      // A section whose lines are all commented out is read as one that was left out.
      if (input.kind === 'null') return readFields(fields, emptyMap(input.path, input.place), reading)
      if (input.kind !== 'map') return wrongType(input, reading, expects, `known: ${Object.keys(fields).join(', ')}`)
      return readFields(fields, input, reading)
    },
  })
}

/** What may be left out: then it is undefined. */
export function optional<T>(option: Option<T>): Option<T | undefined> {
  return Object.freeze({ ...option, required: false, defaultText: undefined, absent: () => undefined })
}

/** For callers that know the input only as such. */
export function asMap(input: Input): MapInput | undefined {
  return input.kind === 'map' ? input : input.kind === 'null' ? emptyMap(input.path, input.place) : undefined
}
