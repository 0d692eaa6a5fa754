/** Stanzas that outlive their turn. */
import type { Element } from '../xml/element.types.ts'
import { type Octets, own } from '../xml/octets.ts'
import { parseOctets } from '../xml/parse.ts'
import { serialise } from '../xml/serialise.ts'

/** The whole stanza as bytes that share no memory with what it was read from: for stores. */
export function stanzaBytes(el: Element): Octets {
  return own(serialise(el, ''))
}

/** A copy of a stanza that keeps no chunk of the wire alive: for what a session remembers (presence). */
export function keepStanza(el: Element): Element {
  return parseOctets(stanzaBytes(el))
}
