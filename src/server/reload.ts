/** What a reload takes over at once, and what waits for a restart (requirements LST-14): planned before anything is touched. */
import type { Config, HostConfig, HostTypeConfig } from '../core/config/index.ts'
import { childPath } from '../core/config/input.ts'
import { isSame } from '../core/config/same.ts'
import { authOptions, plainSections, sessionOptions } from '../core/config/sections.ts'
import { type OptionChanges, takeOver } from '../core/config/take-over.ts'
import type { Where } from '../core/config/where.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { type ModuleEntry, ModuleError } from '../core/module-set.ts'
import type { ListenerChanges } from './listeners.ts'

/** Domains. */
export interface HostChanges {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Sessions of hosts that were removed: they have ended. */
  readonly sessionsEnded: number
}

/** What a reload did. */
export interface Reloaded {
  /** Listeners with their places; those that are in no list were left alone. */
  readonly listeners: ListenerChanges
  readonly hosts: HostChanges
  /** Files of certificates that are new, or other than before: they are read again each time. */
  readonly certificates: readonly string[]
  /** Other options and modules that have changed and count now, with their places in the file, sorted. */
  readonly applied: readonly string[]
  /** Those that have changed and count from the next start on, as in `store.path (ratatosk.yaml:7)`, sorted. */
  readonly needsRestart: readonly string[]
}

/** A configuration as it was read. */
export interface ReadConfig {
  readonly config: Config
  readonly where: Where
}

/** Of one host type that has modules running. */
export interface ModuleChanges {
  readonly type: string
  readonly removed: readonly string[]
  readonly added: readonly ModuleEntry[]
  /** Of those that stay and have other options now. */
  readonly options: ReadonlyMap<string, Readonly<Record<string, unknown>>>
}

export interface ReloadPlan extends Pick<Reloaded, 'applied' | 'needsRestart'> {
  /** What is to run: the new values of what is hot, the old ones of the rest. */
  readonly config: Config
  readonly modules: readonly ModuleChanges[]
  readonly newHosts: readonly HostConfig[]
  /** Domains that go. */
  readonly goneHosts: readonly string[]
}

type Modules = HostTypeConfig['modules']

/**
 * `known`: the modules that this server was started with; `loaded`: the host types that have their modules; `speaks`: whether it has a
 * protocol. Throws `ModuleError` when a module would lack what it needs.
 */
export function planReload(
  running: Config,
  { config: read, where }: ReadConfig,
  known: ReadonlyMap<string, ModuleDefinition>,
  loaded: ReadonlySet<string>,
  speaks: (protocol: string) => boolean,
): ReloadPlan {
  const applied = new Set<string>()
  const waiting = new Set<string>()
  const note = (changes: OptionChanges, ...prefixes: readonly string[]) => {
    const named = (path: string) => where(...prefixes.map((prefix) => (prefix === '' ? path : `${prefix}.${path}`)))
    for (const path of changes.applied) applied.add(named(path))
    for (const path of changes.waiting) waiting.add(named(path))
  }
  const plain: OptionChanges = { applied: [], waiting: [] }
  const sections = takeOver(plainSections, pick(running), pick(read), '', plain)
  note(plain, '')
  const hosts = hostsAfter(running, read, note)
  const types = new Map(read.host_types)
  const modules: ModuleChanges[] = []
  for (const type of loaded) {
    const before = running.host_types.get(type)
    const after = read.host_types.get(type)
    // A type that is gone: a host that keeps it was told of, and lives on as it is; so do those that go, to their end.
    if (before === undefined || after === undefined) {
      if (before !== undefined) types.set(type, before)
      continue
    }
    const changes: OptionChanges = { applied: [], waiting: [] }
    const change = moduleChanges(type, before.modules, after.modules, known, changes)
    modules.push(change)
    types.set(
      type,
      Object.freeze({
        name: type,
        modules: modulesAfter(before.modules, after.modules, change),
        auth: takeOver(authOptions, before.auth, after.auth, 'auth', changes),
        session: takeOver(sessionOptions, before.session, after.session, 'session', changes),
      }),
    )
    note(changes, `host_types.${type}`, '')
  }
  const { access, shapers, file } = read
  const listeners = listenersAfter(running, read, speaks, note)
  const config = Object.freeze({ ...running, ...sections, file, access, shapers, listeners, hosts, host_types: types })
  const newHosts = [...hosts.values()].filter(({ domain }) => !running.hosts.has(domain))
  const goneHosts = [...running.hosts.keys()].filter((domain) => !hosts.has(domain))
  return { config, modules, newHosts, goneHosts, applied: [...applied].sort(), needsRestart: [...waiting].sort() }
}

