/** The commands of the core: accounts, sessions, the server itself. */
import type { CommandDefinition } from '../../core/commands.ts'
import { accountCommands } from './accounts.ts'
import { serverCommands } from './server.ts'
import type { CommandServices } from './services.ts'
import { sessionCommands } from './sessions.ts'
import { tokenCommands } from './tokens.ts'
import { topCommand } from './top.ts'

export { shortened } from './lists.ts'
export { type ReloadResult, reloadCommand } from './reload.ts'
export type { CommandServices, ListenerInfo } from './services.ts'

export function coreCommands(services: CommandServices): readonly CommandDefinition[] {
  return [
    ...accountCommands(services),
    ...tokenCommands(services),
    ...sessionCommands(services),
    ...serverCommands(services),
    topCommand(services),
  ]
}
