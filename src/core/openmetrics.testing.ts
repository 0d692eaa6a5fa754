/**
 * A reader of OpenMetrics 1.0.0, by the ABNF of the specification ("Text format") and the rules of its prose, each named in the
 * fault. It takes only what is well formed, and shares no line with the writer.
 */

export interface ReadSample {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

export interface ReadFamily {
  readonly name: string
  type: string
  unit: string
  help: string
  readonly samples: ReadSample[]
}

const METRIC_NAME = /^[A-Za-z_:][A-Za-z0-9_:]*/
const LABEL_NAME = /^[A-Za-z_][A-Za-z0-9_]*/
// escaped-string: normal characters, or a backslash before n, a quote or a backslash ("SHOULD NOT be used for undefined").
const ESCAPED = /^(?:[^\n"\\]|\\[n"\\])*/u
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\d*\.\d+)(?:e[+-]?\d+)?|[+-]?inf(?:inity)?|nan)$/i
const TYPES = ['counter', 'gauge', 'histogram', 'gaugehistogram', 'stateset', 'info', 'summary', 'unknown']
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: [''],
  info: ['_info'],
  histogram: ['_bucket', '_count', '_sum', '_created'],
}

/** All families by name. Throws an Error that names the line and the rule. */
export function readOpenMetrics(text: string): ReadonlyMap<string, ReadFamily> {
  if (text.includes('\r')) throw new Error('a carriage return')
  if (!text.endsWith('# EOF\n')) throw new Error('no "# EOF" at the end')
  const lines = text.slice(0, -'# EOF\n'.length).split('\n')
  if (lines.pop() !== '') throw new Error('the line before "# EOF" does not end')
  const families = new Map<string, ReadFamily>()
  let current: ReadFamily | undefined
  for (const [i, line] of lines.entries()) {
    try {
      current = line.startsWith('#') ? readDescriptor(line, families, current) : readSample(line, current)
    } catch (error) {
      throw new Error(`line ${i + 1}, ${(error as Error).message}: ${line}`)
    }
  }
  for (const family of families.values()) checkFamily(family)
  return families
}

function readDescriptor(line: string, families: Map<string, ReadFamily>, current: ReadFamily | undefined): ReadFamily {
  const found = /^# (TYPE|UNIT|HELP) ([^ ]+) (.*)$/u.exec(line)
  if (found === null) throw new Error('no descriptor')
  const [, what = '', name = '', rest = ''] = found
  if (METRIC_NAME.exec(name)?.[0] !== name) throw new Error('no metric name')
  let family = current
  if (family?.name !== name) {
    if (families.has(name)) throw new Error('families are interleaved')
    family = { name, type: '', unit: '', help: '', samples: [] }
    families.set(name, family)
  }
  if (family.samples.length > 0) throw new Error('a descriptor behind a sample')
  if (what === 'TYPE') {
    if (family.type !== '') throw new Error('a second TYPE')
    if (!TYPES.includes(rest)) throw new Error('no type')
    family.type = rest
  } else if (what === 'UNIT') {
    if (family.unit !== '') throw new Error('a second UNIT')
    if (!name.endsWith(`_${rest}`)) throw new Error('the unit is not the suffix of the name')
    family.unit = rest
  } else {
    if (family.help !== '') throw new Error('a second HELP')
    if (ESCAPED.exec(rest)?.[0] !== rest) throw new Error('no escaped string')
    family.help = rest
  }
  return family
}

function readSample(line: string, family: ReadFamily | undefined): ReadFamily {
  if (family === undefined) throw new Error('a sample without a family')
  const name = METRIC_NAME.exec(line)?.[0] ?? ''
  const suffixes = SUFFIXES[family.type] ?? []
  if (!suffixes.some((suffix) => name === `${family.name}${suffix}`)) throw new Error(`no sample of a ${family.type}`)
  const labels = new Map<string, string>()
  let rest = line.slice(name.length)
  if (rest.startsWith('{')) rest = readLabels(rest.slice(1), labels)
  if (!rest.startsWith(' ')) throw new Error('no space before the number')
  const number = rest.slice(1)
  if (!NUMBER.test(number)) throw new Error('no number')
  const value = /inf/i.test(number) ? Number.POSITIVE_INFINITY * (number.startsWith('-') ? -1 : 1) : Number(number)
  family.samples.push({ name, labels, value })
  return family
}

function readLabels(text: string, labels: Map<string, string>): string {
  let rest = text
  while (!rest.startsWith('}')) {
    const name = LABEL_NAME.exec(rest)?.[0]
    if (name === undefined || name.startsWith('__')) throw new Error('no label name')
    rest = rest.slice(name.length)
    if (!rest.startsWith('="')) throw new Error('no value of a label')
    const escaped = ESCAPED.exec(rest.slice(2))?.[0] ?? ''
    rest = rest.slice(2 + escaped.length)
    if (!rest.startsWith('"')) throw new Error('a label does not end')
    if (labels.has(name)) throw new Error('a label twice')
    labels.set(
      name,
      escaped.replaceAll(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one)),
    )
    rest = rest.slice(1)
    if (rest.startsWith(',')) rest = rest.slice(1)
    else if (!rest.startsWith('}')) throw new Error('no comma between labels')
  }
  return rest.slice(1)
}

function checkFamily({ name, type, samples }: ReadFamily): void {
  const seen = new Set<string>()
  for (const sample of samples) {
    const key = JSON.stringify([sample.name, [...sample.labels].sort()])
    if (seen.has(key)) throw new Error(`${key} is there twice`)
    seen.add(key)
    if (type === 'counter' && !(sample.value >= 0)) throw new Error(`the counter ${key} is ${sample.value}`)
  }
  if (type === 'histogram') checkHistogram(name, samples)
}

/** "Buckets MUST be cumulative", with one at +Inf, which is the count. */
function checkHistogram(name: string, samples: readonly ReadSample[]): void {
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`)
  const bounds = buckets.map(({ labels }) => labels.get('le') ?? '')
  if (bounds.at(-1) !== '+Inf') throw new Error(`the last bucket of ${name} is not +Inf`)
  for (const bound of bounds) if (!/[.e]|Inf/.test(bound)) throw new Error(`${bound} is no canonical float`)
  for (let i = 1; i < buckets.length; i++) {
    const [before, after] = [buckets[i - 1], buckets[i]] as [ReadSample, ReadSample]
    if (after.value < before.value) throw new Error(`the buckets of ${name} are not cumulative`)
    if (Number(bounds[i]) <= Number(bounds[i - 1])) throw new Error(`the bounds of ${name} do not rise`)
  }
  const count = samples.find((sample) => sample.name === `${name}_count`)?.value
  if (count !== buckets.at(-1)?.value) throw new Error(`the count of ${name} is not that of its last bucket`)
}
