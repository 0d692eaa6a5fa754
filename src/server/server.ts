/**
 * A running server: everything put together (DESIGN.md section 14). It installs no signal handler, prints nothing, never
 * exits, and keeps nothing at module level; two of them live in one process.
 */
import { coreCommands, reloadCommand } from '../admin/commands/index.ts'
import { type Control, openControl } from '../admin/control/server.ts'
import { openDecoys } from '../auth/decoys.ts'
import { InternalBackend } from '../auth/internal.ts'
import { secretStore } from '../auth/secrets.store.ts'
import { AccountService } from '../core/account-service.ts'
import type { AuthBackend } from '../core/auth.ts'
import { Binder } from '../core/binder.ts'
import { CommandRegistry } from '../core/commands.ts'
import type { Config, HostTypeConfig, ListenerConfig } from '../core/config/index.ts'
import { Core } from '../core/core.ts'
import type { Host } from '../core/host.ts'
import type { Metrics } from '../core/metrics.ts'
import type { ModuleDefinition } from '../core/module.ts'
import { ModuleSet } from '../core/module-set.ts'
import { softwareVersion } from '../core/software.ts'
import { Admission } from '../listeners/admission.ts'
import { C2sProtocol } from '../listeners/c2s/c2s.ts'
import { HttpProtocol } from '../listeners/http/http.ts'
import { PluginProtocol } from '../listeners/plugin-protocol.ts'
import { accounts } from '../store/accounts.ts'
import type { Store, Stores } from '../store/index.ts'
import type { Decoys } from '../stream/sasl/index.ts'
import { WorldError } from '../world/error.ts'
import type { World } from '../world/world.types.ts'
import { Certificates, type LocalAuthority } from './certificates.ts'
import { enterFigures } from './figures.ts'
import { health } from './health.ts'
import { coreLimits } from './limits.ts'
import { Listeners, type OpenListener } from './listeners.ts'
import { protocolsOf } from './plugins.ts'
import { mixed, type Reloaded, restartOptions } from './reload.ts'

/** Reads a configuration; without one that which the server was started with. Rejects with `ConfigError`. */
export type Read = (given?: GivenConfig) => Promise<Config>

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

