/** `session …`: who is connected. */
import { type CommandDefinition, CommandError, defineCommand, field } from '../../core/commands.ts'
import { opt } from '../../core/config/opt.ts'
import type { Session } from '../../core/session.ts'
import type { Jid } from '../../jid/index.ts'
import { StreamError } from '../../stanza/error.ts'
import { hostsOf } from './accounts.ts'
import type { CommandServices } from './services.ts'

type Services = Pick<CommandServices, 'core'>

function rowOf(session: Session) {
  const { info, ledger } = session
  const since = ledger?.waitsSinceMs
  return {
    jid: session.jid.toString(),
    created: new Date(session.createdMs).toISOString(),
    address: info.address,
    port: info.port,
    transport: info.transport,
    tls: info.tls,
    auth: info.auth,
    listener: info.listener,
    resumed_from: info.resumedFrom ?? '',
    available: session.isAvailable,
    priority: session.priority,
    received: session.received,
    delivered: session.delivered,
    waiting_since: since === undefined ? '' : new Date(since).toISOString(),
    unacknowledged: ledger?.length ?? 0,
    unacknowledged_bytes: ledger?.bytes ?? 0,
  }
}

/** All sessions of an account, or the one of a full JID. */
function sessionsOf(services: Services, jid: Jid): readonly Session[] {
  const { sessions } = services.core
  if (jid.isBare) return sessions.ofAccount(jid.domain, jid.local)
  const session = sessions.find(jid)
  return session === undefined ? [] : [session]
}

const list = (services: Services) =>
  defineCommand({
    name: 'session list',
    summary: 'Lists sessions, of an account, of a host or of all.',
    examples: ['session list', 'session list juliet@localhost'],
    permission: 'sessions:read',
    rows: true,
    positional: ['of'],
    args: { of: opt.optional(opt.jid({ description: 'Account (bare or full JID) or host.' })) },
    result: {
      jid: field.text('Session', 'Full JID.'),
      created: field.time('Since', 'When the resource was bound.'),
      address: field.text('Address', "The client's, the true one behind a balancer."),
      port: field.int('', "The client's port."),
      transport: field.text('Transport', 'tcp, unix, websocket, bosh.'),
      tls: field.text('TLS', "Version, '' for none."),
      auth: field.text('Auth', 'SASL mechanism.'),
      listener: field.text('', 'Name of the listener.'),
      resumed_from: field.text(
        '',
        "Where the client was before it took its session to this connection; '' when it did not.",
      ),
      available: field.bool('Available', 'Whether it has sent presence.'),
      priority: field.int('Priority', 'Of its presence.'),
      received: field.int('In', 'Stanzas received from the client.'),
      delivered: field.int('Out', 'Stanzas delivered to the client.'),
      waiting_since: field.time(
        'Waiting',
        "When it lost its connection and began to wait for its client; '' while it has one.",
      ),
      unacknowledged: field.int('Unacked', 'Stanzas that the client has not acknowledged, where it counts them.'),
      unacknowledged_bytes: field.int('', 'Bytes of these.'),
    },
    run: ({ of }) => {
      const found: Session[] = []
      if (of !== undefined && of.local !== '') found.push(...sessionsOf(services, of))
      else
        for (const host of hostsOf(services, of?.domain))
          services.core.sessions.each(host.domain, (one) => found.push(one))
      return found.values().map(rowOf)
    },
  })

const kick = (services: Services) =>
  defineCommand({
    name: 'session kick',
    summary: 'Ends the sessions of an account, or the one of a full JID.',
    examples: ['session kick juliet@localhost/phone', "session kick juliet@localhost --reason 'back soon'"],
    permission: 'sessions:write',
    rows: true,
    positional: ['jid'],
    args: {
      jid: opt.jid({ description: 'Bare or full JID.' }),
      reason: opt.string({ default: '', maxLength: 500, description: 'Told to the client.' }),
    },
    result: { jid: field.text('Session', 'Full JID of a session that was ended.') },
    dryRun: true,
    run: ({ jid, reason }, call) => {
      const found = sessionsOf(services, jid)
      if (found.length === 0) return new CommandError('RTK_SESSION_UNKNOWN', `${jid} has no session`)
      const names = found.map((session) => ({ jid: session.jid.toString() }))
      if (call.dryRun) return names
      const { log } = services.core.world
      for (const session of found) {
        const error = new StreamError('RTK_SESSION_KICKED', 'policy-violation', reason === '' ? undefined : reason)
        if (log.enabled('debug')) log.debug('a session was kicked', { code: 'RTK_SESSION_KICKED', jid: session.label })
        session.close({ reason: 'kicked', detail: reason }, error)
      }
      return names
    },
  })

export function sessionCommands(services: Services): readonly CommandDefinition[] {
  return [list(services), kick(services)]
}
