/** What a reload takes over of a checked section, by the marks of its schema: `hot` at once, `restart` not at all. */
import { childPath } from './input.ts'
import type { OptionSchema } from './option.ts'
import { isSame } from './same.ts'

/** Paths of options whose value has changed, as in `limits.stanza_bytes`. */
export interface OptionChanges {
  /** They count from now on. */
  readonly applied: string[]
  /** They count from the next start on. */
  readonly waiting: string[]
}

/** The values that count after a reload: `read` where an option is hot, else `running`. Frozen. */
export function takeOver<T extends object>(
  schema: OptionSchema,
  running: T,
  read: T,
  path: string,
  changes: OptionChanges,
): T {
  const before = running as Readonly<Record<string, unknown>>
  const after = read as Readonly<Record<string, unknown>>
  const values: Record<string, unknown> = {}
  for (const [name, { fields, reload }] of Object.entries(schema)) {
    const [old, next] = [before[name], after[name]]
    const at = childPath(path, name)
    if (reload === 'hot' && fields !== undefined && isGroup(old) && isGroup(next)) {
      values[name] = takeOver(fields, old, next, at, changes)
      continue
    }
    values[name] = reload === 'hot' ? next : old
    if (!isSame(old, next)) changes[reload === 'hot' ? 'applied' : 'waiting'].push(at)
  }
  return Object.freeze(values) as T
}

const isGroup = (value: unknown): value is object => typeof value === 'object' && value !== null
