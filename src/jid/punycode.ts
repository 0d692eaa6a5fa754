/** Punycode (RFC 3492) for one label, without the prefix. Decoding is strict: every A-label has one spelling. */

const BASE = 36
const T_MIN = 1
const T_MAX = 26
const SKEW = 38
const DAMP = 700
const INITIAL_BIAS = 72
const INITIAL_N = 128
const HYPHEN = 0x2d

/** Section 6.1. */
function adapt(delta: number, points: number, first: boolean): number {
  let d = first ? Math.floor(delta / DAMP) : delta >> 1
  d += Math.floor(d / points)
  let k = 0
  while (d > ((BASE - T_MIN) * T_MAX) >> 1) {
    d = Math.floor(d / (BASE - T_MIN))
    k += BASE
  }
  return k + Math.floor(((BASE - T_MIN + 1) * d) / (d + SKEW))
}

const threshold = (k: number, bias: number) => Math.min(T_MAX, Math.max(T_MIN, k - bias))

/** a to z are 0 to 25, digits 26 to 35; -1 for anything else. Upper case is not expected any more. */
function digitOf(c: number): number {
  if (c >= 0x61 && c <= 0x7a) return c - 0x61
  return c >= 0x30 && c <= 0x39 ? c - 0x30 + 26 : -1
}

const symbolOf = (digit: number) => String.fromCharCode(digit < 26 ? digit + 0x61 : digit - 26 + 0x30)

/** Section 6.2. Lower-case ASCII of at most 59 characters to Unicode; undefined when it is not Punycode. */
export function decodePunycode(text: string): string | undefined {
  const split = text.lastIndexOf('-')
  const points: number[] = []
  for (let i = 0; i < split; i++) points.push(text.charCodeAt(i))
  let n = INITIAL_N
  let i = 0
  let bias = INITIAL_BIAS
  for (let at = split < 0 ? 0 : split + 1; at < text.length; ) {
    const before = i
    let weight = 1
    for (let k = BASE; ; k += BASE) {
      const digit = at < text.length ? digitOf(text.charCodeAt(at++)) : -1
      if (digit < 0) return undefined
      i += digit * weight
      if (i > 0x7fffffff) return undefined
      const t = threshold(k, bias)
      if (digit < t) break
      weight *= BASE - t
      if (weight > 0x7fffffff) return undefined
    }
    const size = points.length + 1
    bias = adapt(i - before, size, before === 0)
    n += Math.floor(i / size)
    i %= size
    if (n > 0x10ffff || (n >= 0xd800 && n <= 0xdfff)) return undefined
    points.splice(i++, 0, n)
  }
  return String.fromCodePoint(...points)
}

/** The least code point that is not below `n`. */
function nextPoint(points: readonly number[], n: number): number {
  let least = 0x110000
  for (const c of points) if (c >= n && c < least) least = c
  return least
}

/** Section 6.3, one delta as a number of variable length. */
function writeDelta(delta: number, bias: number): string {
  let text = ''
  let q = delta
  for (let k = BASE; ; k += BASE) {
    const t = threshold(k, bias)
    if (q < t) return text + symbolOf(q)
    text += symbolOf(t + ((q - t) % (BASE - t)))
    q = Math.floor((q - t) / (BASE - t))
  }
}

/**
 * Section 6.3. Quadratic in the worst case, so a label must be bounded before: one of more than 63 code points has no
 * A-label anyway. Undefined for such a one.
 */
export function encodePunycode(label: string): string | undefined {
  const points: number[] = []
  for (const character of label) {
    points.push(character.codePointAt(0) ?? 0)
    if (points.length > 63) return undefined
  }
  const basic = points.filter((c) => c < 0x80)
  let text = String.fromCharCode(...basic)
  if (basic.length > 0) text += String.fromCharCode(HYPHEN)
  let n = INITIAL_N
  let delta = 0
  let bias = INITIAL_BIAS
  let handled = basic.length
  while (handled < points.length) {
    const next = nextPoint(points, n)
    delta += (next - n) * (handled + 1)
    n = next
    for (const c of points) {
      if (c < n) delta++
      if (c !== n) continue
      text += writeDelta(delta, bias)
      bias = adapt(delta, handled + 1, handled === basic.length)
      delta = 0
      handled++
    }
    delta++
    n++
  }
  return text
}
