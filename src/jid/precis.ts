/** The PRECIS profiles (RFC 8264, RFC 8265) that RFC 7622 prescribes for localparts, resourceparts and passwords. */
import { checkAsciiLocal, checkAsciiResource, MAX_PART, OK } from './ascii.ts'
import { hasRtl, keepsBidiRule } from './bidi.ts'
import { keepsContextRules } from './context.ts'
import { FAULT, type JidFault } from './fault.ts'
import { CONTEXT, DISALLOWED, hasTooManyMarks, mapCase, mapWidth, PVALID, precis, space } from './tables.ts'

/** No mapping shortens a text to less than half (four characters can compose to one of three bytes), so this is no JID. */
const MAX_INPUT = 2 * MAX_PART

/** Passwords longer than this are refused before any work is spent on them; in UTF-16 units. */
export const MAX_PASSWORD = 4096

type Verdict = 'allowed' | 'contextual' | 'refused'

/** Whether all characters belong to a string class (RFC 8264 sections 4.2 and 4.3), contextual rules left aside. */
function inClass(text: string, freeform: boolean): Verdict {
  let verdict: Verdict = 'allowed'
  for (let i = 0; i < text.length; i++) {
    const c = text.codePointAt(i) ?? 0
    if (c > 0xffff) i++
    const value = precis.at(c)
    if (value === PVALID) continue
    if (value === CONTEXT) verdict = 'contextual'
    else if (value === DISALLOWED || !freeform) return 'refused'
  }
  return verdict
}

/** Behavioural rules come last (RFC 8264 section 7): class and context of the mapped text. */
function isValid(text: string, freeform: boolean): boolean {
  const verdict = inClass(text, freeform)
  return verdict === 'allowed' || (verdict === 'contextual' && keepsContextRules(text))
}

/** RFC 8264 section 7: the rules are applied until nothing changes, four times at most; else undefined. */
function settle(text: string, map: (text: string) => string): string | undefined {
  let current = text
  for (let i = 0; i < 4; i++) {
    const next = map(current)
    if (next === current) return current
    current = next
  }
  return map(current) === current ? current : undefined
}

const isLong = (text: string) => text.length > MAX_PART || Buffer.byteLength(text, 'utf8') > MAX_PART

const mapUsername = (text: string) => mapCase(mapWidth(text)).normalize('NFC')

/** RFC 7622 section 3.3.1. */
function hasExcluded(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c > 0x40 || c < 0x22) continue
    if (c === 0x22 || c === 0x26 || c === 0x27 || c === 0x2f || c === 0x3a || c === 0x3c || c === 0x3e || c === 0x40) {
      return true
    }
  }
  return false
}

/** UsernameCaseMapped (RFC 8265 section 3.3) with the exclusions and the limit of RFC 7622 section 3.3. */
export function enforceLocal(text: string): string | JidFault {
  return checkAsciiLocal(text) === OK ? text : enforceAnyLocal(text)
}

/** The general path; the tests compare it with the ASCII one. */
export function enforceAnyLocal(text: string): string | JidFault {
  if (text.length === 0) return FAULT.localEmpty
  if (text.length > MAX_INPUT) return FAULT.localLong
  // Preparation (section 3.3.2) comes before the mapping of case and the normalisation.
  if (inClass(mapWidth(text), false) === 'refused') return FAULT.localCharacter
  if (hasTooManyMarks(text)) return FAULT.localMarks
  const mapped = settle(text, mapUsername)
  if (mapped === undefined || !isValid(mapped, false) || hasExcluded(mapped)) return FAULT.localCharacter
  if (isLong(mapped)) return FAULT.localLong
  return hasRtl(mapped) && !keepsBidiRule(mapped) ? FAULT.localBidi : mapped
}

/** Non-ASCII spaces become U+0020 (RFC 8265 section 4.2.2, rule 2). All of them are in the BMP. */
function mapSpaces(text: string): string {
  let mapped = ''
  let done = 0
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x80 || space.at(c) === 0) continue
    mapped += `${text.slice(done, i)} `
    done = i + 1
  }
  return done === 0 ? text : mapped + text.slice(done)
}

const mapOpaque = (text: string) => mapSpaces(text).normalize('NFC')

/** OpaqueString (RFC 8265 section 4.2) without a limit; undefined when the text is empty or not allowed. */
function enforceOpaque(text: string): string | undefined {
  if (text.length === 0 || inClass(text, true) === 'refused' || hasTooManyMarks(text)) return undefined
  const mapped = settle(text, mapOpaque)
  return mapped !== undefined && isValid(mapped, true) ? mapped : undefined
}

/**
 * OpaqueString with the limit of RFC 7622 section 3.4. A leading space is refused although the profile would keep it:
 * example 18 of section 3.5 says that it makes no JID.
 */
export function enforceResource(text: string): string | JidFault {
  return checkAsciiResource(text) === OK ? text : enforceAnyResource(text)
}

/** The general path; the tests compare it with the ASCII one. */
export function enforceAnyResource(text: string): string | JidFault {
  if (text.length === 0) return FAULT.resourceEmpty
  if (text.length > MAX_INPUT) return FAULT.resourceLong
  const mapped = enforceOpaque(text)
  if (mapped === undefined) return FAULT.resourceCharacter
  if (isLong(mapped)) return FAULT.resourceLong
  return mapped.charCodeAt(0) === 0x20 ? FAULT.resourceSpace : mapped
}

function orUndefined(prepared: string | JidFault): string | undefined {
  return typeof prepared === 'string' ? prepared : undefined
}

/** The prepared form of a localpart of 1 to 1023 bytes; undefined when it is invalid or empty. */
export function prepLocal(text: string): string | undefined {
  return orUndefined(enforceLocal(text))
}

/** The prepared form of a resourcepart of 1 to 1023 bytes; undefined when it is invalid or empty. */
export function prepResource(text: string): string | undefined {
  return orUndefined(enforceResource(text))
}

/** OpaqueString for passwords (RFC 8265 section 4); undefined when empty, invalid or longer than `MAX_PASSWORD`. */
export function prepPassword(text: string): string | undefined {
  return text.length > MAX_PASSWORD ? undefined : enforceOpaque(text)
}

/**
 * The name in a SASL exchange is the localpart of the account (RFC 6120 section 6.3.7), so the stricter rules of
 * localparts hold: UsernameCaseMapped, which RFC 8265 section 6.1 puts in the place of SASLprep.
 */
export function prepUsernameForSasl(text: string): string | undefined {
  return orUndefined(enforceLocal(text))
}
