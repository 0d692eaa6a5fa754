/** Options of one value. See `opt.ts`. */
import { Jid, parseJidOrFault, prepDomain } from '../../jid/index.ts'
import { type Input, type Place, showInput } from './input.ts'
import { type About, makeOption, outOfRange, wrongType } from './make.ts'
import { type MistakeCode, nearest } from './mistake.ts'
import { type Option, type Reading, Secret } from './option.ts'
import { parseByteRate, parseBytes, parseDuration, parseFrequency } from './units.ts'

export interface StringLimits {
  readonly minLength?: number
  readonly maxLength?: number
  /** Says what is wrong with a text, undefined when nothing is. */
  readonly check?: (text: string) => string | undefined
}

export function string(about: About<string> & StringLimits): Option<string> {
  const expects = 'a text'
  return makeOption(about, {
    kind: 'string',
    expects,
    lengths: { min: about.minLength, max: about.maxLength },
    read: (input, reading) => {
      if (input.kind !== 'string') {
        const quoted = input.kind === 'number' || input.kind === 'bool' ? `write it in quotes: '${input.value}'` : ''
        return wrongType(input, reading, expects, quoted)
      }
      const length = input.value.length
      if (outOfRange(input, reading, length, about.minLength, about.maxLength, ' characters')) return undefined
      const fault = about.check?.(input.value)
      return fault === undefined ? input.value : reading.report.error(input, 'RTK_CONFIG_VALUE', fault)
    },
  })
}

export interface NumberLimits {
  readonly min?: number
  readonly max?: number
}

function numeric(kind: 'int' | 'number', about: About<number> & NumberLimits): Option<number> {
  const expects = kind === 'int' ? 'a whole number' : 'a number'
  return makeOption(about, {
    kind,
    expects,
    min: about.min,
    max: about.max,
    read: (input, reading) => {
      if (input.kind !== 'number' || (kind === 'int' && !Number.isInteger(input.value))) {
        const bare = input.kind === 'string' && input.value.trim() !== '' && Number.isFinite(Number(input.value))
        return wrongType(input, reading, expects, bare ? 'write it without quotes' : '')
      }
      return outOfRange(input, reading, input.value, about.min, about.max) ? undefined : input.value
    },
  })
}

export function bool(about: About<boolean>): Option<boolean> {
  const expects = 'true or false'
  return makeOption(about, {
    kind: 'bool',
    expects,
    read: (input, reading) => {
      if (input.kind === 'bool') return input.value
      const word = input.kind === 'string' ? input.value.toLowerCase() : ''
      const meant = ['on', 'yes', 'y'].includes(word) ? 'true' : ['off', 'no', 'n'].includes(word) ? 'false' : ''
      return wrongType(input, reading, expects, meant === '' ? '' : `write ${meant}`)
    },
  })
}

interface Measure {
  readonly kind: 'duration' | 'bytes' | 'rate' | 'frequency'
  readonly expects: string
  readonly unit: string
  readonly parse: (text: string) => number | undefined
  /** A unit to propose for a bare number. */
  readonly usual: string
}

export const int = (about: About<number> & NumberLimits) => numeric('int', about)
export const number = (about: About<number> & NumberLimits) => numeric('number', about)

export interface AmountLimits {
  /** As written: '1 second'. */
  readonly min?: string
  readonly max?: string
  /** True: 'unlimited' (or 'never') is a value too, and gives Infinity. */
  readonly unlimited?: boolean
}

function measured(about: About<string> & AmountLimits, measure: Measure): Option<number> {
  const min = about.min === undefined ? undefined : measure.parse(about.min)
  const max = about.max === undefined ? undefined : measure.parse(about.max)
  return makeOption(about, {
    kind: measure.kind,
    expects: measure.expects,
    unit: measure.unit,
    min,
    max,
    unlimited: about.unlimited,
    read: (input, reading) => {
      if (input.kind === 'number') {
        if (input.value === 0 && measure.kind !== 'frequency' && (min ?? 0) === 0) return 0
        const text = `${input.value} has no unit`
        const amount = input.value > 0 ? input.value : 10
        return reading.report.error(input, 'RTK_CONFIG_UNIT', text, `for example '${amount} ${measure.usual}'`)
      }
      if (input.kind !== 'string') return wrongType(input, reading, measure.expects)
      const value = measure.parse(input.value)
      if (value === undefined) return badAmount(input, reading, measure)
      const example = about.max === undefined ? `for example '10 ${measure.usual}'` : `at most ${about.max}`
      if (value === Number.POSITIVE_INFINITY && about.unlimited !== true)
        return reading.report.error(input, 'RTK_CONFIG_RANGE', `${showInput(input)}: this has to have a limit`, example)
      const low = min !== undefined && value < min
      if (!low && (max === undefined || value <= max || value === Number.POSITIVE_INFINITY)) return value
      const range = low ? `at least ${about.min}` : `at most ${about.max}`
      return reading.report.error(input, 'RTK_CONFIG_RANGE', `${showInput(input)} is out of range`, range)
    },
  })
}

function badAmount(input: Input & { kind: 'string' }, reading: Reading, measure: Measure): undefined {
  const bare = /^\s*[\d._]+\s*$/.test(input.value)
  const code: MistakeCode = bare ? 'RTK_CONFIG_UNIT' : 'RTK_CONFIG_TYPE'
  if (!bare) return reading.report.error(input, code, `expected ${measure.expects}, found ${showInput(input)}`)
  const text = `${showInput(input)} has no unit`
  return reading.report.error(input, code, text, `for example '${input.value.trim()} ${measure.usual}'`)
}

