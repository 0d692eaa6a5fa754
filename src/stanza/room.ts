/** What a room (XEP-0045) puts into stanzas of its occupants, by which servers of these know them. */
import type { Element } from '../xml/element.types.ts'
import { messageType } from './stanza.ts'

export const NS_MUC_USER = 'http://jabber.org/protocol/muc#user'

/** Whether a message was said in a room, to all or to one of them (XEP-0045 §7.4, §7.5). */
export function isFromRoom(message: Element): boolean {
  return messageType(message) === 'groupchat' || message.hasChild('x', NS_MUC_USER)
}
