/** Brings two actors together who see each other's presence (RFC 6121 section 3), before they come online. */
import type { Actor } from './actor.ts'
import type { Stage } from './play.ts'
import { xml } from './xml.ts'

/** Both are connected afterwards, without presence. */
export async function befriend(one: Actor, other: Actor, stage: Stage): Promise<void> {
  for (const actor of [one, other]) if (!actor.isConnected) await actor.connects()
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.sends(xml`<presence to='${to.bare}' type='subscribe'/>`)
    await stage.settles()
    to.sends(xml`<presence to='${from.bare}' type='subscribed'/>`)
    await stage.settles()
  }
}
