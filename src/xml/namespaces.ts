/**
 * Namespace rules (Namespaces in XML 1.0) for the tags that need them: those with a prefix or a declaration. Works on bytes and
 * offsets and makes no string, because a peer may send nothing but such tags.
 */
import { codePoint, isNameStart, NAME_START } from './chars.ts'
import type { XmlCode } from './errors.ts'
import type { ScannerLimits } from './limits.ts'
import { NS_CLIENT, NS_XML, NS_XMLNS } from './ns.ts'
import { isXmlns, nameSignature, sameBytes } from './own-tag.ts'
import { isRepeated } from './repeats.ts'
import type { HeaderPrefixes, Prefix, Scope } from './tag.ts'
import {
  ATTR_STRIDE,
  BINDING_SLOTS,
  BINDING_STRIDE,
  DECLARES,
  grown,
  HAS_PREFIX,
  HAS_REFERENCE,
  HAS_XMLNS,
  NO_BINDING,
  UNBOUND,
  type Work,
} from './work.ts'

/**
 * A namespace as a number: a declaration inside of the stanza that has it (the outermost, as its index in `work.bound`), or one of
 * the stream header (HEADER minus its place from the outermost). Two prefixes mean one namespace when their numbers are the same.
 */
const XML = -2
const HEADER = -4
/** The content namespace, where a value is judged. */
const CONTENT = -5
/** Of a declaration whose number nobody has asked for. */
const UNNUMBERED = 0x7fffffff

function equals(b: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let k = 0; k < text.length; k++) if (b[start + k] !== text.charCodeAt(k)) return false
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

const PRIME = 0x01000193
const BASIS = -0x7ee3623b

/** FNV-1a over the characters of a checked value: what it is compared by, so that no flood of declarations pays for a comparison. */
function valueSignature(b: Uint8Array, start: number, end: number): number {
  let hash = BASIS
  for (let i = start; i < end; ) {
    const c = b[i]!
    if (c >= 0x20 && c < 0x80 && c !== 0x26) {
      hash = Math.imul(hash ^ c, PRIME)
      i++
    } else {
      i = step(b, i)
      hash = Math.imul(hash ^ character, PRIME)
    }
  }
  return hash
}

/** The same of text. */
function textSignature(text: string): number {
  let hash = BASIS
  for (let k = 0; k < text.length; k++) {
    const c = text.codePointAt(k)!
    if (c > 0xffff) k++
    hash = Math.imul(hash ^ c, PRIME)
  }
  return hash
}

const SIGNATURE_XML = textSignature(NS_XML)
const SIGNATURE_XMLNS = textSignature(NS_XMLNS)
const SIGNATURE_CLIENT = textSignature(NS_CLIENT)

/** What the scan asks of a header's prefixes, made once a stream. */
export function headerPrefixes(prefixes: Prefix | undefined): HeaderPrefixes | undefined {
  if (prefixes === undefined) return undefined
  const list: Prefix[] = []
  for (let p: Prefix | undefined = prefixes; p !== undefined; p = p.next) list.unshift(p)
  const byPrefix = new Map<number, { readonly prefix: string; readonly number: number }[]>()
  const byNs = new Map<number, { readonly ns: string; readonly number: number }[]>()
  list.forEach(({ prefix, ns }, place) => {
    const first = list.findIndex((other) => other.ns === ns)
    const name = Buffer.from(prefix, 'latin1')
    const ofName = prefixSignature(name, 0, name.length)
    byPrefix.set(ofName, [{ prefix, number: HEADER - first }, ...(byPrefix.get(ofName) ?? [])])
    const ofNs = textSignature(ns)
    if (first === place) byNs.set(ofNs, [...(byNs.get(ofNs) ?? []), { ns, number: HEADER - first }])
  })
  let prefixBits = 0
  for (const signature of byPrefix.keys()) prefixBits |= 1 << signature
  return { byPrefix, prefixBits, byNs }
}

