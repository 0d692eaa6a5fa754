/** For the tests of hosts that come and go: a server in virtual time, and clients of whom every stanza is kept. */

import type { Host } from '../core/host.ts'
import { defineModule, type ModuleDefinition } from '../core/module.ts'
import { jid } from '../jid/jid.ts'
import { type Simulation, simulate } from '../sim/index.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { openStores } from '../store/index.ts'
import { SimulatedEngine } from '../store/sim-engine.ts'
import { ClientFailure, connectClient, type XmppClient } from '../stream/client.ts'
import { type Element, parseElement } from '../xml/index.ts'
import { createServer } from './create.ts'
import type { Reloaded } from './reload.ts'
import type { Server } from './server.ts'

export interface Person {
  readonly client: XmppClient
  /** All that came, oldest first. */
  readonly heard: Element[]
  says(xml: string): void
  /** Bodies of the messages that came, errors left out. */
  bodies(): readonly string[]
}

/** Domains, or a host type for each. */
type Hosts = readonly string[] | Readonly<Record<string, string>>

export interface House {
  readonly server: Server
  readonly simulation: Simulation
  readonly engine: SimulatedEngine
  /** What the plugin `watcher` saw of hosts: `+domain` and `-domain`. */
  readonly told: readonly string[]
  /** Serves other hosts from now on, and has other sections when given. */
  reload(hosts: Hosts, sections?: Readonly<Record<string, unknown>>): Promise<Reloaded>
  account(address: string): Promise<void>
  person(address: string): Promise<Person>
  passes(ms: number): Promise<void>
  /** The server's log, from `info` on. */
  log(): readonly { readonly text: string; readonly [field: string]: unknown }[]
}

export const portOfHouse = 5222

function watcherOf(told: string[]): ModuleDefinition {
  return defineModule({
    name: 'watcher',
    setup(ctx) {
      const isServed = ({ domain, type }: Host) => (ctx.host(domain)?.type === type ? '' : '?')
      told.push(`setup ${ctx.hosts().map(({ domain }) => domain)}`)
      ctx.on('host:added', (host) => void told.push(`+${host.domain}${isServed(host)}`))
      ctx.on('host:removed', (host) => void told.push(`-${host.domain}${isServed(host)}`))
      ctx.onStop(() => void told.push('stop'))
    },
  }) as unknown as ModuleDefinition
}

export function inHouse(
  given: { readonly hosts: Hosts; readonly seed?: number; readonly sections?: Readonly<Record<string, unknown>> },
  play: (house: House) => Promise<void>,
): Promise<void> {
  return simulate(given.seed ?? 1, async (simulation) => {
    const world = simulation.world('server')
    const engine = new SimulatedEngine(world.clock)
    const told: string[] = []
    const base = {
      store: { engine: 'memory' },
      auth: { scram_iterations: 4_096 },
      listeners: [{ protocol: 'c2s', tls: 'none', address: '127.0.0.1', port: portOfHouse }],
      tls: { local_ca: false },
      limits: { connections_per_address: 1_000 },
      ...given.sections,
    }
    const server = await createServer({
      world,
      config: { ...base, hosts: given.hosts },
      plugins: [watcherOf(told)],
      stores: () => openStores(world, engine),
    })
    const house: House = {
      server,
      simulation,
      engine,
      told,
      reload: (hosts, sections = {}) => server.reload({ ...base, ...sections, hosts }),
      account: (address) => server.accounts.add(jid(address), 'secret'),
      person: (address) => person(simulation, address),
      passes: (ms) => simulation.advance(ms),
      log: () =>
        world.log.entries
          .filter(({ level }) => level !== 'debug')
          .map(({ message, fields }) => ({ text: message, ...fields })),
    }
    try {
      await play(house)
    } finally {
      await server.close()
    }
  })
}

/** Signs in and binds. Rejects with the `ClientFailure`. */
async function person(simulation: Simulation, address: string): Promise<Person> {
  const heard: Element[] = []
  const client = await connectClient(simulation.world(address), {
    jid: jid(address),
    password: 'secret',
    place: { kind: 'tcp', host: 'server', port: portOfHouse },
    tls: 'none',
    onStanza: (el) => void heard.push(el),
  })
  if (client instanceof ClientFailure) throw client
  return {
    client,
    heard,
    says(xml) {
      for (const el of parseElement(`<s xmlns='${NS_CLIENT}'>${xml}</s>`).elements) client.send(el)
    },
    bodies: () =>
      heard
        .filter((el) => el.name === 'message' && el.attr('type') !== 'error')
        .flatMap((el) => el.child('body', NS_CLIENT)?.text ?? []),
  }
}

/** Both see each other from now on. */
export async function befriended(house: House, one: Person, other: Person): Promise<void> {
  for (const person of [one, other]) person.says('<presence/>')
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.says(`<presence type='subscribe' to='${to.client.jid.bare}'/>`)
    await house.passes(100)
    to.says(`<presence type='subscribed' to='${from.client.jid.bare}'/>`)
    await house.passes(100)
  }
}