function pick(config: Config) {
  const { tls, limits, store, log, control, metrics, data_dir, plugins } = config
  return { tls, limits, store, log, control, metrics, data_dir, plugins }
}

/** One of a protocol that came with a new plugin waits, and leaves its place to whoever has it. */
function listenersAfter(
  running: Config,
  read: Config,
  speaks: (protocol: string) => boolean,
  note: (changes: OptionChanges, prefix: string) => void,
): Config['listeners'] {
  if (read.listeners.every(({ protocol }) => speaks(protocol))) return read.listeners
  note({ applied: [], waiting: ['listeners'] }, '')
  return read.listeners.flatMap((listener) =>
    speaks(listener.protocol) ? listener : running.listeners.filter(({ place }) => isSame(place, listener.place)),
  )
}

/** They come and go. One that changes its type keeps it until a restart: its sessions would have to end, and nobody said so. */
function hostsAfter(running: Config, read: Config, note: (changes: OptionChanges, prefix: string) => void) {
  const hosts = new Map<string, HostConfig>()
  const changes: OptionChanges = { applied: [], waiting: [] }
  for (const [domain, host] of read.hosts) {
    const before = running.hosts.get(domain)
    hosts.set(domain, before ?? host)
    if (before !== undefined && !isSame(before, host)) changes.waiting.push(childPath('hosts', domain))
  }
  note(changes, '')
  return hosts
}

function moduleChanges(
  type: string,
  before: Modules,
  after: Modules,
  known: ReadonlyMap<string, ModuleDefinition>,
  changes: OptionChanges,
): ModuleChanges {
  const removed = [...before.keys()].filter((name) => !after.has(name))
  const added: ModuleEntry[] = []
  const options = new Map<string, Readonly<Record<string, unknown>>>()
  for (const name of removed) changes.applied.push(`modules.${name}`)
  for (const [name, read] of after) {
    const definition = known.get(name)
    const old = before.get(name)
    // Of a plugin that this server does not have.
    if (definition === undefined) changes.waiting.push(`modules.${name}`)
    else if (old === undefined) {
      changes.applied.push(`modules.${name}`)
      added.push({ definition, options: read })
    } else {
      const taken = takeOver(definition.options ?? {}, old, read, `modules.${name}`, changes)
      if (!isSame(old, taken)) options.set(name, taken)
    }
  }
  const change = { type, removed, added, options }
  if (removed.length > 0 || added.length > 0) checkNeeds(modulesAfter(before, after, change), known)
  return change
}

function modulesAfter(before: Modules, after: Modules, { added, options }: ModuleChanges): Modules {
  const isNew = (name: string) => added.some(({ definition }) => definition.name === name)
  const names = [...after.keys()].filter((name) => before.has(name) || isNew(name))
  return new Map(
    names.map((name) => [name, options.get(name) ?? before.get(name) ?? (after.get(name) as Record<string, unknown>)]),
  )
}

function checkNeeds(modules: Modules, known: ReadonlyMap<string, ModuleDefinition>): void {
  const provided = new Set<string>()
  for (const name of modules.keys()) for (const service of known.get(name)?.provides ?? []) provided.add(service)
  for (const name of modules.keys()) {
    for (const [service, need] of Object.entries(known.get(name)?.needs ?? {})) {
      if (need !== 'hard' || provided.has(service)) continue
      throw new ModuleError('RTK_MODULE_NEEDS', name, `module ${name} needs the service ${service}`)
    }
  }
}
