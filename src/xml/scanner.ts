/**
 * Bytes to stanzas, in whatever pieces they come (RFC 6120 sections 4 and 11, RFC 7395 section 3.3, XEP-0124 section 7). This file
 * knows first-level structure and framing; what is inside of an element is the scan's (`scan.ts`).
 */
import { SPACE } from './chars.ts'
import { type XmlCode, xmlFault } from './errors.ts'
import { checkDeclaration, readHeader } from './header.ts'
import { nameOf, nsOf } from './intern.ts'
import { FIRST_LEVEL, LazyElement, RAW_CHILDREN, RAW_PAYLOAD, RAW_TAG, RAW_WHOLE } from './lazy.ts'
import { defaultLimits, type ScannerLimits } from './limits.ts'
import { NS_CLIENT, NS_FRAMING } from './ns.ts'
import { fromBytes, type Octets } from './octets.ts'
import { scan } from './scan.ts'
import type { Framing, ScannerOptions, ScannerSink, StreamHeader, StreamScanner } from './scanner.types.ts'
import { canonicalNs, declared, NO_SCOPE, readTag, type Scope, tagName } from './tag.ts'
import { CLOSING, DECLARATION, DONE, FAULT, HAS_PREFIX, Work } from './work.ts'

/** Before the root; between first-level elements; inside of the root's end tag; behind it; after a fault. */
const PROLOG = 0
const BETWEEN = 1
const CLOSE = 2
const TAIL = 3
const DEAD = 4

/** Bytes copied at a time behind an incomplete stanza: little is copied in vain when it ends soon. */
const COPY_BYTES = 8192
/** A spare's buffer beyond this is let go. */
const SPARE_BYTES = 16_384

/**
 * Working memory between two stanzas, for whichever scanner needs it next. It carries nothing from one to the other, and is
 * given back before a sink is called, so that scanners may be used inside of each other's callbacks.
 */
let spare: Work | undefined

function take(): Work {
  const work = spare ?? new Work()
  spare = undefined
  return work
}

function giveBack(work: Work): void {
  if (work.buffer !== undefined && work.buffer.length > SPARE_BYTES) work.buffer = undefined
  spare = work
}

/** The names that nearly all first-level elements have, without a new string. */
function stanzaName(raw: Octets, start: number, end: number): string {
  switch (end - start) {
    case 2:
      if (raw.startsWith('iq', start)) return 'iq'
      break
    case 7:
      if (raw.startsWith('message', start)) return 'message'
      break
    case 8:
      if (raw.startsWith('presence', start)) return 'presence'
      break
  }
  return nameOf(raw, start, end)
}

export class Scanner implements StreamScanner {
  limits: ScannerLimits
  whitespace = 0
  readonly #framing: Framing
  /** First-level elements are children of a root. */
  readonly #isStreamed: boolean
  readonly #content: string
  readonly #sink: ScannerSink
  #phase = PROLOG
  #scope: Scope
  #root: Octets | undefined
  /** Bytes of the root's end tag that were matched. */
  #matched = 0
  #hasDeclaration = false
  #work: Work | undefined
  /** The element of a frame that has not ended. */
  #held: LazyElement | undefined
  #consumed = 0
  /** Position in the stream of index 0 of the bytes being written. */
  #origin = 0
  #stopped = false

  constructor(
    framing: Framing,
    limits: ScannerLimits = defaultLimits,
    sink: ScannerSink,
    options: ScannerOptions = {},
  ) {
    this.limits = limits
    this.#framing = framing
    this.#isStreamed = framing === 'stream' || framing === 'wrapper'
    this.#sink = sink
    this.#content = options.contentNs ?? NS_CLIENT
    this.#scope = this.#outermost()
  }

  #outermost(): Scope {
    return { ...NO_SCOPE, content: this.#content }
  }

  get position(): number {
    return this.#consumed
  }

  get isMidway(): boolean {
    return this.#work !== undefined || this.#phase === CLOSE
  }

  stop(): void {
    this.#stopped = true
  }

  reset(): void {
    this.#phase = PROLOG
    this.#scope = this.#outermost()
    this.#root = undefined
    this.#hasDeclaration = false
    this.#work = undefined
    this.#held = undefined
  }

