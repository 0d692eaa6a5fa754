/**
 * As much of JSON Schema draft-07 (draft-handrews-json-schema-validation-01) as our schema uses, written by the standard: what it
 * does not know is a fault, so that no keyword goes unchecked.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Json } from '../command-result.ts'
import type { JsonSchema } from './json-schema.ts'

const annotations = new Set([
  '$schema',
  'title',
  'description',
  'default',
  'examples',
  'definitions',
  'patternErrorMessage',
])

const isMap = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function typeOf(value: Json): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function isType(value: Json, type: Json): boolean {
  if (type === 'integer') return Number.isInteger(value)
  return typeOf(value) === type
}

type Check = (value: Json, given: Json, schema: JsonSchema, root: JsonSchema, at: string) => readonly string[]

const list = (given: Json) => given as readonly JsonSchema[]
const isGood = (value: Json, schema: Json, root: JsonSchema, at: string) =>
  faultsOf(value, schema, root, at).length === 0
const told = (isSo: boolean, at: string, text: string) => (isSo ? [] : [`${at}: ${text}`])

const checks: Readonly<Record<string, Check>> = {
  $ref: (value, given, _, root, at) => {
    const name = /^#\/definitions\/(\w+)$/.exec(String(given))?.[1] ?? ''
    const target = (root['definitions'] as JsonSchema)[name]
    if (target === undefined) throw new Error(`there is no ${String(given)}`)
    return faultsOf(value, target, root, at)
  },
  type: (value, given, _, __, at) =>
    told(
      (Array.isArray(given) ? given : [given]).some((type: Json) => isType(value, type)),
      at,
      `is a ${typeOf(value)}`,
    ),
  enum: (value, given, _, __, at) =>
    told(
      (given as readonly Json[]).some((one) => isDeepStrictEqual(one, value)),
      at,
      `${JSON.stringify(value)} is none of those`,
    ),
  const: (value, given, _, __, at) => told(isDeepStrictEqual(value, given), at, `is not ${JSON.stringify(given)}`),
  minimum: (value, given, _, __, at) => told(typeof value !== 'number' || value >= Number(given), at, 'is too small'),
  maximum: (value, given, _, __, at) => told(typeof value !== 'number' || value <= Number(given), at, 'is too large'),
  minLength: (value, given, _, __, at) =>
    told(typeof value !== 'string' || [...value].length >= Number(given), at, 'is too short'),
  maxLength: (value, given, _, __, at) =>
    told(typeof value !== 'string' || [...value].length <= Number(given), at, 'is too long'),
  pattern: (value, given, _, __, at) =>
    told(typeof value !== 'string' || new RegExp(String(given), 'u').test(value), at, 'does not look like it'),
  minItems: (value, given, _, __, at) =>
    told(!Array.isArray(value) || value.length >= Number(given), at, 'has too few'),
  maxItems: (value, given, _, __, at) =>
    told(!Array.isArray(value) || value.length <= Number(given), at, 'has too many'),
  minProperties: (value, given, _, __, at) =>
    told(!isMap(value) || Object.keys(value).length >= Number(given), at, 'has too few'),
  maxProperties: (value, given, _, __, at) =>
    told(!isMap(value) || Object.keys(value).length <= Number(given), at, 'has too many'),
  required: (value, given, _, __, at) =>
    isMap(value) ? (given as string[]).flatMap((name) => told(Object.hasOwn(value, name), at, `lacks ${name}`)) : [],
  properties: (value, given, _, root, at) =>
    isMap(value)
      ? Object.entries(given as JsonSchema).flatMap(([name, schema]) =>
          Object.hasOwn(value, name) ? faultsOf(value[name] ?? null, schema, root, `${at}.${name}`) : [],
        )
      : [],
  additionalProperties: (value, given, schema, root, at) => {
    if (!isMap(value)) return []
    const known = Object.keys((schema['properties'] ?? {}) as JsonSchema)
    const others = Object.entries(value).filter(([name]) => !known.includes(name))
    return others.flatMap(([name, other]) => faultsOf(other, given, root, `${at}.${name}`))
  },
  propertyNames: (value, given, _, root, at) =>
    isMap(value) ? Object.keys(value).flatMap((name) => faultsOf(name, given, root, `${at}.${name} (its name)`)) : [],
  items: (value, given, _, root, at) =>
    Array.isArray(value) ? value.flatMap((item: Json, i) => faultsOf(item, given, root, `${at}[${i}]`)) : [],
  anyOf: (value, given, _, root, at) =>
    told(
      list(given).some((one) => isGood(value, one, root, at)),
      at,
      'is none of its kinds',
    ),
  oneOf: (value, given, _, root, at) =>
    told(list(given).filter((one) => isGood(value, one, root, at)).length === 1, at, 'is not exactly one of its kinds'),
  allOf: (value, given, _, root, at) => list(given).flatMap((one) => faultsOf(value, one, root, at)),
  not: (value, given, _, root, at) => told(!isGood(value, given, root, at), at, 'is what it must not be'),
  if: (value, given, schema, root, at) => {
    const next = isGood(value, given, root, at) ? schema['then'] : schema['else']
    return next === undefined ? [] : faultsOf(value, next, root, at)
  },
  // Seen with `if`.
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: () => [],
  else: () => [],
}

/** What is wrong with a value, by place; empty when it is valid. Throws an Error for a schema that is not well formed. */
export function faultsOf(value: Json, schema: Json, root: JsonSchema, at = ''): readonly string[] {
  if (typeof schema === 'boolean') return told(schema, at, 'is not there')
  if (!isMap(schema)) throw new Error(`${JSON.stringify(schema)} is no schema`)
  return Object.entries(schema).flatMap(([keyword, given]) => {
    if (annotations.has(keyword)) return []
    const check = checks[keyword]
    if (check === undefined) throw new Error(`the keyword ${keyword} is not known`)
    return check(value, given, schema, root, at)
  })
}