/** Checks `xmlns='…'`; tells the payload's foreign and redundant declarations apart. */
function declareDefault(w: Work, b: Uint8Array, base: number, k: number, content: string): XmlCode | undefined {
  const start = base + w.at[k + 3]!
  const end = base + w.at[k + 4]!
  const ruled = ruledNs(w, b, start, end, content)
  if (ruled === XML || ruled === DECLARES) return 'RTK_XML_BAD_NS_DECLARATION'
  if (w.foreign >= 0 && w.depth > 0) return undefined
  if (w.depth === 0) w.foreign = ruled === CONTENT ? -1 : 0
  else if (ruled === CONTENT) w.redundant = true
  else w.foreign = w.depth
  return undefined
}

/** Checks `xmlns:…='…'` and puts it in force; `isUnused` when nothing can stand where it is. */
function declarePrefix(
  w: Work,
  b: Uint8Array,
  base: number,
  k: number,
  content: string,
  limits: ScannerLimits,
  isUnused: boolean,
): XmlCode | undefined {
  const prefixStart = w.at[k + 5]! + 1
  const prefixEnd = w.at[k + 2]!
  const start = base + w.at[k + 3]!
  const end = base + w.at[k + 4]!
  const from = base + prefixStart
  const isXml = prefixEnd - prefixStart === 3 && b[from] === 0x78 && b[from + 1] === 0x6d && b[from + 2] === 0x6c
  // All namespaces with rules are long, and a reference is longer than what it stands for.
  const isShort = end - start < content.length && end - start < NS_CLIENT.length
  const ruled = isShort ? UNBOUND : ruledNs(w, b, start, end, content)
  if (isXml !== (ruled === XML)) return 'RTK_XML_BAD_NS_DECLARATION'
  if (isXml) return undefined
  if (start === end || ruled === DECLARES) return 'RTK_XML_BAD_NS_DECLARATION'
  if (prefixEnd - prefixStart === 5 && isXmlns(b, from)) return 'RTK_XML_BAD_NS_DECLARATION'
  if (w.bindings === limits.prefixes) return 'RTK_XML_PREFIXES'
  // A prefix for the content namespace would name the wrong one on another kind of stream.
  if (ruled === CONTENT) {
    w.leans = true
    if (w.depth > 0) w.redundant = true
  }
  if (isUnused) return undefined
  const n = w.bindings * BINDING_STRIDE
  if (n === w.bound.length) w.bound = grown(w.bound)
  const { bound } = w
  const signature = prefixSignature(b, from, prefixEnd - prefixStart)
  const slot = slotOf(signature)
  bound[n] = prefixStart
  bound[n + 1] = prefixEnd
  bound[n + 2] = w.at[k + 3]!
  bound[n + 3] = w.at[k + 4]!
  bound[n + 4] = w.depth
  bound[n + 5] = signature
  bound[n + 6] = UNNUMBERED
  bound[n + 8] = w.boundSlots[slot]!
  w.boundSlots[slot] = n
  w.bindings++
  w.bindLevel = w.depth
  return undefined
}

function ruledNs(w: Work, b: Uint8Array, start: number, end: number, content: string): number {
  return (w.tag & HAS_REFERENCE) === 0 ? ruledPlain(b, start, end, content) : ruledWritten(b, start, end, content)
}

/** Which of the namespaces with rules a value without references is: XML, DECLARES (that of xmlns), CONTENT, or UNBOUND for none. */
function ruledPlain(b: Uint8Array, start: number, end: number, content: string): number {
  const length = end - start
  if (length === NS_XML.length && equals(b, start, end, NS_XML)) return XML
  if (length === NS_XMLNS.length && equals(b, start, end, NS_XMLNS)) return DECLARES
  if (length !== NS_CLIENT.length && length !== content.length) return UNBOUND
  return equals(b, start, end, content) || equals(b, start, end, NS_CLIENT) ? CONTENT : UNBOUND
}

/** The same for a value that may hold references. */
function ruledWritten(b: Uint8Array, start: number, end: number, content: string): number {
  const value = valueSignature(b, start, end)
  if (value === SIGNATURE_XML && isValue(b, start, end, NS_XML)) return XML
  if (value === SIGNATURE_XMLNS && isValue(b, start, end, NS_XMLNS)) return DECLARES
  if (isValue(b, start, end, content)) return CONTENT
  return value === SIGNATURE_CLIENT && isValue(b, start, end, NS_CLIENT) ? CONTENT : UNBOUND
}

