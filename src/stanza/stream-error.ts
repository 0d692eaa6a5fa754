/** Stream errors on the wire (RFC 6120 section 4.9.2). */
import { type Element, legalText, x } from '../xml/index.ts'
import { type Code, type StreamCondition, StreamError } from './error.ts'
import { NS_STREAM, NS_STREAM_ERRORS } from './ns.ts'

const conditions: Readonly<Record<StreamCondition, true>> = {
  'bad-format': true,
  'bad-namespace-prefix': true,
  conflict: true,
  'connection-timeout': true,
  'host-gone': true,
  'host-unknown': true,
  'improper-addressing': true,
  'internal-server-error': true,
  'invalid-from': true,
  'invalid-namespace': true,
  'invalid-xml': true,
  'not-authorized': true,
  'not-well-formed': true,
  'policy-violation': true,
  'remote-connection-failed': true,
  reset: true,
  'resource-constraint': true,
  'restricted-xml': true,
  'see-other-host': true,
  'system-shutdown': true,
  'undefined-condition': true,
  'unsupported-encoding': true,
  'unsupported-feature': true,
  'unsupported-stanza-type': true,
  'unsupported-version': true,
}

/** All 25, in the order of RFC 6120 section 4.9.3. */
export const streamConditions = Object.keys(conditions) as readonly StreamCondition[]

/** `<stream:error/>`. The cause stays here; the peer gets condition, text and application condition. */
export function streamErrorElement(error: StreamError): Element {
  const application = error.detail?.application
  return x(
    'error',
    NS_STREAM,
    x(error.condition, NS_STREAM_ERRORS, error.detail?.otherHost),
    error.text === undefined ? undefined : x('text', NS_STREAM_ERRORS, { 'xml:lang': 'en' }, legalText(error.text)),
    application === undefined ? undefined : x(application.name, application.ns, application.attrs),
  )
}

function isCondition(name: string): name is StreamCondition {
  return Object.hasOwn(conditions, name)
}

/**
 * What a peer's `<stream:error/>` says. RFC 6120 section 4.9.2: a condition that we do not know counts as
 * `undefined-condition`. `code` is what the reader wants to call it.
 */
export function readStreamError(el: Element, code: Code): StreamError {
  let condition: StreamCondition = 'undefined-condition'
  let text: string | undefined
  let otherHost: string | undefined
  let application: { readonly name: string; readonly ns: string } | undefined
  for (const child of el.elements) {
    if (child.ns !== NS_STREAM_ERRORS) application ??= { name: child.name, ns: child.ns }
    else if (child.name === 'text') text ??= child.text
    else if (isCondition(child.name)) {
      condition = child.name
      if (condition === 'see-other-host') otherHost = child.text.trim()
    }
  }
  return new StreamError(code, condition, text, undefined, {
    ...(application === undefined ? {} : { application }),
    ...(otherHost === undefined ? {} : { otherHost }),
  })
}
