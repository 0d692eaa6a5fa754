/**
 * Names and namespaces repeat without end; here each is one string. It saves the copy, and a string met before has its hash, so
 * tables of handlers answer at once. A cache of values only: 512 places of at most 64 bytes, and nothing is ever wrong in it.
 */
import { unescapeAttr } from './escape.ts'
import { decode, isAscii, type Octets, own } from './octets.ts'

const PLACES = 512
const LONGEST = 64
const known: (string | undefined)[] = new Array<string | undefined>(PLACES).fill(undefined)
/** Only each eighth stranger is let in, so that a peer who makes names up pays us little and evicts slowly. */
let strangers = 0

function placeOf(s: Octets, start: number, end: number): number {
  const last = s.charCodeAt(end - 1)
  const middle = s.charCodeAt((start + end) >> 1)
  return (
    (Math.imul(end - start, 0x9e5) ^ Math.imul(last, 0x3d) ^ Math.imul(middle, 0x1b5) ^ s.charCodeAt(end - 3)) &
    (PLACES - 1)
  )
}

/** The string that is known for these bytes, or undefined. */
function recall(s: Octets, start: number, end: number, place: number): string | undefined {
  const found = known[place]
  return found !== undefined && found.length === end - start && s.substring(start, end) === found ? found : undefined
}

function introduce(bytes: Octets, place: number): void {
  if ((++strangers & 7) === 0 && isAscii(bytes)) known[place] = own(bytes)
}

/** A name. */
export function nameOf(s: Octets, start: number, end: number): string {
  if (end - start > LONGEST || end - start < 3) return decode(s.substring(start, end) as Octets)
  const place = placeOf(s, start, end)
  const found = recall(s, start, end, place)
  if (found !== undefined) return found
  const bytes = s.substring(start, end) as Octets
  introduce(bytes, place)
  return decode(bytes)
}

/** A namespace, from the value of a declaration; references are resolved. */
export function nsOf(s: Octets, start: number, end: number): string {
  if (end - start > LONGEST || end - start < 3) return unescapeAttr(s.substring(start, end) as Octets)
  const place = placeOf(s, start, end)
  const found = recall(s, start, end, place)
  if (found !== undefined) return found
  const bytes = s.substring(start, end) as Octets
  const text = unescapeAttr(bytes)
  // What is known must mean itself.
  if (text === bytes) introduce(bytes, place)
  return text
}
