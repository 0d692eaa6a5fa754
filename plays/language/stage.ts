/** Where plays are given: a server with actors, over real sockets or in a simulated world. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from '../../src/index.ts'
import { jid } from '../../src/jid/index.ts'
import { authorityPem, ROUGH, type Simulation, simulate, symbolicCertificate } from '../../src/sim/index.ts'
import { openStores } from '../../src/store/index.ts'
import { SimulatedEngine } from '../../src/store/sim-engine.ts'
import type { ClientOptions } from '../../src/stream/client.ts'
import { createWorld } from '../../src/world/index.ts'
import type { Place } from '../../src/world/net.types.ts'
import { Actor, type Casting, passwordOf, type Setting, show } from './actor.ts'
import type { Play, Stage } from './play.ts'
import { Wire } from './wire.ts'

const hosts = { localhost: {}, 'capulet.example': {} }

function configOf(play: Play, listeners: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { hosts, auth: { scram_iterations: 4096 }, store: { engine: 'memory' }, ...listeners, ...play.settings.server }
}

function castings(play: Play): readonly (readonly [string, Casting])[] {
  return Object.entries(play.settings.cast).map(([name, given]) => [
    name,
    typeof given === 'string' ? { as: given } : given,
  ])
}

async function giveAccounts(play: Play, server: Server): Promise<void> {
  const strangers = play.settings.strangers ?? []
  const accounts = new Set(castings(play).map(([, { as }]) => jid(as).bare.toString()))
  for (const account of accounts) {
    if (!strangers.includes(account)) await server.accounts.add(jid(account), passwordOf(jid(account)))
  }
}

/** Every actor asks, twice: what the first round caused arrives before the answers of the second. */
async function settle(actors: readonly Actor[]): Promise<void> {
  for (let round = 0; round < 2; round++) for (const actor of actors) await actor.catchesUp()
}

async function act(play: Play, actors: Readonly<Record<string, Actor>>, stage: Stage): Promise<void> {
  await play.act(actors, stage)
  await stage.settles()
  const unread = Object.values(actors).flatMap((actor) => actor.unread.map((el) => `${actor.name} ← ${show(el)}`))
  if (unread.length > 0) throw new Error(`nobody expected this:\n  ${unread.join('\n  ')}`)
}

/** Gives a failure the story so far. */
async function told<T>(notes: readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Error) error.message += `\nThe play so far:\n  ${notes.join('\n  ')}`
    throw error
  }
}

/** Over TCP and TLS of this machine, in this process. `more`: sections of the configuration, as for another store. */
export async function onSockets(play: Play, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ratatosk-play-'))
  const notes: string[] = []
  const listener = (tls: string) => ({ protocol: 'c2s', tls, address: '127.0.0.1', port: 0 })
  const listeners = { listeners: [listener('starttls'), listener('direct')] }
  try {
    const server = await createServer({ dataDir: folder, config: { ...configOf(play, listeners), ...more } })
    try {
      const setting: Setting = {
        world: createWorld(),
        place: (tls) => placeOf(server, tls),
        ca: server.authority?.certPem ?? '',
        patienceMs: 10_000,
        note: (line) => notes.push(line),
      }
      await giveAccounts(play, server)
      const actors = Object.fromEntries(
        castings(play).map(([name, casting]) => [name, new Actor(name, casting, setting)]),
      )
      const stage: Stage = {
        kind: 'sockets',
        server,
        settles: () => settle(Object.values(actors)),
        ca: setting.ca,
        wire: (tls) => Wire.open(setting.world, setting.place(tls ?? 'starttls'), setting.patienceMs),
        cuts: (actor) => actor.client.destroy(),
        passes: () => Promise.reject(new Error('time does not pass at will here')),
      }
      await told(notes, () => act(play, actors, stage))
    } finally {
      await server.close()
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function placeOf(server: Server, tls: ClientOptions['tls']): Place {
  const kind = tls === 'direct' ? 'direct' : 'starttls'
  const found = server.listening.find((listener) => listener.protocol === 'c2s' && listener.tls === kind)
  if (found === undefined) throw new Error(`the server has no listener with ${kind}`)
  return found.place
}

/** What is done to the server before the play begins. */
export type Preparation = (server: Server) => void

/** In a simulated world; the network is rough (late, in pieces, in lumps) in all seeds but the first. */
export async function simulated(play: Play, seed: number, prepare: Preparation = () => undefined): Promise<void> {
  const notes: string[] = []
  await simulate(seed, (simulation) => {
    if (seed > 1) simulation.network.everywhere = ROUGH
    const note = (line: string) => notes.push(`${simulation.now.toFixed(1).padStart(8)} ${line}`)
    return told(notes, () => inSimulation(play, simulation, note, prepare))
  })
}

const ports: Readonly<Partial<Record<ClientOptions['tls'], number>>> = { direct: 5223 }

async function inSimulation(
  play: Play,
  simulation: Simulation,
  note: (line: string) => void,
  prepare: Preparation,
): Promise<void> {
  const world = simulation.world('server')
  const { certPem, keyPem } = symbolicCertificate({ names: Object.keys(hosts), issuer: 'play' })
  await world.disk.makeDirectory('/tls', 0o700)
  await world.disk.writeText('/tls/cert.pem', certPem, 0o600)
  await world.disk.writeText('/tls/key.pem', keyPem, 0o600)
  const server = await createServer({
    world,
    dataDir: '/data',
    stores: () => openStores(world, new SimulatedEngine(world.clock)),
    config: configOf(play, {
      listeners: [
        { protocol: 'c2s', address: '127.0.0.1' },
        { protocol: 'c2s', tls: 'direct', address: '127.0.0.1' },
      ],
      tls: { certificates: [{ cert: '/tls/cert.pem', key: '/tls/key.pem' }] },
    }),
  })
  prepare(server)
  await giveAccounts(play, server)
  const settingOf = (name: string): Setting => ({
    world: simulation.world(name),
    place: (tls) => ({ kind: 'tcp', host: 'server', port: ports[tls] ?? 5222 }),
    ca: authorityPem('play'),
    patienceMs: 60_000,
    note,
  })
  const actors = Object.fromEntries(
    castings(play).map(([name, casting]) => [name, new Actor(name, casting, settingOf(name))]),
  )
  const { world: nobody, place, ca, patienceMs } = settingOf('nobody')
  await act(play, actors, {
    kind: 'simulated',
    server,
    settles: () => settle(Object.values(actors)),
    ca,
    wire: (tls) => Wire.open(nobody, place(tls ?? 'starttls'), patienceMs),
    cuts: (actor) => simulation.network.cut(actor.name, 'server'),
    passes: (ms) => simulation.advance(ms),
  })
  await server.close()
}
