/** `reload`: takes over what changed in the configuration. */
import { type CommandDefinition, CommandError, defineCommand, field } from '../../core/commands.ts'
import { shortened } from './lists.ts'

/** What a reload did; lists of names. */
export interface ReloadResult {
  readonly listeners: {
    readonly opened: readonly string[]
    readonly changed: readonly string[]
    readonly closed: readonly string[]
  }
  readonly hosts: {
    readonly added: readonly string[]
    readonly removed: readonly string[]
    readonly sessionsEnded: number
  }
  readonly certificates: readonly string[]
  readonly applied: readonly string[]
  readonly needsRestart: readonly string[]
}

export function reloadCommand(server: { reload(): Promise<ReloadResult> }): CommandDefinition {
  return defineCommand({
    name: 'reload',
    summary: 'Reads the configuration and the certificates again; sessions live on, but for those of a host that goes.',
    examples: ['reload'],
    permission: 'server:reload',
    args: {},
    result: {
      result: field.text('Result', "'reloaded'."),
      opened: field.list('Listeners opened', 'Listeners that are new.'),
      changed: field.list('Listeners changed', 'Listeners with other options than before.'),
      closed: field.list('Listeners closed', 'Listeners that are gone; their connections live on.'),
      hosts_added: field.list('Hosts added', 'Domains that are served from now on.'),
      hosts_removed: field.list(
        'Hosts removed',
        'Domains that are served no more; what is kept of their accounts stays.',
      ),
      sessions_ended: field.int('Sessions ended', 'Sessions of hosts that were removed.'),
      certificates: field.list(
        'Certificates',
        'Files of certificates that are new or other than before, and in use now.',
      ),
      applied: field.list('Applied', 'Options and modules that have changed and count now.'),
      needs_restart: field.list('Needs a restart', 'Options that have changed and count from the next start on.'),
    },
    run: async () => {
      const done = await server.reload().catch((error: unknown) => CommandError.from(error))
      // Whoever made a mistake in the file of a server that others use wants to know this first.
      if (done instanceof CommandError) {
        return done.hint === '' ? new CommandError(done.code, done.text, 'nothing was taken over', done.cause) : done
      }
      const { listeners, hosts, certificates, applied, needsRestart } = done
      return {
        result: 'reloaded',
        ...listeners,
        hosts_added: shortened(hosts.added),
        hosts_removed: shortened(hosts.removed),
        sessions_ended: hosts.sessionsEnded,
        certificates: shortened(certificates),
        applied: shortened(applied),
        needs_restart: shortened(needsRestart),
      }
    },
  })
}
