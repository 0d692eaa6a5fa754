/**
 * Domainparts (RFC 7622 section 3.2): names of IDNA2008 in lower-case U-labels, IPv4 addresses (which look like names),
 * and IPv6 addresses in brackets. Names that IDNA holds equal come out as one string.
 */
import { canonicalIpv6 } from './address.ts'
import { checkAsciiDomain, OK } from './ascii.ts'
import { hasRtl, keepsBidiRule } from './bidi.ts'
import { keepsContextRules } from './context.ts'
import { FAULT, type JidFault } from './fault.ts'
import { decodePunycode, encodePunycode } from './punycode.ts'
import { CONTEXT, DISALLOWED, hasTooManyMarks, idna, mapCase, mapWidth, mark } from './tables.ts'

/** RFC 1034 section 3.1: 255 octets on the wire are 253 characters of A-labels and dots. The RFC 7622 limit is wider. */
const MAX_NAME = 253
const MAX_LABEL = 63
/** No mapping shortens a name to less than half. Longer ones are refused unseen. */
const MAX_INPUT = 2 * 1023
const ACE = 'xn--'

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false
  return true
}

/** RFC 5891 section 4.2.3.1. */
function breaksHyphenRule(label: string): boolean {
  if (label.startsWith('-') || label.endsWith('-')) return true
  if (!label.includes('--')) return false
  const [, , third, fourth] = label
  return third === '-' && fourth === '-'
}

/** Every test of RFC 5891 section 4.2 that looks at one label, Bidi aside. The fault, or undefined. */
function faultOfLabel(label: string): JidFault | undefined {
  if (breaksHyphenRule(label)) return FAULT.domainHyphen
  if (mark.at(label.codePointAt(0) ?? 0) === 1) return FAULT.domainCharacter
  let contextual = false
  for (let i = 0; i < label.length; i++) {
    const c = label.codePointAt(i) ?? 0
    if (c > 0xffff) i++
    const value = idna.at(c)
    if (value === DISALLOWED) return FAULT.domainCharacter
    if (value === CONTEXT) contextual = true
  }
  return contextual && !keepsContextRules(label) ? FAULT.domainCharacter : undefined
}

/** RFC 5891 section 5.3: an A-label stands for its U-label only if that one gives the same A-label again. */
function fromALabel(label: string): string | JidFault {
  if (label.length > MAX_LABEL) return FAULT.domainLong
  const decoded = decodePunycode(label.slice(ACE.length))
  if (decoded === undefined || isAscii(decoded) || decoded.normalize('NFC') !== decoded) return FAULT.domainPunycode
  return encodePunycode(decoded) === label.slice(ACE.length) ? decoded : FAULT.domainPunycode
}

/** The canonical form of a name in mapped, normalised form without trailing dot. */
function enforceName(name: string): string | JidFault {
  const labels = name.split('.')
  // The A-form is at least as long as the number of labels and dots; hostile names end here.
  if (labels.length > (MAX_NAME + 1) / 2) return FAULT.domainLong
  let size = labels.length - 1
  for (const [index, label] of labels.entries()) {
    if (label === '') return FAULT.domainEmpty
    const unicode = label.startsWith(ACE) && isAscii(label) ? fromALabel(label) : label
    if (typeof unicode !== 'string') return unicode
    const fault = faultOfLabel(unicode)
    if (fault !== undefined) return fault
    const ace = isAscii(unicode) ? unicode : encodePunycode(unicode)
    const length = ace === undefined ? Number.POSITIVE_INFINITY : ace.length + (ace === unicode ? 0 : ACE.length)
    if (length > MAX_LABEL) return FAULT.domainLong
    size += length
    if (size > MAX_NAME) return FAULT.domainLong
    labels[index] = unicode
  }
  // RFC 5893 section 1.4: one right-to-left label makes a Bidi domain name, and the rule holds for all its labels.
  if (labels.some(hasRtl) && !labels.every(keepsBidiRule)) return FAULT.domainBidi
  return labels.join('.')
}

/** RFC 3986 section 3.2.2; IPvFuture has no version yet, so nobody could connect to one. */
function enforceAddress(text: string): string | JidFault {
  const address = text.endsWith(']') ? canonicalIpv6(text.slice(1, -1)) : undefined
  return address === undefined ? FAULT.domainAddress : `[${address}]`
}

/** RFC 5895 section 2: case, width, NFC, and the ideographic full stop, whose narrow form the width mapping covers. */
function mapName(text: string): string {
  return mapWidth(mapCase(text)).normalize('NFC').replaceAll('\u3002', '.')
}

export function enforceDomain(text: string): string | JidFault {
  return checkAsciiDomain(text) === OK ? text : enforceAnyDomain(text)
}

/** The general path; the tests compare it with the ASCII one. */
export function enforceAnyDomain(text: string): string | JidFault {
  if (text.length === 0) return FAULT.domainEmpty
  if (text.length > MAX_INPUT) return FAULT.domainLong
  if (text.startsWith('[')) return enforceAddress(text)
  if (hasTooManyMarks(text)) return FAULT.domainMarks
  const mapped = mapName(text)
  // RFC 7622 section 3.2: one final dot is stripped, here whatever form of dot it had.
  return enforceName(mapped.endsWith('.') ? mapped.slice(0, -1) : mapped)
}

/** The prepared form of a domainpart; undefined when it is invalid. */
export function prepDomain(text: string): string | undefined {
  const prepared = enforceDomain(text)
  return typeof prepared === 'string' ? prepared : undefined
}

/**
 * The A-form of a prepared domain, for DNS, SNI and certificates (RFC 6125 section 6.4.2); an address in brackets
 * comes back unchanged.
 */
export function toAscii(prepared: string): string {
  if (isAscii(prepared)) return prepared
  return prepared
    .split('.')
    .map((label) => (isAscii(label) ? label : ACE + (encodePunycode(label) ?? '')))
    .join('.')
}
