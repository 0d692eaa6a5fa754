/** `vcard-temp` as bytes: a vCard is kept as it was sent, and no element in it is looked at (XEP-0054 §8, §9). */
import type { Element } from '../../xml/element.types.ts'
import { XmlError } from '../../xml/errors.ts'
import type { Octets } from '../../xml/octets.ts'
import { parseOctets } from '../../xml/parse.ts'

export const NS_VCARD = 'vcard-temp'

/** Undefined when the bytes are no vCard: they may come from a foreign backup. */
export function readCard(bytes: Octets): Element | undefined {
  try {
    const el = parseOctets(bytes)
    return el.name === 'vCard' && el.ns === NS_VCARD ? el : undefined
  } catch (error) {
    if (error instanceof XmlError) return undefined
    throw error
  }
}
