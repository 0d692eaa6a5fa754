/**
 * A running server: everything put together (DESIGN.md section 14). It installs no signal handler, prints nothing, never
 * exits, and keeps nothing at module level; two of them live in one process.
 */
import { coreCommands, reloadCommand, shortened } from '../admin/commands/index.ts'
import { type Control, openControl } from '../admin/control/server.ts'
import { AccountService } from '../core/account-service.ts'
import { Binder } from '../core/binder.ts'
import { CommandRegistry } from '../core/commands.ts'
import type { Config, HostTypeConfig, ListenerConfig } from '../core/config/index.ts'
import { Core } from '../core/core.ts'
import type { Host } from '../core/host.ts'
import type { Metrics } from '../core/metrics.ts'
import type { ModuleDefinition } from '../core/module.ts'
import type { ModuleSet } from '../core/module-set.ts'
import type { LinkInfo } from '../core/session-link.ts'
import { softwareVersion } from '../core/software.ts'
import type { Jid } from '../jid/index.ts'
import { Admission } from '../listeners/admission.ts'
import { C2sProtocol } from '../listeners/c2s/c2s.ts'
import { HttpProtocol } from '../listeners/http/http.ts'
import { PluginProtocol } from '../listeners/plugin-protocol.ts'
import { RefusalLog } from '../listeners/refusal-log.ts'
import type { Stores } from '../store/index.ts'
import { WorldError } from '../world/error.ts'
import { isLevelled } from '../world/log.ts'
import type { World } from '../world/world.types.ts'
import { Certificates } from './certificates.ts'
import { commandLog } from './command-log.ts'
import { enterFigures } from './figures.ts'
import { health } from './health.ts'
import { enterLimitFigures } from './limit-figures.ts'
import { coreLimits } from './limits.ts'
import { Listeners, type OpenListener } from './listeners.ts'
import type { LocalAuthority } from './local-certificates.ts'
import { metricsPage } from './metrics-page.ts'
import { ModuleSets } from './module-sets.ts'
import { protocolsOf } from './plugins.ts'
import { enterProcessFigures } from './process-figures.ts'
import { planReload, type ReadConfig, type Reloaded, type ReloadPlan } from './reload.ts'
import { ownStores, SignIn } from './sign-in.ts'

/** Reads a configuration; without one that which the server was started with. Rejects with `ConfigError`. */
export type Read = (given?: GivenConfig) => Promise<ReadConfig>

/** A value as in the file, or the file. */
export type GivenConfig = Readonly<Record<string, unknown>> | { readonly file: string }

export interface ServerParts {
  readonly config: Config
  readonly read: Read
  readonly world: World
  readonly stores: Stores
  readonly modules: ReadonlyMap<string, ModuleDefinition>
  /** False: nothing is written anywhere. */
  readonly isKept: boolean
  /** Path of the control socket; undefined: none is opened. */
  readonly controlPath: string | undefined
  /** Released last. */
  readonly lock: { release(): Promise<void> } | undefined
}

/** The last connections must be gone so soon when the server stops; each lingers for less (`stop_timeout`). */
const stopTimeoutMs = 5_000

export class Server {
  readonly core: Core
  readonly commands: CommandRegistry
  readonly accounts: AccountService
  readonly #parts: ServerParts
  readonly #world: World
  #config: Config
  #certificates: Certificates
  readonly #listeners: Listeners
  readonly #moduleSets: ModuleSets
  readonly #signIn: SignIn
  readonly #admission: Admission
  readonly #c2s: C2sProtocol
  readonly #http: HttpProtocol
  /** Protocols of modules. */
  readonly #foreign: readonly PluginProtocol[]
  readonly #startedMs: number
  #control: Control | undefined
  #unwatchVitals: (() => void) | undefined
  #closing: Promise<void> | undefined
  /** What it was started with, or the last `reload` was given; undefined: the former. */
  #given: GivenConfig | undefined
  #reloading: Promise<void> = Promise.resolve()
  /** The end of what hosts had under way that the last reload removed. Never rejects. */
  #farewell: Promise<void> = Promise.resolve()
  readonly #ended = Promise.withResolvers<void>()

