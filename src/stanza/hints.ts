/**
 * XEP-0334: Message Processing Hints, version 1.0.0: what the sender of a message asks of those who handle it. §5: in errors
 * they mean nothing, because an error may repeat what it answers.
 */
import type { Element } from '../xml/element.types.ts'

export const NS_HINTS = 'urn:xmpp:hints'

function has(el: Element, hint: 'no-copy' | 'no-permanent-store' | 'no-store' | 'store'): boolean {
  return el.hasChild(hint, NS_HINTS) && el.attr('type') !== 'error'
}

/** §4.2: it is stored nowhere, not even until its recipient comes. */
export function forbidsStore(el: Element): boolean {
  return has(el, 'no-store')
}

/** §4.1 and §4.2: it enters no archive and no log. */
export function forbidsArchive(el: Element): boolean {
  return has(el, 'no-store') || has(el, 'no-permanent-store')
}

/** §4.4: it is stored although the rules would not keep it. Who forbids it too is obeyed in that. */
export function asksForStore(el: Element): boolean {
  return has(el, 'store') && !has(el, 'no-store')
}

/** §4.3: nobody but its addressee gets it; RFC 6121 says who that is for a bare JID. */
export function forbidsCopies(el: Element): boolean {
  return has(el, 'no-copy')
}
