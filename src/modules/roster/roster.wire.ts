/** `jabber:iq:roster` on the wire (RFC 6121 section 2.1 and appendix D). */

import type { RosterItem } from '../../core/services/roster.ts'
import type { Jid } from '../../jid/jid.ts'
import { parseJid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import { NS_ROSTER } from '../../stanza/ns.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'

export interface RosterLimits {
  /** UTF-16 units of a handle or a group's name (RFC 6121 sections 2.1.2.4 and 2.1.2.6 leave it to the server). */
  readonly nameMax: number
  readonly groupsMax: number
}

/** What a client asks in a roster set. */
export type RosterSet =
  | { readonly kind: 'update'; readonly contact: Jid; readonly name: string; readonly groups: readonly string[] }
  | { readonly kind: 'remove'; readonly contact: Jid }

export function writeItem(item: RosterItem): Element {
  return x(
    'item',
    NS_ROSTER,
    {
      jid: item.jid.toString(),
      name: item.name === '' ? undefined : item.name,
      subscription: item.subscription,
      ask: item.pendingOut ? 'subscribe' : undefined,
      approved: item.approved ? 'true' : undefined,
    },
    ...item.groups.map((group) => x('group', NS_ROSTER, group)),
  )
}

export function writeRemoval(contact: string): Element {
  return x('item', NS_ROSTER, { jid: contact, subscription: 'remove' })
}

export function writeQuery(version: string, items: readonly Element[]): Element {
  return x('query', NS_ROSTER, { ver: version }, ...items)
}

const errorItems = new StanzaError('RTK_ROSTER_ITEMS', 'bad-request', { text: 'a roster set has exactly one item' })
const errorNoJid = new StanzaError('RTK_ROSTER_JID_MISSING', 'bad-request', { text: 'an item needs a jid' })
const errorJid = new StanzaError('RTK_ROSTER_JID', 'jid-malformed')
export const errorName = new StanzaError('RTK_ROSTER_NAME_MAX', 'not-acceptable', { text: 'the name is too long' })
const errorGroup = new StanzaError('RTK_ROSTER_GROUP', 'not-acceptable', { text: 'a group has no name' })
export const errorGroups = new StanzaError('RTK_ROSTER_GROUPS_MAX', 'not-acceptable', { text: 'too many groups' })
const errorTwice = new StanzaError('RTK_ROSTER_GROUP_TWICE', 'bad-request', { text: 'a group is named twice' })

/** Reads a roster set; the errors are those of RFC 6121 section 2.3.3. */
export function readSet(query: Element, limits: RosterLimits): RosterSet | StanzaError {
  // Counted before anything is built: as many may be there as a stanza holds.
  let count = 0
  for (const { name, ns } of query.childNames) if (name === 'item' && ns === NS_ROSTER) count++
  const item = count === 1 ? query.child('item', NS_ROSTER) : undefined
  if (item === undefined) return errorItems
  const address = item.attr('jid')
  if (address === undefined) return errorNoJid
  const contact = parseJid(address)?.bare
  if (contact === undefined) return errorJid
  // Section 2.1.2.5: any other value of `subscription` in a set is ignored.
  if (item.attr('subscription') === 'remove') return { kind: 'remove', contact }
  const name = item.attr('name') ?? ''
  if (name.length > limits.nameMax) return errorName
  const groups: string[] = []
  for (const group of item.childrenNamed('group', NS_ROSTER)) {
    const text = group.text
    if (text === '') return errorGroup
    if (text.length > limits.nameMax) return errorName
    if (groups.includes(text)) return errorTwice
    if (groups.length >= limits.groupsMax) return errorGroups
    groups.push(text)
  }
  return { kind: 'update', contact, name, groups }
}
