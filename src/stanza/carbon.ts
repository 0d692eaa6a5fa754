/**
 * XEP-0280: Message Carbons, version 1.0.1: the copy itself. §11: it means something only when it comes from the bare JID of the
 * account that it goes to, and that address is the server's.
 */
import { x } from '../xml/build.ts'
import { CodecFault } from '../xml/codec.ts'
import type { ChildName, Element } from '../xml/element.types.ts'
import { forwardedCodec } from './forwarded.ts'
import { NS_CLIENT } from './ns.ts'

export const NS_CARBONS = 'urn:xmpp:carbons:2'

/** Whether the account received the message or one of its resources sent it. */
export type CarbonDirection = 'received' | 'sent'

/** The payloads of a copy. */
export const carbonPayloads: readonly ChildName[] = [
  { name: 'received', ns: NS_CARBONS },
  { name: 'sent', ns: NS_CARBONS },
]

/** §7 and §8: a message of the same type around the original, which has its addresses. */
export function carbonCopy(direction: CarbonDirection, original: Element): Element {
  const payload = x(direction, NS_CARBONS, forwardedCodec.encode({ stanza: original }))
  return x('message', NS_CLIENT, { type: original.attr('type') }, payload)
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
