/**
 * What plays say and expect, as XML:
 *
 *     xml`<message to='${juliet.full}' type='chat'><body>Wherefore?</body></message>`
 *
 * In an expectation the attribute value `*` and the text `*` stand for anything that is not empty, and `…` among the
 * children for any others: those that are named must be there, in any order.
 */
import { type Element, escapeAttr, NS_CLIENT, parseElement, x } from '../../src/xml/index.ts'

/** Values are escaped; white space between elements is for the eye only. The default namespace is `jabber:client`. */
export function xml(parts: TemplateStringsArray, ...values: readonly (string | { toString(): string })[]): Element {
  const text = parts.reduce(
    (all, part, i) => all + part + (i < values.length ? escapeAttr(String(values[i])).replaceAll('>', '&gt;') : ''),
    '',
  )
  const wrapped = parseElement(`<play xmlns='${NS_CLIENT}'>${text}</play>`)
  const [first, ...rest] = wrapped.elements
  if (first === undefined || rest.length > 0) throw new Error(`one element is needed: ${text}`)
  return tidied(first)
}

/** Without the white space that only lays out the source. */
function tidied(el: Element): Element {
  const hasElements = el.elements.length > 0
  const children = el.children
    .map((child) => (typeof child === 'string' ? child : tidied(child)))
    .map((child) => (typeof child === 'string' && hasElements ? child.trim() : child))
  const attrs = Object.fromEntries(el.attrs.map(({ name, ns, value }) => [ns === '' ? name : `{${ns}}${name}`, value]))
  return x(el.name, el.ns, attrs, ...children)
}
