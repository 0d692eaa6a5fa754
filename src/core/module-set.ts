/**
 * The modules of one host type: set up in the order of their needs, undone by the framework (DESIGN.md section 6).
 */
import { type Jid, makeJid } from '../jid/jid.ts'
import type { StoreDefinition } from '../store/define.ts'
import type { Stores } from '../store/store.types.ts'
import type { Element } from '../xml/element.types.ts'
import type { CommandDefinition, CommandRegistry } from './commands.ts'
import { opt } from './config/opt.ts'
import type { Core } from './core.ts'
import { DurableSessions } from './durable.ts'
import type { Host } from './host.ts'
import type { HostType } from './host-type.ts'
import type { IqHandler, IqOptions, IqTarget, PayloadName } from './iq.ts'
import type { ModuleContext, ModuleDefinition } from './module.ts'
import { ModuleClock } from './module-clock.ts'
import type { ServiceName } from './services.ts'
import { decodeEnded, decodeSession, encodeSession } from './session-codec.ts'
import { unsentOf } from './session-link.ts'

export type ModuleErrorCode =
  | 'RTK_MODULE_CIRCLE'
  | 'RTK_MODULE_NEEDED'
  | 'RTK_MODULE_NEEDS'
  | 'RTK_MODULE_SETUP'
  | 'RTK_MODULE_STOPPED'

/**
 * What cannot be done with modules: a missing or circular need, a failing `setup`, an unload of what others need, or a
 * registration after the unload.
 */
export class ModuleError extends Error {
  readonly code: ModuleErrorCode
  readonly module: string

