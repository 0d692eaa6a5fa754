/** The order of a hook's handlers: phases, then before/after by module name, then registration. */

export interface Orderable {
  readonly module: string
  readonly phase: 'early' | 'normal' | 'late'
  readonly before: readonly string[]
  readonly after: readonly string[]
}

/** Handlers that ask to come before one another in a circle. A start-up error. */
export class HookOrderError extends Error {
  readonly code = 'RTK_HOOK_ORDER'
  readonly modules: readonly string[]

  constructor(hook: string, modules: readonly string[]) {
    super(`hook ${hook}: ${modules.join(', ')} ask to come before one another`)
    this.name = 'HookOrderError'
    this.modules = modules
  }
}

/** Stable topological order. Throws `HookOrderError` on a circle. */
export function orderByName<T extends Orderable>(hook: string, entries: readonly T[]): readonly T[] {
  const ordered: T[] = []
  for (const phase of ['early', 'normal', 'late'] as const) {
    let rest = entries.filter((entry) => entry.phase === phase)
    while (rest.length > 0) {
      const free = rest.find((entry) => !rest.some((other) => other !== entry && comesBefore(other, entry)))
      if (free === undefined) throw new HookOrderError(hook, [...new Set(rest.map((entry) => entry.module))])
      ordered.push(free)
      rest = rest.filter((entry) => entry !== free)
    }
  }
  return ordered
}

function comesBefore(first: Orderable, second: Orderable): boolean {
  if (first.module === second.module) return false
  return first.before.includes(second.module) || second.after.includes(first.module)
}
