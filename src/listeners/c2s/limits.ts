/** The limits of a listener in the form that streams take. */
import type { ConnectionLimits } from '../../core/config/limits.ts'
import { defaultStreamLimits, type StreamLimits } from '../../stream/limits.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'

export const NS_LIMITS = 'urn:xmpp:stream-limits:0'

/**
 * XEP-0478 section 3.1: the largest element that will be taken from here on. After sign-in that is what counts from the bound
 * resource on: nothing but a bind comes before. No `<idle-seconds/>`: who is silent is not cut; his kernel is asked.
 */
export function limitsFeature(limits: ConnectionLimits, stage: 'sasl' | 'bind'): Element {
  const bytes = stage === 'sasl' ? limits.sign_in_stanza_bytes : limits.stanza_bytes
  return x('limits', NS_LIMITS, x('max-bytes', NS_LIMITS, String(bytes)))
}

export function streamLimits(limits: ConnectionLimits): StreamLimits {
  return {
    negotiationMs: limits.sign_in_timeout,
    negotiationBytes: limits.sign_in_bytes,
    negotiationElements: limits.sign_in_elements,
    saslRetries: limits.sign_in_attempts - 1,
    bindRetries: limits.bind_attempts - 1,
    closingMs: limits.close_timeout,
    before: {
      ...defaultStreamLimits.before,
      stanzaBytes: limits.sign_in_stanza_bytes,
      headerBytes: limits.header_bytes,
    },
    after: {
      ...defaultStreamLimits.after,
      stanzaBytes: limits.stanza_bytes,
      headerBytes: limits.header_bytes,
      depth: limits.depth,
      elements: limits.elements,
      attributes: limits.attributes,
      nameBytes: limits.name_bytes,
      prefixes: limits.prefixes,
    },
  }
}