  constructor(code: ModuleErrorCode, module: string, text: string, cause?: unknown) {
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

/** One life of a module, from its `setup` to its unload. */
interface Loaded {
  entry: ModuleEntry
  /** What the module reads: the entry's options as one object that stays. */
  readonly options: Record<string, unknown>
  readonly reloaded: Set<() => void>
  readonly undo: Undo[]
  readonly commands: Set<string>
  isStopped: boolean
}

function targets(on: IqTarget | readonly IqTarget[] | undefined): readonly IqTarget[] {
  return on === undefined ? ['host'] : typeof on === 'string' ? [on] : on
}

export class ModuleSet {
  readonly #core: Core
  readonly #type: HostType
  readonly #stores: Stores
  readonly #commands: CommandRegistry
  /** In the order of their needs. */
  readonly #loaded = new Map<string, Loaded>()
  /** Where commands and HTTP routes of these modules count. */
  readonly #scope: { owns(domain: string): boolean }

  constructor(core: Core, type: HostType, stores: Stores, commands: CommandRegistry) {
    this.#core = core
    this.#type = type
    this.#stores = stores
    this.#commands = commands
    this.#scope = { owns: (domain) => core.host(domain)?.type === type.name }
  }

  get names(): readonly string[] {
    return [...this.#loaded.keys()]
  }

  definition(name: string): ModuleDefinition | undefined {
    return this.#loaded.get(name)?.entry.definition
  }

  /**
   * Sets up all, those that provide before those that need; those that did without their services so far are set up again.
   * Throws `ModuleError`; what was set up is undone.
   */
  async load(entries: readonly ModuleEntry[]): Promise<void> {
    const known = new Set<string>()
    for (const { entry } of this.#loaded.values()) for (const name of entry.definition.provides ?? []) known.add(name)
    const coming = entries.flatMap(({ definition }) => definition.provides ?? [])
    const missed = [...this.#loaded.values()].filter(({ entry }) => uses(entry, coming)).map(({ entry }) => entry)
    const done: string[] = []
    try {
      for (const entry of inOrderOfNeeds(entries, known)) {
        await this.#setup(entry)
        done.push(entry.definition.name)
      }
      for (const { definition } of missed) await this.reload(definition.name)
    } catch (error) {
      for (const name of done.reverse()) await this.#end(name)
      for (const entry of missed) await this.#end(entry.definition.name)
      await this.#restore(missed)
      throw error
    }
  }

  /**
   * Undoes a module and sets it up again, with other options when given; those that use its services go down before it
   * and come up behind it. Throws `ModuleError` when a `setup` fails; then all run on with the options from before, and
   * those that cannot even do that are down and named in the error.
   */
  async reload(name: string, options?: unknown): Promise<void> {
    const before = this.#withUsers(name)
    const after = before.map((entry) =>
      entry.definition.name === name ? { ...entry, options: options ?? entry.options } : entry,
    )
    const down = [...before].reverse()
    for (const entry of down) await this.#end(entry.definition.name)
    try {
      for (const entry of after) await this.#setup(entry)
    } catch (error) {
      for (const entry of down) await this.#end(entry.definition.name)
      const lost = await this.#restore(before)
      if (lost.length === 0 || !(error instanceof ModuleError)) throw error
      const text = `${error.message}; and these are down now: ${lost.join(', ')}`
      throw new ModuleError(error.code, error.module, text, error.cause)
    }
  }

  async #restore(entries: readonly ModuleEntry[]): Promise<readonly string[]> {
    const lost: string[] = []
    for (const entry of entries) {
      try {
        await this.#setup(entry)
      } catch (error) {
        const module = entry.definition.name
        this.#core.world.log.error('a module is down', { code: 'RTK_MODULE_DOWN', module, error })
        lost.push(module)
      }
    }
    return lost
  }

  options(name: string): unknown {
    return this.#loaded.get(name)?.entry.options
  }

  /** Gives a running module other values of its options: complete ones, what needs a restart as it was. Never throws. */
  configure(name: string, options: Readonly<Record<string, unknown>>): void {
    const loaded = this.#loaded.get(name)
    if (loaded === undefined) return
    loaded.entry = { ...loaded.entry, options }
    Object.assign(loaded.options, options)
    for (const told of loaded.reloaded) {
      try {
        told()
      } catch (error) {
        this.#core.world.log.error('a module failed at a reload', { code: 'RTK_MODULE_RELOAD', module: name, error })
      }
    }
  }

  /**
   * Undoes a module. Throws RTK_MODULE_NEEDED while others need its services, and names them, and RTK_MODULE_SETUP when one
   * that could do without it cannot; then all run as before.
   */
  async unload(name: string): Promise<void> {
    if (!this.#loaded.has(name)) return
    const before = this.#withUsers(name)
    const [, ...users] = before
    const needing = users.filter((entry) => isNeeding(entry, this.#providedBy(name)))
    if (needing.length > 0) {
      const names = needing.map(({ definition }) => definition.name).join(', ')
      throw new ModuleError('RTK_MODULE_NEEDED', name, `module ${name} cannot go: its services are needed by ${names}`)
    }
    for (const entry of [...users].reverse()) await this.#end(entry.definition.name)
    await this.#end(name)
    try {
      // They can do without, and shall not keep what is gone.
      for (const entry of users) await this.#setup(entry)
    } catch (error) {
      for (const entry of [...users].reverse()) await this.#end(entry.definition.name)
      await this.#restore(before)
      throw error
    }
  }

  /**
   * Resolves when modules have nothing under way any more (`ModuleContext.underWay`); what takes longer than `hook_timeout` is
   * given up and logged. For before `unloadAll`, when no host is left.
   */
  async settled(): Promise<void> {
    const { timed, world } = this.#core
    const { name, underWay } = this.#type
    try {
      await timed.wait(underWay.settled(world.clock))
    } catch (error) {
      world.log.warn('modules of a host type without hosts go before what they had under way is over', {
        code: 'RTK_MODULE_UNDER_WAY',
        hostType: name,
        error,
      })
    }
  }

  async unloadAll(): Promise<void> {
    for (const name of [...this.#loaded.keys()].reverse()) await this.#end(name)
  }

  #providedBy(name: string): readonly string[] {
    return this.#loaded.get(name)?.entry.definition.provides ?? []
  }

  /**
   * The module and all that use its services, directly or not, in the order of their needs: a provider may have come after
   * those that had done without it.
   */
  #withUsers(name: string): readonly ModuleEntry[] {
    const first = this.#loaded.get(name)?.entry
    if (first === undefined) throw new ModuleError('RTK_MODULE_NEEDS', name, `module ${name} is not loaded`)
    const others = new Set([...this.#loaded.values()].map(({ entry }) => entry))
    others.delete(first)
    const services = [...this.#providedBy(name)]
    const users: ModuleEntry[] = []
    let known = -1
    while (users.length > known) {
      known = users.length
      for (const entry of others) {
        if (!uses(entry, services)) continue
        users.push(entry)
        others.delete(entry)
        services.push(...(entry.definition.provides ?? []))
      }
    }
    return [first, ...inOrderOfNeeds(users, new Set())]
  }

  async #end(name: string): Promise<void> {
    const loaded = this.#loaded.get(name)
    if (loaded === undefined) return
    this.#loaded.delete(name)
    await this.#undo(loaded)
  }

  async #undo(loaded: Loaded): Promise<void> {
    loaded.isStopped = true
    for (const step of loaded.undo.splice(0).reverse()) {
      try {
        await step()
      } catch (error) {
        const module = loaded.entry.definition.name
        this.#core.world.log.error('a module failed to stop', { code: 'RTK_MODULE_STOP', module, error })
      }
    }
  }

  async #setup(entry: ModuleEntry): Promise<void> {
    const { name, needs = {}, setup } = entry.definition
    for (const [service, need] of Object.entries(needs)) {
      if (need !== 'hard' || this.#type.services.find(service as ServiceName) !== undefined) continue
      throw new ModuleError('RTK_MODULE_NEEDS', name, `module ${name} needs the service ${service}`)
    }
    const loaded: Loaded = {
      entry,
      options: {},
      reloaded: new Set(),
      undo: [],
      commands: new Set(),
      isStopped: false,
    }
    try {
      Object.seal(Object.assign(loaded.options, entry.options))
      await setup.call(entry.definition, this.#context(loaded))
      for (const service of entry.definition.provides ?? []) {
        if (this.#type.services.find(service) === undefined) throw new Error(`it did not provide ${service}`)
      }
    } catch (error) {
      await this.#undo(loaded)
      const why = error instanceof Error ? error.message : String(error)
      throw new ModuleError('RTK_MODULE_SETUP', name, `module ${name} could not be set up: ${why}`, error)
    }
    this.#loaded.set(name, loaded)
  }

  #addCommand(loaded: Loaded, definition: CommandDefinition): Undo {
    const { commands } = loaded
    for (const other of [loaded, ...this.#loaded.values()]) {
      if (other.commands.has(definition.name)) {
        throw new Error(`the command '${definition.name}' is taken by ${other.entry.definition.name}`)
      }
    }
    const remove = this.#commands.add(withHost(definition), this.#scope)
    commands.add(definition.name)
    return () => {
      commands.delete(definition.name)
      remove()
    }
  }

  #context(loaded: Loaded): ModuleContext {
    const core = this.#core
    const type = this.#type
    const { entry } = loaded
    const { name } = entry.definition
    const keep = (step: Undo): void => {
      if (!loaded.isStopped) {
        loaded.undo.push(step)
        return
      }
      void step()
      throw new ModuleError('RTK_MODULE_STOPPED', name, `module ${name} was stopped and cannot register any more`)
    }
    const clock = new ModuleClock(core.world.clock)
    keep(() => clock.stop())
    const iq =
      (kind: 'get' | 'set') =>
      (payload: PayloadName, handler: IqHandler, options: IqOptions = {}) => {
        for (const target of targets(options.on)) {
          keep(
            type.iq.add(kind, payload, target, {
              module: name,
              handler,
              concurrent: options.concurrent === true,
              hidesAccounts: options.hidesAccounts === true,
            }),
          )
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
      options: loaded.options as ModuleContext['options'],
      services: services as ModuleContext['services'],
      clock,
      random: core.world.random,
      hashing: core.world.hashing,
      log: core.world.log.with({ module: name }),
      epoch: this.#stores.epoch,
      sessions: core.sessions,
      accounts: core.accounts,
      on: (hook, handler, options) => keep(type.hooks.on(hook, name, handler, options)),
      fold: (hook, value, event) => type.hooks.foldOrWait(hook, value, event),
      tellAll: (hook, event) => type.hooks.waitingNotice(hook, event),
      tell: (hook, event) => type.hooks.notice(hook, event),
      iq: {
        get: iq('get'),
        set: iq('set'),
        ask: (kind, from: Jid, to: Jid, payload: Element, timeoutMs) =>
          core.requests.ask(kind, from, to, payload, timeoutMs),
      },
      streams: {
        element: (element, handler) => keep(type.streamElements.add(element, name, handler)),
        journal: (keeper) => {
          const { clock, log } = core.world
          const durable = new DurableSessions({
            clock,
            log,
            figures: core.journalFigures,
            keeper,
            encode: (session) => encodeSession(core, session, 'even when busy'),
            decode: (data) => decodeSession(core, data, undefined),
            decodeEnded: (data) => decodeEnded(core, data),
            handsOver: (session, batch) => type.hooks.notice('hand-over:resumed', { session, batch }),
            settle: (session, left, settling) => core.unsent(session, unsentOf(left), undefined, settling),
          })
          core.durable.push(durable)
          keep(async () => {
            await durable.stop()
            core.durable.splice(core.durable.indexOf(durable), 1)
          })
          return durable
        },
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
      send: (stanza, from, to, by) => core.send(stanza, from, to, by),
      fanOut: (groups, done) => core.fanOut.send(groups, done),
      holdMessages: (account) => core.holdMessages(account),
      hosts: () => core.hosts(type.name),
      host: (domain) => {
        const host = core.host(domain)
        return host?.type === type.name ? host : undefined
      },
      accountJid: (host, local) => accountJid(host, local),
      provide: (service, value) => keep(type.services.provide(service, name, value)),
      service: (service) => type.services.find(service),
      store: <const D extends StoreDefinition>(definition: D) => {
        keep(core.storeUses.enter(definition, `module ${name}`))
        return this.#stores.open(definition)
      },
      slot: (slot, initial, options) => core.slots.declare(`${name}.${slot}`, initial, options?.kept),
      command: (definition) => keep(this.#addCommand(loaded, definition)),
      route: (domain, owner, options) => keep(core.router.add(domain, owner, options)),
      http: (route) => keep(core.http.add(route, this.#scope)),
      protocol: (protocol, accept) => {
        if (entry.definition.protocols?.[protocol] === undefined) throw new Error(`it declares no protocol ${protocol}`)
        keep(core.protocols.add(protocol, name, accept))
      },
      counter: (counter, help) => core.metrics.counter(`ratatosk_${name}_${counter}_total`, help),
      gauge: (gauge, help, read) => keep(core.metrics.gauge(`ratatosk_${name}_${gauge}`, help, read)),
      underWay: (count) => keep(type.underWay.enter(count)),
      onReload: (fn) => {
        keep(() => void loaded.reloaded.delete(fn))
        loaded.reloaded.add(fn)
      },
      onStop: keep,
    }
  }
}

/** Where several host types have a command, its caller says which host is meant, by `host` or `jid`. */
function withHost(definition: CommandDefinition): CommandDefinition {
  if ('host' in definition.args || 'jid' in definition.args) return definition
  const host = opt.optional(opt.domain({ description: 'Host that is meant, where host types differ.' }))
  return { ...definition, args: { ...definition.args, host } }
}

function uses({ definition }: ModuleEntry, services: readonly string[]): boolean {
  return Object.keys(definition.needs ?? {}).some((name) => services.includes(name))
}

function isNeeding({ definition }: ModuleEntry, services: readonly string[]): boolean {
  return Object.entries(definition.needs ?? {}).some(([name, need]) => need === 'hard' && services.includes(name))
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
