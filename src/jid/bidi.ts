/** The Bidi rule of RFC 5893 section 2. */
import { BIDI_AL, BIDI_AN, BIDI_EN, BIDI_L, BIDI_NSM, BIDI_R, bidiClass } from './tables.ts'

const isRtl = (bidi: number) => bidi === BIDI_R || bidi === BIDI_AL || bidi === BIDI_AN

/** True when the text holds a character of class R, AL or AN, so that the rule applies to it. */
export function hasRtl(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.codePointAt(i) ?? 0
    if (c > 0xffff) i++
    if (c >= 0x590 && isRtl(bidiClass.at(c))) return true
  }
  return false
}

/** All six conditions, for one label or localpart. */
export function keepsBidiRule(text: string): boolean {
  const first = bidiClass.at(text.codePointAt(0) ?? 0)
  if (first !== BIDI_L && first !== BIDI_R && first !== BIDI_AL) return false
  const rtl = first !== BIDI_L
  let last = first
  let european = false
  let arabic = false
  for (let i = 0; i < text.length; i++) {
    const c = text.codePointAt(i) ?? 0
    if (c > 0xffff) i++
    const bidi = bidiClass.at(c)
    const allowed = bidi >= BIDI_EN || (rtl ? isRtl(bidi) : bidi === BIDI_L)
    if (!allowed) return false
    if (bidi === BIDI_EN) european = true
    if (bidi === BIDI_AN) arabic = true
    if (bidi !== BIDI_NSM) last = bidi
  }
  if (european && arabic) return false
  return last === BIDI_EN || (rtl ? isRtl(last) : last === BIDI_L)
}
