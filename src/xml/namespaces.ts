/**
 * Namespace rules (Namespaces in XML 1.0) for the tags that need them: those with a prefix or a declaration. Works on bytes and
 * offsets and makes no string, because a peer may send nothing but such tags.
 */
import { codePoint, isNameStart, NAME_START } from './chars.ts'
import type { XmlCode } from './errors.ts'
import type { ScannerLimits } from './limits.ts'
import { NS_CLIENT, NS_XML, NS_XMLNS } from './ns.ts'
import type { Scope } from './tag.ts'
import { ATTR_STRIDE, BINDING_STRIDE, grown, HAS_PREFIX, HAS_REFERENCE, HAS_XMLNS, type Work } from './work.ts'

/**
 * A namespace as a number: a declaration inside of the stanza that has it (the outermost, as its index in `work.bound`), or one of
 * the stream header (HEADER minus its place in the list). Two prefixes mean one namespace when their numbers are the same.
 */
const UNBOUND = -1
const XML = -2
/** Not a namespace: the attribute is itself a declaration. */
const DECLARES = -3
const HEADER = -4

function equals(b: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let k = 0; k < text.length; k++) if (b[start + k] !== text.charCodeAt(k)) return false
  return true
}

function same(b: Uint8Array, one: number, two: number, length: number): boolean {
  for (let k = 0; k < length; k++) if (b[one + k] !== b[two + k]) return false
  return true
}

/** A name with its colon at `colon`: something on both sides, and a local part that may begin a name. All absolute offsets. */
export function isQualified(b: Uint8Array, start: number, colon: number, end: number): boolean {
  if (colon === start || colon + 1 >= end) return false
  const c = b[colon + 1]!
  if (c < 0x80) return NAME_START[c] === 1
  return isNameStart(codePoint(b, colon + 1, c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4))
}

/** The character that `step` has read. */
let character = 0

const ENTITY_CHARACTERS: Readonly<Record<number, number>> = { 108: 0x3c, 103: 0x3e, 113: 0x22 }

/** The character of a checked reference whose `&` is at `i`; its `;` is at `end`. */
function referred(b: Uint8Array, i: number, end: number): number {
  if (b[i + 1] !== 0x23) return ENTITY_CHARACTERS[b[i + 1]!] ?? (b[i + 2] === 0x6d ? 0x26 : 0x27)
  const hex = b[i + 2] === 0x78
  let value = 0
  for (let k = hex ? i + 3 : i + 2; k < end; k++) {
    const c = b[k]!
    value = value * (hex ? 16 : 10) + (c <= 0x39 ? c - 0x30 : (c | 0x20) - 0x57)
  }
  return value
}

/** Reads one character of a checked attribute value, as a reader of the value would see it; returns where the next one is. */
function step(b: Uint8Array, i: number): number {
  const c = b[i]!
  if (c >= 0x80) {
    const length = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4
    character = codePoint(b, i, length)
    return i + length
  }
  if (c !== 0x26) {
    character = c < 0x20 ? 0x20 : c
    return c === 0x0d && b[i + 1] === 0x0a ? i + 2 : i + 1
  }
  let end = i + 2
  while (b[end] !== 0x3b) end++
  character = referred(b, i, end)
  return end + 1
}

/** True when a value, its references resolved, is this text. */
function isValue(b: Uint8Array, start: number, end: number, text: string): boolean {
  let i = start
  let k = 0
  while (i < end && k < text.length) {
    i = step(b, i)
    if (text.codePointAt(k) !== character) return false
    k += character > 0xffff ? 2 : 1
  }
  return i === end && k === text.length
}

/** True when two values are the same, their references resolved. */
function sameValue(b: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  let i = start
  let j = otherStart
  while (i < end && j < otherEnd) {
    i = step(b, i)
    const one = character
    j = step(b, j)
    if (one !== character) return false
  }
  return i === end && j === otherEnd
}

function isNs(b: Uint8Array, start: number, end: number, references: boolean, ns: string): boolean {
  return references ? isValue(b, start, end, ns) : equals(b, start, end, ns)
}

/** The content namespace, as this stream writes it or as it is read. */
function isContentNs(b: Uint8Array, start: number, end: number, references: boolean, content: string): boolean {
  return isNs(b, start, end, references, content) || isNs(b, start, end, references, NS_CLIENT)
}

