/** Writes start tags and trees in the canonical form of the house: no prefixes but declared ones, single quotes, order kept. */
import type { SelfWriting, WriteScope } from './content.types.ts'
import type { Attr, Element, Node } from './element.types.ts'
import { escapeAttr, escapeText } from './escape.ts'
import { NS_XML } from './ns.ts'
import { ascii, encode, type Octets } from './octets.ts'

/** Joins byte strings; the sum of two `Octets` is a plain string to the compiler. */
export function join(...parts: readonly Octets[]): Octets {
  let out = ''
  for (const part of parts) out += part
  return out as Octets
}

/**
 * An element as bytes, or what stands behind its name, with one more child behind its last. `name` is as it is written; the child
 * declares what it needs.
 */
export function withLastChild(bytes: Octets, name: Octets, child: Octets): Octets {
  if (bytes.endsWith('/>')) return `${bytes.substring(0, bytes.length - 2)}>${child}</${name}>` as Octets
  const end = bytes.lastIndexOf('</')
  return `${bytes.substring(0, end)}${child}${bytes.substring(end)}` as Octets
}

function attributes(attrs: readonly Attr[]): string {
  let out = ''
  let made = 0
  for (const { name, ns, value } of attrs) {
    const text = escapeAttr(value)
    if (ns === '') out += ` ${name}='${text}'`
    else if (ns === NS_XML) out += ` xml:${name}='${text}'`
    else {
      // A prefix of our own; attributes cannot use the default namespace.
      const prefix = `a${made++}`
      out += ` xmlns:${prefix}='${escapeAttr(ns)}' ${prefix}:${name}='${text}'`
    }
  }
  return out
}

/** The name as it is written in this scope, and the declaration it needs. */
function qualified(name: string, ns: string, scope: WriteScope): { readonly tag: string; readonly declares: string } {
  if (ns === scope.ns) return { tag: name, declares: '' }
  const prefix = scope.prefixes?.get(ns)
  if (prefix !== undefined) return { tag: `${prefix}:${name}`, declares: '' }
  return { tag: name, declares: ` xmlns='${escapeAttr(ns)}'` }
}

/** A start tag; it ends in ">", never in "/>". */
export function writeTag(name: string, ns: string, attrs: readonly Attr[], scope: WriteScope): Octets {
  const { tag, declares } = qualified(name, ns, scope)
  return encode(`<${tag}${declares}${attributes(attrs)}>`)
}

/** An element from its parts; `payload` must suit the default namespace that the tag leaves in force. */
export function writeParts(
  name: string,
  ns: string,
  attrs: readonly Attr[],
  payload: Octets,
  scope: WriteScope,
): Octets {
  const { tag, declares } = qualified(name, ns, scope)
  const head = encode(`<${tag}${declares}${attributes(attrs)}`)
  if (payload === '') return join(head, ascii('/>'))
  return join(head, ascii('>'), payload, ascii('</'), encode(tag), ascii('>'))
}

/** The default namespace in force for the children of an element written in this scope. */
export function innerScope(ns: string, scope: WriteScope): WriteScope {
  return ns === scope.ns || scope.prefixes?.has(ns) ? scope : { ...scope, ns }
}

/** Nodes one after the other. */
export function writeNodes(nodes: readonly Node[], scope: WriteScope): Octets {
  let out = ascii('')
  for (const node of nodes)
    out = join(out, typeof node === 'string' ? encode(escapeText(node)) : writeElement(node, scope))
  return out
}

function writesItself(element: Element): element is Element & SelfWriting {
  return 'write' in element
}

/** Any element in this scope. */
export function writeElement(element: Element, scope: WriteScope): Octets {
  if (writesItself(element)) return element.write(scope)
  const { name, ns, attrs, children } = element
  return writeParts(name, ns, attrs, writeNodes(children, innerScope(ns, scope)), scope)
}
