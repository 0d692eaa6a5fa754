/** `jabber:iq:privacy` on the wire (XEP-0016 §2.1, §8). */
import { parseJid } from '../../jid/jid.ts'
import { StanzaError } from '../../stanza/error.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { isOrder, isSubscription, type Rule, type RuleKind, ruleKinds, sorted } from './rules.ts'
import type { Stored } from './stored.ts'

export const NS_PRIVACY = 'jabber:iq:privacy'

/** What a client asks in a set. */
export type PrivacySet =
  /** '' declines. */
  | { readonly kind: 'active'; readonly name: string }
  | { readonly kind: 'default'; readonly name: string }
  /** Without rules the list is removed. */
  | { readonly kind: 'list'; readonly name: string; readonly rules: readonly Rule[] }

const errorQuery = new StanzaError('RTK_PRIVACY_QUERY', 'bad-request', {
  text: 'a set has one of active, default and list',
})
const errorName = new StanzaError('RTK_PRIVACY_NAME', 'bad-request', { text: 'a list needs a name' })
const errorGet = new StanzaError('RTK_PRIVACY_GET', 'bad-request', { text: 'one list at a time' })
const errorItem = new StanzaError('RTK_PRIVACY_ITEM', 'bad-request', { text: 'an item is wrong' })
const errorOrder = new StanzaError('RTK_PRIVACY_ORDER', 'bad-request', { text: 'each item needs an order of its own' })
const errorJid = new StanzaError('RTK_PRIVACY_JID', 'jid-malformed')

/** The name of the list that a get asks for; '' for the names of all. */
export function readGet(query: Element): string | StanzaError {
  const [list, ...more] = query.elements
  if (list === undefined) return ''
  // §2.3: only one list at a time.
  if (more.length > 0 || list.name !== 'list' || list.ns !== NS_PRIVACY) return errorGet
  const name = list.attr('name') ?? ''
  return name === '' ? errorName : name
}

/** §2.1, §2.4 to §2.8. */
export function readSet(query: Element): PrivacySet | StanzaError {
  const [child, ...more] = query.elements
  if (child === undefined || more.length > 0 || child.ns !== NS_PRIVACY) return errorQuery
  const name = child.attr('name')
  if (child.name === 'active' || child.name === 'default') {
    if (child.elements.length > 0) return errorQuery
    // Declining has no name; an empty one names no list.
    return name === '' ? errorName : { kind: child.name, name: name ?? '' }
  }
  if (child.name !== 'list') return errorQuery
  if (name === undefined || name === '') return errorName
  const rules: Rule[] = []
  const orders = new Set<number>()
  for (const item of child.elements) {
    const rule = readItem(item)
    if (rule instanceof StanzaError) return rule
    if (orders.has(rule.order)) return errorOrder
    orders.add(rule.order)
    rules.push(rule)
  }
  return { kind: 'list', name, rules: sorted(rules) }
}

function readItem(item: Element): Rule | StanzaError {
  if (item.name !== 'item' || item.ns !== NS_PRIVACY) return errorItem
  const order = readOrder(item.attr('order'))
  if (order === undefined) return errorOrder
  const action = item.attr('action')
  if (action !== 'allow' && action !== 'deny') return errorItem
  const kinds: RuleKind[] = []
  for (const child of item.elements) {
    const kind = child.ns === NS_PRIVACY ? ruleKinds.find((one) => one === child.name) : undefined
    // Without it the rule would be for everything.
    if (kind === undefined) return errorItem
    if (!kinds.includes(kind)) kinds.push(kind)
  }
  return withValue(item.attr('type'), item.attr('value'), { deny: action === 'deny', order, kinds })
}

function withValue(
  type: string | undefined,
  value: string | undefined,
  about: Pick<Rule, 'deny' | 'kinds' | 'order'>,
): Rule | StanzaError {
  if (type === undefined) return { type: '', value: '', ...about }
  if (value === undefined) return errorItem
  if (type === 'jid') {
    const address = parseJid(value)
    return address === undefined ? errorJid : { type, value: address.toString(), ...about }
  }
  if (type === 'group' && value !== '') return { type, value, ...about }
  return type === 'subscription' && isSubscription(value) ? { type, value, ...about } : errorItem
}

/** §8: an unsignedInt. */
function readOrder(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*\+?\d{1,32}\s*$/.test(text)) return undefined
  const order = Number(text)
  return isOrder(order) ? order : undefined
}

/** §2.3: the names, after the active and the default list's. */
export function writeNames(stored: Stored, active: string): Element {
  const known = (name: string) => (stored.lists.has(name) ? name : undefined)
  return x(
    'query',
    NS_PRIVACY,
    {},
    ...(['active', 'default'] as const).map((kind) => {
      const name = known(kind === 'active' ? active : stored.defaultName)
      return name === undefined ? undefined : x(kind, NS_PRIVACY, { name })
    }),
    ...[...stored.lists.keys()].map((name) => x('list', NS_PRIVACY, { name })),
  )
}

export function writeList(name: string, rules: readonly Rule[]): Element {
  return x('query', NS_PRIVACY, x('list', NS_PRIVACY, { name }, ...rules.map(writeItem)))
}

function writeItem({ type, value, deny, order, kinds }: Rule): Element {
  return x(
    'item',
    NS_PRIVACY,
    {
      type: type === '' ? undefined : type,
      value: type === '' ? undefined : value,
      action: deny ? 'deny' : 'allow',
      order: String(order),
    },
    ...kinds.map((kind) => x(kind, NS_PRIVACY)),
  )
}
