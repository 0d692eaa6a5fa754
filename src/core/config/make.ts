/** How an option is made from its description and a function that reads it. */
import { builtInRules } from '../access.ts'
import { type Input, inputOf, showInput } from './input.ts'
import { Report } from './mistake.ts'
import type { Option, OptionKind, Reading, Reload } from './option.ts'

export interface About<D> {
  /** One sentence, for the tables in the guide and for `--help`. */
  readonly description: string
  /** As one would write it in the file. Left out: the option is required. */
  readonly default?: D
  /** 'hot' unless said otherwise. */
  readonly reload?: Reload
}

/** What `makeOption` needs beyond `About`. */
export interface Making<T> {
  readonly kind: OptionKind
  readonly expects: string
  readonly read: (input: Input, reading: Reading) => T | undefined
  readonly absent?: (parent: Input, key: string, reading: Reading) => T | undefined
  readonly required?: boolean
  readonly unit?: string
  readonly min?: number | undefined
  readonly max?: number | undefined
  readonly unlimited?: boolean | undefined
  readonly lengths?: Option<unknown>['lengths']
  readonly secret?: boolean
  readonly values?: readonly string[]
  readonly fields?: Option<unknown>['fields']
  readonly of?: Option<unknown>
}

/** A reading without file and names, for defaults and for the arguments of commands. */
export function plainReading(report = new Report('')): Reading {
  return { report, names: { rules: builtInRules, valueRules: new Map(), shapers: new Map() }, secrets: [] }
}

const anyLength = Object.freeze({ min: undefined, max: undefined })

/** The floor under all helpers; listeners and sections with a form of their own are made with it too. */
export function makeOption<T>(about: About<unknown>, making: Making<T>): Option<T> {
  const written = about.default
  const hasDefault = written !== undefined
  if (hasDefault) checkDefault(about, making)
  const missing = (parent: Input, key: string, reading: Reading): T | undefined => {
    if (hasDefault) return making.read(inputOf(written, parent.path === '' ? key : `${parent.path}.${key}`), reading)
    return reading.report.error(parent, 'RTK_CONFIG_MISSING', `'${key}' is missing`, `it is ${making.expects}`)
  }
  return Object.freeze({
    kind: making.kind,
    description: about.description,
    reload: about.reload ?? 'hot',
    secret: making.secret ?? false,
    required: making.required ?? (making.absent === undefined && !hasDefault),
    defaultText: !hasDefault || making.secret === true ? undefined : showDefault(written),
    expects: making.expects,
    unit: making.unit ?? '',
    min: making.min,
    max: making.max,
    unlimited: making.unlimited ?? false,
    lengths: making.lengths ?? anyLength,
    values: making.values,
    fields: making.fields,
    of: making.of,
    absent: making.absent ?? missing,
    read: making.read,
  })
}

function showDefault(written: unknown): string {
  return typeof written === 'string' ? written : JSON.stringify(written)
}

function checkDefault(about: About<unknown>, making: Making<unknown>): void {
  // What refers to names can only be judged with them.
  if (making.kind === 'access rule' || making.kind === 'shaper' || making.kind === 'value rule') return
  const reading = plainReading()
  making.read(inputOf(about.default), reading)
  const mistake = reading.report.mistakes[0]
  if (mistake !== undefined) throw new TypeError(`the default of '${about.description}' is wrong: ${mistake.text}`)
}

export function wrongType(input: Input, reading: Reading, expects: string, hint = ''): undefined {
  return reading.report.error(input, 'RTK_CONFIG_TYPE', `expected ${expects}, found ${showInput(input)}`, hint)
}

export function outOfRange(
  input: Input,
  reading: Reading,
  value: number,
  min?: number,
  max?: number,
  unit = '',
): boolean {
  if ((min === undefined || value >= min) && (max === undefined || value <= max)) return false
  const range = min === undefined ? `at most ${max}` : max === undefined ? `at least ${min}` : `${min} to ${max}`
  reading.report.error(input, 'RTK_CONFIG_RANGE', `${showInput(input)} is out of range`, `${range}${unit}`)
  return true
}
