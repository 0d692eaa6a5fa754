/** Whether what came is what was expected, and if not, where they differ. */
import { type Element, NS_CLIENT, NS_XML } from '../../src/xml/index.ts'

const NS_DELAY = 'urn:xmpp:delay'

/** Attributes of a stanza that need not be named: the server makes them, or they say nothing new. */
const optional: ReadonlySet<string> = new Set(['id', 'to'])
const stanzas: ReadonlySet<string> = new Set(['message', 'presence', 'iq'])

/** Why `actual` is not `expected`; undefined when it is. */
export function difference(expected: Element, actual: Element, path = ''): string | undefined {
  const here = `${path}/${expected.name}`
  if (expected.name !== actual.name) return `${here}: <${actual.name}/> came`
  if (expected.ns !== actual.ns) return `${here}: its namespace is '${actual.ns}', not '${expected.ns}'`
  return attributes(expected, actual, here) ?? content(expected, actual, here)
}

function attributes(expected: Element, actual: Element, here: string): string | undefined {
  for (const { name, ns, value } of expected.attrs) {
    const found = ns === '' ? actual.attr(name) : actual.attrNS(ns, name)
    if (found === undefined) return `${here}: no attribute ${name}`
    if (value === '*' ? found === '' : found !== value) return `${here}: ${name} is '${found}', not '${value}'`
  }
  const isStanza = actual.ns === NS_CLIENT && stanzas.has(actual.name)
  for (const { name, ns, value } of actual.attrs) {
    if (ns === NS_XML || (ns === '' && isStanza && optional.has(name))) continue
    const known = ns === '' ? expected.attr(name) : expected.attrNS(ns, name)
    if (known === undefined) return `${here}: ${name}='${value}' was not expected`
  }
  return undefined
}

function content(expected: Element, actual: Element, here: string): string | undefined {
  const isOpen = expected.text.includes('…')
  const text = expected.text.replace('…', '').trim()
  if (text === '*' ? actual.text === '' : !isOpen && actual.text !== expected.text) {
    return `${here}: its text is '${actual.text}', not '${expected.text}'`
  }
  return isOpen ? among(expected, actual, here) : inOrder(expected, actual, here)
}

function inOrder(expected: Element, actual: Element, here: string): string | undefined {
  const came = saidOf(expected, actual)
  for (const [i, child] of expected.elements.entries()) {
    const found = came[i]
    if (found === undefined) return `${here}: no <${child.name}/>`
    const why = difference(child, found, here)
    if (why !== undefined) return why
  }
  const more = came[expected.elements.length]
  return more === undefined ? undefined : `${here}: <${more.name}/> was not expected`
}

/** A server may say since when a presence is what it is (XEP-0203 §2); a play need not. */
function saidOf(expected: Element, actual: Element): readonly Element[] {
  if (actual.name !== 'presence' || expected.hasChild('delay', NS_DELAY)) return actual.elements
  return actual.elements.filter(({ name, ns }) => name !== 'delay' || ns !== NS_DELAY)
}

function among(expected: Element, actual: Element, here: string): string | undefined {
  for (const child of expected.elements) {
    const reasons = actual.elements.map((found) => difference(child, found, here))
    if (!reasons.includes(undefined)) return `${here}: no such <${child.name}/> (${reasons.join('; ')})`
  }
  return undefined
}
