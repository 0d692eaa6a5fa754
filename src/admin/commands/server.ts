/** `status`, `stop`, `host list`, `metrics list`: the server as a whole. */
import { type CommandDefinition, defineCommand, field } from '../../core/commands.ts'
import { softwareVersion } from '../../core/software.ts'
import { placeText } from '../../world/net-error.ts'
import type { CommandServices } from './services.ts'

const status = (services: CommandServices) =>
  defineCommand({
    name: 'status',
    summary: 'Shows how the server is.',
    examples: ['status', 'status --json'],
    permission: 'server:read',
    args: {},
    result: {
      version: field.text('Version', 'Of the server.'),
      up: field.duration('Up', 'Time since the start.'),
      hosts: field.int('Hosts', 'Hosts served.'),
      sessions: field.int('Sessions', 'Sessions bound now.'),
      store: field.text('Store', 'ready, full, stalled, failed or closed.'),
      store_text: field.text('', 'What is wrong with the store.'),
      listeners: field.list('Listeners', 'Where it listens.'),
    },
    run: () => ({
      version: softwareVersion,
      up: Math.round(services.upMs),
      hosts: services.core.hosts().length,
      sessions: services.core.sessions.count(),
      store: services.stores.state.name,
      store_text: services.stores.state.text,
      listeners: services.listening.map(({ protocol, tls, place }) => `${protocol} ${tls} ${placeText(place)}`),
    }),
  })

const stop = (services: CommandServices) =>
  defineCommand({
    name: 'stop',
    summary: 'Stops the server: sessions are told, what is queued is sent, then it ends.',
    examples: ['stop'],
    permission: 'server:stop',
    args: {},
    result: { result: field.text('Result', "'stopping'.") },
    run: () => {
      // After the answer has left.
      const { clock, log } = services.core.world
      const failed = (error: unknown) =>
        log.error('the server could not be stopped', { code: 'RTK_SERVER_STOP', error })
      clock.soon(() => void services.close().catch(failed), undefined)
      return { result: 'stopping' }
    },
  })

const hosts = (services: CommandServices) =>
  defineCommand({
    name: 'host list',
    summary: 'Lists the hosts with their types.',
    examples: ['host list'],
    permission: 'hosts:read',
    rows: true,
    args: {},
    result: {
      host: field.text('Host', 'Domain.'),
      type: field.text('Type', 'Host type.'),
      sessions: field.int('Sessions', 'Sessions bound now.'),
    },
    run: () =>
      services.core
        .hosts()
        .values()
        .map((host) => ({ host: host.domain, type: host.type, sessions: services.core.sessions.count(host) })),
  })

const metrics = (services: CommandServices) =>
  defineCommand({
    name: 'metrics list',
    summary: 'Lists counters and gauges.',
    examples: ['metrics list --json'],
    permission: 'server:read',
    rows: true,
    args: {},
    result: {
      name: field.text('Name', 'Of the figure.'),
      value: field.int('Value', 'Now.'),
      kind: field.text('', 'counter or gauge.'),
      help: field.text('Meaning', 'One sentence.'),
    },
    run: () => services.core.metrics.read().map(({ name, value, kind, help }) => ({ name, value, kind, help })),
  })

export function serverCommands(services: CommandServices): readonly CommandDefinition[] {
  return [status(services), stop(services), hosts(services), metrics(services)]
}
