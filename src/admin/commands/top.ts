/** `top`: the busiest sessions, hosts and modules. */
import type { CommandDefinition } from '../../core/command-definition.ts'
import type { Json } from '../../core/command-result.ts'
import { defineCommand, field } from '../../core/commands.ts'
import { opt } from '../../core/config/opt.ts'
import type { HandlerCost } from '../../core/handler-meter.ts'
import type { Clock } from '../../world/clock.types.ts'
import type { DelayCounts } from '../../world/vitals.types.ts'
import { Best } from './best.ts'
import type { CommandServices } from './services.ts'
import { addTo, noTally, type Tally, Traffic, WATCHER } from './traffic.ts'

const orders = ['stanzas', 'in', 'out', 'bytes'] as const
type Order = (typeof orders)[number]

const sizes: Readonly<Record<Order, (tally: Tally) => number>> = {
  stanzas: (tally) => tally.received + tally.delivered,
  in: (tally) => tally.received,
  out: (tally) => tally.delivered,
  bytes: (tally) => tally.bytesIn + tally.bytesOut,
}

/** A tenth is fine enough for people, and short in JSON. */
const round = (value: number) => Math.round(value * 10) / 10

/** What there was to see, from the begin of an interval to its end. */
interface Look {
  readonly seconds: number
  readonly order: Order
  readonly count: number
}

export function topCommand({ core }: Pick<CommandServices, 'core'>): CommandDefinition {
  return defineCommand({
    name: 'top',
    summary: 'Shows the busiest sessions, hosts and modules.',
    examples: ['top', 'top --by bytes --interval 10s', 'top --once --json'],
    permission: 'sessions:read',
    args: {
      interval: opt.duration({
        default: '2 seconds',
        min: '100 ms',
        max: '1 hour',
        description: 'Time over which it looks.',
      }),
      by: opt.oneOf(orders, {
        default: 'stanzas',
        description: 'What makes sessions and hosts busy: stanzas in and out, those in or out alone, or bytes.',
      }),
      count: opt.int({ default: 10, min: 1, max: 1_000, description: 'Lines of each list.' }),
    },
    result: {
      at: field.time('At', 'When it was seen.'),
      seconds: field.int('Seconds', 'Time over which it was seen.'),
      online: field.int('Sessions', 'Bound now.'),
      connections: field.int('Connections', 'Of clients now.'),
      in: field.int('In', 'Stanzas a second from clients.'),
      out: field.int('Out', 'Stanzas a second to clients.'),
      bytes_in: field.int('Bytes in', 'A second, as on the wire.'),
      bytes_out: field.int('Bytes out', 'A second, as on the wire.'),
      routed: field.int('Routed', 'Stanzas a second that were routed.'),
      cpu: field.int('CPU', 'Percent of a core that the process took.'),
      loop: field.int('Loop', 'Percent of the time in which the event loop had something to do.'),
      delay: field.int('Delay', 'Milliseconds that a timer was late at most.'),
      memory: field.bytes('Memory', 'Of the process, in RAM.'),
      store_queue: field.int('Store queue', 'Store operations that wait or are at work.'),
      sessions: field.json(
        'Busiest sessions',
        'With stanzas and bytes a second, and the bytes that wait for the client.',
      ),
      hosts: field.json('Busiest hosts', 'With sessions, stanzas and bytes a second, and sessions that ended.'),
      modules: field.json(
        'Busiest modules',
        'With calls of their handlers a second, and percent of the event loop that these took, without what they wait for.',
      ),
    },
    run: async ({ interval, by, count }, call) => {
      const { clock, vitals } = core.world
      const traffic = new Traffic(
        clock,
        core.sessions,
        core.hostTypes.map(({ hooks }) => hooks),
      )
      const ends = [() => traffic.end(), core.handlers.watch(), vitals.watch()]
      try {
        await traffic.begin(call.signal)
        const before = figuresOf(core)
        await pause(clock, interval, call.signal)
        const after = figuresOf(core)
        const look: Look = { seconds: Math.max(after.monoMs - before.monoMs, 1) / 1_000, order: by, count }
        const busy = await busiest(core, traffic, look, call.signal)
        return {
          at: clock.now().toISOString(),
          seconds: round(look.seconds),
          online: core.sessions.count(),
          connections: core.metrics.value('ratatosk_connections'),
          ...wholeOf(before, after, look.seconds),
          ...busy,
          memory: vitals.memory().resident,
          store_queue: core.metrics.value('ratatosk_store_queue_operations'),
          modules: modulesOf(before.costs, after.costs, look),
        }
      } finally {
        for (const end of ends) end()
      }
    },
  })
}

