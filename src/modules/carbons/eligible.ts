/** XEP-0280 §6.1 and §9: which messages are copied. */
import type { Jid } from '../../jid/jid.ts'
import { type CarbonDirection, isCarbon, NS_CARBONS } from '../../stanza/carbon.ts'
import { forbidsCopies } from '../../stanza/hints.ts'
import { hasInstantPayload } from '../../stanza/instant.ts'
import { NS_CLIENT } from '../../stanza/ns.ts'
import { NS_MUC_USER } from '../../stanza/room.ts'
import { messageType } from '../../stanza/stanza.ts'
import type { Element } from '../../xml/element.types.ts'

/** XEP-0249 */
const NS_INVITATION = 'jabber:x:conference'

/**
 * `peer` is whom it comes from, or goes to. `answers`: it is an error that answers a message which was eligible; the error itself
 * does not say so.
 */
export function isEligible(el: Element, direction: CarbonDirection, peer: Jid, answers: boolean): boolean {
  const type = messageType(el)
  if (type === 'groupchat' || el.hasChild('private', NS_CARBONS) || forbidsCopies(el) || isCarbon(el)) return false
  if (type === 'error') return answers || hasInstantPayload(el)
  if (el.hasChild('x', NS_MUC_USER)) {
    if (el.child('x', NS_MUC_USER)?.child('invite') !== undefined) return true
    // A private message: the room has sent a received one to all clients that are in it.
    if (!peer.isBare) return direction === 'sent'
  }
  if (type === 'chat' || el.hasChild('x', NS_INVITATION)) return true
  return (type === 'normal' && el.hasChild('body', NS_CLIENT)) || hasInstantPayload(el)
}
