/** Whole documents: configuration, stores, tests. */
import type { Element } from './element.types.ts'
import { XmlError, type XmlFault } from './errors.ts'
import { type ScannerLimits, trustedLimits } from './limits.ts'
import type { Octets } from './octets.ts'
import { Scanner } from './scanner.ts'

/**
 * Parses one document, white space around it allowed. The same rules as on a stream: no comments, instructions or DTDs.
 * @throws XmlError with the scanner's code and the byte position
 */
export function parseElement(text: string, limits: ScannerLimits = trustedLimits): Element {
  return parseBytes(Buffer.from(text, 'utf8'), limits)
}

/** The same from bytes in a string, as stores and streams hold them. */
export function parseOctets(bytes: Octets, limits: ScannerLimits = trustedLimits): Element {
  return parseBytes(Buffer.from(bytes, 'latin1'), limits)
}

/** The same from bytes. */
export function parseBytes(bytes: Uint8Array, limits: ScannerLimits = trustedLimits): Element {
  let element: Element | undefined
  let fault: XmlFault | undefined
  const scanner = new Scanner('document', limits, {
    streamOpen: () => undefined,
    stanza: (stanza) => {
      element = stanza
    },
    streamClose: () => undefined,
    fault: (found) => {
      fault = found
    },
  })
  scanner.write(bytes)
  scanner.endFrame()
  if (fault !== undefined) throw new XmlError(fault.code, `${fault.text} (byte ${fault.position})`, fault.position)
  if (element === undefined) throw new XmlError('RTK_XML_TRUNCATED', 'There is no element.', 0)
  return element
}