/** A prefix of up to three bytes is its own signature; a longer one is signed. The highest bit tells them apart. */
function prefixSignature(b: Uint8Array, start: number, length: number): number {
  if (length > 3) return nameSignature(b, start, length) | 0x80000000
  let bytes = length
  for (let k = 0; k < length; k++) bytes = (bytes << 8) | b[start + k]!
  return bytes
}

/** Names of one or two letters hardly ever share a slot, so that the shortest tags are not the dearest. */
function slotOf(signature: number): number {
  return (signature ^ (signature >>> 5)) & (BINDING_SLOTS - 1)
}

/** The number of the namespace that the declaration at `n` in `work.bound` gives; those before it get theirs too. */
function numberOf(w: Work, b: Uint8Array, base: number, n: number, scope: Scope): number {
  const { bound } = w
  for (let m = 0; m <= n; m += BINDING_STRIDE) {
    if (bound[m + 6] !== UNNUMBERED) continue
    const start = base + bound[m + 2]!
    const end = base + bound[m + 3]!
    const value = valueSignature(b, start, end)
    bound[m + 7] = value
    let number = m
    for (let o = 0; o < m && number === m; o += BINDING_STRIDE) {
      if (bound[o + 7] === value && sameValue(b, start, end, base + bound[o + 2]!, base + bound[o + 3]!))
        number = bound[o + 6]!
    }
    const known = number === m ? scope.header?.byNs.get(value) : undefined
    if (known !== undefined) for (const entry of known) if (isValue(b, start, end, entry.ns)) number = entry.number
    bound[m + 6] = number
  }
  return bound[n + 6]!
}

function headerNumber(b: Uint8Array, start: number, end: number, signature: number, scope: Scope): number {
  const { header } = scope
  if (header === undefined || (header.prefixBits & (1 << signature)) === 0) return UNBOUND
  const known = header.byPrefix.get(signature)
  if (known !== undefined) for (const { prefix, number } of known) if (equals(b, start, end, prefix)) return number
  return UNBOUND
}

/**
 * What a prefix means: the declaration's index in `work.bound`, or a number (below 0); marks a payload that leans on a declaration
 * outside of it.
 */
function bindingOf(
  w: Work,
  b: Uint8Array,
  base: number,
  start: number,
  end: number,
  depth: number,
  scope: Scope,
): number {
  const length = end - start
  const from = base + start
  const { bound } = w
  // `prefixSignature` and `slotOf` again, in place: a peer may send nothing but tags that come by here.
  let signature = length
  if (length > 3) signature = prefixSignature(b, from, length)
  else for (let k = 0; k < length; k++) signature = (signature << 8) | b[from + k]!
  let n = w.boundSlots[(signature ^ (signature >>> 5)) & (BINDING_SLOTS - 1)]!
  for (; n !== NO_BINDING; n = bound[n + 8]!) {
    if (bound[n + 5] !== signature) continue
    if (length > 3 && (bound[n + 1]! - bound[n]! !== length || !sameBytes(b, base + bound[n]!, from, length))) continue
    if (depth > 0 && bound[n + 4] === 0) w.inherits = true
    return n
  }
  if (length === 3 && b[from] === 0x78 && b[from + 1] === 0x6d && b[from + 2] === 0x6c) return XML
  const number = headerNumber(b, from, from + length, signature, scope)
  if (number !== UNBOUND) {
    w.leans = true
    if (depth > 0) w.inherits = true
  }
  return number
}

/** False when the prefix of the tag's name is not declared. */
export function isNameBound(w: Work, b: Uint8Array, base: number, start: number, depth: number, scope: Scope): boolean {
  if (bindingOf(w, b, base, start, w.nameColon, depth, scope) === UNBOUND) return false
  if (depth > 0) w.prefixed = true
  return true
}

/**
 * True for a tag whose only matter is `xmlns='…'` with a namespace that, by its length alone, is none of those with rules: what
 * nearly every payload has. Then it is dealt with.
 */
function isPlainDeclaration(w: Work, tag: number, depth: number, content: string): boolean {
  if ((tag & HAS_REFERENCE) !== 0) return false
  const length = w.at[w.nsAttr + 4]! - w.at[w.nsAttr + 3]!
  if (length === NS_XML.length || length === NS_XMLNS.length) return false
  if (length === NS_CLIENT.length || length === content.length) return false
  if (w.foreign < 0) w.foreign = depth
  return true
}

