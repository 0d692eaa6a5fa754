/** The modules that every host type has unless its configuration says otherwise: the one list that mentions them. */
import type { ModuleDefinition } from '../core/module.ts'
import disco from '../modules/disco/disco.ts'
import offline from '../modules/offline/offline.ts'
import ping from '../modules/ping/ping.ts'
import presence from '../modules/presence/presence.ts'
import privacy from '../modules/privacy/privacy.ts'
import roster from '../modules/roster/roster.ts'
import time from '../modules/time/time.ts'
import version from '../modules/version/version.ts'

// A definition is checked against its own options; the list forgets them.
export const defaultModules = [
  disco,
  offline,
  ping,
  presence,
  privacy,
  roster,
  time,
  version,
] as unknown as readonly ModuleDefinition[]
