/**
 * A light reader of bytes that the scanner has already checked: it finds tags, their attributes and their ends, and resolves
 * namespaces. Nothing is checked here twice.
 */
import type { Attr } from './element.types.ts'
import { unescapeAttr } from './escape.ts'
import { nameOf, nsOf } from './intern.ts'
import { NS_CLIENT, NS_XML } from './ns.ts'
import { decode, type Octets } from './octets.ts'

/** A declared prefix; the innermost first. */
export interface Prefix {
  readonly prefix: Octets
  readonly ns: string
  readonly next: Prefix | undefined
}

/** The prefixes of a stream header by the signatures of their names and namespaces, with the numbers that the scan gives them. */
export interface HeaderPrefixes {
  /** The innermost of each name first. */
  readonly byPrefix: ReadonlyMap<number, readonly { readonly prefix: string; readonly number: number }[]>
  /** A bit for the last five bits of each signature, so that hardly any other prefix is looked for. */
  readonly prefixBits: number
  readonly byNs: ReadonlyMap<number, readonly { readonly ns: string; readonly number: number }[]>
}

/** What an element inherits from around it. */
export interface Scope {
  /** The default namespace, already canonical. */
  readonly ns: string
  readonly prefixes: Prefix | undefined
  /** The same for the scan: only around the stanzas of a stream whose header declares some. */
  readonly header?: HeaderPrefixes | undefined
  readonly lang: string | undefined
  /** `lang` as an attribute to be written, for stanzas that leave the stream; made once a stream. */
  readonly langAttr?: Octets | undefined
  /**
   * The stream's content namespace as written, read as `jabber:client` wherever the parent is in the content namespace too
   * (RFC 6120 section 4.8.3); undefined inside of foreign elements and where nothing is to be mapped.
   */
  readonly content: string | undefined
}

export const NO_SCOPE: Scope = { ns: '', prefixes: undefined, lang: undefined, content: undefined }

/** A start tag as offsets into its string. */
export interface Tag {
  readonly start: number
  readonly nameEnd: number
  /** Offset of the colon in the name, or -1. */
  readonly colon: number
  /** Four offsets an attribute: of its name, behind it, of its value, behind it. */
  readonly attrs: readonly number[]
  /** Some attribute begins with "x": only then can there be a declaration or xml:lang among them. */
  readonly mayDeclare: boolean
  /** Behind the ">". */
  readonly end: number
  readonly empty: boolean
}

const SPACES = 0x20
const SLASH = 0x2f
const COLON = 0x3a
const EQUALS = 0x3d
const GREATER = 0x3e

/** Reads the tag whose "<" is at `start`. */
export function readTag(s: Octets, start: number): Tag {
  let i = start + 1
  let colon = -1
  let c = s.charCodeAt(i)
  while (c > SPACES && c !== SLASH && c !== GREATER) {
    if (c === COLON) colon = i
    c = s.charCodeAt(++i)
  }
  const nameEnd = i
  const attrs: number[] = []
  let mayDeclare = false
  for (;;) {
    while (c <= SPACES) c = s.charCodeAt(++i)
    if (c === GREATER) return { start, nameEnd, colon, attrs, mayDeclare, end: i + 1, empty: false }
    if (c === SLASH) return { start, nameEnd, colon, attrs, mayDeclare, end: i + 2, empty: true }
    const nameStart = i
    if (c === 0x78) mayDeclare = true
    while (c > SPACES && c !== EQUALS) c = s.charCodeAt(++i)
    const attrNameEnd = i
    while (c !== 0x22 && c !== 0x27) c = s.charCodeAt(++i)
    const valueEnd = s.indexOf(c === 0x22 ? '"' : "'", i + 1)
    attrs.push(nameStart, attrNameEnd, i + 1, valueEnd)
    i = valueEnd + 1
    c = s.charCodeAt(i)
  }
}

/** From just behind a start tag to the "<" of its end tag. */
export function skipContent(s: Octets, from: number): number {
  let depth = 1
  let i = from
  for (;;) {
    const at = s.indexOf('<', i)
    const c = s.charCodeAt(at + 1)
    if (c === SLASH) {
      if (--depth === 0) return at
      i = at + 3
    } else if (c === 0x21) i = s.indexOf(']]>', at) + 3
    else {
      i = behindTag(s, at + 2)
      if (s.charCodeAt(i - 2) !== SLASH) depth++
    }
  }
}

