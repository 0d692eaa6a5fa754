/** XML of the house: bytes ⇄ elements. Others import from here only. */
export { type Attributes, type Child, x } from './build.ts'
export { legalText } from './check.ts'
export {
  attr,
  attrNamed,
  type Codec,
  CodecFault,
  child,
  children,
  childText,
  codec,
  type Field,
  flag,
  type ScalarField,
  type TypeOf,
  text,
  type ValueOf,
} from './codec.ts'
export type { Attr, ChildName, Element, Node } from './element.types.ts'
export { type BuildCode, type XmlCode, type XmlCondition, XmlError, type XmlFault, xmlCodes } from './errors.ts'
export { escapeAttr, escapeText, unescapeAttr, unescapeText } from './escape.ts'
export { defaultLimits, type ScannerLimits, trustedLimits } from './limits.ts'
export { NS_CLIENT, NS_FRAMING, NS_XML } from './ns.ts'
export { ascii, decode, encode, fromBytes, type Octets, own } from './octets.ts'
export { parseBytes, parseElement, parseOctets } from './parse.ts'
export { Scanner } from './scanner.ts'
export type { Framing, ScannerOptions, ScannerSink, StreamHeader, StreamScanner } from './scanner.types.ts'
export { endTag, StanzaTemplate, serialise, startTag, writeStanza, xmlDeclaration } from './serialise.ts'
export { join } from './write.ts'
