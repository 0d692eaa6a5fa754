/**
 * What a peer may use before it has signed in (requirements LST-12, RFC 6120 section 13.12). Each limit has a name in the
 * configuration (snake case), a default, and the code with which the stream ends when it is passed.
 */
import { defaultLimits, type ScannerLimits } from '../xml/index.ts'

export interface StreamLimits {
  /** `sign_in_timeout`: milliseconds from the connection to the bound resource, then RTK_STREAM_NEGOTIATION_TIMEOUT. */
  readonly negotiationMs: number
  /** `sign_in_bytes`: bytes inside of TLS or without it, until a resource is bound, then RTK_STREAM_NEGOTIATION_BYTES. */
  readonly negotiationBytes: number
  /** `sign_in_elements`: first-level elements until a resource is bound, then RTK_STREAM_NEGOTIATION_ELEMENTS. */
  readonly negotiationElements: number
  /**
   * `sign_in_attempts` less one: attempts after the first that fails, then RTK_STREAM_SASL_RETRIES. RFC 6120 section 6.4.5 wants 2 to 5.
   */
  readonly saslRetries: number
  /** `bind_attempts` less one: attempts after the first that fails, then RTK_STREAM_BIND_RETRIES. RFC 6120 section 7.7.3 wants 5 to 10. */
  readonly bindRetries: number
  /** `close_timeout`: milliseconds to wait for the peer's closing tag (RFC 6120 section 4.4), then the connection is closed. */
  readonly closingMs: number
  /**
   * Of the scanner, until a resource is bound; codes are RTK_XML_…. `sign_in_stanza_bytes` and `header_bytes`; the others
   * are fixed.
   */
  readonly before: ScannerLimits
  /** Of the scanner, from then on: `stanza_bytes`, `header_bytes`, `depth`, `elements`, `attributes`, `name_bytes`, `prefixes`. */
  readonly after: ScannerLimits
}

/** What the configuration has by default; a test holds the two together. Tier 1 cannot read the configuration. */
export const defaultStreamLimits: StreamLimits = {
  negotiationMs: 60_000,
  negotiationBytes: 65_536,
  negotiationElements: 50,
  saslRetries: 2,
  bindRetries: 5,
  closingMs: 5_000,
  before: {
    stanzaBytes: 16_384,
    headerBytes: 8192,
    depth: 8,
    elements: 32,
    attributes: 16,
    nameBytes: 128,
    prefixes: 8,
  },
  after: defaultLimits,
}

/** Of a client: a server's features name each mechanism twice, and more than a stranger may say. */
export const defaultClientLimits: StreamLimits = {
  ...defaultStreamLimits,
  before: { ...defaultStreamLimits.before, elements: 256 },
}
