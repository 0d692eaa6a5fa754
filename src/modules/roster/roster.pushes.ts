/** Roster pushes (RFC 6121 section 2.1.6): to the resources that asked for the roster, in order of modification. */
import type { Host } from '../../core/host.ts'
import type { ModuleContext } from '../../core/module.ts'
import type { RosterItem } from '../../core/services/roster.ts'
import type { Session } from '../../core/session.ts'
import type { Slot } from '../../core/slots.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { writeItem, writeQuery, writeRemoval } from './roster.wire.ts'

export class RosterPushes {
  readonly #ctx: Pick<ModuleContext, 'random' | 'send' | 'sessions'>
  readonly #interested: Slot<boolean>

  constructor(ctx: Pick<ModuleContext, 'random' | 'send' | 'sessions' | 'slot'>) {
    this.#ctx = ctx
    this.#interested = ctx.slot('interested', () => false, {
      kept: {
        encode: (isInterested) => isInterested,
        decode: (data) => (typeof data === 'boolean' ? data : undefined),
      },
    })
  }

  /** From now on the session gets the pushes (section 2.2: an interested resource). */
  interest(session: Session): void {
    session.slots.set(this.#interested, true)
  }

  interestedOf(host: Host, local: string): readonly Session[] {
    return this.#ctx.sessions
      .ofAccount(host.domain, local)
      .filter((session) => session.slots.peek(this.#interested) === true)
  }

  item(host: Host, local: string, version: string, item: RosterItem): void {
    this.#all(host, local, version, writeItem(item))
  }

  removal(host: Host, local: string, version: string, contact: string): void {
    this.#all(host, local, version, writeRemoval(contact))
  }

  to(session: Session, version: string, item: Element): void {
    const id = `push-${this.#ctx.random.id()}`
    const request = x('iq', NS_CLIENT, { id, type: 'set' }, writeQuery(version, [item]))
    this.#ctx.send(request, session.jid.bare, session.jid)
  }

  #all(host: Host, local: string, version: string, item: Element): void {
    for (const session of this.interestedOf(host, local)) this.to(session, version, item)
  }
}
