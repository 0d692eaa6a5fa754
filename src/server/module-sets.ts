/** The modules of all host types that have hosts: loaded at the start, changed by a reload. */
import type { CommandRegistry } from '../core/commands.ts'
import type { HostTypeConfig } from '../core/config/index.ts'
import type { Core } from '../core/core.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { type ModuleEntry, ModuleSet } from '../core/module-set.ts'
import type { Stores } from '../store/index.ts'
import type { ModuleChanges } from './reload.ts'

export interface ModuleSetsNeeds {
  readonly core: Core
  readonly stores: Stores
  readonly commands: CommandRegistry
  readonly modules: ReadonlyMap<string, ModuleDefinition>
}

export class ModuleSets {
  readonly #needs: ModuleSetsNeeds
  readonly #sets = new Map<string, ModuleSet>()

  constructor(needs: ModuleSetsNeeds) {
    this.#needs = needs
  }

  /** Host types that have their modules. */
  get types(): ReadonlySet<string> {
    return new Set(this.#sets.keys())
  }

  /** Those of them that have no host any more. */
  get unused(): readonly string[] {
    return [...this.#sets.keys()].filter((type) => this.#needs.core.hosts(type).length === 0)
  }

  of(type: string): ModuleSet | undefined {
    return this.#sets.get(type)
  }

  /** Loads what a host type names. Rejects with `ModuleError`; then nothing of it is loaded. */
  async load(type: HostTypeConfig): Promise<void> {
    const { core, stores, commands, modules } = this.#needs
    const set = new ModuleSet(core, core.hostType(type.name), stores, commands)
    const entries = [...type.modules].flatMap(([name, options]): ModuleEntry[] => {
      const definition = modules.get(name)
      return definition === undefined ? [] : [{ definition, options }]
    })
    await set.load(entries)
    this.#sets.set(type.name, set)
  }

  async unload(type: string): Promise<void> {
    await this.#sets.get(type)?.unloadAll()
    this.#sets.delete(type)
  }

  /**
   * Unloads and loads modules of running host types. Rejects with `ModuleError`; then all is as before, but for what
   * modules that were unloaded had in memory. `undo` does the same later.
   */
  async change(changes: readonly ModuleChanges[]): Promise<{ undo(): Promise<void> }> {
    const undone: (() => Promise<void>)[] = []
    const undo = async () => {
      for (const step of undone.splice(0).reverse()) {
        try {
          await step()
        } catch (error) {
          this.#needs.core.world.log.error('a module is down', { code: 'RTK_MODULE_DOWN', error })
        }
      }
    }
    try {
      for (const { type, removed, added } of changes) {
        const set = this.#sets.get(type)
        if (set === undefined) continue
        // Those that use a service go before those that provide it.
        for (const name of set.names.filter((one) => removed.includes(one)).reverse()) {
          const definition = set.definition(name) as ModuleDefinition
          const entry = { definition, options: set.options(name) }
          await set.unload(name)
          undone.push(() => set.load([entry]))
        }
        if (added.length === 0) continue
        await set.load(added)
        undone.push(async () => {
          for (const { definition } of added.toReversed()) await set.unload(definition.name)
        })
      }
    } catch (error) {
      await undo()
      throw error
    }
    return { undo }
  }

  /** Other options for those that stay. Never fails. */
  configure(changes: readonly ModuleChanges[]): void {
    for (const { type, options } of changes) {
      for (const [name, values] of options) this.#sets.get(type)?.configure(name, values)
    }
  }

  /** Those that came last go first. Never rejects. */
  async unloadAll(): Promise<void> {
    for (const set of [...this.#sets.values()].reverse()) await set.unloadAll()
  }
}
