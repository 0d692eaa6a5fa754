/** XEP-0203: Delayed Delivery, version 2.0. */
import { type Jid, parseJid } from '../jid/jid.ts'
import { x } from '../xml/build.ts'
import { type Codec, CodecFault } from '../xml/codec.ts'
import type { Element } from '../xml/element.types.ts'
import type { Octets } from '../xml/octets.ts'
import { serialise } from '../xml/serialise.ts'
import { NS_CLIENT } from './ns.ts'

export const NS_DELAY = 'urn:xmpp:delay'

/** A note that a stanza comes late (§2). */
export interface Delay {
  /** Who held it back, or sent it first. */
  readonly from?: Jid | undefined
  /** When it was sent, or received by who held it back. */
  readonly stamp: Date
  /** In words; '' for none. */
  readonly reason?: string | undefined
}

/** The stanza with a note that `by` held it since `since`. Notes that pretend to be from `by` are taken off first. */
export function withDelay(el: Element, by: Jid, since: Date, reason?: string): Element {
  return withoutDelayBy(el, by).withChild(delayCodec.encode({ from: by, stamp: since, reason }))
}

/** Notes of one speaker, for stanzas that are bytes already: a hand-over of many need not build each of them. */
export class DelayNotes {
  readonly #head: Octets
  readonly #tail: Octets

  constructor(by: Jid, reason?: string) {
    const mark = 'T'
    const note = serialise(x('delay', NS_DELAY, { from: by.toString(), stamp: mark }, reason), NS_CLIENT)
    const at = note.indexOf(`stamp='${mark}'`) + "stamp='".length
    this.#head = note.substring(0, at) as Octets
    this.#tail = note.substring(at + mark.length) as Octets
  }

  /**
   * The message with a note behind its children; undefined when its end tag is written in another way than usual. It must be
   * well-formed and have no note of this speaker.
   */
  added(message: Octets, since: Date): Octets | undefined {
    if (!message.endsWith(MESSAGE_END)) return undefined
    const children = message.substring(0, message.length - MESSAGE_END.length)
    return `${children}${this.#head}${stamp(since)}${this.#tail}${MESSAGE_END}` as Octets
  }
}

const MESSAGE_END = '</message>'

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

const dateTime = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

/** What a stamp says, with any offset from UTC; undefined when it is no date and time of XEP-0082 §3.2. */
export function readStamp(text: string): Date | undefined {
  const [, year, month, day] = dateTime.exec(text) ?? []
  if (year === undefined || month === undefined || day === undefined) return undefined
  // `Date` takes the 30th of February for the 2nd of March.
  if (Number(day) > new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()) return undefined
  const date = new Date(text)
  return Number.isNaN(date.getTime()) ? undefined : date
}

function isDelay(el: Element): boolean {
  return el.name === 'delay' && el.ns === NS_DELAY
}

/** `<delay/>`; an address that is none is a fault. */
export const delayCodec: Codec<Delay> = {
  name: 'delay',
  ns: NS_DELAY,
  matches: isDelay,
  decode(el) {
    if (!isDelay(el)) return new CodecFault('delay', 'It is another element.')
    const time = readStamp(el.attr('stamp') ?? '')
    if (time === undefined) return new CodecFault('delay/@stamp', 'It must be a date and time of XEP-0082.')
    const text = el.attr('from')
    const from = text === undefined ? undefined : parseJid(text)
    if (text !== undefined && from === undefined) return new CodecFault('delay/@from', 'It must be an address.')
    return { from, stamp: time, reason: el.text }
  },
  encode({ from, stamp: time, reason }) {
    return x('delay', NS_DELAY, { from: from?.toString(), stamp: stamp(time) }, reason)
  },
}
