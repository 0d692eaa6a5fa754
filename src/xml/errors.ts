/**
 * What can be wrong with XML, as values. Each code belongs to one stream error condition of RFC 6120 section 4.9.3
 * and to one plain sentence; the table below is the only place that says which.
 */

/** The conditions of RFC 6120 section 4.9.3 that a scanner can cause. */
export type XmlCondition =
  | 'bad-format'
  | 'bad-namespace-prefix'
  | 'invalid-namespace'
  | 'not-well-formed'
  | 'policy-violation'
  | 'restricted-xml'
  | 'unsupported-encoding'

interface Meaning {
  readonly condition: XmlCondition
  readonly text: string
}

function meaning(condition: XmlCondition, text: string): Meaning {
  return { condition, text }
}

/** Every code with its condition and text. Limits are `policy-violation`; the text never repeats what the peer sent. */
export const xmlCodes = {
  RTK_XML_TAG_MISMATCH: meaning('not-well-formed', 'An end tag does not match the element it closes.'),
  RTK_XML_BAD_NAME: meaning('not-well-formed', 'A name holds a character that names must not hold.'),
  RTK_XML_BAD_TAG: meaning('not-well-formed', 'A tag or one of its attributes is not written as XML demands.'),
  RTK_XML_DUPLICATE_ATTRIBUTE: meaning('not-well-formed', 'An attribute stands twice on one element.'),
  RTK_XML_LT_IN_VALUE: meaning('not-well-formed', 'An attribute value holds a bare "<".'),
  RTK_XML_BAD_CHARACTER: meaning('not-well-formed', 'A character that XML 1.0 does not allow.'),
  RTK_XML_CDATA_END: meaning('not-well-formed', 'Text holds "]]>" outside a CDATA section.'),
  RTK_XML_BAD_REFERENCE: meaning('not-well-formed', 'A reference is not written as XML demands.'),
  RTK_XML_BAD_DECLARATION: meaning('not-well-formed', 'The XML declaration is not written as XML demands.'),
  RTK_XML_NOT_XML: meaning('not-well-formed', 'Something other than an element stands where an element must begin.'),
  RTK_XML_AFTER_END: meaning('not-well-formed', 'Something follows the end of the document.'),
  RTK_XML_TRUNCATED: meaning('not-well-formed', 'The document ends before its last element does.'),
  RTK_XML_UNBOUND_PREFIX: meaning('not-well-formed', 'A namespace prefix is not declared.'),
  RTK_XML_BAD_NS_DECLARATION: meaning('not-well-formed', 'A namespace declaration breaks the rules of XML namespaces.'),
  RTK_XML_CONTENT_PREFIX: meaning('bad-namespace-prefix', 'A stanza in the content namespace must not have a prefix.'),
  RTK_XML_CONTENT_NS: meaning('invalid-namespace', 'The content namespace of the stanza is not that of the stream.'),
  RTK_XML_TEXT_OUTSIDE: meaning('bad-format', 'Text stands outside of any stanza.'),
  RTK_XML_VERSION: meaning('bad-format', 'Only XML 1.0 is supported.'),
  RTK_XML_BAD_UTF8: meaning('unsupported-encoding', 'The bytes are not UTF-8.'),
  RTK_XML_ENCODING: meaning('unsupported-encoding', 'Only UTF-8 is supported.'),
  RTK_XML_COMMENT: meaning('restricted-xml', 'Comments are not allowed.'),
  RTK_XML_INSTRUCTION: meaning('restricted-xml', 'Processing instructions are not allowed.'),
  RTK_XML_DTD: meaning('restricted-xml', 'Document type declarations are not allowed.'),
  RTK_XML_ENTITY: meaning('restricted-xml', 'Only the five predefined entities are allowed.'),
  RTK_XML_STANZA_BYTES: meaning('policy-violation', 'The stanza is too large.'),
  RTK_XML_HEADER_BYTES: meaning('policy-violation', 'The stream header is too large.'),
  RTK_XML_DEPTH: meaning('policy-violation', 'Elements are nested too deeply.'),
  RTK_XML_ELEMENTS: meaning('policy-violation', 'The stanza has too many elements.'),
  RTK_XML_ATTRIBUTES: meaning('policy-violation', 'An element has too many attributes.'),
  RTK_XML_NAME_BYTES: meaning('policy-violation', 'A name is too long.'),
  RTK_XML_PREFIXES: meaning('policy-violation', 'Too many namespace prefixes are declared at one time.'),
  RTK_XML_REFERENCE_BYTES: meaning('policy-violation', 'A character reference is too long.'),
} as const

export type XmlCode = keyof typeof xmlCodes

/** What the scanner reports once and then falls silent. */
export interface XmlFault {
  /** The stream error condition to send, RFC 6120 section 4.9.3. */
  readonly condition: XmlCondition
  readonly code: XmlCode
  /** A plain sentence, safe to send to the peer. */
  readonly text: string
  /** Bytes since the scanner was made or reset. */
  readonly position: number
}

export function xmlFault(code: XmlCode, position: number): XmlFault {
  const { condition, text } = xmlCodes[code]
  return { condition, code, text, position }
}

/** Codes of what our own side does wrong while it builds an element. */
export type BuildCode = 'RTK_XML_ILLEGAL_NAME' | 'RTK_XML_ILLEGAL_TEXT' | 'RTK_XML_ILLEGAL_NAMESPACE'

/** Thrown by builders (illegal names or characters) and by `parseElement`; never by the scanner. */
export class XmlError extends Error {
  readonly code: XmlCode | BuildCode
  /** Byte position in the parsed text, or -1 when nothing was parsed. */
  readonly position: number

  constructor(code: XmlCode | BuildCode, message: string, position = -1) {
    super(message)
    this.name = 'XmlError'
    this.code = code
    this.position = position
  }
}
