/** Where options stand in a configuration, for what a reload says of them. */
import type { ConfigDocument } from './check.ts'
import type { Input } from './input.ts'

/**
 * Names an option with its place, as in `limits.connections (ratatosk.yaml:12)`. Of several paths the first counts that
 * was written, so that a host type's own stands before that of all; else the last, without a place: it has its default.
 */
export type Where = (...paths: readonly string[]) => string

export function whereIn({ input, report }: ConfigDocument): Where {
  const lines = new Map<string, number>()
  enter(input, lines)
  return (...paths) => {
    const path = paths.find((one) => lines.has(one)) ?? paths.at(-1) ?? ''
    const line = lines.get(path) ?? 0
    return line === 0 ? path : `${path} (${report.file}:${line})`
  }
}

function enter(input: Input, lines: Map<string, number>): void {
  if (!lines.has(input.path)) lines.set(input.path, input.place.line)
  if (input.kind === 'map') for (const { value } of input.entries) enter(value, lines)
  if (input.kind === 'list') for (const item of input.items) enter(item, lines)
}
