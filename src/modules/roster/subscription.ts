/**
 * RFC 6121 appendix A: what a presence subscription stanza does to the state between an account and a contact. Pure
 * functions, table by table; the caller stores, pushes and sends.
 */
import { hasFrom, hasTo, type Subscription } from '../../core/services/roster.ts'

export type SubscriptionType = 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed'

/** The nine states of appendix A.1, and the pre-approval of section 3.4. */
export interface SubscriptionState {
  readonly subscription: Subscription
  readonly pendingOut: boolean
  readonly pendingIn: boolean
  readonly approved: boolean
}

export interface Outbound {
  readonly next: SubscriptionState
  /** Whether the stanza goes on to the contact. */
  readonly route: boolean
}

export interface Inbound {
  readonly next: SubscriptionState
  /** Whether the stanza goes on to the account's clients. */
  readonly deliver: boolean
  /** What the server answers on the account's behalf. */
  readonly reply: 'subscribed' | 'unsubscribed' | undefined
}

export const noSubscription: SubscriptionState = {
  subscription: 'none',
  pendingOut: false,
  pendingIn: false,
  approved: false,
}

function subscriptionOf(from: boolean, to: boolean): Subscription {
  if (from) return to ? 'both' : 'from'
  return to ? 'to' : 'none'
}

export function isSame(a: SubscriptionState, b: SubscriptionState): boolean {
  return (
    a.subscription === b.subscription &&
    a.pendingOut === b.pendingOut &&
    a.pendingIn === b.pendingIn &&
    a.approved === b.approved
  )
}

/** Appendix A.2: a stanza of the account's own client. */
export function outbound(type: SubscriptionType, state: SubscriptionState): Outbound {
  const from = hasFrom(state.subscription)
  const to = hasTo(state.subscription)
  switch (type) {
    // Table 2
    case 'subscribe':
      return { route: true, next: to ? state : { ...state, pendingOut: true } }
    // Table 3
    case 'unsubscribe':
      return { route: true, next: { ...state, subscription: subscriptionOf(from, false), pendingOut: false } }
    // Table 4; what is not an answer is a pre-approval (section 3.4.2)
    case 'subscribed':
      if (state.pendingIn) {
        return { route: true, next: { ...state, subscription: subscriptionOf(true, to), pendingIn: false } }
      }
      return { route: false, next: from ? state : { ...state, approved: true } }
    // Table 5; a pre-approval ends silently (section 3.2.2 rule 2)
    case 'unsubscribed':
      return {
        route: from || state.pendingIn,
        next: { ...state, subscription: subscriptionOf(false, to), pendingIn: false, approved: false },
      }
  }
}

/** Appendix A.3: a stanza from the contact. */
export function inbound(type: SubscriptionType, state: SubscriptionState): Inbound {
  const from = hasFrom(state.subscription)
  const to = hasTo(state.subscription)
  switch (type) {
    // Table 6
    case 'subscribe':
      if (from) return { next: state, deliver: false, reply: 'subscribed' }
      if (state.pendingIn) return { next: state, deliver: false, reply: undefined }
      if (state.approved) {
        return { next: { ...state, subscription: subscriptionOf(true, to) }, deliver: false, reply: 'subscribed' }
      }
      return { next: { ...state, pendingIn: true }, deliver: true, reply: undefined }
    // Table 7
    case 'unsubscribe':
      if (!from && !state.pendingIn) return { next: state, deliver: false, reply: undefined }
      return {
        next: { ...state, subscription: subscriptionOf(false, to), pendingIn: false },
        deliver: true,
        reply: 'unsubscribed',
      }
    // Table 8
    case 'subscribed':
      if (!state.pendingOut) return { next: state, deliver: false, reply: undefined }
      return {
        next: { ...state, subscription: subscriptionOf(from, true), pendingOut: false },
        deliver: true,
        reply: undefined,
      }
    // Table 9
    case 'unsubscribed':
      if (!state.pendingOut && !to) return { next: state, deliver: false, reply: undefined }
      return {
        next: { ...state, subscription: subscriptionOf(from, false), pendingOut: false },
        deliver: true,
        reply: undefined,
      }
  }
}
