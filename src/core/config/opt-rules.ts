/** Options that refer to the access rules and shapers of the configuration. See `opt.ts`. */
import { type AccessRule, ValueRule } from '../access.ts'
import { inputOf, showInput } from './input.ts'
import { type About, makeOption, plainReading, wrongType } from './make.ts'
import { suggest } from './mistake.ts'
import type { Option, Reading, Shaping } from './option.ts'

/** The name of an access rule; gives the rule itself: `options.access.allows({ jid })`. */
export function access(about: About<string>): Option<AccessRule> {
  const expects = 'the name of an access rule'
  return makeOption(about, {
    kind: 'access rule',
    expects,
    read: (input, reading) => {
      if (input.kind !== 'string') return wrongType(input, reading, expects)
      const rule = reading.names.rules.get(input.value)
      if (rule !== undefined) return rule
      const valued = reading.names.valueRules.has(input.value)
      const text = valued
        ? `'${input.value}' gives values, it does not allow or deny`
        : `there is no access rule '${input.value}'`
      const hint = valued ? `write its lines with 'allow' and 'deny'` : suggest(input.value, reading.names.rules.keys())
      return reading.report.error(input, 'RTK_CONFIG_UNKNOWN_RULE', text, hint)
    },
  })
}

/** The shaper named 'none': no limit. */
export const NO_SHAPER: Shaping = Object.freeze({
  name: 'none',
  rate: Number.POSITIVE_INFINITY,
  burst: Number.POSITIVE_INFINITY,
})

/** The name of a shaper, 'none' for no shaping; gives its figures. */
export function shaper(about: About<string>): Option<Shaping> {
  const expects = 'the name of a shaper'
  return makeOption(about, {
    kind: 'shaper',
    expects,
    read: (input, reading) => {
      if (input.kind !== 'string') return wrongType(input, reading, expects)
      if (input.value === 'none') return NO_SHAPER
      const found = reading.names.shapers.get(input.value)
      if (found !== undefined) return found
      const names = [...reading.names.shapers.keys(), 'none', ...reading.names.valueRules.keys()]
      const text = `there is no shaper '${input.value}'`
      return reading.report.error(input, 'RTK_CONFIG_UNKNOWN_SHAPER', text, suggest(input.value, names))
    },
  })
}

/** The default of a ruled option holds where no line matches. */
function fallback<T>(of: Option<T>, written: unknown, reading: Reading): T | undefined {
  return of.read(inputOf(written), { ...plainReading(), names: reading.names })
}

/**
 * A value of `of`, or the name of a rule that chooses one by who asks (`access: { NAME: [{ value: …, if: … }] }`). Gives a
 * `ValueRule`. The default is a plain value, and holds too when no line of the rule matches.
 */
export function ruled<T>(
  of: Option<T>,
  about: About<string | number> & { readonly default: string | number },
): Option<ValueRule<T>> {
  const expects = `${of.expects}, or the name of a rule that gives one`
  return makeOption<ValueRule<T>>(about, {
    kind: 'value rule',
    expects,
    of,
    read: (input, reading) => {
      const rule = input.kind === 'string' ? reading.names.valueRules.get(input.value) : undefined
      if (rule === undefined || input.kind !== 'string') {
        const before = reading.report.mistakes.length
        const value = of.read(input, reading)
        if (value !== undefined) return new ValueRule<T>(`always ${showInput(input)}`, [], value)
        const last = reading.report.mistakes.at(-1)
        if (
          input.kind === 'string' &&
          last !== undefined &&
          last.hint === '' &&
          before < reading.report.mistakes.length
        ) {
          const hint = suggest(input.value, reading.names.valueRules.keys())
          reading.report.mistakes[reading.report.mistakes.length - 1] = { ...last, hint }
        }
        return undefined
      }
      const otherwise = fallback(of, about.default, reading)
      if (otherwise === undefined) return undefined
      const lines: { value: T; matcher: (typeof rule.lines)[number]['matcher']; source: string }[] = []
      for (const line of rule.lines) {
        const value = of.read(line.value, reading)
        if (value !== undefined) lines.push({ value, matcher: line.matcher, source: line.source })
      }
      return lines.length === rule.lines.length ? new ValueRule<T>(input.value, lines, otherwise) : undefined
    },
  })
}