/** Behind the ">" of a start tag; one inside a value does not count. */
export function behindTag(s: Octets, from: number): number {
  let i = from
  for (;;) {
    const c = s.charCodeAt(i++)
    if (c === GREATER) return i
    if (c === 0x22 || c === 0x27) i = s.indexOf(c === 0x22 ? '"' : "'", i) + 1
  }
}

/** From anywhere in character data to the "<" of the next tag; CDATA sections are character data. */
export function skipText(s: Octets, from: number, end: number): number {
  let i = from
  for (;;) {
    const at = s.indexOf('<', i)
    if (at < 0 || at >= end) return end
    if (s.charCodeAt(at + 1) !== 0x21) return at
    i = s.indexOf(']]>', at) + 3
  }
}

function boundTo(prefix: string, scope: Scope): string {
  if (prefix === 'xml') return NS_XML
  for (let p = scope.prefixes; p !== undefined; p = p.next) if (p.prefix === prefix) return p.ns
  return ''
}

/** True for the attribute at `k` when it is `xmlns` or `xmlns:…`. */
function declares(s: Octets, tag: Tag, k: number): boolean {
  const start = tag.attrs[k]!
  const length = tag.attrs[k + 1]! - start
  return (
    s.charCodeAt(start) === 0x78 && s.startsWith('xmlns', start) && (length === 5 || s.charCodeAt(start + 5) === COLON)
  )
}

export function attrBytes(s: Octets, tag: Tag, k: number): Octets {
  return s.substring(tag.attrs[k + 2]!, tag.attrs[k + 3]!) as Octets
}

function isLang(s: Octets, tag: Tag, k: number): boolean {
  const start = tag.attrs[k]!
  return tag.attrs[k + 1]! - start === 8 && s.startsWith('xml:lang', start)
}

/** A namespace, content namespaces made one. */
export function canonicalNs(ns: string, content: string | undefined): string {
  return ns === content ? NS_CLIENT : ns
}

/** What the tag's declarations make of the scope around it; the same object when it declares nothing. `ns` is its default one. */
export function declared(s: Octets, tag: Tag, outer: Scope): Scope {
  if (!tag.mayDeclare) return outer
  let { ns, prefixes, lang } = outer
  for (let k = 0; k < tag.attrs.length; k += 4) {
    if (declares(s, tag, k)) {
      const value = nsOf(s, tag.attrs[k + 2]!, tag.attrs[k + 3]!)
      const start = tag.attrs[k]!
      const end = tag.attrs[k + 1]!
      if (end - start === 5) ns = canonicalNs(value, outer.content)
      else prefixes = { prefix: s.substring(start + 6, end) as Octets, ns: value, next: prefixes }
    } else if (isLang(s, tag, k)) lang = unescapeAttr(attrBytes(s, tag, k))
  }
  if (ns === outer.ns && prefixes === outer.prefixes && lang === outer.lang) return outer
  return { ns, prefixes, lang, content: outer.content }
}

/** Local name and namespace of a tag within what it declares. */
export function tagName(s: Octets, tag: Tag, scope: Scope): { readonly name: string; readonly ns: string } {
  const { start, nameEnd, colon } = tag
  if (colon < 0) return { name: nameOf(s, start + 1, nameEnd), ns: scope.ns }
  const ns = canonicalNs(boundTo(s.substring(start + 1, colon), scope), scope.content)
  return { name: nameOf(s, colon + 1, nameEnd), ns }
}

/** The scope for the children of an element: mapping of the content namespace ends at the first foreign one. */
export function innerScopeOf(ns: string, scope: Scope): Scope {
  if (scope.content === undefined || ns === NS_CLIENT) return scope
  return { ...scope, content: undefined }
}

/** All attributes but declarations. */
export function tagAttrs(s: Octets, tag: Tag, scope: Scope): readonly Attr[] {
  const out: Attr[] = []
  for (let k = 0; k < tag.attrs.length; k += 4) {
    if (tag.mayDeclare && declares(s, tag, k)) continue
    const name = s.substring(tag.attrs[k]!, tag.attrs[k + 1]!) as Octets
    const value = unescapeAttr(attrBytes(s, tag, k))
    const colon = name.indexOf(':')
    if (colon < 0) out.push({ name: decode(name), ns: '', value })
    else {
      const local = decode(name.substring(colon + 1) as Octets)
      out.push({ name: local, ns: boundTo(name.substring(0, colon), scope), value })
    }
  }
  return out
}
