/** The limits of a listener in the form that streams take. */
import type { ConnectionLimits } from '../../core/config/limits.ts'
import { defaultStreamLimits, type StreamLimits } from '../../stream/limits.ts'

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
