/**
 * Characters of XML 1.0 (fifth edition) and of UTF-8 (RFC 3629): byte tables for the scanner, checks for the builder.
 */
import { REFERENCE_BYTES } from './limits.ts'

function table(accept: (byte: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(256)
  for (let byte = 0; byte < 256; byte++) bytes[byte] = accept(byte) ? 1 : 0
  return bytes
}

const letter = (c: number): boolean => (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || c === 0x5f
const plain = (c: number): boolean => (c >= 0x20 && c < 0x80) || c === 0x09 || c === 0x0a || c === 0x0d

/** ASCII bytes that stand for themselves in text: all but `<`, `&`, `>` (which may end `]]>`) and controls. */
export const TEXT_PLAIN = table((c) => plain(c) && c !== 0x3c && c !== 0x26 && c !== 0x3e)
/** The same inside an attribute value: all but `<`, `&`, both quotes and controls. */
export const VALUE_PLAIN = table((c) => plain(c) && c !== 0x3c && c !== 0x26 && c !== 0x22 && c !== 0x27)
/** The same inside a CDATA section: all but `>` and controls. */
export const CDATA_PLAIN = table((c) => plain(c) && c !== 0x3e)
/** ASCII bytes that may begin a name; the colon is not among them. */
export const NAME_START = table(letter)
/** ASCII bytes that may go on a name; the colon is not among them. */
export const NAME_PART = table((c) => letter(c) || (c >= 0x30 && c <= 0x39) || c === 0x2d || c === 0x2e)
export const SPACE = table((c) => c === 0x20 || c === 0x09 || c === 0x0a || c === 0x0d)

/** Results of the readers below that are not lengths. */
export const MORE = 0
export const BAD_UTF8 = -1
export const BAD_CHARACTER = -2
export const BAD_REFERENCE = -3
export const FOREIGN_ENTITY = -4
export const LONG_REFERENCE = -5

/**
 * Length of the UTF-8 sequence at `i`, whose first byte is 0x80 or more: 2 to 4; MORE when it goes on beyond `end`; BAD_UTF8 for
 * overlong forms, surrogates and code points beyond U+10FFFF (RFC 3629 section 4); BAD_CHARACTER for U+FFFE and U+FFFF.
 */
export function charLength(b: Uint8Array, i: number, end: number): number {
  const c = b[i]!
  if (c < 0xe0) {
    if (c < 0xc2) return BAD_UTF8
    if (i + 2 > end) return MORE
    return (b[i + 1]! & 0xc0) === 0x80 ? 2 : BAD_UTF8
  }
  if (c < 0xf0) {
    if (i + 3 > end) return MORE
    const d = b[i + 1]!
    if ((d & 0xc0) !== 0x80 || (b[i + 2]! & 0xc0) !== 0x80) return BAD_UTF8
    if ((c === 0xe0 && d < 0xa0) || (c === 0xed && d > 0x9f)) return BAD_UTF8
    return c === 0xef && d === 0xbf && b[i + 2]! >= 0xbe ? BAD_CHARACTER : 3
  }
  if (c > 0xf4) return BAD_UTF8
  if (i + 4 > end) return MORE
  const d = b[i + 1]!
  if ((d & 0xc0) !== 0x80 || (b[i + 2]! & 0xc0) !== 0x80 || (b[i + 3]! & 0xc0) !== 0x80) return BAD_UTF8
  return (c === 0xf0 && d < 0x90) || (c === 0xf4 && d > 0x8f) ? BAD_UTF8 : 4
}

/** As `charLength`, of this character and all behind it that are not ASCII; what is wrong with a later one is said when it is the first. */
export function charsLength(b: Uint8Array, from: number, end: number): number {
  let i = from
  for (;;) {
    const c = b[i]!
    if (c >= 0xc2 && c < 0xe0 && i + 1 < end && (b[i + 1]! & 0xc0) === 0x80) i += 2
    else {
      const length = charLength(b, i, end)
      if (length <= 0) return i > from ? i - from : length
      i += length
    }
    if (i === end || b[i]! < 0x80) return i - from
  }
}

/** The code point of a checked sequence. */
export function codePoint(b: Uint8Array, i: number, length: number): number {
  const c = b[i]!
  if (length === 2) return ((c & 0x1f) << 6) | (b[i + 1]! & 0x3f)
  if (length === 3) return ((c & 0x0f) << 12) | ((b[i + 1]! & 0x3f) << 6) | (b[i + 2]! & 0x3f)
  return ((c & 0x07) << 18) | ((b[i + 1]! & 0x3f) << 12) | ((b[i + 2]! & 0x3f) << 6) | (b[i + 3]! & 0x3f)
}

/** NameStartChar of XML 1.0 section 2.3 beyond ASCII, as ranges. */
const START_RANGES = [
  0xc0, 0xd6, 0xd8, 0xf6, 0xf8, 0x2ff, 0x370, 0x37d, 0x37f, 0x1fff, 0x200c, 0x200d, 0x2070, 0x218f, 0x2c00, 0x2fef,
  0x3001, 0xd7ff, 0xf900, 0xfdcf, 0xfdf0, 0xfffd, 0x10000, 0xeffff,
] as const

export function isNameStart(c: number): boolean {
  if (c < 0x80) return NAME_START[c] === 1
  for (let k = 0; k < START_RANGES.length; k += 2) if (c >= START_RANGES[k]! && c <= START_RANGES[k + 1]!) return true
  return false
}

export function isNamePart(c: number): boolean {
  if (c < 0x80) return NAME_PART[c] === 1
  return c === 0xb7 || (c >= 0x300 && c <= 0x36f) || c === 0x203f || c === 0x2040 || isNameStart(c)
}

/** For all characters of two bytes: bit 1 when it may begin a name, bit 2 when it may go on one. */
const TWO_BYTES = Uint8Array.from({ length: 0x800 }, (_, c) => (isNameStart(c) ? 1 : 0) | (isNamePart(c) ? 2 : 0))

/** As `charLength`, for a character of a name; BAD_CHARACTER when it may not stand there. */
export function nameCharLength(b: Uint8Array, i: number, end: number, first: boolean): number {
  const length = charLength(b, i, end)
  if (length <= 0) return length
  const c = codePoint(b, i, length)
  if (length === 2) return (TWO_BYTES[c]! & (first ? 1 : 2)) !== 0 ? 2 : BAD_CHARACTER
  return (first ? isNameStart(c) : isNamePart(c)) ? length : BAD_CHARACTER
}

/** The same of this character and all behind it that are not ASCII, as `charsLength` does. */
export function nameCharsLength(b: Uint8Array, from: number, end: number, first: boolean): number {
  let i = from
  for (let mask = first ? 1 : 2; ; mask = 2) {
    const c = b[i]!
    const d = b[i + 1]!
    if (
      c >= 0xc2 &&
      c < 0xe0 &&
      i + 1 < end &&
      (d & 0xc0) === 0x80 &&
      (TWO_BYTES[((c & 0x1f) << 6) | (d & 0x3f)]! & mask) !== 0
    )
      i += 2
    else {
      const length = nameCharLength(b, i, end, mask === 1)
      if (length <= 0) return i > from ? i - from : length
      i += length
    }
    if (i === end || b[i]! < 0x80) return i - from
  }
}

/** Char of XML 1.0 section 2.2. */
export function isChar(c: number): boolean {
  if (c < 0x20) return c === 0x09 || c === 0x0a || c === 0x0d
  return c < 0xd800 || (c > 0xdfff && c < 0xfffe) || (c > 0xffff && c <= 0x10ffff)
}

/** `&#…;`, its `&` at `i`. */
function characterReference(b: Uint8Array, i: number, end: number): number {
  const stop = end < i + REFERENCE_BYTES ? end : i + REFERENCE_BYTES
  const hex = i + 2 < end && b[i + 2] === 0x78
  const first = hex ? i + 3 : i + 2
  let value = 0
  for (let k = first; k < stop; k++) {
    const c = b[k]!
    if (c >= 0x30 && c <= 0x39) value = value * (hex ? 16 : 10) + c - 0x30
    else if (hex && (c | 0x20) >= 0x61 && (c | 0x20) <= 0x66) value = value * 16 + (c | 0x20) - 0x57
    else if (c !== 0x3b || k === first) return BAD_REFERENCE
    else return isChar(value) ? k + 1 - i : BAD_CHARACTER
  }
  return stop < i + REFERENCE_BYTES ? MORE : LONG_REFERENCE
}

/** `quot` or `apos` before a ";" at `i`; the other three have been dealt with. */
function isQuoteName(b: Uint8Array, i: number): boolean {
  if (b[i] === 0x71) return b[i + 1] === 0x75 && b[i + 2] === 0x6f && b[i + 3] === 0x74
  return b[i] === 0x61 && b[i + 1] === 0x70 && b[i + 2] === 0x6f && b[i + 3] === 0x73
}

/**
 * Length of the reference whose `&` is at `i`, `;` included; MORE, BAD_REFERENCE (not the syntax of a reference), BAD_CHARACTER
 * (names a character that XML does not allow), FOREIGN_ENTITY (not one of the five) or LONG_REFERENCE.
 */
export function referenceLength(b: Uint8Array, i: number, end: number): number {
  if (i + 1 < end && b[i + 1] === 0x23) return characterReference(b, i, end)
  // The commonest first: this is what makes a text full of `&lt;` as cheap as any other.
  if (i + 4 <= end && b[i + 3] === 0x3b && b[i + 2] === 0x74 && (b[i + 1] === 0x6c || b[i + 1] === 0x67)) return 4
  if (i + 5 <= end && b[i + 4] === 0x3b && b[i + 1] === 0x61 && b[i + 2] === 0x6d && b[i + 3] === 0x70) return 5
  if (i + 6 <= end && b[i + 5] === 0x3b && isQuoteName(b, i + 1)) return 6
  const stop = end < i + REFERENCE_BYTES ? end : i + REFERENCE_BYTES
  let k = i + 1
  for (; k < stop; k++) {
    const c = b[k]!
    if (c === 0x3b) break
    if (NAME_PART[c] !== 1 && c < 0x80 && c !== 0x3a) return BAD_REFERENCE
  }
  if (k === stop) return stop === end && k < i + REFERENCE_BYTES ? MORE : LONG_REFERENCE
  if (k === i + 1) return BAD_REFERENCE
  return NAME_START[b[i + 1]!] === 1 || b[i + 1]! >= 0x80 ? FOREIGN_ENTITY : BAD_REFERENCE
}

/** Index of the first character that XML does not allow in `text` (lone surrogates included), or -1. */
export function illegalChar(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c >= 0x20 && c < 0xd800) continue
    if (c < 0x20) {
      if (c !== 0x09 && c !== 0x0a && c !== 0x0d) return i
    } else if (c < 0xdc00) {
      const low = text.charCodeAt(i + 1)
      if (!(low >= 0xdc00 && low <= 0xdfff)) return i
      i++
    } else if (c <= 0xdfff || c >= 0xfffe) return i
  }
  return -1
}

/** True for a name without colon, as namespaces demand (NCName). */
export function isLocalName(name: string): boolean {
  if (name === '') return false
  for (let i = 0; i < name.length; i++) {
    const c = name.codePointAt(i)!
    if (!(i === 0 ? isNameStart(c) : isNamePart(c))) return false
    if (c > 0xffff) i++
  }
  return true
}