/** Checks `xmlns='…'`; tells the payload's foreign and redundant declarations apart. */
function declareDefault(w: Work, b: Uint8Array, base: number, k: number, content: string): XmlCode | undefined {
  const start = base + w.at[k + 3]!
  const end = base + w.at[k + 4]!
  const references = (w.tag & HAS_REFERENCE) !== 0
  const length = end - start
  if (references || length === NS_XML.length || length === NS_XMLNS.length) {
    if (isNs(b, start, end, references, NS_XML) || isNs(b, start, end, references, NS_XMLNS))
      return 'RTK_XML_BAD_NS_DECLARATION'
  }
  if (w.foreign >= 0 && w.depth > 0) return undefined
  const isContent = isContentNs(b, start, end, references, content)
  if (w.depth === 0) w.foreign = isContent ? -1 : 0
  else if (isContent) w.redundant = true
  else w.foreign = w.depth
  return undefined
}

function declarePrefix(
  w: Work,
  b: Uint8Array,
  base: number,
  k: number,
  scope: Scope,
  content: string,
  limits: ScannerLimits,
): XmlCode | undefined {
  const prefixStart = w.at[k + 5]! + 1
  const prefixEnd = w.at[k + 2]!
  const start = base + w.at[k + 3]!
  const end = base + w.at[k + 4]!
  const references = (w.tag & HAS_REFERENCE) !== 0
  const isXml = equals(b, base + prefixStart, base + prefixEnd, 'xml')
  if (isXml !== isNs(b, start, end, references, NS_XML)) return 'RTK_XML_BAD_NS_DECLARATION'
  if (isXml) return undefined
  if (start === end || equals(b, base + prefixStart, base + prefixEnd, 'xmlns')) return 'RTK_XML_BAD_NS_DECLARATION'
  if (isNs(b, start, end, references, NS_XMLNS)) return 'RTK_XML_BAD_NS_DECLARATION'
  if (w.bindings === limits.prefixes) return 'RTK_XML_PREFIXES'
  // A prefix for the content namespace would name the wrong one on another kind of stream.
  if (w.depth > 0 && isContentNs(b, start, end, references, content)) w.redundant = true
  const n = w.bindings * BINDING_STRIDE
  if (n === w.bound.length) w.bound = grown(w.bound)
  w.bound[n] = prefixStart
  w.bound[n + 1] = prefixEnd
  w.bound[n + 2] = w.at[k + 3]!
  w.bound[n + 3] = w.at[k + 4]!
  w.bound[n + 4] = w.depth
  w.bound[n + 5] = signature(b, base + prefixStart, base + prefixEnd)
  w.bound[n + 6] = numberOf(w, b, base, n, scope)
  w.bindings++
  w.bindLevel = w.depth
  return undefined
}

/** Tells most prefixes apart without looking at all of their bytes. */
function signature(b: Uint8Array, start: number, end: number): number {
  return (end - start) ^ (b[start]! << 8) ^ (b[end - 1]! << 16)
}

/** The number of the namespace that the declaration at `n` in `work.bound` gives. */
function numberOf(w: Work, b: Uint8Array, base: number, n: number, scope: Scope): number {
  const start = base + w.bound[n + 2]!
  const end = base + w.bound[n + 3]!
  for (let m = 0; m < n; m += BINDING_STRIDE) {
    if (sameValue(b, start, end, base + w.bound[m + 2]!, base + w.bound[m + 3]!)) return w.bound[m + 6]!
  }
  let place = HEADER
  for (let p = scope.prefixes; p !== undefined; p = p.next, place--) if (isValue(b, start, end, p.ns)) return place
  return n
}

function headerNumber(b: Uint8Array, start: number, end: number, scope: Scope): number {
  for (let p = scope.prefixes; p !== undefined; p = p.next) {
    if (!equals(b, start, end, p.prefix)) continue
    let place = HEADER
    for (let q = scope.prefixes; q !== undefined && q.ns !== p.ns; q = q.next) place--
    return place
  }
  return UNBOUND
}

/** Which namespace a prefix means; marks a payload that leans on a declaration outside of it. */
function bindingOf(w: Work, b: Uint8Array, base: number, start: number, end: number, scope: Scope): number {
  const length = end - start
  const wanted = signature(b, base + start, base + end)
  const { bound } = w
  for (let n = (w.bindings - 1) * BINDING_STRIDE; n >= 0; n -= BINDING_STRIDE) {
    if (bound[n + 5] !== wanted) continue
    const at = bound[n]!
    if (bound[n + 1]! - at !== length || !same(b, base + at, base + start, length)) continue
    if (w.depth > 0 && bound[n + 4] === 0) w.inherits = true
    return bound[n + 6]!
  }
  if (equals(b, base + start, base + end, 'xml')) return XML
  const number = headerNumber(b, base + start, base + end, scope)
  if (number !== UNBOUND && w.depth > 0) w.inherits = true
  return number
}