interface Figures {
  readonly monoMs: number
  readonly cpu: number
  readonly loop: number
  readonly delays: DelayCounts
  readonly routed: number
  readonly costs: ReadonlyMap<string, HandlerCost>
}

function figuresOf(core: CommandServices['core']): Figures {
  const { clock, vitals } = core.world
  return {
    monoMs: clock.monoMs(),
    cpu: vitals.cpuSeconds(),
    loop: vitals.loopBusySeconds(),
    delays: vitals.delays(),
    routed: core.metrics.value('ratatosk_stanzas_routed_total'),
    costs: core.handlers.costs(),
  }
}

function wholeOf(before: Figures, after: Figures, seconds: number) {
  return {
    routed: round((after.routed - before.routed) / seconds),
    cpu: round(((after.cpu - before.cpu) / seconds) * 100),
    loop: round(((after.loop - before.loop) / seconds) * 100),
    delay: longestMs(before.delays, after.delays),
  }
}

/** The bound of the last bucket into which something came; twice the last bound when it was beyond all. */
function longestMs(before: DelayCounts, after: DelayCounts): number {
  const came = after.count - before.count
  if (came === 0) return 0
  const within = after.buckets.find(({ count }, i) => count - (before.buckets[i]?.count ?? 0) === came)
  return (within?.atMost ?? (after.buckets.at(-1)?.atMost ?? 0) * 2) * 1_000
}

/** Both lists, and the sums of all. */
async function busiest(core: CommandServices['core'], traffic: Traffic, look: Look, signal: AbortSignal) {
  const size = sizes[look.order]
  const sessions = new Best<Json>(look.count)
  await traffic.take(signal, (session, tally) => {
    const busy = size(tally)
    if (!sessions.takes(busy)) return
    const waiting = session.state.kind === 'active' ? session.state.link.queuedBytes : 0
    sessions.add(busy, { jid: session.label, address: session.info.address, ...rates(tally, look), waiting })
  })
  const hosts = new Best<Json>(look.count)
  const all: Tally = { ...noTally }
  for (const [domain, tally] of traffic.hosts) {
    addTo(all, tally)
    const host = core.host(domain)
    const online = host === undefined ? 0 : core.sessions.count(host)
    hosts.add(size(tally), { host: domain, sessions: online, ended: tally.ended, ...rates(tally, look) })
  }
  return { ...rates(all, look), sessions: sessions.list, hosts: hosts.list }
}

function rates(tally: Tally, { seconds }: Look) {
  return {
    in: round(tally.received / seconds),
    out: round(tally.delivered / seconds),
    bytes_in: Math.round(tally.bytesIn / seconds),
    bytes_out: Math.round(tally.bytesOut / seconds),
  }
}

function modulesOf(before: Figures['costs'], after: Figures['costs'], { seconds, count }: Look): readonly Json[] {
  const best = new Best<Json>(count)
  for (const [module, cost] of after) {
    const calls = cost.calls - (before.get(module)?.calls ?? 0)
    const ms = cost.ms - (before.get(module)?.ms ?? 0)
    if (module === WATCHER || calls === 0) continue
    const row = {
      module,
      calls: round(calls / seconds),
      percent: Math.round((ms / seconds / 10) * 100) / 100,
      us_a_call: round((ms * 1_000) / calls),
    }
    // Those whose time was too short for the clock stand behind the others, by their calls.
    best.add(ms + calls / 1e9, row)
  }
  return best.list
}

/** Resolves after so long, or as soon as nobody waits any more. */
function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) return Promise.resolve()
  const timer = clock.after(ms, resolve, undefined)
  signal.addEventListener(
    'abort',
    () => {
      timer.cancel()
      resolve()
    },
    { once: true },
  )
  return promise
}
