/** Which fault it is, once the scan has met a byte that cannot be there. */
import { BAD_CHARACTER, BAD_REFERENCE, BAD_UTF8, FOREIGN_ENTITY, NAME_START, SPACE } from './chars.ts'
import type { XmlCode } from './errors.ts'
import { BANG, CLOSING, DECLARATION, END, FAULT, NAME } from './work.ts'

/** The code for a reader's negative result. */
export function unreadable(result: number): XmlCode {
  switch (result) {
    case BAD_UTF8:
      return 'RTK_XML_BAD_UTF8'
    case BAD_CHARACTER:
      return 'RTK_XML_BAD_CHARACTER'
    case BAD_REFERENCE:
      return 'RTK_XML_BAD_REFERENCE'
    case FOREIGN_ENTITY:
      return 'RTK_XML_ENTITY'
    default:
      return 'RTK_XML_REFERENCE_BYTES'
  }
}

/** The same inside of a name. */
export function unnameable(result: number): XmlCode {
  return result === BAD_UTF8 ? 'RTK_XML_BAD_UTF8' : 'RTK_XML_BAD_NAME'
}

/** Why a byte cannot stand in text, a value or a CDATA section. */
export function misplaced(byte: number, other: XmlCode): XmlCode {
  return byte < 0x20 ? 'RTK_XML_BAD_CHARACTER' : other
}

/** Where the scan goes from "<" and the byte behind it. */
export function stateBehindLess(byte: number, depth: number): number {
  if (byte === 0x2f) return depth === 0 ? CLOSING : END
  if (NAME_START[byte] === 1 || byte >= 0x80) return NAME
  if (byte === 0x3f) return depth === 0 ? DECLARATION : FAULT
  return byte === 0x21 ? BANG : FAULT
}

/** What stands behind "<" where a name should begin; a NUL there is UTF-16. */
export function unnamed(byte: number): XmlCode {
  if (byte === 0x3f) return 'RTK_XML_INSTRUCTION'
  if (byte === 0) return 'RTK_XML_ENCODING'
  return byte < 0x20 && SPACE[byte] === 0 ? 'RTK_XML_BAD_CHARACTER' : 'RTK_XML_BAD_NAME'
}

/** What begins with "<!" and is no CDATA section in an element; `k` bytes of "[CDATA[" were right before this one. */
export function declares(byte: number, k: number): XmlCode {
  if (k > 0) return 'RTK_XML_BAD_TAG'
  if (byte === 0x2d) return 'RTK_XML_COMMENT'
  return byte === 0x5b ? 'RTK_XML_TEXT_OUTSIDE' : 'RTK_XML_DTD'
}
