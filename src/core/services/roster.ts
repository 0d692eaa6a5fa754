/**
 * The roster as other modules see it (RFC 6121 section 2 and 3). Items may come from several sources: the account's own
 * rows, later shared groups; a version covers their union.
 */
import type { Jid } from '../../jid/jid.ts'
import type { Element } from '../../xml/element.types.ts'
import type { Host } from '../host.ts'

/** RFC 6121 section 2.1.2.5. */
export type Subscription = 'both' | 'from' | 'none' | 'to'

/** The contact sees the account's presence. */
export function hasFrom(subscription: Subscription | undefined): boolean {
  return subscription === 'from' || subscription === 'both'
}

/** The account sees the contact's presence. */
export function hasTo(subscription: Subscription | undefined): boolean {
  return subscription === 'to' || subscription === 'both'
}

export interface RosterItem {
  /** Bare JID of the contact. */
  readonly jid: Jid
  /** '' for none. */
  readonly name: string
  readonly subscription: Subscription
  /** `ask="subscribe"`: our request is pending at the contact (appendix A: Pending Out). */
  readonly pendingOut: boolean
  /** The contact's request awaits our answer (Pending In); such an item is not shown to clients unless it has more. */
  readonly pendingIn: boolean
  /** False for a mere Pending In: its record is kept, but it is no item of the roster (RFC 6121 appendix A.1). */
  readonly listed: boolean
  /** Pre-approved (RFC 6121 section 3.4). */
  readonly approved: boolean
  readonly groups: readonly string[]
}

/** The items of one account by the contact's bare JID in text, pending-in ones included. */
export type RosterItems = ReadonlyMap<string, RosterItem>

/** True when somebody, in one of his resources or in none, may see the presence of the account whose items these are. */
export function sees(items: RosterItems | undefined, who: Jid): boolean {
  return hasFrom(items?.get(who.bare.toString())?.subscription)
}

/** Another source of items: read-only rows that are merged behind the account's own. */
export interface RosterSource {
  readonly name: string
  items(domain: string, local: string): Promise<readonly RosterItem[]>
}

export interface RosterService {
  /** All items. A plain value when they are in the cache, so that warm paths need no promise. Rejects with `WorldError`. */
  items(host: Host, local: string): RosterItems | Promise<RosterItems>
  /**
   * Resolves when everybody has been told what changes of the account's subscriptions are under way; undefined: none is.
   */
  settled(host: Host, local: string): Promise<void> | undefined
  /** Stores the item and pushes it to the interested resources (RFC 6121 section 2.1.6). */
  set(host: Host, local: string, item: RosterItem): Promise<void>
  /** Removes the item and pushes the removal. */
  remove(host: Host, local: string, contact: Jid): Promise<void>
  /** Requests that await the account's answer, as the stanzas that came (RFC 6121 section 3.1.3). */
  requests(host: Host, local: string): Promise<readonly Element[]>
  /** Adds a source; returns its removal. Versions cover the union. */
  addSource(source: RosterSource): () => void
  /**
   * Tells that a source's items of an account changed: those of these contacts (bare JIDs) came, changed or went. Caches
   * and versions follow, and the interested resources get their pushes. Rejects with `WorldError`.
   */
  sourceChanged(host: Host, local: string, contacts: readonly Jid[]): Promise<void>
}

/** A contact and the account whose subscription state toward it changed. */
export interface SubscriptionChange {
  readonly host: Host
  readonly local: string
  readonly contact: Jid
}

export interface SubscriptionGrant extends SubscriptionChange {
  /** Settled when `subscribed` has reached a contact here; presence goes behind it. Undefined: it has left already. */
  readonly sent: Promise<void> | undefined
}

export interface SubscriptionRevocation extends SubscriptionChange {
  /** The item that let him see it. */
  readonly before: RosterItem | undefined
}

/** One item of an account that was changed; undefined where there is none. */
export interface RosterChange extends SubscriptionChange {
  readonly before: RosterItem | undefined
  readonly after: RosterItem | undefined
}

declare module '../hooks.ts' {
  interface Hooks {
    /** An item was changed: it is kept, and nobody was told yet. Told before `roster:granted` and `roster:revoked`. */
    'roster:changed': Notice<RosterChange>
    /** Any items of an account may be others than before. */
    'roster:replaced': Notice<AccountRef>
    /** The contact may see the account's presence from now on; `subscribed` is on its way. */
    'roster:granted': Notice<SubscriptionGrant>
    /** The contact may no longer see it; told before `unsubscribed` is sent (RFC 6121 section 3.2.2). */
    'roster:revoked': Notice<SubscriptionRevocation>
  }
}

declare module '../services.ts' {
  interface Services {
    roster: RosterService
  }
}
