/** Look-ups in the generated Unicode tables: binary search over runs, about a dozen steps. */
import * as data from './unicode.generated.ts'

export interface RunTable {
  /** The value of the run that holds the code point. */
  at(codePoint: number): number
}

/** Unpacks what tools/unicode/generate.ts packed. */
function unpack(packed: string): RunTable {
  const starts: number[] = []
  const values: number[] = []
  let start = 0
  let length = 0
  for (let i = 0; i < packed.length; i++) {
    const c = packed.charCodeAt(i)
    if (c >= 0x41 && c <= 0x5a) {
      start += length
      length = 0
      starts.push(start)
      values.push(c - 0x41)
    } else length = length * 36 + (c <= 0x39 ? c - 0x30 : c - 0x57)
  }
  const from = Uint32Array.from(starts)
  const value = Uint8Array.from(values)
  return {
    at(codePoint) {
      let low = 0
      let high = from.length - 1
      while (low < high) {
        const middle = (low + high + 1) >>> 1
        if ((from[middle] ?? 0) <= codePoint) low = middle
        else high = middle - 1
      }
      return value[low] ?? 0
    },
  }
}

/** Derived property values; DISALLOWED includes UNASSIGNED. FREE_PVAL occurs in PRECIS only. */
export const DISALLOWED = 0
export const PVALID = 1
export const CONTEXT = 2
export const FREE_PVAL = 3

export const precis = unpack(data.PRECIS)
export const idna = unpack(data.IDNA)

export const BIDI_L = 1
export const BIDI_R = 2
export const BIDI_AL = 3
export const BIDI_AN = 4
export const BIDI_EN = 5
export const BIDI_NSM = 11
/** Bidi_Class; 5 to 11 are EN, ES, CS, ET, ON, BN, NSM, which either direction may hold; 0 is none of the named. */
export const bidiClass = unpack(data.BIDI)

export const JOINING_L = 1
export const JOINING_R = 2
export const JOINING_D = 3
export const JOINING_T = 4
export const joiningType = unpack(data.JOINING)

export const GREEK = 1
export const HEBREW = 2
/** Hiragana, Katakana and Han are this or more. */
export const KANA_OR_HAN = 3
export const script = unpack(data.SCRIPT)

export const mark = unpack(data.MARK)
export const virama = unpack(data.VIRAMA)
export const space = unpack(data.SPACE)

const widths: ReadonlyMap<number, string> = new Map(
  data.WIDTH.split(' ').map((pair) => {
    const [from = '', to = ''] = pair.split(':')
    return [Number.parseInt(from, 36), String.fromCodePoint(Number.parseInt(to, 36))]
  }),
)

/** Fullwidth and halfwidth forms become what they decompose to (RFC 8264 section 5.2.1). All are in the BMP. */
export function mapWidth(text: string): string {
  let mapped = ''
  let done = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x3000) continue
    const to = widths.get(c)
    if (to === undefined) continue
    mapped += text.slice(done, i) + to
    done = i + 1
  }
  return done === 0 ? text : mapped + text.slice(done)
}

/**
 * More combining marks in a row than this make no word of any language, but sorting them costs the square of their
 * number. The limit is that of Stream-Safe Text (UAX #15 section 13); PRECIS and IDNA have none.
 */
export const MAX_MARKS = 30

/** True when the text must not be normalised. */
export function hasTooManyMarks(text: string): boolean {
  let run = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.codePointAt(i) ?? 0
    if (c > 0xffff) i++
    // U+0300 is the first mark.
    run = c >= 0x300 && mark.at(c) === 1 ? run + 1 : 0
    if (run > MAX_MARKS) return true
  }
  return false
}

/**
 * Unicode's toLowerCase without the context of a final sigma: RFC 7622 section 3.5 (examples 9 to 11) and RFC 8265
 * section 3.6 map U+03A3 to U+03C3 everywhere.
 */
export function mapCase(text: string): string {
  return text.replaceAll('\u03a3', '\u03c3').toLowerCase()
}
