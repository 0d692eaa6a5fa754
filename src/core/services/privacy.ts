/**
 * What an account lets through (XEP-0016, XEP-0191), for those who show or hand over something where no filter of the core
 * passes: presence, subscriptions, messages that were kept.
 */
import type { Jid } from '../../jid/jid.ts'
import type { Session } from '../session.ts'
import type { RosterChange, RosterItem } from './roster.ts'

/**
 * What a rule may name (XEP-0016 §2.1), seen from the account; `other` is what only a rule for everything stops: messages
 * and requests that go out, subscriptions and probes both ways.
 */
export type Traffic = 'iq-in' | 'message-in' | 'other' | 'presence-in' | 'presence-out'

/** A privacy list as it applies to a session. */
export interface Screen {
  /**
   * Whether such a stanza passes between the session and this address. `item` is what the account's roster says of it,
   * null for nothing; without it the roster's present state counts.
   */
  passes(traffic: Traffic, peer: Jid, item?: RosterItem | null): boolean
  /** Resourceparts of a bare address that rules name: what goes to all of its resources differs for these. */
  resourcesOf(account: Jid): readonly string[]
}

export interface PrivacyService {
  /**
   * For who must act now: what applies to the session, undefined: everything passes. While its lists are unread nothing passes
   * but what no list may stop, so that whoever forgets that they can be shows too little and never too much. Those of an
   * available session are in memory, but for a moment after the module came. Never for what is done once and for good, such as
   * to refuse a message that was kept: that is `read`'s.
   */
  screen(session: Session): Screen | undefined
  /** For who can wait: the same, as it is in truth; a promise while lists are unread. Rejects with `WorldError`. */
  read(session: Session): Screen | undefined | Promise<Screen | undefined>
}

/** What applies to a session has changed. */
export interface ScreenChange {
  readonly session: Session
  readonly before: Screen | undefined
  readonly after: Screen | undefined
  /** What has changed is this item of the account's roster, and so what its rules say of that contact alone. */
  readonly item: Pick<RosterChange, 'contact' | 'before' | 'after'> | undefined
}

declare module '../hooks.ts' {
  interface Hooks {
    /** Another list, or the same with other rules, applies to a session; it does already. */
    'privacy:changed': Notice<ScreenChange>
  }
}

declare module '../services.ts' {
  interface Services {
    privacy: PrivacyService
  }
}
