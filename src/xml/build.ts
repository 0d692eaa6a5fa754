/** The builder: `x('tzo', NS, '+00:00')`, `x('item', NS, { jid }, x('name', NS, 'Romeo'))`. */
import { checkedAttrName, checkedName, checkedNs, checkedText } from './check.ts'
import { BuiltContent, BuiltElement } from './element.ts'
import type { Attr, Element, Node } from './element.types.ts'
import { XmlError } from './errors.ts'
import { NS_XML, NS_XMLNS } from './ns.ts'

/** What may stand inside: elements and text; `undefined` and `null` are left out, so that options read well. */
export type Child = Element | string | undefined | null

/** Attributes by name; `xml:lang` and `{namespace}name` for those with a namespace; `undefined` leaves one out. */
export type Attributes = Readonly<Record<string, string | undefined>>

function attribute(key: string, value: string): Attr {
  checkedText(value)
  if (key.startsWith('xml:')) return { name: checkedName(key.slice(4)), ns: NS_XML, value }
  if (!key.startsWith('{')) return { name: checkedAttrName(key), ns: '', value }
  const end = key.indexOf('}')
  const ns = checkedText(key.slice(1, end))
  if (end < 2 || ns === NS_XMLNS) throw new XmlError('RTK_XML_ILLEGAL_NAMESPACE', `No attribute can be in ${ns}.`)
  return { name: checkedName(key.slice(end + 1)), ns, value }
}

function isAttributes(value: Attributes | Child): value is Attributes {
  return typeof value === 'object' && value !== null && !isElement(value)
}

function isElement(value: Attributes | Element): value is Element {
  return typeof value['withAttrs'] === 'function'
}

/**
 * Builds an element. Names, namespaces and text are checked here, once.
 * @throws XmlError RTK_XML_ILLEGAL_NAME, RTK_XML_ILLEGAL_TEXT or RTK_XML_ILLEGAL_NAMESPACE
 */
export function x(name: string, ns: string, first?: Attributes | Child, ...rest: readonly Child[]): Element {
  checkedName(name)
  checkedNs(ns)
  const attrs: Attr[] = []
  const children: Node[] = []
  if (isAttributes(first)) {
    for (const key of Object.keys(first)) {
      const value = first[key]
      if (value !== undefined) attrs.push(attribute(key, value))
    }
  } else add(children, first)
  for (const child of rest) add(children, child)
  return new BuiltElement(name, ns, attrs, new BuiltContent(children, ns))
}

/** Adjacent texts become one node and empty ones none, so that what is read back is what was built. */
function add(children: Node[], child: Child): void {
  if (child === undefined || child === null || child === '') return
  if (typeof child !== 'string') {
    children.push(child)
    return
  }
  const last = children.at(-1)
  if (typeof last === 'string') children[children.length - 1] = last + checkedText(child)
  else children.push(checkedText(child))
}