/** What must hold of each keyword's value, by the meta-schema of draft-07. */
const forms: Readonly<Record<string, (given: Json) => boolean>> = {
  $ref: (given) => typeof given === 'string' && given.startsWith('#/definitions/'),
  type: (given) => (Array.isArray(given) ? given : [given]).every((type) => types.includes(type as string)),
  enum: (given) =>
    Array.isArray(given) && given.length > 0 && new Set(given.map((one) => JSON.stringify(one))).size === given.length,
  pattern: (given) => typeof given === 'string' && new RegExp(given, 'u') instanceof RegExp,
  required: (given) => Array.isArray(given) && given.every((name) => typeof name === 'string'),
  examples: (given) => Array.isArray(given),
  description: (given) => typeof given === 'string' && given !== '',
  minimum: (given) => typeof given === 'number',
  maximum: (given) => typeof given === 'number',
}
const types = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']
const counts = /^(?:min|max)(?:Length|Items|Properties)$/
const schemas = ['anyOf', 'oneOf', 'allOf']
const maps = ['properties', 'definitions']
const ones = ['additionalProperties', 'propertyNames', 'items', 'not', 'if', 'then', 'else']

/** Walks a schema; throws an Error that names what is not well formed. Gives the number of schemas within. */
export function checkWellFormed(schema: Json, at = '#'): number {
  if (typeof schema === 'boolean') return 1
  if (!isMap(schema)) throw new Error(`${at} is no schema`)
  let count = 1
  for (const [keyword, given] of Object.entries(schema)) {
    const here = `${at}/${keyword}`
    if (!annotations.has(keyword) && checks[keyword] === undefined) throw new Error(`${here} is not known`)
    if (forms[keyword]?.(given) === false) throw new Error(`${here} is ${JSON.stringify(given)}`)
    if (counts.test(keyword) && !(Number.isInteger(given) && Number(given) >= 0)) throw new Error(`${here} is no count`)
    if (schemas.includes(keyword)) {
      if (!Array.isArray(given) || given.length === 0) throw new Error(`${here} is no list of schemas`)
      for (const [i, one] of given.entries()) count += checkWellFormed(one as Json, `${here}/${i}`)
    } else if (maps.includes(keyword)) {
      for (const [name, one] of Object.entries(given as JsonSchema)) count += checkWellFormed(one, `${here}/${name}`)
    } else if (ones.includes(keyword)) count += checkWellFormed(given, here)
    // Draft-07 passes over whatever stands beside a reference.
    if (keyword === '$ref' && Object.keys(schema).length > 1) throw new Error(`${here} has something beside it`)
  }
  return count
}
