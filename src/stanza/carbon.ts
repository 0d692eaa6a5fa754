/**
 * XEP-0280: Message Carbons, version 1.0.1: the copy itself. §11: it means something only when it comes from the bare JID of the
 * account that it goes to, and that address is the server's.
 */
import type { Jid } from '../jid/jid.ts'
import { x } from '../xml/build.ts'
import { CodecFault } from '../xml/codec.ts'
import type { ChildName, Element } from '../xml/element.types.ts'
import type { Octets } from '../xml/octets.ts'
import { type WrittenChild, writeStanza } from '../xml/serialise.ts'
import { forwardedCodec } from './forwarded.ts'
import { NS_CLIENT } from './ns.ts'
import { type MessageType, messageType } from './stanza.ts'

export const NS_CARBONS = 'urn:xmpp:carbons:2'

/** Whether the account received the message or one of its resources sent it. */
export type CarbonDirection = 'received' | 'sent'

/** The payloads of a copy. */
export const carbonPayloads: readonly ChildName[] = [
  { name: 'received', ns: NS_CARBONS },
  { name: 'sent', ns: NS_CARBONS },
]

const envelopes: Readonly<Record<MessageType, Element>> = {
  normal: x('message', NS_CLIENT),
  chat: x('message', NS_CLIENT, { type: 'chat' }),
  groupchat: x('message', NS_CLIENT, { type: 'groupchat' }),
  headline: x('message', NS_CLIENT, { type: 'headline' }),
  error: x('message', NS_CLIENT, { type: 'error' }),
}

/** §7 and §8: a message of the same type, for a copy of it. */
export function carbonEnvelope(original: Element): Element {
  return envelopes[messageType(original)]
}

/** What makes it a copy (XEP-0297 §3), written once for all of them: the original with its addresses. */
export function carbonNote(direction: CarbonDirection, original: Element, from: Jid, to: Jid): WrittenChild {
  const inner = writeStanza(original, from.octets, to.octets).substring('<message'.length)
  const bytes = `<${direction} xmlns='${NS_CARBONS}'><forwarded xmlns='${forwardedCodec.ns}'><message xmlns='${NS_CLIENT}'${inner}</forwarded></${direction}>`
  return { name: direction, ns: NS_CARBONS, bytes: bytes as Octets }
}

export function isCarbon(el: Element): boolean {
  return el.hasChild('received', NS_CARBONS) || el.hasChild('sent', NS_CARBONS)
}

/** The original; undefined when there is none to be read. */
export function readCarbon(
  el: Element,
): { readonly direction: CarbonDirection; readonly original: Element } | undefined {
  const direction = el.hasChild('received', NS_CARBONS) ? 'received' : 'sent'
  const payload = el.child(direction, NS_CARBONS)?.child('forwarded', forwardedCodec.ns)
  const read = payload === undefined ? undefined : forwardedCodec.decode(payload)
  if (read === undefined || read instanceof CodecFault || read.stanza.name !== 'message') return undefined
  return { direction, original: read.stanza }
}
