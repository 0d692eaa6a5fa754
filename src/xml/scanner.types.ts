/** What stands between a transport's bytes and the stream machine: the events of a stream, whatever frames it. */
import type { Attr, Element } from './element.types.ts'
import type { XmlFault } from './errors.ts'
import type { ScannerLimits } from './limits.ts'

/**
 * How first-level elements are told apart:
 * `stream`: children of a root that stays open (RFC 6120); `frame`: one document each (RFC 7395), `open` and `close` being
 * header and end; `wrapper`: children of a root that comes complete with each request (XEP-0124); `document`: one element and no
 * stream at all.
 */
export type Framing = 'stream' | 'frame' | 'wrapper' | 'document'

/** The stream header, a wrapper's start tag or `<open/>`; all values decoded. */
export interface StreamHeader {
  readonly name: string
  readonly ns: string
  /** The prefix of the root as written, '' for none. */
  readonly prefix: string
  readonly attrs: readonly Attr[]
  /** The value of an attribute without namespace. */
  attr(name: string): string | undefined
  /** xml:lang, the default of all stanzas of the stream. */
  readonly lang: string | undefined
  /** The default namespace as written: the content namespace, or '' when none is declared. */
  readonly defaultNs: string
  /** Declared prefixes, the last first. */
  readonly prefixes: readonly { readonly prefix: string; readonly ns: string }[]
}

export interface ScannerSink {
  streamOpen(header: StreamHeader): void
  stanza(element: Element): void
  /** The root's end tag; for RFC 7395 the `<close/>` element itself, which may name another place. */
  streamClose(close?: Element): void
  /** Comes once; after it the scanner swallows everything until `reset`. */
  fault(fault: XmlFault): void
}

export interface ScannerOptions {
  /**
   * The content namespace as written on this stream, such as `jabber:server`; its elements are read as `jabber:client`, so that
   * a stanza can leave by any other stream as it is (RFC 6120 section 4.8.3). Default `jabber:client`.
   */
  readonly contentNs?: string
}

/** What the stream machine sees of a scanner. */
export interface StreamScanner {
  limits: ScannerLimits
  /** Bytes of white space between first-level elements so far: keep-alives, RFC 6120 section 4.6.1. */
  readonly whitespace: number
  /** Bytes consumed so far. */
  readonly position: number
  /** True while a first-level element or a header is incomplete. */
  readonly isMidway: boolean
  /**
   * Scans bytes of a shared read buffer; nothing of it is referred to after the return. Returns how many it consumed: all, unless
   * the sink called `stop`. The rest is the caller's: to write again, to hand on, or to forget (STARTTLS).
   */
  write(bytes: Uint8Array, start?: number, end?: number): number
  /** From inside of a callback: `write` returns behind the element that is being reported. */
  stop(): void
  /**
   * The end of a frame or wrapper; a fault when its document is not complete. The element of a frame is reported now, because a
   * frame that goes on behind it is not a document. Nothing to a `stream`.
   */
  endFrame(): void
  /** A new stream begins with the next byte; from inside of a callback, with the byte behind the element reported. */
  reset(): void
}
