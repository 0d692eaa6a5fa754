/** XEP-0203: Delayed Delivery, version 2.0. */
import type { Jid } from '../jid/jid.ts'
import { x } from '../xml/build.ts'
import type { Element } from '../xml/element.types.ts'

export const NS_DELAY = 'urn:xmpp:delay'

/**
 * The stanza with a note that `by` held it since `since`. Notes that pretend to be from `by` are taken off first: nobody
 * else may speak for it (§5).
 */
export function withDelay(el: Element, by: Jid, since: Date, reason?: string): Element {
  const isPretended = (note: Element) =>
    note.name === 'delay' && note.ns === NS_DELAY && note.attr('from') === by.toString()
  const honest = el.hasChild('delay', NS_DELAY)
    ? el.withoutChildren((child, index) => {
        if (child.name !== 'delay' || child.ns !== NS_DELAY) return false
        const note = el.elements[index]
        return note !== undefined && isPretended(note)
      })
    : el
  return honest.withChild(x('delay', NS_DELAY, { from: by.toString(), stamp: stamp(since) }, reason))
}

/** XEP-0082 §3.2: UTC, to the millisecond. */
export function stamp(date: Date): string {
  return date.toISOString()
}
