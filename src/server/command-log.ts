/** Who ran which command and how it ended, without its arguments: they may hold secrets. */
import type { CommandObserver } from '../core/commands.ts'
import type { Log } from '../world/log.types.ts'

/** At info what may change something, at debug what only reads; a refusal with its code. */
export function commandLog(log: Log, permissionOf: (name: string) => string | undefined): CommandObserver {
  return (command, caller, outcome) => {
    const level = permissionOf(command)?.endsWith(':read') === true ? 'debug' : 'info'
    if (!log.enabled(level)) return
    const { name: by } = caller
    if (outcome.ok) log[level]('a command was run', { command, by, rows: outcome.rows, failed: outcome.failed })
    else log[level]('a command was refused', { code: outcome.error.code, command, by })
  }
}