/**
 * True for a tag whose only matter is `xmlns='…'` with a namespace that, by its length alone, is none of those with rules: what
 * nearly every payload has. Then it is dealt with.
 */
export function isPlainDeclaration(w: Work, tag: number, depth: number, content: string): boolean {
  if ((tag & (HAS_PREFIX | HAS_REFERENCE)) !== 0) return false
  const length = w.at[w.nsAttr + 4]! - w.at[w.nsAttr + 3]!
  if (length === NS_XML.length || length === NS_XMLNS.length) return false
  if (length === NS_CLIENT.length || length === content.length) return false
  if (w.foreign < 0) w.foreign = depth
  return true
}

/** Reads the declarations of a tag, then resolves its prefixes and finds attributes that are the same after that. */
export function resolveTag(
  w: Work,
  b: Uint8Array,
  base: number,
  scope: Scope,
  content: string,
  limits: ScannerLimits,
): XmlCode | undefined {
  const last = w.attrs * ATTR_STRIDE
  if ((w.tag & HAS_XMLNS) !== 0) {
    for (let k = 0; k < last; k += ATTR_STRIDE) {
      const code = declare(w, b, base, k, scope, content, limits)
      if (code !== undefined) return code
    }
  }
  return (w.tag & HAS_PREFIX) === 0 ? undefined : resolvePrefixes(w, b, base, scope)
}

function declare(
  w: Work,
  b: Uint8Array,
  base: number,
  k: number,
  scope: Scope,
  content: string,
  limits: ScannerLimits,
): XmlCode | undefined {
  const start = w.at[k + 1]!
  const colon = w.at[k + 5]!
  w.at[k + 6] = UNBOUND
  if ((colon < 0 ? w.at[k + 2]! : colon) - start !== 5 || !equals(b, base + start, base + start + 5, 'xmlns'))
    return undefined
  w.at[k + 6] = DECLARES
  return colon < 0 ? declareDefault(w, b, base, k, content) : declarePrefix(w, b, base, k, scope, content, limits)
}

function resolvePrefixes(w: Work, b: Uint8Array, base: number, scope: Scope): XmlCode | undefined {
  if (w.nameColon >= 0) {
    if (bindingOf(w, b, base, w.open[2 * w.depth]!, w.nameColon, scope) === UNBOUND) return 'RTK_XML_UNBOUND_PREFIX'
    if (w.depth > 0) w.prefixed = true
  }
  const last = w.attrs * ATTR_STRIDE
  const declares = (w.tag & HAS_XMLNS) !== 0
  for (let k = 0; k < last; k += ATTR_STRIDE) {
    const colon = w.at[k + 5]!
    if (declares && w.at[k + 6] === DECLARES) continue
    w.at[k + 6] = UNBOUND
    if (colon < 0) continue
    const number = bindingOf(w, b, base, w.at[k + 1]!, colon, scope)
    if (number === UNBOUND) return 'RTK_XML_UNBOUND_PREFIX'
    if (number !== XML && w.depth > 0) w.prefixed = true
    w.at[k + 6] = number
    if (isRepeated(w, b, base, k, number)) return 'RTK_XML_DUPLICATE_ATTRIBUTE'
  }
  return undefined
}

/** True when an attribute before has the same namespace and local name. */
function isRepeated(w: Work, b: Uint8Array, base: number, k: number, number: number): boolean {
  const colon = w.at[k + 5]!
  const length = w.at[k + 2]! - colon
  for (let j = 0; j < k; j += ATTR_STRIDE) {
    if (w.at[j + 6] !== number) continue
    const other = w.at[j + 5]!
    if (w.at[j + 2]! - other === length && same(b, base + other, base + colon, length)) return true
  }
  return false
}

/** Forgets the declarations of an element that closes. */
export function popBindings(w: Work, level: number): void {
  while (w.bindings > 0 && w.bound[(w.bindings - 1) * BINDING_STRIDE + 4]! >= level) w.bindings--
  w.bindLevel = w.bindings === 0 ? -1 : w.bound[(w.bindings - 1) * BINDING_STRIDE + 4]!
}
