/** The bounds of the scanner. All are checked while scanning and may be changed between two writes. */
export interface ScannerLimits {
  /** Bytes of one stanza (first-level element), from its "<" to its last ">". RFC 6120 section 13.12 demands 10,000 at least. */
  readonly stanzaBytes: number
  /** Bytes of the XML declaration and the stream header, each. */
  readonly headerBytes: number
  /** Levels of elements in a stanza, the stanza itself included. */
  readonly depth: number
  /** Elements in a stanza, the stanza itself included. */
  readonly elements: number
  /** Attributes of one element, namespace declarations included. */
  readonly attributes: number
  /** Bytes of an element's or attribute's name, prefix included. */
  readonly nameBytes: number
  /** Prefix declarations in force at one time inside a stanza, and in the stream header. */
  readonly prefixes: number
}

/** Defaults for a signed-in peer; before sign-in a listener sets smaller ones. */
export const defaultLimits: ScannerLimits = {
  stanzaBytes: 262_144,
  headerBytes: 8192,
  depth: 64,
  elements: 16_384,
  attributes: 32,
  nameBytes: 256,
  prefixes: 16,
}

/** For texts of our own making (configuration, stores, tests): bounded only by memory and by good sense. */
export const trustedLimits: ScannerLimits = {
  stanzaBytes: 0x3fff_ffff,
  headerBytes: 0x3fff_ffff,
  depth: 4096,
  elements: 0x3fff_ffff,
  attributes: 4096,
  nameBytes: 65_536,
  prefixes: 4096,
}

/** The longest character reference that is read, "&" to ";": enough for any character with a dozen needless zeros. */
export const REFERENCE_BYTES = 24
