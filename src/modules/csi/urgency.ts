/**
 * What an inactive client need not have at once (XEP-0352 §3.2), and what replaces it meanwhile. What is not known here is urgent.
 *
 * | waits | replaced by a later one |
 * |---|---|
 * | presence, available or not | of the same full JID |
 * | a message with nothing but a chat state (XEP-0085) | of the same sender, in the same conversation |
 * | a message with nothing but a receipt (XEP-0184) or a marker (XEP-0333) | – |
 * | an event of somebody else's node (XEP-0060, XEP-0163) | – |
 *
 * Urgent is also: presence that answers what the client did (its own, and its own in a room), and what another resource of the
 * account has read (a marker in a copy of what was sent), for it takes notifications away.
 */
import type { Jid } from '../../jid/jid.ts'
import { isCarbon, readCarbon } from '../../stanza/carbon.ts'
import { NS_DELAY } from '../../stanza/delay.ts'
import { isPassing, NS_MARKERS, NS_RECEIPTS } from '../../stanza/instant.ts'
import { NS_MUC_USER } from '../../stanza/room.ts'
import type { ChildName, Element } from '../../xml/element.types.ts'
import { XmlError } from '../../xml/errors.ts'
import { ascii, type Octets } from '../../xml/octets.ts'
import { parseOctets } from '../../xml/parse.ts'
import { readTag, type Tag } from '../../xml/tag.ts'
import { join } from '../../xml/write.ts'

const NS_EVENT = 'http://jabber.org/protocol/pubsub#event'
/** XEP-0359 and XEP-0421: who says it, and under which name. */
const NS_STANZA_ID = 'urn:xmpp:sid:0'
const NS_OCCUPANT_ID = 'urn:xmpp:occupant-id:0'

const messageTag = ascii('<message')
const waits = ascii('')

/**
 * For a stanza as it is written to the client with the full JID `me`: undefined when it is urgent, else what a later one replaces
 * it under, '' when nothing does.
 */
export function waitsUnder(bytes: Octets, me: Jid): Octets | undefined {
  const tag = readTag(bytes, 0)
  const name = bytes.substring(1, tag.nameEnd)
  if (name === 'presence') return ofPresence(bytes, tag, me)
  if (name !== 'message') return undefined
  return ofMessage(bytes, me)
}

function ofPresence(bytes: Octets, tag: Tag, me: Jid): Octets | undefined {
  const type = attribute(bytes, tag, 'type')
  if (type !== undefined && type !== 'unavailable') return undefined
  const from = attribute(bytes, tag, 'from')
  if (from === undefined || from === me.octets) return undefined
  // XEP-0045 §7.2.2, status 110: the client has come into a room, or left it. A guess too many costs a stanza.
  if (bytes.includes(NS_MUC_USER) && bytes.includes('110')) return undefined
  return join(ascii('p '), from)
}

function attribute(bytes: Octets, { attrs }: Tag, name: string): Octets | undefined {
  for (let k = 0; k < attrs.length; k += 4) {
    if (bytes.substring(attrs[k] as number, attrs[k + 1]) !== name) continue
    return bytes.substring(attrs[k + 2] as number, attrs[k + 3]) as Octets
  }
  return undefined
}

function ofMessage(bytes: Octets, me: Jid): Octets | undefined {
  const el = read(bytes)
  const from = el?.rawAttr('from')
  if (el === undefined || from === undefined || el.attr('type') === 'error') return undefined
  if (!isCarbon(el)) return underOf(el, 'm', from, from === me.bare.octets)
  const carbon = readCarbon(el)
  if (carbon === undefined) return undefined
  const { direction, original } = carbon
  const isSent = direction === 'sent'
  const peer = original.rawAttr(isSent ? 'to' : 'from')
  if (peer === undefined || original.attr('type') === 'error') return undefined
  return underOf(original, isSent ? 's' : 'r', peer, isSent)
}

/** `isOwn`: the account itself says it. */
function underOf(el: Element, kind: 'm' | 'r' | 's', peer: Octets, isOwn: boolean): Octets | undefined {
  const names = el.childNames
  if (names.every(isPassing)) return join(ascii(kind), ascii(' '), peer)
  if (isOwn || !names.every((child) => isPatient(child, el))) return undefined
  return waits
}

function isPatient(child: ChildName, el: Element): boolean {
  if (isPassing(child)) return true
  switch (child.ns) {
    case NS_RECEIPTS:
    case NS_MARKERS:
    case NS_EVENT:
    case NS_STANZA_ID:
    case NS_OCCUPANT_ID:
    case NS_DELAY:
      return true
    case NS_MUC_USER:
      // A room adds it to what occupants tell each other; an invitation is urgent.
      return el.child('x', NS_MUC_USER)?.elements.length === 0
    default:
      return false
  }
}

function read(bytes: Octets): Element | undefined {
  try {
    return parseOctets(join(messageTag, ascii(` xmlns='jabber:client'`), bytes.substring(messageTag.length) as Octets))
  } catch (error) {
    if (error instanceof XmlError) return undefined
    throw error
  }
}
