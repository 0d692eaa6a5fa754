/** What our own side must not put into XML; builders throw, because it is our fault and not a peer's. */
import { illegalChar, isLocalName } from './chars.ts'
import { XmlError } from './errors.ts'
import { NS_XML, NS_XMLNS } from './ns.ts'

/** @throws XmlError RTK_XML_ILLEGAL_TEXT */
export function checkedText(text: string): string {
  const at = illegalChar(text)
  if (at < 0) return text
  const code = text.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0')
  throw new XmlError('RTK_XML_ILLEGAL_TEXT', `Character U+${code} at index ${at} cannot be written in XML.`)
}

/** The text with U+FFFD for each character that XML may not hold: for what must be said, whoever wrote it. */
export function legalText(text: string): string {
  if (illegalChar(text) < 0) return text
  return text.toWellFormed().replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
}

/** @throws XmlError RTK_XML_ILLEGAL_NAME */
export function checkedName(name: string): string {
  if (isLocalName(name)) return name
  throw new XmlError('RTK_XML_ILLEGAL_NAME', `${JSON.stringify(name)} is not a name without prefix.`)
}

/** @throws XmlError RTK_XML_ILLEGAL_NAME; `xmlns` is not an attribute but what the element's namespace becomes. */
export function checkedAttrName(name: string): string {
  if (name !== 'xmlns') return checkedName(name)
  throw new XmlError('RTK_XML_ILLEGAL_NAME', 'A namespace is an argument of the builder, not an attribute.')
}

/** @throws XmlError RTK_XML_ILLEGAL_NAMESPACE or RTK_XML_ILLEGAL_TEXT */
export function checkedNs(ns: string): string {
  if (ns !== NS_XMLNS && ns !== NS_XML) return checkedText(ns)
  throw new XmlError('RTK_XML_ILLEGAL_NAMESPACE', `No element can be in the namespace ${ns}.`)
}
