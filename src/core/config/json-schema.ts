/**
 * Options as JSON Schema (draft-07, which editors of YAML know best): for completion, and to show a mistake while it is written.
 * What a schema takes is not yet good, since it knows no names and no files: `config check` has the last word. What it refuses
 * is wrong.
 */
import type { Json } from '../command-result.ts'
import type { Option, OptionKind, OptionSchema, Reload } from './option.ts'
import { amountPatterns, endlessWords, showBytes } from './units.ts'

export type JsonSchema = { readonly [key: string]: Json }

/** What the amounts refer to, at `#/definitions/…`. */
export const definitions: JsonSchema = {
  duration: amount('duration', '10 minutes', 'a duration such as 10 minutes'),
  bytes: amount('bytes', '256 KiB', 'a size such as 256 KiB'),
  rate: amount('rate', '100 KB/s', 'a rate such as 100 KB/s'),
  frequency: amount('frequency', '50/s', 'a frequency such as 50/s or 5/minute'),
}

function amount(kind: keyof typeof amountPatterns, example: string, expects: string): JsonSchema {
  // Not of the standard, and passed over by whoever does not know it: editors show it in place of the pattern.
  return {
    type: 'string',
    pattern: amountPatterns[kind],
    patternErrorMessage: `Write ${expects}.`,
    examples: [example],
  }
}

export const ref = (name: string): JsonSchema => ({ $ref: `#/definitions/${name}` })

/** The value of one option. */
export function optionSchema(option: Option<unknown>, within: Reload = 'hot'): JsonSchema {
  const reload = within === 'restart' ? within : option.reload
  const described = { description: descriptionOf(option, reload), ...defaultOf(option) }
  return { ...described, ...valueSchema(option, reload) }
}

function valueSchema(option: Option<unknown>, reload: Reload): JsonSchema {
  const { kind, of, fields, lengths } = option
  switch (kind) {
    case 'int':
    case 'number':
      return { type: kind === 'int' ? 'integer' : 'number', ...defined({ minimum: option.min, maximum: option.max }) }
    case 'bool':
      return { type: 'boolean' }
    case 'duration':
    case 'bytes':
    case 'rate':
    case 'frequency':
      return amountSchema(option, kind)
    case 'one of':
      return { type: 'string', enum: option.values ?? [] }
    case 'secret':
      return { anyOf: [{ type: 'string', minLength: 1 }, ...elsewhere] }
    case 'list': {
      const item = of === undefined ? {} : optionSchema(of, reload)
      const list = { type: 'array', items: item, ...defined({ minItems: lengths.min, maxItems: lengths.max }) }
      // One may stand for a list of one.
      return { anyOf: [list, item] }
    }
    case 'map': {
      const values = of === undefined ? {} : optionSchema(of, reload)
      const sizes = defined({ minProperties: lengths.min, maxProperties: lengths.max })
      return { type: 'object', additionalProperties: values, ...sizes }
    }
    case 'object':
      return groupSchema(fields ?? {}, reload)
    case 'value rule':
      return { anyOf: [of === undefined ? {} : optionSchema(of, reload), { type: 'string' }] }
    default:
      return textSchema(kind, lengths)
  }
}

function amountSchema({ min, unlimited }: Option<unknown>, kind: keyof typeof amountPatterns): JsonSchema {
  const others: JsonSchema[] = []
  if (kind !== 'frequency' && (min ?? 0) === 0) others.push({ const: 0 })
  if (unlimited) others.push({ enum: endlessWords })
  return { anyOf: [ref(kind), ...others] }
}

function textSchema(kind: OptionKind, { min, max }: Option<unknown>['lengths']): JsonSchema {
  const names = { 'access rule': ['all', 'loopback', 'admins', 'none'], shaper: ['none'] }[kind as string]
  const least = min ?? (kind === 'jid' || kind === 'domain' || kind === 'path' ? 1 : undefined)
  const examples = names === undefined ? {} : { examples: names }
  return { type: 'string', ...defined({ minLength: least, maxLength: max }), ...examples }
}

/** Where a secret may stand instead. */
const elsewhere: readonly JsonSchema[] = [
  named('file', 'A file whose first line is the secret.'),
  named('env', 'A variable of the environment in which the command was started.'),
]

function named(key: string, description: string): JsonSchema {
  const properties = { [key]: { type: 'string', description } }
  return { type: 'object', properties, required: [key], additionalProperties: false }
}

/** A group of options; one whose lines are all commented out is empty. */
export function groupSchema(fields: OptionSchema, within: Reload = 'hot'): JsonSchema {
  const entries = Object.entries(fields)
  const required = entries.flatMap(([name, option]) => (option.required ? [name] : []))
  return {
    type: required.length > 0 ? 'object' : ['object', 'null'],
    properties: propertiesOf(fields, within),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  }
}

export function propertiesOf(fields: OptionSchema, within: Reload = 'hot'): JsonSchema {
  return Object.fromEntries(Object.entries(fields).map(([name, option]) => [name, optionSchema(option, within)]))
}

/** With the range, where the schema itself cannot tell it, and what a change needs. */
function descriptionOf({ description, kind, min, max }: Option<unknown>, reload: Reload): string {
  const show = kind === 'bytes' ? showBytes : kind === 'duration' ? showDuration : undefined
  let text = description
  if (show !== undefined && (min !== undefined || max !== undefined)) {
    const least = min === undefined ? '' : `at least ${show(min)}`
    const most = max === undefined ? '' : `at most ${show(max)}`
    text += ` ${[least, most].filter((part) => part !== '').join(', ')}.`.replace(/^ a/, ' A')
  }
  return reload === 'restart' ? `${text} A change needs a restart.` : text
}

function showDuration(ms: number): string {
  const units: readonly (readonly [size: number, name: string])[] = [
    [86_400_000, 'day'],
    [3_600_000, 'hour'],
    [60_000, 'minute'],
    [1_000, 'second'],
  ]
  const [size, name] = units.find(([size]) => ms >= size && ms % size === 0) ?? [1, 'ms']
  const count = ms / size
  return name === 'ms' || count === 1 ? `${count} ${name}` : `${count} ${name}s`
}

/** As one would write it. */
function defaultOf({ defaultText, kind }: Option<unknown>): JsonSchema {
  if (defaultText === undefined) return {}
  const isText = !['int', 'number', 'bool', 'list', 'map', 'object', 'value rule'].includes(kind)
  if (isText) return { default: defaultText }
  try {
    return { default: JSON.parse(defaultText) as Json }
  } catch {
    // The name of a shaper, or a single text in place of a list.
    return { default: defaultText }
  }
}

function defined(values: Readonly<Record<string, number | undefined>>): JsonSchema {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as JsonSchema
}
