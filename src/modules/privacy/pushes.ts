/** What an account's resources are told of changes: list pushes (XEP-0016 §2.2 rule 10) and block pushes (XEP-0191 §3.3 to 3.5). */
import type { ModuleContext } from '../../core/module.ts'
import type { Session } from '../../core/session.ts'
import type { Slot } from '../../core/slots.ts'
import type { Jid } from '../../jid/jid.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { NS_PRIVACY } from './privacy.wire.ts'
import { blocklist, type Stored } from './stored.ts'

export const NS_BLOCKING = 'urn:xmpp:blocking'

export function writeBlocking(name: 'block' | 'blocklist' | 'unblock', addresses: readonly string[]): Element {
  return x(name, NS_BLOCKING, {}, ...addresses.map((address) => x('item', NS_BLOCKING, { jid: address })))
}

export class Pushes {
  readonly #ctx: Pick<ModuleContext, 'random' | 'send' | 'sessions'>
  /** Sessions that have asked for the blocklist. */
  readonly #asked: Slot<boolean>

  constructor(ctx: Pick<ModuleContext, 'random' | 'send' | 'sessions' | 'slot'>) {
    this.#ctx = ctx
    this.#asked = ctx.slot('blocklist', () => false, {
      kept: {
        encode: (hasAsked) => hasAsked,
        decode: (data) => (typeof data === 'boolean' ? data : undefined),
      },
    })
  }

  /** From now on the session gets the block pushes (XEP-0191 §3.3). */
  asked(session: Session): void {
    session.slots.set(this.#asked, true)
  }

  /** To all connected resources: the name and no more. */
  list(account: Jid, name: string): void {
    for (const session of this.#of(account))
      this.#push(session, x('query', NS_PRIVACY, x('list', NS_PRIVACY, { name })))
  }

  /** To those that have asked for the blocklist. */
  blocking(account: Jid, name: 'block' | 'unblock', addresses: readonly string[]): void {
    for (const session of this.#of(account)) {
      if (session.slots.peek(this.#asked) === true) this.#push(session, writeBlocking(name, addresses))
    }
  }

  /** XEP-0191 §5: a change of the default list changes the blocklist. */
  difference(account: Jid, before: Stored, after: Stored): void {
    const [was, is] = [blocklist(before), blocklist(after)]
    const gone = was.filter((address) => !is.includes(address))
    const come = is.filter((address) => !was.includes(address))
    if (gone.length > 0) this.blocking(account, 'unblock', gone)
    if (come.length > 0) this.blocking(account, 'block', come)
  }

  #of({ domain, local }: Jid): readonly Session[] {
    return this.#ctx.sessions.ofAccount(domain, local)
  }

  #push(session: Session, payload: Element): void {
    const request = x('iq', NS_CLIENT, { id: `push-${this.#ctx.random.id()}`, type: 'set' }, payload)
    this.#ctx.send(request, session.jid.bare, session.jid)
  }
}
