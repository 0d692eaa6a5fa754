/** The contextual rules of RFC 5892 appendix A, for a label of IDNA or a string of PRECIS. Linear in its length. */
import {
  GREEK,
  HEBREW,
  JOINING_D,
  JOINING_L,
  JOINING_R,
  JOINING_T,
  joiningType,
  KANA_OR_HAN,
  script,
  virama,
} from './tables.ts'

const isArabicIndic = (c: number) => c >= 0x660 && c <= 0x669
const isExtendedArabicIndic = (c: number) => c >= 0x6f0 && c <= 0x6f9

function toPoints(text: string): number[] {
  const points: number[] = []
  for (let i = 0; i < text.length; i++) {
    const c = text.codePointAt(i) ?? 0
    if (c > 0xffff) i++
    points.push(c)
  }
  return points
}

/** A.1, second part: between letters that join, transparent ones aside. Each stretch is looked at twice at most. */
function joins(points: readonly number[], at: number): boolean {
  let left = at - 1
  while (left >= 0 && joiningType.at(points[left] ?? 0) === JOINING_T) left--
  let right = at + 1
  while (right < points.length && joiningType.at(points[right] ?? 0) === JOINING_T) right++
  if (left < 0 || right >= points.length) return false
  const before = joiningType.at(points[left] ?? 0)
  const after = joiningType.at(points[right] ?? 0)
  return (before === JOINING_L || before === JOINING_D) && (after === JOINING_R || after === JOINING_D)
}

/** One contextual code point, rules A.1 to A.6. True for those that have no rule about their neighbours. */
function fits(points: readonly number[], at: number): boolean {
  const before = points[at - 1]
  const after = points[at + 1]
  switch (points[at]) {
    case 0x200c: // A.1
      return (before !== undefined && virama.at(before) === 1) || joins(points, at)
    case 0x200d: // A.2
      return before !== undefined && virama.at(before) === 1
    case 0xb7: // A.3
      return before === 0x6c && after === 0x6c
    case 0x375: // A.4
      return after !== undefined && script.at(after) === GREEK
    case 0x5f3: // A.5
    case 0x5f4: // A.6
      return before !== undefined && script.at(before) === HEBREW
    default:
      return true
  }
}

/** True when every contextual code point stands where its rule allows it. */
export function keepsContextRules(text: string): boolean {
  const points = toPoints(text)
  let arabicIndic = false
  let extended = false
  let middleDot = false
  let kanaOrHan = false
  for (let i = 0; i < points.length; i++) {
    const c = points[i] ?? 0
    if (!fits(points, i)) return false
    arabicIndic ||= isArabicIndic(c)
    extended ||= isExtendedArabicIndic(c)
    middleDot ||= c === 0x30fb
    kanaOrHan ||= c > 0x2e00 && script.at(c) >= KANA_OR_HAN
  }
  // A.7: somewhere in the label is one of these scripts; A.8, A.9: the two sets of digits are not mixed.
  return (!middleDot || kanaOrHan) && !(arabicIndic && extended)
}