/** Reads the declarations of a tag, then resolves its prefixes and finds attributes that are the same after that. */
function resolveTag(
  w: Work,
  b: Uint8Array,
  base: number,
  scope: Scope,
  content: string,
  limits: ScannerLimits,
): XmlCode | undefined {
  if ((w.tag & HAS_XMLNS) !== 0) {
    const code = readDeclarations(w, b, base, content, limits)
    if (code !== undefined) return code
  }
  if ((w.tag & HAS_PREFIX) === 0) return undefined
  if (w.nameColon >= 0 && !isNameBound(w, b, base, w.open[2 * w.depth]!, w.depth, scope))
    return 'RTK_XML_UNBOUND_PREFIX'
  return resolveAttributes(w, b, base, scope)
}

function readDeclarations(
  w: Work,
  b: Uint8Array,
  base: number,
  content: string,
  limits: ScannerLimits,
): XmlCode | undefined {
  const { at } = w
  const last = w.attrs * ATTR_STRIDE
  for (let k = 0; k < last; k += ATTR_STRIDE) {
    if (at[k + 6] !== DECLARES) continue
    const code =
      at[k + 5]! < 0 ? declareDefault(w, b, base, k, content) : declarePrefix(w, b, base, k, content, limits, false)
    if (code !== undefined) return code
  }
  return undefined
}

/** Gives each attribute with a prefix the number of its namespace. */
function resolveAttributes(w: Work, b: Uint8Array, base: number, scope: Scope): XmlCode | undefined {
  const { at, bound, depth } = w
  const last = w.attrs * ATTR_STRIDE
  let met = 0
  let mayRepeat = false
  for (let k = 0; k < last; k += ATTR_STRIDE) {
    const colon = at[k + 5]!
    let number = at[k + 6]!
    if (colon >= 0 && number !== DECLARES) {
      number = bindingOf(w, b, base, at[k + 1]!, colon, depth, scope)
      if (number === UNBOUND) return 'RTK_XML_UNBOUND_PREFIX'
      if (depth > 0 && number !== XML) w.prefixed = true
      if (number >= 0) {
        const known = bound[number + 6]!
        number = known === UNNUMBERED ? numberOf(w, b, base, number, scope) : known
      }
      at[k + 6] = number
    }
    const local = colon < 0 ? at[k + 1]! : colon + 1
    const bit = 1 << (b[base + local]! + at[k + 2]! - local + number)
    if ((met & bit) !== 0) mayRepeat = true
    met |= bit
  }
  return mayRepeat && isRepeated(w, b, base, true) ? 'RTK_XML_DUPLICATE_ATTRIBUTE' : undefined
}

/** What is wrong with a complete start tag that has attributes, and among them more than one, a declaration or a prefix. */
export function tagFault(
  w: Work,
  b: Uint8Array,
  base: number,
  tag: number,
  attrs: number,
  depth: number,
  isEmpty: boolean,
  scope: Scope,
  content: string,
  limits: ScannerLimits,
): XmlCode | undefined {
  w.attrs = attrs
  if ((tag & HAS_PREFIX) === 0) {
    if (attrs > 1 && isRepeated(w, b, base, false)) return 'RTK_XML_DUPLICATE_ATTRIBUTE'
    if ((tag & HAS_XMLNS) === 0 || (depth > 0 && isPlainDeclaration(w, tag, depth, content))) return undefined
  }
  w.depth = depth
  w.tag = tag
  if (attrs === 1 && w.nameColon < 0 && w.at[6] === DECLARES && w.at[5]! >= 0)
    return declarePrefix(w, b, base, 0, content, limits, isEmpty)
  return resolveTag(w, b, base, scope, content, limits)
}

/** Forgets the declarations of an element that closes. */
export function popBindings(w: Work, level: number): void {
  const { bound } = w
  while (w.bindings > 0) {
    const n = (w.bindings - 1) * BINDING_STRIDE
    if (bound[n + 4]! < level) break
    w.boundSlots[slotOf(bound[n + 5]!)] = bound[n + 8]!
    w.bindings--
  }
  w.bindLevel = w.bindings === 0 ? -1 : w.bound[(w.bindings - 1) * BINDING_STRIDE + 4]!
}