  write(bytes: Uint8Array, start = 0, end: number = bytes.length): number {
    this.#stopped = false
    this.#origin = this.#consumed - start
    let i = start
    while (i < end && !this.#stopped) {
      const work = this.#work
      if (this.#phase === DEAD) i = end
      else if (work !== undefined) i = this.#goOn(work, bytes, i, end)
      else if (this.#phase === CLOSE) i = this.#close(bytes, i, end)
      else i = this.#begin(bytes, i, end)
    }
    this.#consumed = this.#origin + i
    return i - start
  }

  endFrame(): void {
    if (this.#framing === 'stream' || this.#phase === DEAD) return
    if (this.#phase !== TAIL) {
      this.#fail('RTK_XML_TRUNCATED', this.#consumed)
      return
    }
    const held = this.#held
    this.reset()
    if (held !== undefined) this.#reportFrame(held)
  }

  #fail(code: XmlCode, position: number): void {
    this.#phase = DEAD
    this.#work = undefined
    this.#held = undefined
    this.#sink.fault(xmlFault(code, position))
  }

  /** White space, then the "<" of something. */
  #begin(b: Uint8Array, from: number, end: number): number {
    let i = from
    while (i < end && SPACE[b[i]!] === 1) i++
    this.whitespace += i - from
    if (this.#framing === 'frame' && i > from && this.#phase === PROLOG) {
      // RFC 7395 section 3.3.3: the first character of a frame is "<".
      this.#fail('RTK_XML_NOT_XML', this.#origin + from)
      return end
    }
    if (i === end) return end
    if (b[i] !== 0x3c || this.#phase === TAIL) {
      this.#fail(this.#stray(b[i]!), this.#origin + i)
      return end
    }
    const work = take()
    work.begin(this.#phase === PROLOG && this.#isStreamed, this.#scope.ns === NS_CLIENT)
    work.origin = this.#origin + i
    const behind = this.#advance(work, b, i + 1, end, i)
    if (behind >= 0) return behind
    work.keep(b, i, end)
    this.#work = work
    return end
  }

  #stray(byte: number): XmlCode {
    if (byte >= 0xf5 || (byte >= 0x80 && byte < 0xc2)) return 'RTK_XML_BAD_UTF8'
    if (byte < 0x20) return byte === 0 ? 'RTK_XML_ENCODING' : 'RTK_XML_BAD_CHARACTER'
    if (this.#phase === TAIL) return 'RTK_XML_AFTER_END'
    return this.#phase === PROLOG ? 'RTK_XML_NOT_XML' : 'RTK_XML_TEXT_OUTSIDE'
  }

  /** More bytes of what came incomplete. */
  #goOn(work: Work, b: Uint8Array, from: number, end: number): number {
    const piece = Math.min(end - from, COPY_BYTES)
    const before = work.filled
    const buffer = work.keep(b, from, from + piece)
    const behind = this.#advance(work, buffer, work.position, work.filled, 0)
    if (behind < 0) return from + piece
    return this.#phase === DEAD ? end : from + behind - before
  }

  /** Scans on; returns how far an element, header or declaration went, or -1 when it is not complete. */
  #advance(work: Work, b: Uint8Array, from: number, end: number, base: number): number {
    const limit = work.headerOnly ? this.limits.headerBytes : this.limits.stanzaBytes
    const stop = base + limit < end ? base + limit : end
    let i = from
    if (work.state !== DECLARATION) i = scan(work, b, i, stop, base, this.#scope, this.#content, this.limits)
    if (work.state === DONE) {
      this.#work = undefined
      if (work.headerOnly) this.#open(work, b, base, i)
      else this.#report(work, b, base, i)
      return i
    }
    if (work.state === DECLARATION) {
      while (i < stop && b[i] !== 0x3e) i++
      if (i < stop) return this.#declare(work, b, base, i + 1)
    } else if (work.state === CLOSING) return this.#beginClose(work, i - base, i)
    else if (work.state === FAULT) {
      this.#fail(work.fault ?? 'RTK_XML_NOT_XML', work.origin + i - base)
      return end
    }
    if (stop - base === limit) {
      this.#fail(work.headerOnly ? 'RTK_XML_HEADER_BYTES' : 'RTK_XML_STANZA_BYTES', work.origin + limit)
      return end
    }
    work.position = i - base
    return -1
  }

  #declare(work: Work, b: Uint8Array, base: number, end: number): number {
    const known = this.#phase !== PROLOG || this.#hasDeclaration ? 'RTK_XML_INSTRUCTION' : undefined
    const code = known ?? checkDeclaration(fromBytes(b, base, end))
    this.#work = undefined
    giveBack(work)
    this.#hasDeclaration = true
    if (code !== undefined) this.#fail(code, work.origin)
    return end
  }

