/** What hostile bytes are charged by a shaper: their number, and `leastStanzaBytes` for each stanza that is smaller. */
import { leastStanzaBytes } from '../../src/core/shaper.ts'

/** Stanzas in one buffer of the kinds that are nothing but small stanzas; all others are charged by their bytes. */
const sizes: Readonly<Record<string, number>> = { 'tiny stanzas': 4, 'tiny stanzas with a namespace': 14 }

/** Bytes charged for each byte sent of a hostile kind. */
export function chargedPerByte(kind: string): number {
  const size = sizes[kind]
  return size === undefined ? 1 : leastStanzaBytes / size
}
