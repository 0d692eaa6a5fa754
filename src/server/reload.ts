/** What a reload takes over at once, and what waits for a restart (features.md LST-14). */
import { type Config, connectionLimits, type Limits } from '../core/config/index.ts'
import type { ListenerChanges } from './listeners.ts'
import { isSame } from './same.ts'

/** What a reload did. Certificates are read again each time. */
export interface Reloaded {
  /** Listeners with their places; those that are in no list were left alone. */
  readonly listeners: ListenerChanges
  /** Options that have changed and count from the next start on, as in `store.path`, sorted. */
  readonly needsRestart: readonly string[]
}

/** The configuration that runs after a reload: listeners, their limits and the certificates are new. */
export function mixed(running: Config, read: Config): Config {
  const limits: Partial<Record<keyof Limits, unknown>> = { ...running.limits }
  for (const name of Object.keys(connectionLimits) as (keyof Limits)[]) limits[name] = read.limits[name]
  const tls = { ...running.tls, certificates: read.tls.certificates, local_ca: read.tls.local_ca }
  return Object.freeze({ ...running, listeners: read.listeners, limits: limits as Limits, tls: Object.freeze(tls) })
}

/** Options whose new value is in `read` and not in `running`. */
export function restartOptions(running: Config, read: Config): readonly string[] {
  const { plugins, hosts, ...rest } = running
  const changed: string[] = []
  if (!isSame(plugins, read.plugins)) changed.push('plugins')
  if (!isSame(hosts, read.hosts)) changed.push('hosts')
  for (const section of ['tls', 'limits', 'store', 'log', 'control'] as const) {
    const before = rest[section] as Readonly<Record<string, unknown>>
    const after = read[section] as Readonly<Record<string, unknown>>
    for (const name of Object.keys(before)) if (!isSame(before[name], after[name])) changed.push(`${section}.${name}`)
  }
  if (running.data_dir !== read.data_dir) changed.push('data_dir')
  for (const name of new Set([...running.host_types.keys(), ...read.host_types.keys()])) {
    const before = running.host_types.get(name)
    const after = read.host_types.get(name)
    if (before === undefined || after === undefined) changed.push(`host_types.${name}`)
    else changed.push(...changedParts(name, before, after))
  }
  return changed.sort()
}

/** Sections for all host types are named as they are written; those of one type with its name. */
function changedParts(type: string, before: object, after: object): readonly string[] {
  const parts = ['modules', 'auth', 'session'] as const
  const changed = parts.filter((part) => !isSame(before[part as never], after[part as never]))
  return changed.map((part) => (type === 'default' ? part : `host_types.${type}.${part}`))
}
