/** The modules that every host type has unless its configuration says otherwise: the one list that mentions them. */
import type { ModuleDefinition } from '../core/module.ts'
import access from '../modules/access/access.ts'
import anonymous from '../modules/anonymous/anonymous.ts'
import caps from '../modules/caps/caps.ts'
import carbons from '../modules/carbons/carbons.ts'
import contact from '../modules/contact/contact.ts'
import csi from '../modules/csi/csi.ts'
import disco from '../modules/disco/disco.ts'
import last from '../modules/last/last.ts'
import offline from '../modules/offline/offline.ts'
import ping from '../modules/ping/ping.ts'
import presence from '../modules/presence/presence.ts'
import privacy from '../modules/privacy/privacy.ts'
import privateStorage from '../modules/private/private.ts'
import register from '../modules/register/register.ts'
import roster from '../modules/roster/roster.ts'
import sm from '../modules/sm/sm.ts'
import time from '../modules/time/time.ts'
import vcard from '../modules/vcard/vcard.ts'
import version from '../modules/version/version.ts'

// A definition is checked against its own options; the list forgets them.
export const defaultModules = [
  access,
  anonymous,
  caps,
  carbons,
  contact,
  csi,
  disco,
  last,
  offline,
  ping,
  presence,
  privacy,
  register,
  privateStorage,
  roster,
  sm,
  time,
  vcard,
  version,
] as unknown as readonly ModuleDefinition[]
