/** A bound resource as modules and the delivery rules see it: whose it is, whether it is there, and what it takes. */
import type { Jid } from '../jid/jid.ts'
import type { Element } from '../xml/element.types.ts'
import type { Host } from './host.ts'
import type { LinkInfo } from './session-link.ts'
import { SlotValues } from './slots.ts'

export abstract class BoundResource {
  /** Full JID. */
  readonly jid: Jid
  readonly host: Host
  /** Unguessable name of this session. */
  readonly id: string
  readonly createdMs: number
  /** Of the link it is attached to, or was last. */
  info: LinkInfo
  readonly slots = new SlotValues()
  /** First-level elements for its client that are no stanzas or not the session's; the result of its binding is one. */
  told = 1
  /** The last available presence that was broadcast; undefined while not available (RFC 6121 section 4). */
  presence: Element | undefined = undefined
  /** When that was, in milliseconds since 1970. */
  presenceMs = 0
  /** -128 to 127; meaningful while `presence` is set. */
  priority = 0
  /**
   * False from initial presence until what waited for the account was handed over: messages to the bare JID meanwhile
   * join the queue in the store, so that none overtakes another.
   */
  takesMessages = true
  /** Since when what came for the bare JID came here, by its present priority, in milliseconds since 1970 at the earliest. */
  takesSinceMs = 0

  constructor(jid: Jid, host: Host, id: string, createdMs: number, info: LinkInfo) {
    this.jid = jid
    this.host = host
    this.id = id
    this.createdMs = createdMs
    this.info = info
  }

  get label(): string {
    return this.jid.toString()
  }

  get isAvailable(): boolean {
    return this.presence !== undefined
  }

  /** What waited for the account was handed over: messages to the bare JID come here again. */
  takeMessages(nowMs: number): void {
    if (this.takesMessages) return
    this.takesMessages = true
    this.takesSinceMs = nowMs
  }
}
