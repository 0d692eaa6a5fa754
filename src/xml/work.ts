/**
 * The state of one stanza (or stream header) in progress: everything the scan needs to go on after any byte. An idle scanner
 * holds none; a spare one is handed round, so that 10,000 idle sessions do not keep 10,000 of them.
 */
import type { XmlCode } from './errors.ts'
import type { Offsets } from './lazy.ts'

/** Where the scan stands. */
export const TEXT = 0
export const LT = 1
export const NAME = 2
export const GAP = 3
export const ATTR = 4
export const EQ = 5
export const QUOTE = 6
export const VALUE = 7
export const AFTER = 8
export const SLASH = 9
export const OPEN = 10
export const EMPTY = 11
export const END = 12
export const END_GAP = 13
export const BANG = 14
export const CDATA = 15
/** A first-level element (or the start tag of the header) is complete. */
export const DONE = 16
/** "</" stands on the first level. */
export const CLOSING = 17
/** "<?" stands on the first level. */
export const DECLARATION = 18
/** `fault` says what is wrong. */
export const FAULT = 19

/** Bits of a start tag. */
export const HAS_PREFIX = 1
export const HAS_XMLNS = 2
export const HAS_REFERENCE = 4

/** Numbers kept of an attribute: a signature of its name, four offsets, the colon, the namespace's number, a link (`repeats.ts`). */
export const ATTR_STRIDE = 8
/**
 * Numbers kept of a prefix declaration: offsets of prefix and value, level of its element, the prefix's signature, the
 * namespace's number and signature, the declaration before it in the same slot.
 */
export const BINDING_STRIDE = 9
/** Slots by which a prefix is found. */
export const BINDING_SLOTS = 64
export const NO_BINDING = -1

/** Numbers kept of a child of the stanza, and of how many children. */
export const KID_STRIDE = 4
export const KIDS = 16

/** What stands for no namespace where an attribute has its number (`namespaces.ts`): it has no prefix, or is a declaration. */
export const UNBOUND = -1
export const DECLARES = -3

const NO_KIDS: readonly number[] = []

/** Bytes of a stanza that came in more than one read; grown by doubling. */
const FIRST_BYTES = 1024

export class Work implements Offsets {
  state = LT
  /** Open elements. */
  depth = 0
  elements = 0
  /** Start of the name or value that is being read. All offsets count from the "<" of the stanza. */
  mark = 0
  colon = -1
  nameColon = -1
  quote = 0
  attrs = 0
  /** Index of the `xmlns` attribute in `at`, when the tag has one. */
  nsAttr = 0
  /** Bits of the tag that is being read. */
  tag = 0
  /** Level of the innermost element that declares a prefix, or -1. */
  bindLevel = -1
  bindings = 0
  /** Level of the outermost open element with a default namespace other than the content's, or -1. */
  foreign = -1
  /** The payload uses a prefix that is declared outside of it. */
  inherits = false
  /** A prefix comes from the stream header, or means the content namespace: the stanza says something else on another stream. */
  leans = false
  /** The payload uses prefixes at all. */
  prefixed = false
  /** The payload declares the content namespace again, in a place where it is in force already. */
  redundant = false
  fault: XmlCode | undefined = undefined

  /** Only the start tag is wanted: a stream header. */
  headerOnly = false
  /** The header was an empty element: the stream ends where it begins. */
  selfClosed = false
  ownColon = -1
  ownTag = 0

  start = 0
  nameEnd = 0
  tagEnd = 0
  bodyEnd = 0
  end = 0
  fromAt = -1
  fromEnd = -1
  toAt = -1
  toEnd = -1
  idAt = -1
  idEnd = -1
  typeAt = -1
  typeEnd = -1
  langAt = -1
  langEnd = -1
  nsAt = -1
  nsEnd = -1

  /** Start and end of the names of open elements. */
  open = new Int32Array(2 * 16)
  at = new Int32Array(ATTR_STRIDE * 16)
  /** For tags with many attributes (`repeats.ts`). */
  slots: Int32Array | undefined = undefined
  slotTag = 0
  bound = new Int32Array(BINDING_STRIDE * 4)
  /** By slot: the innermost declaration, as its index in `bound`. */
  boundSlots = new Int32Array(BINDING_SLOTS).fill(NO_BINDING)
  /** Children of the stanza: start of the tag, end of its name, its xmlns value; -1 of them when they are too many or too odd. */
  kids = new Int32Array(KID_STRIDE * KIDS)
  kidCount = 0
  /** The bytes so far, when the stanza did not come whole. */
  buffer: Buffer | undefined = undefined
  filled = 0
  position = 0
  /** Bytes of the stream before the stanza. */
  origin = 0

  /** `inContent`: the default namespace around the stanza is the content namespace. */
  begin(headerOnly: boolean, inContent: boolean): void {
    this.state = LT
    this.depth = 0
    this.elements = 0
    this.bindLevel = -1
    if (this.bindings > 0) this.boundSlots.fill(NO_BINDING)
    this.bindings = 0
    this.foreign = inContent ? -1 : 0
    this.inherits = false
    this.leans = false
    this.prefixed = false
    this.redundant = false
    this.kidCount = 0
    this.headerOnly = headerOnly
    this.filled = 0
    this.position = 0
  }

  /** The children as a list that outlives this, or undefined when they must be searched for. */
  listKids(): readonly number[] | undefined {
    if (this.kidCount <= 0) return this.kidCount < 0 ? undefined : NO_KIDS
    const list = new Array<number>(this.kidCount * KID_STRIDE)
    for (let k = 0; k < list.length; k++) list[k] = this.kids[k]!
    return list
  }

  /** Copies bytes behind those it holds; the read buffer they come from is reused. */
  keep(bytes: Uint8Array, start: number, end: number): Buffer {
    const needed = this.filled + end - start
    let buffer = this.buffer
    if (buffer === undefined || buffer.length < needed) {
      let size = buffer?.length ?? FIRST_BYTES
      while (size < needed) size *= 2
      const grown = Buffer.allocUnsafeSlow(size)
      if (buffer !== undefined) grown.set(buffer.subarray(0, this.filled))
      this.buffer = buffer = grown
    }
    buffer.set(bytes.subarray(start, end), this.filled)
    this.filled = needed
    return buffer
  }
}

/** A longer copy of a table that is full. */
export function grown(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2)
  to.set(from)
  return to
}
