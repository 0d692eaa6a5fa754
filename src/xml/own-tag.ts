/** What the scan keeps of tags: names to compare, the first-level tag's attributes, the children's names. */
import { ATTR_STRIDE, HAS_PREFIX, HAS_REFERENCE, HAS_XMLNS, KID_STRIDE, KIDS, type Work } from './work.ts'

export function sameBytes(b: Uint8Array, one: number, two: number, length: number): boolean {
  for (let k = 0; k < length; k++) if (b[one + k] !== b[two + k]) return false
  return true
}

/** FNV-1a over a name: names that differ are hardly ever compared further, however alike they are made. */
export function nameSignature(b: Uint8Array, start: number, length: number): number {
  let hash = -0x7ee3623b
  for (let k = 0; k < length; k++) hash = Math.imul(hash ^ b[start + k]!, 0x01000193)
  return hash
}

/** `xmlns` at `i`. */
export function isXmlns(b: Uint8Array, i: number): boolean {
  return b[i] === 0x78 && b[i + 1] === 0x6d && b[i + 2] === 0x6c && b[i + 3] === 0x6e && b[i + 4] === 0x73
}

/** Puts the attributes of the first-level tag, which ends at `end`, where routing finds them. */
export function keepOwnTag(w: Work, b: Uint8Array, base: number, tag: number, attrs: number, end: number): void {
  w.tag = tag
  w.attrs = attrs
  w.nameEnd = w.open[1]!
  w.tagEnd = w.bodyEnd = end
  w.ownColon = w.nameColon
  w.ownTag = w.tag
  w.fromAt = w.toAt = w.idAt = w.typeAt = w.langAt = w.nsAt = -1
  const last = w.attrs * ATTR_STRIDE
  const at = w.at
  for (let k = 0; k < last; k += ATTR_STRIDE) {
    const start = base + at[k + 1]!
    switch (at[k + 2]! + base - start) {
      case 2:
        if (b[start] === 0x74 && b[start + 1] === 0x6f) {
          w.toAt = at[k + 3]!
          w.toEnd = at[k + 4]!
        } else if (b[start] === 0x69 && b[start + 1] === 0x64) {
          w.idAt = at[k + 3]!
          w.idEnd = at[k + 4]!
        }
        break
      case 4:
        if (b[start] === 0x66 && b[start + 1] === 0x72 && b[start + 2] === 0x6f && b[start + 3] === 0x6d) {
          w.fromAt = at[k + 3]!
          w.fromEnd = at[k + 4]!
        } else if (b[start] === 0x74 && b[start + 1] === 0x79 && b[start + 2] === 0x70 && b[start + 3] === 0x65) {
          w.typeAt = at[k + 3]!
          w.typeEnd = at[k + 4]!
        }
        break
      case 5:
        if ((w.tag & HAS_XMLNS) !== 0 && isXmlns(b, start)) {
          w.nsAt = at[k + 3]!
          w.nsEnd = at[k + 4]!
        }
        break
      case 8:
        if (at[k + 5]! >= 0 && isText(b, start, 'xml:lang')) {
          w.langAt = at[k + 3]!
          w.langEnd = at[k + 4]!
        }
        break
    }
  }
}

export function isText(b: Uint8Array, start: number, text: string): boolean {
  for (let k = 0; k < text.length; k++) if (b[start + k] !== text.charCodeAt(k)) return false
  return true
}

/** Notes a child of the stanza, so that its name need not be searched for. `start` is at its name. */
export function keepKid(w: Work, start: number, nameEnd: number, tag: number): void {
  if (
    w.kidCount === KIDS ||
    (tag & HAS_PREFIX) !== 0 ||
    (tag & (HAS_XMLNS | HAS_REFERENCE)) === (HAS_XMLNS | HAS_REFERENCE)
  ) {
    w.kidCount = -1
    return
  }
  const n = w.kidCount++ * KID_STRIDE
  w.kids[n] = start - 1
  w.kids[n + 1] = nameEnd
  w.kids[n + 2] = -1
  if ((tag & HAS_XMLNS) === 0) return
  w.kids[n + 2] = w.at[w.nsAttr + 3]!
  w.kids[n + 3] = w.at[w.nsAttr + 4]!
}
