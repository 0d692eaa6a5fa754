/** A whole server in a simulated world, for tests of what listeners do in time. */
import { Wire } from '../../plays/language/wire.ts'
import { issuerOf, jwks } from '../auth/jwt.testing.ts'
import { createServer, type Server } from '../index.ts'
import { jid } from '../jid/index.ts'
import { storeLimits } from '../server/create.ts'
import { authorityPem, type Simulation, type SimWorld, simulate, symbolicCertificate } from '../sim/index.ts'
import { openStores } from '../store/index.ts'
import { SimulatedEngine } from '../store/sim-engine.ts'
import type { LogLevel } from '../world/log.types.ts'
import type { Place } from '../world/net.types.ts'

/** Whose keys are in `/tls/tokens.json`. */
export const tokenIssuer = issuerOf('EdDSA', 'tests')
/** Whose are in `/tls/others.json`. */
export const otherIssuer = issuerOf('EdDSA', 'others')

export class SymbolicServer {
  readonly simulation: Simulation
  #server: Server
  readonly ca = authorityPem('test')
  readonly engine: SimulatedEngine
  #world: SimWorld
  readonly #start: (world: SimWorld) => Promise<Server>
  readonly #base: Readonly<Record<string, unknown>>

  /**
   * Starts a server with these sections of the configuration, and the account romeo@localhost with password `secret` where the host has passwords. `database`:
   * the host of its store.
   */
  static run(
    config: Readonly<Record<string, unknown>>,
    work: (server: SymbolicServer) => Promise<void>,
    seed = 1,
    database = 'server',
  ): Promise<void> {
    return simulate(seed, async (simulation) => {
      const world = simulation.world('server')
      const { certPem, keyPem } = symbolicCertificate({ names: ['localhost'], issuer: 'test' })
      await world.disk.makeDirectory('/tls', 0o700)
      await world.disk.writeText('/tls/cert.pem', certPem, 0o600)
      await world.disk.writeText('/tls/key.pem', keyPem, 0o600)
      await world.disk.writeText('/tls/clients.pem', authorityPem('clients'), 0o600)
      await world.disk.writeText('/tls/tokens.json', jwks(tokenIssuer), 0o600)
      await world.disk.writeText('/tls/others.json', jwks(otherIssuer), 0o600)
      const engine = new SimulatedEngine(simulation.world(database).clock)
      const base = {
        hosts: { localhost: {} },
        auth: { scram_iterations: 4096 },
        store: { engine: 'memory' },
        tls: { certificates: [{ cert: '/tls/cert.pem', key: '/tls/key.pem' }] },
      }
      const start = (on: SimWorld) =>
        createServer({
          world: on,
          dataDir: '/data',
          control: true,
          stores: ({ store }) => openStores(on, engine, storeLimits(store)),
          config: { ...base, ...config },
        })
      const server = await start(world)
      const host = server.core.host('localhost')
      // Where passwords are not kept he comes by a token.
      if (host === undefined || server.accounts.keeps(host)) await server.accounts.add(jid('romeo@localhost'), 'secret')
      const symbolic = new SymbolicServer(simulation, server, engine, world, base, start)
      await work(symbolic)
      await symbolic.server.close()
    })
  }

  private constructor(
    simulation: Simulation,
    server: Server,
    engine: SimulatedEngine,
    world: SimWorld,
    base: Readonly<Record<string, unknown>>,
    start: (world: SimWorld) => Promise<Server>,
  ) {
    this.simulation = simulation
    this.#server = server
    this.#start = start
    this.engine = engine
    this.#world = world
    this.#base = base
  }

  get server(): Server {
    return this.#server
  }

  /** The process is killed, and started again on the same disk and store; the store must be another host's (`database`). */
  async crash(): Promise<void> {
    this.engine.crash()
    this.#world.crash()
    this.#world = this.simulation.world('server')
    this.#server = await this.#start(this.#world)
  }

  /** The server is stopped in good order, and started again. */
  async restart(): Promise<void> {
    await this.#server.close()
    this.#server = await this.#start(this.#world)
  }

  /** Reloads the server with these sections, as `run` starts it with them. */
  reload(config: Readonly<Record<string, unknown>>): ReturnType<Server['reload']> {
    return this.server.reload({ ...this.#base, ...config })
  }

  /** A connection from a host; the server sees the host's name as its address. */
  wire(from: string, port = 5222): Promise<Wire> {
    return Wire.open(this.simulation.world(from), { kind: 'tcp', host: 'server', port }, 60_000)
  }

  /** A connection of the server's own machine to one of its places. */
  wireTo(place: Place): Promise<Wire> {
    return Wire.open(this.#world, place, 60_000)
  }

  /** A figure of the server. */
  counter(name: string): number {
    return this.server.metrics.value(name)
  }

  /** What entries of the log with this code and level tell beside it. */
  told(code: string, level: LogLevel): readonly Record<string, unknown>[] {
    const entries = this.#world.log.at(level).filter((entry) => entry.fields['code'] === code)
    return entries.map(({ fields: { code: _code, ...fields } }) => fields)
  }

  /** How many entries of the log have this code. */
  logged(code: string): number {
    return this.#world.log.entries.filter((entry) => entry.fields['code'] === code).length
  }
}
