/** Tables of options for the guide and `--help`: made from the schemas, never written by hand. */
import type { OptionSchema, Reload } from './option.ts'

export interface OptionRow {
  /** As in `listeners[].port`. */
  readonly path: string
  readonly type: string
  /** Unit of the value in code, '' for none. */
  readonly unit: string
  /** As one would write it; '' when there is none. */
  readonly default: string
  readonly required: boolean
  readonly reload: Reload
  readonly secret: boolean
  readonly description: string
  /** As in '1 to 100', '' for no range. */
  readonly range: string
  /** Of a choice, or of each in a list of choices. */
  readonly values: readonly string[]
}

function rangeOf(min: number | undefined, max: number | undefined): string {
  if (min === undefined) return max === undefined ? '' : `at most ${max}`
  return max === undefined ? `at least ${min}` : `${min} to ${max}`
}

/** One row an option, groups before their members; what is in a group or list that needs a restart needs one too. */
export function describeOptions(schema: OptionSchema, prefix = '', within: Reload = 'hot'): readonly OptionRow[] {
  const rows: OptionRow[] = []
  for (const [name, option] of Object.entries(schema)) {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const reload = within === 'restart' ? within : option.reload
    rows.push({
      path,
      type: option.kind,
      unit: option.unit,
      default: option.defaultText ?? '',
      required: option.required,
      reload,
      secret: option.secret,
      description: option.description,
      range: rangeOf(option.min, option.max),
      values: option.values ?? option.of?.values ?? [],
    })
    if (option.fields !== undefined) rows.push(...describeOptions(option.fields, path, reload))
    else if (option.of?.fields !== undefined) {
      const items = option.kind === 'list' ? `${path}[]` : `${path}.NAME`
      rows.push(...describeOptions(option.of.fields, items, reload))
    }
  }
  return rows
}
