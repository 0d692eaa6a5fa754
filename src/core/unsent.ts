/** What was written for a client and has not left, as stanzas again. */
import { stanzaKind } from '../stanza/stanza.ts'
import type { Element } from '../xml/element.types.ts'
import { trustedLimits } from '../xml/limits.ts'
import type { Octets } from '../xml/octets.ts'
import { Scanner } from '../xml/scanner.ts'
import type { LinkRest } from './session-link.ts'

const open = Buffer.from(
  `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`,
)

/**
 * Calls `found` for each stanza whose last byte the kernel had not taken, in order, with its bytes as they were written:
 * the client cannot have had it whole. What is no stanza (a stream error, the closing tag) is passed over.
 */
export function eachUnsent(rest: LinkRest, found: (el: Element, written: Octets) => void): void {
  eachBehind(rest.bytes, rest.taken, found)
  eachBehind(rest.heldBack, 0, found)
}

function eachBehind(bytes: Octets, taken: number, found: (el: Element, written: Octets) => void): void {
  let stanza: Element | undefined
  let isOver = false
  const scanner = new Scanner('stream', trustedLimits, {
    streamOpen: () => undefined,
    stanza: (el) => {
      stanza = el
      // So that its end is known.
      scanner.stop()
    },
    streamClose: () => {
      isOver = true
    },
    fault: () => {
      isOver = true
    },
  })
  scanner.write(open)
  const buffer = Buffer.from(bytes, 'latin1')
  let start = 0
  while (start < buffer.length && !isOver) {
    const end = start + scanner.write(buffer, start, buffer.length)
    if (end === start) return
    if (stanza !== undefined && stanzaKind(stanza) !== undefined && end > taken)
      found(stanza, bytes.slice(start, end) as Octets)
    stanza = undefined
    start = end
  }
}
