/** Answers: results and error stanzas (RFC 6120 section 8.2.3 and 8.3). Addresses are the packet's, not the element's. */
import { x } from '../xml/build.ts'
import { legalText } from '../xml/check.ts'
import type { Element } from '../xml/element.types.ts'
import type { StanzaError } from './error.ts'
import { NS_CLIENT, NS_STANZA_ERRORS } from './ns.ts'

/** `<iq type="result">` for a request, with its id and this payload. */
export function iqResult(request: Element, payload?: Element): Element {
  return x('iq', NS_CLIENT, { id: request.attr('id'), type: 'result' }, payload)
}

/** The `<error/>` child, RFC 6120 section 8.3.2. */
export function errorElement(error: StanzaError): Element {
  const { text, application, uri } = error.detail
  return x(
    'error',
    NS_CLIENT,
    { type: error.type },
    x(error.condition, NS_STANZA_ERRORS, {}, uri),
    text === undefined ? undefined : x('text', NS_STANZA_ERRORS, {}, legalText(text)),
    application === undefined ? undefined : x(application.name, application.ns),
  )
}

/**
 * The error stanza that answers `stanza`, or undefined where RFC 6120 section 8.3.1 forbids one: an error is never
 * answered with an error, nor is an iq result. The error of an iq always has an id, empty where the iq had none (rule 3).
 */
export function errorReply(stanza: Element, error: StanzaError): Element | undefined {
  const type = stanza.attr('type')
  if (type === 'error' || (stanza.name === 'iq' && type === 'result')) return undefined
  const id = stanza.attr('id') ?? (stanza.name === 'iq' ? '' : undefined)
  return x(stanza.name, NS_CLIENT, { id, type: 'error' }, errorElement(error))
}
