/** XEP-0203: Delayed Delivery, version 2.0. */
import { type Jid, parseJid } from '../jid/jid.ts'
import { x } from '../xml/build.ts'
import type { Element } from '../xml/element.types.ts'

export const NS_DELAY = 'urn:xmpp:delay'

/** The stanza with a note that `by` held it since `since`. Notes that pretend to be from `by` are taken off first. */
export function withDelay(el: Element, by: Jid, since: Date, reason?: string): Element {
  const note = x('delay', NS_DELAY, { from: by.toString(), stamp: stamp(since) }, reason)
  return withoutDelayBy(el, by).withChild(note)
}

/** The stanza without notes that speak for `by`: nobody else may (§5). The same element when there is none. */
export function withoutDelayBy(el: Element, by: Jid): Element {
  if (!el.hasChild('delay', NS_DELAY)) return el
  const { elements } = el
  return el.withoutChildren((child, index) => {
    if (child.name !== 'delay' || child.ns !== NS_DELAY) return false
    const from = elements[index]?.attr('from')
    // However it is written: an address is compared prepared.
    return from !== undefined && parseJid(from)?.equals(by) === true
  })
}

/** Whether a note speaks for `by`. */
export function isDelayedBy(el: Element, by: Jid): boolean {
  return withoutDelayBy(el, by) !== el
}

/** XEP-0082 §3.2: UTC, to the millisecond. */
export function stamp(date: Date): string {
  return date.toISOString()
}
