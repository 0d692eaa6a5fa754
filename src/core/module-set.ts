/**
 * The modules of one host type: set up in the order of their needs, undone by the framework (DESIGN.md section 6).
 */
import { type Jid, makeJid } from '../jid/jid.ts'
import type { StoreDefinition } from '../store/define.ts'
import type { Stores } from '../store/store.types.ts'
import type { Element } from '../xml/element.types.ts'
import type { CommandRegistry } from './commands.ts'
import type { Core } from './core.ts'
import type { Host } from './host.ts'
import type { HostType } from './host-type.ts'
import type { IqHandler, IqOptions, IqTarget, PayloadName } from './iq.ts'
import type { ModuleContext, ModuleDefinition } from './module.ts'
import type { ServiceName } from './services.ts'

/** A set of modules that cannot be set up: a missing or circular need, a failing `setup`. */
export class ModuleError extends Error {
  readonly code: 'RTK_MODULE_CIRCLE' | 'RTK_MODULE_NEEDS' | 'RTK_MODULE_SETUP'
  readonly module: string

  constructor(code: ModuleError['code'], module: string, text: string, cause?: unknown) {
    super(text, cause === undefined ? undefined : { cause })
    this.name = 'ModuleError'
    this.code = code
    this.module = module
  }
}

export interface ModuleEntry {
  readonly definition: ModuleDefinition
  /** Checked and complete options. */
  readonly options: unknown
}

type Undo = () => void | Promise<void>

function targets(on: IqTarget | readonly IqTarget[] | undefined): readonly IqTarget[] {
  return on === undefined ? ['host'] : typeof on === 'string' ? [on] : on
}

export class ModuleSet {
  readonly #core: Core
  readonly #type: HostType
  readonly #stores: Stores
  readonly #commands: CommandRegistry
  readonly #loaded = new Map<string, { readonly entry: ModuleEntry; readonly undo: Undo[] }>()

  constructor(core: Core, type: HostType, stores: Stores, commands: CommandRegistry) {
    this.#core = core
    this.#type = type
    this.#stores = stores
    this.#commands = commands
  }

