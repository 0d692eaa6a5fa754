/** `reload`: takes over what changed in the configuration. */
import { type CommandDefinition, defineCommand, field } from '../../core/commands.ts'

/** What a reload did; lists of names. */
export interface ReloadResult {
  readonly listeners: {
    readonly opened: readonly string[]
    readonly changed: readonly string[]
    readonly closed: readonly string[]
  }
  readonly applied: readonly string[]
  readonly needsRestart: readonly string[]
}

export function reloadCommand(server: { reload(): Promise<ReloadResult> }): CommandDefinition {
  return defineCommand({
    name: 'reload',
    summary: 'Reads the configuration and the certificates again; sessions are left alone.',
    examples: ['reload'],
    permission: 'server:reload',
    args: {},
    result: {
      result: field.text('Result', "'reloaded'."),
      opened: field.list('Opened', 'Listeners that are new.'),
      changed: field.list('Changed', 'Listeners with other options than before.'),
      closed: field.list('Closed', 'Listeners that are gone; their connections live on.'),
      applied: field.list('Applied', 'Options, modules and hosts that have changed and count now.'),
      needs_restart: field.list('Needs a restart', 'Options that have changed and count from the next start on.'),
    },
    run: async () => {
      const { listeners, applied, needsRestart } = await server.reload()
      return { result: 'reloaded', ...listeners, applied, needs_restart: needsRestart }
    },
  })
}