/** Sessions have this long to take what is queued when the server stops (`stop_timeout`). */
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
  readonly #moduleSets = new Map<string, ModuleSet>()
  readonly #admission: Admission
  readonly #c2s: C2sProtocol
  readonly #http: HttpProtocol
  /** Protocols of modules. */
  readonly #foreign: readonly PluginProtocol[]
  readonly #startedMs: number
  #control: Control | undefined
  #closing: Promise<void> | undefined
  /** What it was started with, or the last `reload` was given; undefined: the former. */
  #given: GivenConfig | undefined
  #reloading: Promise<void> = Promise.resolve()
  readonly #ended = Promise.withResolvers<void>()

  /** Starts a server; when something fails, all that was opened is closed again. */
  static async start(parts: ServerParts): Promise<Server> {
    const { stores, config, world } = parts
    const secrets = { store: await stores.open(secretStore), hashing: world.hashing, random: world.random }
    const decoys = new Map<string, Decoys>()
    for (const { name, auth } of config.host_types.values())
      decoys.set(name, await openDecoys(secrets, name, auth.scram_iterations))
    const store = await stores.open(accounts)
    const certificates = await Certificates.load(config, world, parts.isKept)
    const server = new Server(parts, certificates, store, decoys)
    try {
      await server.#open()
    } catch (error) {
      await server.close()
      throw error
    }
    return server
  }

  private constructor(
    parts: ServerParts,
    certificates: Certificates,
    store: Store<typeof accounts>,
    decoys: ReadonlyMap<string, Decoys>,
  ) {
    const { config, world, stores } = parts
    this.#parts = parts
    this.#world = world
    this.#config = config
    this.#certificates = certificates
    this.#startedMs = world.clock.monoMs()
    const backends = new Map<string, AuthBackend>()
    const decoysOf = (type: string) => decoys.get(type) as Decoys
    for (const type of config.host_types.values()) {
      const iterations = type.auth.scram_iterations
      const { hashing, random, clock } = world
      const needs = { store, hashing, random, clock, decoys: decoysOf(type.name), iterations }
      backends.set(type.name, new InternalBackend(needs))
    }
    const backend = (host: Host) => backends.get(host.type) as AuthBackend
    this.accounts = new AccountService(world.clock, stores, backend)
    this.core = new Core(world, this.accounts, coreLimits(config.limits))
    this.accounts.attach(this.core)
    enterFigures(this.core.metrics, {
      store: stores.metrics,
      controlConnections: () => this.#control?.connections ?? 0,
    })
    for (const definition of [accounts, secretStore]) this.core.storeUses.enter(definition, 'the server')
    this.commands = new CommandRegistry()
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
      decoys: (host) => decoysOf(host.type),
      tls: (listener) => this.#certificates.context(listener),
      hasCertificate: (listener, domain) => this.#certificates.covers(listener, domain),
    })
    this.#http = new HttpProtocol({
      clock: world.clock,
      log: world.log,
      routes: this.core.http,
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
    const { config, modules, stores } = this.#parts
    for (const { domain, type } of config.hosts.values()) this.core.addHost(domain, this.core.hostType(type))
    for (const type of config.host_types.values()) {
      if (this.core.hosts(type.name).length === 0) continue
      const set = new ModuleSet(this.core, this.core.hostType(type.name), stores, this.commands)
      this.#moduleSets.set(type.name, set)
      await set.load(
        [...type.modules].map(([name, options]) => ({ definition: modules.get(name) as ModuleDefinition, options })),
      )
    }
    for (const command of coreCommands(this)) this.commands.add(command)
    this.commands.add(reloadCommand(this))
    for (const route of health(this)) this.core.http.add(route)
    await this.#listeners.open(config)
    await this.#openControl()
  }

  async #openControl(): Promise<void> {
    const { controlPath, config, world } = this.#parts
    if (controlPath === undefined) return
    this.#control = await openControl({
      net: world.net,
      clock: world.clock,
      log: world.log,
      commands: this.commands,
      path: controlPath,
      version: softwareVersion,
      lineBytesMax: config.limits.control_line_bytes,
      connectionsMax: config.limits.control_connections,
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

  get stores(): Stores {
    return this.#parts.stores
  }

  get upMs(): number {
    return this.#world.clock.monoMs() - this.#startedMs
  }

  get isClosing(): boolean {
    return this.#closing !== undefined
  }

  /** What runs: after a reload the new listeners and certificates, and the rest as it was at the start. */
  get config(): Config {
    return this.#config
  }

  /**
   * Takes over the listeners, their limits and the certificates of the configuration that the server was started with, as
   * it is now, or of another one; established sessions are left alone. What else has changed is named: it needs a
   * restart. Calls wait for one another. Rejects with `ConfigError` (all mistakes), or `WorldError` when a certificate
   * cannot be read or a listener cannot be opened; then nothing has changed.
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
    const next = await read(given)
    const config = mixed(this.#config, next)
    const certificates = await Certificates.load(config, world, isKept)
    if (this.isClosing) throw new WorldError('RTK_SERVER_CLOSING', 'the server is closing', { temporary: false })
    const needsRestart = restartOptions(config, next)
    // First, so that a listener that is opened finds its certificates; connections ask at their handshakes.
    const before = this.#certificates
    this.#certificates = certificates
    try {
      const listeners = await this.#listeners.apply(config)
      this.#config = config
      this.#given = given
      return { listeners, needsRestart }
    } catch (error) {
      this.#certificates = before
      throw error
    }
  }

  /** The modules of a host type. */
  modulesOf(type: string): ModuleSet | undefined {
    return this.#moduleSets.get(type)
  }

  /** Ends sessions with `system-shutdown`, lets what is queued leave, closes the store. Once; later calls wait for the first. */
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
      () => this.#listeners.close(),
      () => this.#c2s.stop(),
      () => this.core.close(),
      () => this.#c2s.drained(stopTimeoutMs),
      () => this.#http.stop(),
      () => this.#foreign.map((protocol) => protocol.stop()),
      () => this.#http.drained(stopTimeoutMs),
      ...[...this.#moduleSets.values()].reverse().map((set) => () => set.unloadAll()),
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
    sessionsMax: (jid: Parameters<Binder['bind']>[0]['account'], info: { readonly address: string }) =>
      session.max_per_user.valueFor({ jid, host: jid.domain, address: info.address }),
  }
}