  /** Starts a server; when something fails, all that was opened is closed again. */
  static async start(parts: ServerParts): Promise<Server> {
    const { stores, config, world } = parts
    const signIn = await SignIn.open(config, world, stores)
    const certificates = await Certificates.load(config, world, parts.isKept)
    const server = new Server(parts, certificates, signIn)
    try {
      await server.#open()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  private constructor(parts: ServerParts, certificates: Certificates, signIn: SignIn) {
    const { config, world, stores } = parts
    this.#parts = parts
    this.#world = world
    this.#config = config
    this.#certificates = certificates
    this.#startedMs = world.clock.monoMs()
    this.#signIn = signIn
    const backend = (host: Host) => {
      const plugin = this.core.localOf(host)?.type.services.find('auth-backend')
      return signIn.backend(host.type, this.#hostType(host).auth.backends, plugin)
    }
    const evicted = { value: 0 }
    const tokens = signIn.tokens(evicted)
    this.accounts = new AccountService(world.clock, stores, backend, {
      keeper: tokens,
      revokes: (host) => this.#hostType(host).auth.revoke_tokens,
    })
    signIn.made = (host, local) => this.accounts.made(host, local)
    this.core = new Core(world, this.accounts, coreLimits(config.limits))
    this.core.metrics.counted(
      'ratatosk_tokens_evicted_total',
      'Clients that lost their sign-in token to another of the account; limit tokens_per_account',
      () => evicted.value,
    )
    this.accounts.attach(this.core)
    enterFigures(this.core.metrics, {
      stores,
      net: world.net,
      controlConnections: () => this.#control?.connections ?? 0,
    })
    enterProcessFigures(this.core.metrics, world.vitals)
    enterLimitFigures(this.core.metrics, { config: () => this.#config, modules: parts.modules })
    for (const definition of ownStores) this.core.storeUses.enter(definition, 'the server')
    this.commands = new CommandRegistry(commandLog(world.log, (name) => this.commands.find(name)?.permission))
    this.#moduleSets = new ModuleSets({ core: this.core, stores, commands: this.commands, modules: parts.modules })
    this.#admission = new Admission(world.clock, () => admissionLimits(this.#config), this.core.metrics)
    const binder = new Binder({
      sessions: this.core.sessions,
      random: world.random,
      metrics: this.core.metrics,
      policy: (host) => bindPolicy(this.#hostType(host)),
      create: (link, jid, host, info) => this.core.bind(link, jid, host, info),
    })
    this.#c2s = new C2sProtocol({
      clock: world.clock,
      random: world.random,
      hashing: world.hashing,
      log: world.log,
      core: this.core,
      binder,
      admission: this.#admission,
      defaultDomain: () => this.#config.hosts.keys().next().value ?? 'localhost',
      backend,
      auth: (host) => this.#hostType(host).auth,
      decoys: (host) => signIn.of(host.type).decoys,
      tokens,
      resources: signIn.resources,
      refusalLog: new RefusalLog(world.clock, world.log),
      tls: (listener) => this.#certificates.context(listener),
      hasCertificate: (listener, domain) => this.#certificates.covers(listener, domain),
    })
    this.#http = new HttpProtocol({
      clock: world.clock,
      log: world.log,
      routes: this.core.http,
      refusals: this.core.metrics.refusals,
      tls: (listener) => this.#certificates.context(listener),
    })
    this.#foreign = [...protocolsOf(parts.modules).keys()].map((name) => {
      const { clock, log } = world
      const tls = (listener: ListenerConfig) => this.#certificates.context(listener)
      return new PluginProtocol(name, { clock, log, protocols: this.core.protocols, tls })
    })
    this.#listeners = new Listeners([this.#c2s, this.#http, ...this.#foreign], {
      net: world.net,
      clock: world.clock,
      log: world.log,
      metrics: this.core.metrics,
      admission: this.#admission,
    })
  }

  #hostType(host: Host): HostTypeConfig {
    return this.#config.host_types.get(host.type) as HostTypeConfig
  }

  async #open(): Promise<void> {
    const { config } = this.#parts
    for (const { domain, type } of config.hosts.values()) this.core.addHost(domain, this.core.hostType(type))
    for (const type of config.host_types.values()) {
      if (this.core.hosts(type.name).length > 0) await this.#moduleSets.load(type)
    }
    for (const durable of this.core.durable) await durable.restore()
    for (const command of coreCommands(this)) this.commands.add(command)
    this.commands.add(reloadCommand(this))
    for (const route of health(this)) this.core.http.add(route)
    this.core.http.add(metricsPage(this))
    await this.#listeners.open(config)
    await this.#openControl()
  }

  async #openControl(): Promise<void> {
    const { controlPath, world } = this.#parts
    if (controlPath === undefined) return
    const limits = () => this.#config.limits
    this.#control = await openControl({
      net: world.net,
      clock: world.clock,
      log: world.log,
      commands: this.commands,
      path: controlPath,
      version: softwareVersion,
      get lineBytesMax() {
        return limits().control_line_bytes
      },
      get connectionsMax() {
        return limits().control_connections
      },
      refused: (code) => this.core.metrics.refusals.count(code),
    })
  }

  /** Where it listens, real ports included. */
  get listening(): readonly OpenListener[] {
    return this.#listeners.list
  }

  /** The local authority whose certificate clients are told to trust, when there is one. */
  get authority(): LocalAuthority | undefined {
    return this.#certificates.authority
  }

  get controlPath(): string | undefined {
    return this.#control?.path
  }

  get hosts(): readonly Host[] {
    return this.core.hosts()
  }

  get metrics(): Metrics {
    return this.core.metrics
  }

  /** From now on delays and collections of the process are looked at: somebody wants to know. */
  watchVitals(): void {
    if (!this.isClosing) this.#unwatchVitals ??= this.#world.vitals.watch()
  }

  get stores(): Stores {
    return this.#parts.stores
  }

  get upMs(): number {
    return this.#world.clock.monoMs() - this.#startedMs
  }

  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  /** What runs: after a reload the new values of what is hot, and the rest as it was at the start. */
  get config(): Config {
    return this.#config
  }

  /**
   * Takes over what is hot in the configuration that the server was started with, as it is now, or in another one:
   * listeners, certificates, modules and hosts too. Established sessions are left alone, but for those of a host that goes:
   * they have ended when it resolves. What else has changed is named: it needs a restart. Calls wait for one another. Rejects with `ConfigError` (all mistakes), `WorldError` when a
   * certificate cannot be read or a listener cannot be opened, or `ModuleError`; then nothing has changed.
   */
  reload(given?: GivenConfig): Promise<Reloaded> {
    const reloading = this.#reloading.then(() => this.#reload(given))
    this.#reloading = reloading.then(
      () => undefined,
      () => undefined,
    )
    return reloading
  }

  async #reload(given = this.#given): Promise<Reloaded> {
    const { read, world, isKept } = this.#parts
    const made = await read(given)
    await this.#farewell
    const plan = planReload(this.#config, made, this.#parts.modules, this.#moduleSets.types, (protocol) =>
      this.#listeners.speaks(protocol),
    )
    const { config } = plan
    const certificates = await Certificates.load(config, world, isKept, this.#certificates)
    const signIn = await this.#signIn.prepare(config)
    if (this.isClosing) throw new WorldError('RTK_SERVER_CLOSING', 'the server is closing', { temporary: false })
    // First, so that a listener that is opened finds its certificates; connections ask at their handshakes.
    const before = this.#certificates
    this.#certificates = certificates
    const undo: (() => Promise<void>)[] = []
    try {
      undo.push((await this.#moduleSets.change(plan.modules)).undo)
      for (const type of newTypes(plan, this.#moduleSets)) {
        await this.#moduleSets.load(type)
        undo.push(() => this.#moduleSets.unload(type.name))
      }
      const taken = plan.newHosts.find(({ domain }) => this.core.router.has(domain))
      if (taken !== undefined) {
        throw new WorldError('RTK_HOST_TAKEN', `the domain ${taken.domain} is a module's`, { temporary: false })
      }
      const listeners = await this.#listeners.apply(config)
      signIn.use()
      const sessionsEnded = await this.#use(plan, given)
      const { goneHosts: removed, applied, needsRestart } = plan
      const hosts = { added: plan.newHosts.map(({ domain }) => domain), removed, sessionsEnded }
      if (hosts.added.length > 0) world.log.info('hosts were added', { hosts: shortened(hosts.added) })
      if (removed.length > 0) world.log.info('hosts were removed', { hosts: shortened(removed), sessionsEnded })
      return { listeners, hosts, certificates: certificates.fresh, applied, needsRestart }
    } catch (error) {
      for (const step of undo.reverse()) await step()
      this.#certificates = before
      throw error
    }
  }

  /** From here on nothing fails, and nobody sees a half. Resolves with the sessions that ended with their hosts. */
  #use({ config, modules, newHosts, goneHosts }: ReloadPlan, given: GivenConfig | undefined): Promise<number> {
    const { log } = this.#world
    this.#config = config
    this.core.limits = coreLimits(config.limits)
    this.core.jids.resize(config.limits.jid_cache_entries)
    if (isLevelled(log)) {
      log.setLevel(config.log.level)
      log.setFormat?.(config.log.format)
    }
    this.#moduleSets.configure(modules)
    this.#given = given
    for (const { domain, type } of newHosts) this.core.addHost(domain, this.core.hostType(type))
    return goneHosts.length === 0 ? Promise.resolve(0) : this.#removeHosts(goneHosts)
  }

  #removeHosts(domains: readonly string[]): Promise<number> {
    const hosts = domains.flatMap((domain) => this.core.host(domain) ?? [])
    const ended = this.core.removeHosts(hosts)
    const gone = this.#c2s.leave(new Set(domains), ended, stopTimeoutMs)
    this.#farewell = this.#takeLeave(hosts, gone)
    return ended
  }

  /** What hosts that go had under way comes to its end; then modules that nobody needs any more go too. */
  async #takeLeave(hosts: readonly Host[], gone: Promise<void>): Promise<void> {
    await gone
    await this.core.forgetHosts(hosts)
    this.accounts.forget(hosts)
    const { unused } = this.#moduleSets
    // They ask the store whom to tell of the sessions that ended, and more.
    await Promise.all(unused.map((type) => this.modulesOf(type)?.settled()))
    for (const type of unused) await this.#moduleSets.unload(type)
  }

  /** The modules of a host type. */
  modulesOf(type: string): ModuleSet | undefined {
    return this.#moduleSets.of(type)
  }

  /** Ends sessions with `system-shutdown`, but for those that outlive it (`Core.park`), lets what is queued leave, closes the store. Once; later calls wait for the first. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = this.#close()
      this.#ended.resolve(this.#closing)
      // Whoever closed hears of a failure; that nobody else waits is no fault.
      this.#ended.promise.catch(() => undefined)
    }
    return this.#closing
  }

  /** Settled as `close` is, for whoever did not call it: the command `stop` may have. */
  get closed(): Promise<void> {
    return this.#ended.promise
  }

  async #close(): Promise<void> {
    await inTurn([
      () => this.#reloading,
      () => this.#unwatchVitals?.(),
      () => this.#listeners.close(),
      () => this.core.resumption.ask(),
      () => this.core.park(),
      () => this.#c2s.stop(),
      () => this.core.close(),
      () => this.#c2s.drained(stopTimeoutMs),
      () => this.#farewell,
      () => this.core.unsentSettled(),
      () => this.core.keep(),
      () => this.#http.stop(),
      () => this.#foreign.map((protocol) => protocol.stop()),
      () => Promise.all([this.#http, ...this.#foreign].map((protocol) => protocol.drained(stopTimeoutMs))),
      () => this.#moduleSets.unloadAll(),
      () => this.#control?.close(),
      () => this.accounts.close(),
      () => this.#parts.stores.close(),
      () => this.#parts.lock?.release(),
    ])
  }
}

/** Takes all steps, whichever of them fails; then the first failure is thrown. */
async function inTurn(steps: readonly (() => unknown)[]): Promise<void> {
  const failures: unknown[] = []
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

function admissionLimits({ limits }: Config) {
  return {
    connections: limits.connections,
    failures: limits.sign_in_failures,
    accountFailures: limits.sign_in_failures_per_account,
    failureWindowMs: limits.sign_in_failure_window,
  }
}

function bindPolicy({ session }: HostTypeConfig) {
  return {
    conflict: session.conflict,
    count: session.max_per_user_policy,
    sessionsMax: (jid: Jid, { address, auth }: LinkInfo) =>
      session.max_per_user.valueFor({ jid, host: jid.domain, address, anonymous: auth === 'ANONYMOUS' }),
  }
}

/** Host types that had no host until now. */
function newTypes({ config, newHosts }: ReloadPlan, sets: ModuleSets): readonly HostTypeConfig[] {
  const names = new Set(newHosts.map(({ type }) => type))
  return [...names].flatMap((name) => (sets.of(name) === undefined ? (config.host_types.get(name) ?? []) : []))
}
