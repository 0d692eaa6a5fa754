/**
 * The fast path of every part of a JID: one pass over ASCII text, no allocation. Each function answers OK when the text
 * is already in its prepared form, SLOW when the general path has to look at it (it may still be fine).
 */

export const OK = 0
export const SLOW = 1

const LOCAL = 1
const DOMAIN = 2
const RESOURCE = 4

/** Which ASCII characters stand unchanged in which part. */
const CLASS = /* @__PURE__ */ (() => {
  const table = new Uint8Array(128)
  for (let c = 0x21; c < 0x7f; c++) table[c] = LOCAL | RESOURCE
  table[0x20] = RESOURCE
  // RFC 7622 section 3.3.1, and upper case, which is mapped.
  for (const excluded of '"&\'/:<>@ABCDEFGHIJKLMNOPQRSTUVWXYZ') table[excluded.charCodeAt(0)] = RESOURCE
  for (const letter of 'abcdefghijklmnopqrstuvwxyz0123456789') {
    const c = letter.charCodeAt(0)
    table[c] = (table[c] ?? 0) | DOMAIN
  }
  return table
})()

export const MAX_PART = 1023

function allOf(text: string, bit: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c > 0x7f || ((CLASS[c] ?? 0) & bit) === 0) return false
  }
  return true
}

export function checkAsciiLocal(text: string): number {
  return text.length > 0 && text.length <= MAX_PART && allOf(text, LOCAL) ? OK : SLOW
}

export function checkAsciiResource(text: string): number {
  return text.length > 0 && text.length <= MAX_PART && text.charCodeAt(0) !== 0x20 && allOf(text, RESOURCE) ? OK : SLOW
}

/**
 * Lower-case NR-LDH labels (RFC 5890 section 2.3.1) of at most 63 octets, 253 in all (RFC 1034 section 3.1: 255 on the
 * wire). A label with hyphens in places three and four, an A-label among them, goes the slow way.
 */
export function checkAsciiDomain(text: string): number {
  const length = text.length
  if (length === 0 || length > 253) return SLOW
  let start = 0
  for (let i = 0; i <= length; i++) {
    const c = i === length ? 0x2e : text.charCodeAt(i)
    if (c === 0x2e) {
      const size = i - start
      if (size === 0 || size > 63 || text.charCodeAt(start) === 0x2d || text.charCodeAt(i - 1) === 0x2d) return SLOW
      if (size > 3 && text.charCodeAt(start + 2) === 0x2d && text.charCodeAt(start + 3) === 0x2d) return SLOW
      start = i + 1
    } else if (c > 0x7f || (((CLASS[c] ?? 0) & DOMAIN) === 0 && c !== 0x2d)) return SLOW
  }
  return OK
}
