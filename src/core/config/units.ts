/** Amounts as people write them: '10 minutes', '256 KiB', '3 KB/s', '50/s'. An amount without its unit is refused. */

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  millisecond: 1,
  s: 1_000,
  sec: 1_000,
  second: 1_000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
}

const byteUnits: Readonly<Record<string, number>> = {
  b: 1,
  byte: 1,
  kb: 1_000,
  kib: 1_024,
  mb: 1_000_000,
  mib: 1_048_576,
  gb: 1_000_000_000,
  gib: 1_073_741_824,
}

const endless: ReadonlySet<string> = new Set(['unlimited', 'never', 'none', 'infinite'])

function unitIn(units: Readonly<Record<string, number>>, written: string): number | undefined {
  const name = written.toLowerCase()
  if (Object.hasOwn(units, name)) return units[name]
  const single = name.replace(/s$/, '')
  return Object.hasOwn(units, single) ? units[single] : undefined
}

/** Sums parts such as '1 hour 30 minutes'. */
function amount(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const compact = text.trim().replaceAll('_', '')
  if (!/^(?:\d+(?:\.\d+)?\s*[A-Za-z]+[\s,]*)+$/.test(compact)) return undefined
  let sum = 0
  for (const part of compact.matchAll(/(\d+(?:\.\d+)?)\s*([A-Za-z]+)/g)) {
    const unit = unitIn(units, part[2] ?? '')
    if (unit === undefined) return undefined
    sum += Number(part[1]) * unit
  }
  return Math.round(sum)
}

/** Milliseconds; Infinity for 'never' or 'unlimited'; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  if (endless.has(text)) return Number.POSITIVE_INFINITY
  return amount(text, durationUnits)
}

/** Bytes; Infinity for 'unlimited'; undefined when it is no size. KB is 1,000 and KiB 1,024 bytes. */
export function parseBytes(text: string): number | undefined {
  if (endless.has(text)) return Number.POSITIVE_INFINITY
  return amount(text, byteUnits)
}

function perSecond(text: string, part: (left: string) => number | undefined): number | undefined {
  if (endless.has(text)) return Number.POSITIVE_INFINITY
  const slash = text.indexOf('/')
  if (slash < 0) return undefined
  const left = part(text.slice(0, slash).trim())
  const unit = unitIn(durationUnits, text.slice(slash + 1).trim())
  if (left === undefined || unit === undefined) return undefined
  return (left * 1_000) / unit
}

/** Bytes a second, from '3 KB/s'. */
export function parseByteRate(text: string): number | undefined {
  return perSecond(text, (left) => amount(left, byteUnits))
}

/** Events a second, from '50/s' or '5/minute'. */
export function parseFrequency(text: string): number | undefined {
  return perSecond(text, (left) => (/^\d+(?:\.\d+)?$/.test(left) ? Number(left) : undefined))
}

function show(value: number, scale: readonly (readonly [number, string])[]): string {
  if (value === Number.POSITIVE_INFINITY) return 'unlimited'
  for (const [size, name] of scale) if (value >= size && value % size === 0) return `${value / size} ${name}`
  return `${value} ${scale.at(-1)?.[1] ?? ''}`
}

export function showBytes(bytes: number): string {
  return show(bytes, [
    [1_073_741_824, 'GiB'],
    [1_048_576, 'MiB'],
    [1_024, 'KiB'],
    [1, 'B'],
  ])
}

/** Whatever letters are in capitals: JSON Schema's patterns know no flag for that. */
const anyCase = (word: string) => word.replaceAll(/[a-z]/g, (letter) => `[${letter.toUpperCase()}${letter}]`)

const oneOfUnits = (units: Readonly<Record<string, number>>) =>
  `(?:${Object.keys(units)
    .toSorted((a, b) => b.length - a.length)
    .map((name) => `${anyCase(name)}[sS]?`)
    .join('|')})`

const amountPattern = (units: Readonly<Record<string, number>>) =>
  `(?:\\d[\\d_]*(?:\\.[\\d_]+)?\\s*${oneOfUnits(units)}[\\s,]*)+`

/** The words for no limit. */
export const endlessWords: readonly string[] = [...endless]

/** What an amount looks like, as a regular expression of JSON Schema. */
export const amountPatterns = {
  duration: `^\\s*${amountPattern(durationUnits)}$`,
  bytes: `^\\s*${amountPattern(byteUnits)}$`,
  rate: `^\\s*${amountPattern(byteUnits)}/\\s*${oneOfUnits(durationUnits)}\\s*$`,
  frequency: `^\\s*\\d+(?:\\.\\d+)?\\s*/\\s*${oneOfUnits(durationUnits)}\\s*$`,
} as const