export const duration = (about: About<string> & AmountLimits) =>
  measured(about, {
    kind: 'duration',
    expects: "a duration such as '10 minutes'",
    unit: 'ms',
    parse: parseDuration,
    usual: 'seconds',
  })

export const bytes = (about: About<string> & AmountLimits) =>
  measured(about, {
    kind: 'bytes',
    expects: "a size such as '256 KiB'",
    unit: 'bytes',
    parse: parseBytes,
    usual: 'KiB',
  })

export const rate = (about: About<string> & AmountLimits) =>
  measured(about, {
    kind: 'rate',
    expects: "a rate such as '3 KB/s'",
    unit: 'bytes/s',
    parse: parseByteRate,
    usual: 'KB/s',
  })

export const frequency = (about: About<string> & AmountLimits) =>
  measured(about, {
    kind: 'frequency',
    expects: "a frequency such as '50/s' or '5/minute'",
    unit: '1/s',
    parse: parseFrequency,
    usual: '/s',
  })

export function oneOf<const V extends readonly string[]>(values: V, about: About<V[number]>): Option<V[number]> {
  const expects = `one of ${values.join(', ')}`
  return makeOption<V[number]>(about, {
    kind: 'one of',
    expects,
    values,
    read: (input, reading) => {
      // `off` and `no` are texts in YAML 1.2, so only true texts are looked at.
      if (input.kind !== 'string') return wrongType(input, reading, expects)
      if (values.includes(input.value)) return input.value
      const text = `${showInput(input)} is not ${expects}`
      // The text has named them all.
      const near = nearest(input.value, values)
      return reading.report.error(input, 'RTK_CONFIG_VALUE', text, near === undefined ? '' : `did you mean '${near}'?`)
    },
  })
}

/**
 * A text that is kept out of logs, or `{ file: PATH }`, whose first line it is, or `{ env: NAME }`, a variable of the
 * environment that the command was started in. Gives a `Secret`.
 */
export function secret(about: Omit<About<string>, 'default'>): Option<Secret> {
  const expects = 'a secret text, { file: PATH } or { env: NAME }'
  return makeOption(about, {
    kind: 'secret',
    expects,
    secret: true,
    read: (input, reading) => {
      if (input.kind === 'string' && input.value !== '') {
        reading.secrets.push({ input, file: undefined, fill: () => undefined })
        return new Secret(input.value)
      }
      const only = input.kind === 'map' && input.entries.length === 1 ? input.entries[0] : undefined
      if (only?.key === 'file' && only.value.kind === 'string') {
        const { secret, fill } = Secret.waiting()
        reading.secrets.push({ input: only.value, file: only.value.value, fill })
        return secret
      }
      if (only?.key === 'env' && only.value.kind === 'string') {
        const { secret, fill } = Secret.waiting()
        reading.secrets.push({ input: only.value, file: undefined, variable: only.value.value, fill })
        return secret
      }
      if (input.kind === 'string')
        return reading.report.error(input, 'RTK_CONFIG_VALUE', 'the secret is empty', expects)
      // The value itself may be the secret: it is not shown.
      return reading.report.error(input, 'RTK_CONFIG_TYPE', `expected ${expects}, found a ${input.kind}`)
    },
  })
}

export function jid(about: About<string> & { readonly bare?: boolean }): Option<Jid> {
  const expects = about.bare === true ? 'a bare JID such as user@example.org' : 'a JID such as user@example.org'
  const example = 'as in user@example.org'
  return makeOption(about, {
    kind: 'jid',
    expects,
    read: (input, reading) => {
      if (input.kind !== 'string') return wrongType(input, reading, expects)
      const made = parseJidOrFault(input.value)
      if (!(made instanceof Jid))
        return reading.report.error(input, 'RTK_CONFIG_JID', `${showInput(input)} is no JID: ${made.text}`, example)
      if (about.bare === true && !made.isBare)
        return reading.report.error(input, 'RTK_CONFIG_JID', `${showInput(input)} has a resource`, `write ${made.bare}`)
      return made
    },
  })
}

/** Canonical form (RFC 7622), or undefined after a report. */
export function readDomain(input: Input, reading: Reading): string | undefined {
  const expects = 'a domain such as example.org'
  if (input.kind !== 'string') return wrongType(input, reading, expects)
  return domainOf(input.value, input, reading)
}

export function domainOf(
  text: string,
  at: Input | { place: Place; path: string },
  reading: Reading,
): string | undefined {
  const made = prepDomain(text)
  if (made !== undefined) return made
  const hint = text.includes('@')
    ? `the domain of a JID stands after the '@'`
    : text.includes(':')
      ? 'without a port'
      : /\s/.test(text)
        ? 'a domain has no blanks'
        : 'a domain such as example.org'
  return reading.report.error(at, 'RTK_CONFIG_DOMAIN', `'${text}' is no domain`, hint)
}

/** A domain in its canonical form (RFC 7622). */
export function domain(about: About<string>): Option<string> {
  return makeOption(about, { kind: 'domain', expects: 'a domain such as example.org', read: readDomain })
}

/** A file's name; a relative one is taken from the folder of the configuration file. */
export function path(about: About<string>): Option<string> {
  const expects = 'the name of a file'
  return makeOption(about, {
    kind: 'path',
    expects,
    read: (input, reading) => {
      if (input.kind !== 'string') return wrongType(input, reading, expects)
      if (input.value !== '' && !input.value.includes('\0')) return input.value
      return reading.report.error(input, 'RTK_CONFIG_VALUE', `expected ${expects}, found ${showInput(input)}`)
    },
  })
}
