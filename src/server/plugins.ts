/** Plugins: modules of others, given as values, packages or paths (DESIGN.md section 14). */
import type { ModuleProtocol } from '../core/config/check.ts'
import { coreProtocols } from '../core/config/listener-section.ts'
import type { OptionSchema } from '../core/config/option.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { WorldError } from '../world/error.ts'
import { loadModule } from '../world/load-module.ts'

export interface Plugins {
  readonly modules: readonly ModuleDefinition[]
  /** Why there is nothing of a plugin, by its name. */
  readonly failed: ReadonlyMap<string, WorldError>
}

/** Loads each on its own: those that fail are mistakes of the configuration, told with all others. */
export async function loadPlugins(names: readonly string[], folder: string): Promise<Plugins> {
  const modules: ModuleDefinition[] = []
  const failed = new Map<string, WorldError>()
  for (const name of new Set(names)) {
    try {
      modules.push(...(await loadPlugin(name, folder)))
    } catch (error) {
      if (!(error instanceof WorldError)) throw error
      failed.set(name, error)
    }
  }
  return { modules, failed }
}

/** What a package or file exports: one module as `default`, or several in a list. */
async function loadPlugin(name: string, folder: string): Promise<readonly ModuleDefinition[]> {
  const { default: exported } = await loadModule(name, folder)
  const definitions: readonly unknown[] = Array.isArray(exported) ? exported : [exported]
  if (definitions.every(isModule)) return definitions
  const text = `plugin ${name}: its default export is no module (defineModule)`
  throw new WorldError('RTK_PLUGIN_FAILED', text, { temporary: false })
}

function isModule(value: unknown): value is ModuleDefinition {
  if (typeof value !== 'object' || value === null) return false
  const { name, setup } = value as { name?: unknown; setup?: unknown }
  return typeof name === 'string' && typeof setup === 'function'
}

/** By name; throws when two modules have one name. */
export function modulesByName(modules: readonly ModuleDefinition[]): ReadonlyMap<string, ModuleDefinition> {
  const byName = new Map<string, ModuleDefinition>()
  for (const definition of modules) {
    if (byName.has(definition.name)) {
      throw new WorldError('RTK_PLUGIN_NAME', `there are two modules named ${definition.name}`, { temporary: false })
    }
    byName.set(definition.name, definition)
  }
  return byName
}

export function schemasOf(modules: ReadonlyMap<string, ModuleDefinition>): ReadonlyMap<string, OptionSchema> {
  return new Map([...modules].map(([name, definition]) => [name, definition.options ?? {}]))
}

/** Protocols of listeners that modules bring; throws when two bring one name, or one of ours. */
export function protocolsOf(modules: ReadonlyMap<string, ModuleDefinition>): ReadonlyMap<string, ModuleProtocol> {
  const found = new Map<string, ModuleProtocol>()
  for (const { name: module, protocols = {} } of modules.values()) {
    for (const [name, declaration] of Object.entries(protocols)) {
      if (found.has(name) || coreProtocols.has(name)) {
        const text = `module ${module} brings the protocol ${name}, which is there already`
        throw new WorldError('RTK_PLUGIN_PROTOCOL', text, { temporary: false })
      }
      found.set(name, { ...declaration, module })
    }
  }
  return found
}
