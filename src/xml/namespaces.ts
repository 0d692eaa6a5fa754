/**
 * Namespace rules (Namespaces in XML 1.0) for the tags that need them: those with a prefix or a declaration. Works on bytes and
 * offsets, because a peer may send nothing but such tags.
 */
import { isNameStart, NAME_START } from './chars.ts'
import type { XmlCode } from './errors.ts'
import { unescapeAttr } from './escape.ts'
import type { ScannerLimits } from './limits.ts'
import { NS_XML, NS_XMLNS } from './ns.ts'
import { decode, fromBytes } from './octets.ts'
import type { Scope } from './tag.ts'
import { ATTR_STRIDE, BINDING_STRIDE, grown, HAS_PREFIX, HAS_REFERENCE, HAS_XMLNS, type Work } from './work.ts'

/** Binding of a prefix that is declared nowhere; of `xml`; of the stream header. Others are indices into `work.bound`. */
const UNBOUND = -1
const XML = -2
const HEADER = -3

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
  return isNameStart(decode(fromBytes(b, colon + 1, Math.min(end, colon + 5))).codePointAt(0)!)
}

/** The value of a declaration as a text; only where it is not plain or must be compared across streams. */
function nsText(b: Uint8Array, start: number, end: number): string {
  return unescapeAttr(fromBytes(b, start, end))
}

function isNs(b: Uint8Array, start: number, end: number, references: boolean, ns: string): boolean {
  return references ? nsText(b, start, end) === ns : equals(b, start, end, ns)
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
  const isContent = isNs(b, start, end, references, content)
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
  if (w.depth > 0 && isNs(b, start, end, references, content)) w.redundant = true
  const n = w.bindings * BINDING_STRIDE
  if (n === w.bound.length) w.bound = grown(w.bound)
  w.bound[n] = prefixStart
  w.bound[n + 1] = prefixEnd
  w.bound[n + 2] = w.at[k + 3]!
  w.bound[n + 3] = w.at[k + 4]!
  w.bound[n + 4] = w.depth
  w.bindings++
  w.bindLevel = w.depth
  return undefined
}

function isDeclaration(w: Work, b: Uint8Array, base: number, k: number): boolean {
  const start = w.at[k + 1]!
  const length = (w.at[k + 5]! < 0 ? w.at[k + 2]! : w.at[k + 5]!) - start
  return length === 5 && equals(b, base + start, base + start + 5, 'xmlns')
}

function isHeaderPrefix(b: Uint8Array, start: number, end: number, scope: Scope): boolean {
  for (let p = scope.prefixes; p !== undefined; p = p.next) if (equals(b, start, end, p.prefix)) return true
  return false
}

/** Which declaration a prefix means; marks a payload that leans on one outside of it. */
function bindingOf(w: Work, b: Uint8Array, base: number, start: number, end: number, scope: Scope): number {
  const length = end - start
  for (let n = (w.bindings - 1) * BINDING_STRIDE; n >= 0; n -= BINDING_STRIDE) {
    const at = w.bound[n]!
    if (w.bound[n + 1]! - at !== length || !same(b, base + at, base + start, length)) continue
    if (w.depth > 0 && w.bound[n + 4] === 0) w.inherits = true
    return n
  }
  if (equals(b, base + start, base + end, 'xml')) return XML
  if (!isHeaderPrefix(b, base + start, base + end, scope)) return UNBOUND
  if (w.depth > 0) w.inherits = true
  return HEADER
}

function boundNs(
  w: Work,
  b: Uint8Array,
  base: number,
  binding: number,
  start: number,
  end: number,
  scope: Scope,
): string {
  if (binding >= 0) return nsText(b, base + w.bound[binding + 2]!, base + w.bound[binding + 3]!)
  const prefix = fromBytes(b, base + start, base + end)
  for (let p = scope.prefixes; p !== undefined; p = p.next) if (p.prefix === prefix) return p.ns
  return NS_XML
}

/** True when two attributes with different prefixes are one name in one namespace. */
function clashes(w: Work, b: Uint8Array, base: number, one: number, two: number, scope: Scope): boolean {
  const local = w.at[one + 2]! - w.at[one + 5]!
  if (w.at[two + 2]! - w.at[two + 5]! !== local) return false
  if (!same(b, base + w.at[one + 5]!, base + w.at[two + 5]!, local)) return false
  const text = (k: number): string => {
    const binding = bindingOf(w, b, base, w.at[k + 1]!, w.at[k + 5]!, scope)
    return boundNs(w, b, base, binding, w.at[k + 1]!, w.at[k + 5]!, scope)
  }
  return text(one) === text(two)
}

/**
 * True for a tag whose only matter is `xmlns='…'` with a namespace that, by its length alone, is none of those with rules: what
 * nearly every payload has. Then it is dealt with.
 */
export function isPlainDeclaration(w: Work, tag: number, depth: number, content: string): boolean {
  if ((tag & (HAS_PREFIX | HAS_REFERENCE)) !== 0) return false
  const length = w.at[w.nsAttr + 4]! - w.at[w.nsAttr + 3]!
  if (length === NS_XML.length || length === NS_XMLNS.length || length === content.length) return false
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
      if (!isDeclaration(w, b, base, k)) continue
      const code =
        w.at[k + 5]! < 0 ? declareDefault(w, b, base, k, content) : declarePrefix(w, b, base, k, content, limits)
      if (code !== undefined) return code
    }
  }
  return resolvePrefixes(w, b, base, scope)
}

function resolvePrefixes(w: Work, b: Uint8Array, base: number, scope: Scope): XmlCode | undefined {
  const last = w.attrs * ATTR_STRIDE
  if (w.nameColon >= 0) {
    if (bindingOf(w, b, base, w.nameStart, w.nameColon, scope) === UNBOUND) return 'RTK_XML_UNBOUND_PREFIX'
    if (w.depth > 0) w.prefixed = true
  }
  for (let k = 0; k < last; k += ATTR_STRIDE) {
    const colon = w.at[k + 5]!
    if (colon < 0 || isDeclaration(w, b, base, k)) continue
    const binding = bindingOf(w, b, base, w.at[k + 1]!, colon, scope)
    if (binding === UNBOUND) return 'RTK_XML_UNBOUND_PREFIX'
    if (binding !== XML && w.depth > 0) w.prefixed = true
    for (let j = 0; j < k; j += ATTR_STRIDE) {
      if (w.at[j + 5]! >= 0 && !isDeclaration(w, b, base, j) && clashes(w, b, base, j, k, scope))
        return 'RTK_XML_DUPLICATE_ATTRIBUTE'
    }
  }
  return undefined
}

/** Forgets the declarations of an element that closes. */
export function popBindings(w: Work, level: number): void {
  while (w.bindings > 0 && w.bound[(w.bindings - 1) * BINDING_STRIDE + 4]! >= level) w.bindings--
  w.bindLevel = w.bindings === 0 ? -1 : w.bound[(w.bindings - 1) * BINDING_STRIDE + 4]!
}
