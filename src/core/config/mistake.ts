/** Mistakes in a configuration: collected, never thrown one by one, so that a file with twelve of them yields twelve. */
import type { Input, Place } from './input.ts'

export type MistakeCode = `RTK_CONFIG_${string}`

export interface Mistake {
  readonly code: MistakeCode
  /** A warning does not keep the server from starting. */
  readonly severity: 'error' | 'warning'
  readonly file: string
  /** From 1; 0 when the value was not written in a file. */
  readonly line: number
  readonly column: number
  /** As in `listeners[2].port`; '' for the whole file. */
  readonly path: string
  readonly text: string
  /** What to do about it, '' when there is nothing to say. */
  readonly hint: string
}

/** Gathers mistakes of one file. */
export class Report {
  readonly file: string
  readonly mistakes: Mistake[] = []

  constructor(file: string) {
    this.file = file
  }

  error(at: Input | { place: Place; path: string }, code: MistakeCode, text: string, hint = ''): undefined {
    this.#add('error', at.place, at.path, code, text, hint)
    return undefined
  }

  warning(at: Input | { place: Place; path: string }, code: MistakeCode, text: string, hint = ''): void {
    this.#add('warning', at.place, at.path, code, text, hint)
  }

  get hasErrors(): boolean {
    return this.mistakes.some((mistake) => mistake.severity === 'error')
  }

  /** In the order of the file. */
  sorted(): readonly Mistake[] {
    return this.mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column)
  }

  #add(severity: Mistake['severity'], place: Place, path: string, code: MistakeCode, text: string, hint: string): void {
    this.mistakes.push({ code, severity, file: this.file, line: place.line, column: place.column, path, text, hint })
  }
}

/** A default for all host types is read once for each: its mistakes are told once. */
export function unique(mistakes: readonly Mistake[]): Mistake[] {
  const seen = new Set<string>()
  return mistakes.filter((m) => {
    const key = `${m.code} ${m.line}:${m.column} ${m.path} ${m.text}`
    return seen.has(key) ? false : seen.add(key)
  })
}

/** `file:line:column: text (hint)`, as compilers write it. */
export function formatMistake(mistake: Mistake): string {
  const where = mistake.line === 0 ? mistake.file : `${mistake.file}:${mistake.line}:${mistake.column}`
  const kind = mistake.severity === 'warning' ? 'warning: ' : ''
  const hint = mistake.hint === '' ? '' : ` (${mistake.hint})`
  return `${where === '' ? 'configuration' : where}: ${kind}${mistake.text}${hint}`
}

/** All mistakes of a configuration at once. `createServer` rejects with it. */
export class ConfigError extends Error {
  readonly code = 'RTK_CONFIG'
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(formatMistake).join('\n'))
    this.name = 'ConfigError'
    this.mistakes = mistakes
  }
}

/** Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost one each. */
export function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) cost = Math.min(cost, (before[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}

/** The known name that is nearest to a wrong one, when it is near: a third of its length may differ, at least one letter. */
export function nearest(wrong: string, known: Iterable<string>): string | undefined {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[-_ ]/g, '')
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const name of known) {
    const distance = editDistance(plain(wrong), plain(name))
    if (distance < bestDistance && distance <= Math.max(1, Math.floor(Math.max(name.length, wrong.length) / 3))) {
      best = name
      bestDistance = distance
    }
  }
  return best
}

/** More names than this make a line that nobody reads: the rest are counted. */
const NAMES_SHOWN = 20

/** `did you mean 'port'?`, else the known names; '' when there are none. */
export function suggest(wrong: string, known: Iterable<string>): string {
  const names = [...known]
  const near = nearest(wrong, names)
  if (near !== undefined) return `did you mean '${near}'?`
  if (names.length === 0) return ''
  const rest = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''
  return `known: ${names.slice(0, NAMES_SHOWN).join(', ')}${rest}`
}
