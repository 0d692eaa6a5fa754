/** Payloads of instant messaging that a server knows by name only: what they are decides whether a message is kept, copied or held back. */
import type { ChildName, Element } from '../xml/element.types.ts'
import { NS_HINTS } from './hints.ts'
import { NS_CLIENT } from './ns.ts'

/** XEP-0085 */
export const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates'
/** XEP-0184 */
export const NS_RECEIPTS = 'urn:xmpp:receipts'
/** XEP-0333 */
export const NS_MARKERS = 'urn:xmpp:chat-markers:0'

/** True when it says nothing by itself: a chat state, the thread that it belongs to, a hint. */
export function isPassing({ name, ns }: ChildName): boolean {
  return ns === NS_CHAT_STATES || ns === NS_HINTS || (ns === NS_CLIENT && name === 'thread')
}

/** True when a message says something that is worth an hour's delay. */
export function hasContent(el: Element): boolean {
  return el.childNames.some((child) => !isPassing(child))
}

/** XEP-0280 §6.1: payloads typically used in instant messaging. */
export function hasInstantPayload(el: Element): boolean {
  return el.childNames.some(({ ns }) => ns === NS_RECEIPTS || ns === NS_CHAT_STATES || ns === NS_MARKERS)
}