  get names(): readonly string[] {
    return [...this.#loaded.keys()]
  }

  definition(name: string): ModuleDefinition | undefined {
    return this.#loaded.get(name)?.entry.definition
  }

  /** Sets up all, those that provide before those that need. Throws `ModuleError`; what was set up is undone. */
  async load(entries: readonly ModuleEntry[]): Promise<void> {
    const known = new Set<string>()
    for (const loaded of this.#loaded.values())
      for (const name of loaded.entry.definition.provides ?? []) known.add(name)
    for (const entry of inOrderOfNeeds(entries, known)) await this.#setup(entry)
  }

  /** Undoes a module and sets it up again, with other options when given. */
  async reload(name: string, options?: unknown): Promise<void> {
    const loaded = this.#loaded.get(name)
    if (loaded === undefined) throw new ModuleError('RTK_MODULE_NEEDS', name, `module ${name} is not loaded`)
    await this.unload(name)
    await this.#setup({ definition: loaded.entry.definition, options: options ?? loaded.entry.options })
  }

  async unload(name: string): Promise<void> {
    const loaded = this.#loaded.get(name)
    if (loaded === undefined) return
    this.#loaded.delete(name)
    await this.#undo(name, loaded.undo)
  }

  async unloadAll(): Promise<void> {
    for (const name of [...this.#loaded.keys()].reverse()) await this.unload(name)
  }

  async #undo(name: string, undo: readonly Undo[]): Promise<void> {
    for (const step of [...undo].reverse()) {
      try {
        await step()
      } catch (error) {
        this.#core.world.log.error('a module failed to stop', { code: 'RTK_MODULE_STOP', module: name, error })
      }
    }
  }

  async #setup(entry: ModuleEntry): Promise<void> {
    const { definition } = entry
    const undo: Undo[] = []
    for (const [service, need] of Object.entries(definition.needs ?? {})) {
      if (need !== 'hard' || this.#type.services.find(service as ServiceName) !== undefined) continue
      throw new ModuleError(
        'RTK_MODULE_NEEDS',
        definition.name,
        `module ${definition.name} needs the service ${service}`,
      )
    }
    try {
      await definition.setup(this.#context(entry, undo))
    } catch (error) {
      await this.#undo(definition.name, undo)
      throw new ModuleError(
        'RTK_MODULE_SETUP',
        definition.name,
        `module ${definition.name} could not be set up: ${error}`,
        error,
      )
    }
    this.#loaded.set(definition.name, { entry, undo })
  }

  #context(entry: ModuleEntry, undo: Undo[]): ModuleContext {
    const core = this.#core
    const type = this.#type
    const name = entry.definition.name
    const keep = (step: Undo): void => {
      undo.push(step)
    }
    const iq =
      (kind: 'get' | 'set') =>
      (payload: PayloadName, handler: IqHandler, options: IqOptions = {}) => {
        for (const target of targets(options.on)) {
          keep(type.iq.add(kind, payload, target, { module: name, handler, concurrent: options.concurrent === true }))
        }
      }
    const services: Record<string, unknown> = {}
    for (const service of Object.keys(entry.definition.needs ?? {})) {
      Object.defineProperty(services, service, {
        enumerable: true,
        get: () => type.services.find(service as ServiceName),
      })
    }
    return {
      name,
      options: entry.options as ModuleContext['options'],
      services: services as ModuleContext['services'],
      clock: core.world.clock,
      random: core.world.random,
      log: core.world.log.with({ module: name }),
      epoch: this.#stores.epoch,
      sessions: core.sessions,
      accounts: core.accounts,
      on: (hook, handler, options) => keep(type.hooks.on(hook, name, handler, options)),
      fold: (hook, value, event) => type.hooks.waitingFold(hook, value, event),
      tellAll: (hook, event) => type.hooks.waitingNotice(hook, event),
      tell: (hook, event) => type.hooks.notice(hook, event),
      iq: {
        get: iq('get'),
        set: iq('set'),
        ask: (kind, from: Jid, to: Jid, payload: Element, timeoutMs) =>
          core.requests.ask(kind, from, to, payload, timeoutMs),
      },
      features: {
        add: (feature, on) => {
          for (const target of targets(on)) keep(type.features.add(target, feature))
        },
        identity: (identity, on) => {
          for (const target of targets(on)) keep(type.features.addIdentity(target, identity))
        },
        list: (target) => type.features.list(target),
        identities: (target) => type.features.identities(target),
      },
      send: (stanza, from, to) => core.send(stanza, from, to),
      fanOut: (groups, done) => core.fanOut.send(groups, done),
      hosts: () => core.hosts(type.name),
      host: (domain) => {
        const host = core.host(domain)
        return host?.type === type.name ? host : undefined
      },
      accountJid: (host, local) => accountJid(host, local),
      provide: (service, value) => keep(type.services.provide(service, name, value)),
      service: (service) => type.services.find(service),
      store: <const D extends StoreDefinition>(definition: D) => this.#stores.open(definition),
      slot: (slot, initial, options) => core.slots.declare(`${name}.${slot}`, initial, options?.kept === true),
      command: (definition) => keep(this.#commands.add(definition)),
      route: (domain, owner, options) => keep(core.router.add(domain, owner, options)),
      http: (route) => keep(core.http.add(route)),
      counter: (counter, help) => core.metrics.counter(`ratatosk_${name}_${counter}_total`, help),
      gauge: (gauge, help, read) => keep(core.metrics.gauge(`ratatosk_${name}_${gauge}`, help, read)),
      onStop: keep,
    }
  }
}

function accountJid(host: Host, local: string): Jid {
  const jid = makeJid(local, host.domain)
  if (jid === undefined) throw new Error(`${local}@${host.domain} is no JID`)
  return jid
}

/** Those that provide before those that need; otherwise as given. Throws on a circle. */
function inOrderOfNeeds(entries: readonly ModuleEntry[], known: ReadonlySet<string>): readonly ModuleEntry[] {
  const ordered: ModuleEntry[] = []
  const provided = new Set(known)
  const coming = new Set(entries.flatMap((entry) => entry.definition.provides ?? []))
  let rest = [...entries]
  while (rest.length > 0) {
    const ready = rest.find((entry) =>
      Object.keys(entry.definition.needs ?? {}).every((need) => provided.has(need) || !coming.has(need as ServiceName)),
    )
    if (ready === undefined) {
      const names = rest.map((entry) => entry.definition.name).join(', ')
      throw new ModuleError('RTK_MODULE_CIRCLE', names, `modules need one another in a circle: ${names}`)
    }
    ordered.push(ready)
    for (const service of ready.definition.provides ?? []) provided.add(service)
    rest = rest.filter((entry) => entry !== ready)
  }
  return ordered
}
