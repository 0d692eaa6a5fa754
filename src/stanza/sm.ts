/** XEP-0198: Stream Management, version 1.6.3: its elements, for both roles. None of them is a stanza. */
import { x } from '../xml/build.ts'
import type { Element } from '../xml/element.types.ts'
import { ascii, type Octets } from '../xml/octets.ts'
import { type StanzaCondition, StreamError } from './error.ts'
import { NS_STANZA_ERRORS } from './ns.ts'

export const NS_SM = 'urn:xmpp:sm:3'

/** §2 */
export const smFeature = x('sm', NS_SM)

/** §4: asks for an acknowledgement. */
export const smRequest: Octets = ascii(`<r xmlns='${NS_SM}'/>`)

/** §4: acknowledges `h` stanzas. */
export function smAnswer(h: number): Octets {
  return ascii(`<a xmlns='${NS_SM}' h='${h}'/>`)
}

/** §3: asks to count, and to be allowed to resume. `max` in seconds. */
export function smEnable(resume: boolean, max?: number): Element {
  return x('enable', NS_SM, { resume: resume ? 'true' : undefined, max: max === undefined ? undefined : String(max) })
}

/** §3: `resume` has the SM-ID and the seconds within which the stream may be resumed; without it it may not. */
export function smEnabled(resume?: { readonly id: string; readonly seconds: number }): Element {
  if (resume === undefined) return x('enabled', NS_SM)
  return x('enabled', NS_SM, { id: resume.id, resume: 'true', max: String(resume.seconds) })
}

/** §5 */
export function smResume(previd: string, h: number): Element {
  return x('resume', NS_SM, { h: String(h), previd })
}

/** §5 */
export function smResumed(previd: string, h: number): Element {
  return x('resumed', NS_SM, { h: String(h), previd })
}

/** §6; §5: `h` where the former session is known, though it has ended. */
export function smFailed(condition: StanzaCondition, h?: number): Element {
  return x('failed', NS_SM, { h: h === undefined ? undefined : String(h) }, x(condition, NS_STANZA_ERRORS))
}

/** §6: more was acknowledged than was sent. */
export function smTooHigh(h: number, sent: number): StreamError {
  const text = `You acknowledged ${h} stanzas, but I only sent you ${sent} so far.`
  return new StreamError('RTK_SM_HANDLED_COUNT_TOO_HIGH', 'undefined-condition', text, undefined, {
    application: { name: 'handled-count-too-high', ns: NS_SM, attrs: { h: String(h), 'send-count': String(sent) } },
  })
}

/** An `h`, which is an xs:unsignedInt; undefined for anything else. */
export function readCount(text: string | undefined): number | undefined {
  if (text === undefined || !/^\s*\+?\d{1,20}\s*$/.test(text)) return undefined
  const count = Number(text)
  return count <= 0xffff_ffff ? count : undefined
}

/** An xs:boolean (note 5); what is neither counts as false. */
export function readFlag(text: string | undefined): boolean {
  const word = text?.trim()
  return word === 'true' || word === '1'
}
