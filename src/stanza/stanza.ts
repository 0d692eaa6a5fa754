/** What is common to message, presence and iq (RFC 6120 section 8). */
import type { Element } from '../xml/element.types.ts'
import { NS_CLIENT } from './ns.ts'

export type StanzaKind = 'message' | 'presence' | 'iq'

/** The kind of a top-level element, undefined when it is no stanza (RFC 6120 section 4.9.3.24). */
export function stanzaKind(el: Element): StanzaKind | undefined {
  if (el.ns !== NS_CLIENT) return undefined
  const name = el.name
  return name === 'message' || name === 'presence' || name === 'iq' ? name : undefined
}

/** RFC 6121 section 5.2.2: an unknown or absent type means `normal`. */
export type MessageType = 'chat' | 'error' | 'groupchat' | 'headline' | 'normal'

export function messageType(el: Element): MessageType {
  const type = el.attr('type')
  return type === 'chat' || type === 'groupchat' || type === 'headline' || type === 'error' ? type : 'normal'
}

/** RFC 6121 section 4.7.1; '' is available presence. */
export type PresenceType =
  | ''
  | 'error'
  | 'probe'
  | 'subscribe'
  | 'subscribed'
  | 'unavailable'
  | 'unsubscribe'
  | 'unsubscribed'

const presenceTypes: ReadonlySet<string> = new Set([
  'error',
  'probe',
  'subscribe',
  'subscribed',
  'unavailable',
  'unsubscribe',
  'unsubscribed',
])

/** Undefined for a type that RFC 6121 does not know. */
export function presenceType(el: Element): PresenceType | undefined {
  const type = el.attr('type')
  if (type === undefined) return ''
  return presenceTypes.has(type) ? (type as PresenceType) : undefined
}

/** subscribe, subscribed, unsubscribe and unsubscribed: what the roster decides (RFC 6121 section 3). */
export function isSubscription(type: PresenceType): boolean {
  return type === 'subscribe' || type === 'subscribed' || type === 'unsubscribe' || type === 'unsubscribed'
}

/** RFC 6120 section 8.2.3. */
export type IqType = 'error' | 'get' | 'result' | 'set'

export function iqType(el: Element): IqType | undefined {
  const type = el.attr('type')
  return type === 'get' || type === 'set' || type === 'result' || type === 'error' ? type : undefined
}

/**
 * RFC 6121 section 4.7.2.3: an integer from -128 to 127, 0 when absent. Undefined when it is none of that.
 */
export function presencePriority(el: Element): number | undefined {
  const text = el.childText('priority', NS_CLIENT)
  if (text === undefined) return 0
  const trimmed = text.trim()
  if (!/^[+-]?\d{1,3}$/.test(trimmed)) return undefined
  const value = Number(trimmed)
  return value >= -128 && value <= 127 ? value : undefined
}