  #beginClose(work: Work, length: number, behind: number): number {
    const { origin } = work
    this.#work = undefined
    giveBack(work)
    if (this.#phase === PROLOG) this.#fail('RTK_XML_TAG_MISMATCH', origin + length)
    else {
      this.#phase = CLOSE
      this.#matched = 0
    }
    return behind
  }

  /** The root's end tag, byte by byte; it needs no memory but a count. */
  #close(b: Uint8Array, from: number, end: number): number {
    const root = this.#root ?? ''
    for (let i = from; i < end; i++) {
      const c = b[i]!
      if (this.#matched < root.length ? c === root.charCodeAt(this.#matched) : SPACE[c] === 1) this.#matched++
      else if (c === 0x3e && this.#matched >= root.length) {
        this.#phase = TAIL
        this.#sink.streamClose()
        return i + 1
      } else {
        this.#fail('RTK_XML_TAG_MISMATCH', this.#origin + i)
        return end
      }
    }
    return end
  }

  #open(work: Work, b: Uint8Array, base: number, end: number): void {
    const { selfClosed } = work
    const { header, qualified, scope } = readHeader(fromBytes(b, base, end), this.#content)
    giveBack(work)
    this.#root = qualified
    this.#scope = scope
    this.#phase = selfClosed ? TAIL : BETWEEN
    this.#sink.streamOpen(header)
    if (selfClosed) this.#sink.streamClose()
  }

  /** A first-level element is complete. */
  #report(work: Work, b: Uint8Array, base: number, end: number): void {
    const raw = fromBytes(b, base, end)
    const scope = this.#scope
    work.end = end - base
    let { ns } = scope
    let written = ns
    if (work.ownColon >= 0) {
      const tag = readTag(raw, 0)
      written = ns = tagName(raw, tag, declared(raw, tag, scope)).ns
    } else if (work.nsAt >= 0) {
      written = nsOf(raw, work.nsAt, work.nsEnd)
      ns = canonicalNs(written, this.#content)
    }
    const code = this.#framing === 'document' ? undefined : this.#misnamed(work, ns, written)
    if (code !== undefined) {
      this.#fail(code, work.origin)
      return
    }
    let flags = FIRST_LEVEL
    if (!work.inherits && !work.redundant && work.ownColon < 0) flags |= RAW_PAYLOAD
    if (!work.prefixed && !work.inherits && !work.redundant) flags |= RAW_CHILDREN
    if ((work.ownTag & HAS_PREFIX) === 0 && written === ns) flags |= RAW_TAG
    if (!work.leans && !work.redundant && work.ownColon < 0 && written === ns) flags |= RAW_WHOLE
    const name = stanzaName(raw, work.ownColon < 0 ? 1 : work.ownColon + 1, work.nameEnd)
    const element = new LazyElement(raw, name, ns, scope, flags, work, work.listKids())
    giveBack(work)
    if (!this.#isStreamed) this.#phase = TAIL
    // A frame is one document: nothing is done about it before its end is seen to be good.
    if (this.#framing === 'frame') this.#held = element
    else this.#sink.stanza(element)
  }

  /** RFC 6120 sections 4.8.3 and 4.8.5: the content namespace of another kind of stream, or a prefix for our own. */
  #misnamed(work: Work, ns: string, written: string): XmlCode | undefined {
    if (ns !== NS_CLIENT) return undefined
    if (work.ownColon >= 0) return 'RTK_XML_CONTENT_PREFIX'
    return work.nsAt >= 0 && written !== this.#content ? 'RTK_XML_CONTENT_NS' : undefined
  }

  #reportFrame(element: LazyElement): void {
    if (element.ns !== NS_FRAMING) this.#sink.stanza(element)
    else if (element.name === 'open') this.#sink.streamOpen(this.#frameHeader(element.raw))
    else if (element.name === 'close') this.#sink.streamClose(element)
    else this.#sink.stanza(element)
  }

  #frameHeader(raw: Octets): StreamHeader {
    return readHeader(raw, this.#content).header
  }
}
