/**
 * The element as it came: one flat byte string with a few offsets. Attributes are cut out when asked for, children are found
 * when asked for, and an element that nobody looked into goes out as the bytes it came in.
 */
import type { Content, WriteScope } from './content.types.ts'
import { BaseElement, BuiltContent, BuiltElement } from './element.ts'
import type { Attr, ChildName, Element, Node } from './element.types.ts'
import { unescapeAttr, unescapeText } from './escape.ts'
import { nameOf, nsOf } from './intern.ts'
import { NS_XML } from './ns.ts'
import { ascii, encode, type Octets } from './octets.ts'
import {
  behindTag,
  declared,
  innerScopeOf,
  readTag,
  type Scope,
  skipContent,
  skipText,
  type Tag,
  tagAttrs,
  tagName,
} from './tag.ts'
import { join, writeElement, writeNodes, writeParts } from './write.ts'

/** The payload may follow any start tag that leaves the element's own namespace as the default one. */
export const RAW_PAYLOAD = 1
/** The same holds for each element inside: no prefix is used anywhere below the start tag. */
export const RAW_CHILDREN = 2
/** The start tag can be reused in parts: neither it nor its attributes (but xml:…) have a prefix. */
export const RAW_TAG = 4
/** A first-level element of a stream: what it inherits from the stream header is lost with the stream, so copies say it. */
export const FIRST_LEVEL = 8
/** Whole as it is, it means the same on any stream of stanzas: its own tag declares all prefixes that it and its payload use. */
export const RAW_WHOLE = 16
const RAW = RAW_PAYLOAD | RAW_CHILDREN | RAW_TAG

/** Offsets of a start tag and of the values in it that stanzas are routed by; -1 for what is not there. */
export interface Offsets {
  readonly start: number
  readonly nameEnd: number
  /** Behind the ">" of the start tag. */
  readonly tagEnd: number
  /** At the "<" of the end tag; `tagEnd` for an empty element. */
  readonly bodyEnd: number
  readonly end: number
  readonly fromAt: number
  readonly fromEnd: number
  readonly toAt: number
  readonly toEnd: number
  readonly idAt: number
  readonly idEnd: number
  readonly typeAt: number
  readonly typeEnd: number
  readonly langAt: number
  readonly langEnd: number
  /** Value of the `xmlns` attribute. */
  readonly nsAt: number
  readonly nsEnd: number
}

export class LazyElement extends BaseElement implements Offsets {
  /** The string that holds this element, between `start` and `end`. */
  readonly raw: Octets
  readonly flags: number
  readonly start: number
  readonly nameEnd: number
  readonly tagEnd: number
  readonly bodyEnd: number
  readonly end: number
  readonly fromAt: number
  readonly fromEnd: number
  readonly toAt: number
  readonly toEnd: number
  readonly idAt: number
  readonly idEnd: number
  readonly typeAt: number
  readonly typeEnd: number
  readonly langAt: number
  readonly langEnd: number
  readonly nsAt: number
  readonly nsEnd: number
  /** What was in force around it. */
  readonly #scope: Scope
  /** What the scan noted of its children: start, end of name, value of xmlns or -1. Undefined when it did not. */
  readonly #kids: readonly number[] | undefined
  #names: readonly ChildName[] | undefined
  #tag: Tag | undefined
  #attrs: readonly Attr[] | undefined
  #content: Content | undefined

  constructor(
    raw: Octets,
    name: string,
    ns: string,
    scope: Scope,
    flags: number,
    at: Offsets,
    kids?: readonly number[],
  ) {
    super(name, ns)
    this.raw = raw
    this.flags = flags
    this.start = at.start
    this.nameEnd = at.nameEnd
    this.tagEnd = at.tagEnd
    this.bodyEnd = at.bodyEnd
    this.end = at.end
    this.fromAt = at.fromAt
    this.fromEnd = at.fromEnd
    this.toAt = at.toAt
    this.toEnd = at.toEnd
    this.idAt = at.idAt
    this.idEnd = at.idEnd
    this.typeAt = at.typeAt
    this.typeEnd = at.typeEnd
    this.langAt = at.langAt
    this.langEnd = at.langEnd
    this.nsAt = at.nsAt
    this.nsEnd = at.nsEnd
    this.#scope = scope
    this.#kids = kids
    this.#names = undefined
    this.#tag = undefined
    this.#attrs = undefined
    this.#content = undefined
  }

  override rawAttr(name: string): Octets | undefined {
    switch (name) {
      case 'to':
        return this.#cut(this.toAt, this.toEnd)
      case 'from':
        return this.#cut(this.fromAt, this.fromEnd)
      case 'type':
        return this.#cut(this.typeAt, this.typeEnd)
      case 'id':
        return this.#cut(this.idAt, this.idEnd)
      default:
        return this.#search(name)
    }
  }

  #cut(at: number, end: number): Octets | undefined {
    return at < 0 ? undefined : (this.raw.substring(at, end) as Octets)
  }

  #search(name: string): Octets | undefined {
    const { attrs } = this.#parsedTag()
    for (let k = 0; k < attrs.length; k += 4) {
      const start = attrs[k]!
      if (attrs[k + 1]! - start === name.length && this.raw.startsWith(name, start))
        return this.#cut(attrs[k + 2]!, attrs[k + 3]!)
    }
    return undefined
  }

  #parsedTag(): Tag {
    return (this.#tag ??= readTag(this.raw, this.start))
  }

  /** What the start tag makes of the scope around it. */
  #declared(): Scope {
    // Where no prefix is used only namespace and language can matter, and both are known without reading the tag.
    if ((this.flags & RAW) === RAW) {
      const scope = this.#scope
      if (this.nsAt < 0 && this.langAt < 0 && scope.ns === this.ns) return scope
      return { ns: this.ns, prefixes: undefined, lang: this.lang, content: undefined }
    }
    return declared(this.raw, this.#parsedTag(), this.#scope)
  }

  override attr(name: string): string | undefined {
    const bytes = name === 'xmlns' || name.includes(':') ? undefined : this.rawAttr(name)
    return bytes === undefined ? undefined : unescapeAttr(bytes)
  }

  get attrs(): readonly Attr[] {
    return (this.#attrs ??= tagAttrs(this.raw, this.#parsedTag(), this.#declared()))
  }

  get lang(): string | undefined {
    const bytes = this.#cut(this.langAt, this.langEnd)
    return bytes === undefined ? this.#scope.lang : unescapeAttr(bytes)
  }

  get content(): Content {
    return (this.#content ??= this.#findContent())
  }

  #findContent(): Content {
    const scope = innerScopeOf(this.ns, this.#declared())
    const { raw, tagEnd, bodyEnd, ns, flags } = this
    const isShallow = (flags & RAW_CHILDREN) !== 0
    if (isShallow && (flags & RAW_PAYLOAD) !== 0) return new RawContent(raw, tagEnd, bodyEnd, ns, scope, flags)
    const nodes = isShallow ? readShallow(raw, tagEnd, bodyEnd, scope) : readDeep(raw, tagEnd, bodyEnd, scope)
    const built = new BuiltContent(nodes, ns)
    return (flags & RAW_PAYLOAD) === 0 ? built : new RawContent(raw, tagEnd, bodyEnd, ns, scope, flags, built)
  }

  /** Asked of every stanza by whoever watches for a payload: a namespace that no byte spells or escapes is no child's. */
  override hasChild(name: string, ns: string): boolean {
    if (this.#names === undefined && ns !== this.ns && (this.flags & RAW) === RAW) {
      if (!this.raw.includes(encode(ns)) && !this.raw.includes('&')) return false
    }
    return super.hasChild(name, ns)
  }

  override get childNames(): readonly ChildName[] {
    return (this.#names ??= this.#findNames())
  }

  #findNames(): readonly ChildName[] {
    const kids = this.#kids
    if (kids === undefined || (this.flags & RAW) !== RAW) return this.content.names
    const names: ChildName[] = []
    for (let k = 0; k < kids.length; k += 4) {
      const ns = kids[k + 2]! < 0 ? this.ns : nsOf(this.raw, kids[k + 2]!, kids[k + 3]!)
      names.push({ name: nameOf(this.raw, kids[k]! + 1, kids[k + 1]!), ns })
    }
    return names
  }

  override childText(name: string, ns: string = this.ns): string | undefined {
    if (this.#content !== undefined || this.#kids === undefined || (this.flags & RAW) !== RAW)
      return super.childText(name, ns)
    const names = this.childNames
    for (let k = 0; k < names.length; k++) {
      if (names[k]!.name !== name || names[k]!.ns !== ns) continue
      return simpleText(this.raw, this.#kids[4 * k + 1]!) ?? super.childText(name, ns)
    }
    return undefined
  }

  override get payload(): Octets {
    if ((this.flags & RAW_PAYLOAD) === 0) return this.content.payload
    return this.raw.substring(this.tagEnd, this.bodyEnd) as Octets
  }

  get size(): number {
    return this.end - this.start
  }

  /** xml:lang when only the stream header says so; what leaves the stream must say it itself, RFC 6120 section 4.7.4. */
  get inheritedLang(): string | undefined {
    return this.langAt < 0 && (this.flags & FIRST_LEVEL) !== 0 ? this.#scope.lang : undefined
  }

  /** The same as an attribute to be written, '' for none. */
  get inheritedLangAttr(): Octets {
    if (this.langAt >= 0 || (this.flags & FIRST_LEVEL) === 0) return ascii('')
    return this.#scope.langAttr ?? ascii('')
  }

  override withAttrs(set: Readonly<Record<string, string | undefined>>): Element {
    return new BuiltElement(this.name, this.ns, this.#ownAttrs(), this.content).withAttrs(set)
  }

  override withChild(child: Element): Element {
    return new BuiltElement(this.name, this.ns, this.#ownAttrs(), this.content.append(child))
  }

  override withoutChildren(match: (child: ChildName, index: number) => boolean): Element {
    const content = this.content.without(match)
    return content === this.content ? this : new BuiltElement(this.name, this.ns, this.#ownAttrs(), content)
  }

  #ownAttrs(): readonly Attr[] {
    const lang = this.inheritedLang
    return lang === undefined ? this.attrs : [...this.attrs, { name: 'lang', ns: NS_XML, value: lang }]
  }

  write(scope: WriteScope): Octets {
    if ((this.flags & (RAW_PAYLOAD | RAW_TAG)) === (RAW_PAYLOAD | RAW_TAG) && !scope.prefixes?.has(this.ns)) {
      const declares = this.nsAt >= 0
      if (this.inheritedLang === undefined && declares !== (this.ns === scope.ns))
        return this.#cut(this.start, this.end)!
    }
    const prefixed = scope.ns !== this.ns && scope.prefixes?.has(this.ns) === true
    const payload = prefixed ? writeNodes(this.children, scope) : this.payload
    return writeParts(this.name, this.ns, this.#ownAttrs(), payload, scope)
  }
}

/** Content that is still bytes. */
class RawContent implements Content {
  readonly #raw: Octets
  readonly #start: number
  readonly #end: number
  readonly #ns: string
  readonly #scope: Scope
  readonly #flags: number
  #index: Index | undefined
  #children: readonly Node[] | undefined

  constructor(raw: Octets, start: number, end: number, ns: string, scope: Scope, flags: number, built?: Content) {
    this.#raw = raw
    this.#start = start
    this.#end = end
    this.#ns = ns
    this.#scope = scope
    this.#flags = flags
    this.#children = built?.children
  }

  #indexed(): Index {
    return (this.#index ??= indexChildren(this.#raw, this.#start, this.#end, this.#scope))
  }

  get names(): readonly ChildName[] {
    return this.#indexed().names
  }

  get children(): readonly Node[] {
    return (this.#children ??= readShallow(this.#raw, this.#start, this.#end, this.#scope))
  }

  get payload(): Octets {
    return this.#raw.substring(this.#start, this.#end) as Octets
  }

  append(child: Element): Content {
    return this.#remade(join(this.payload, writeElement(child, { ns: this.#ns })))
  }

  without(match: (child: ChildName, index: number) => boolean): Content {
    const { names, starts, ends } = this.#indexed()
    let out = ascii('')
    let from = this.#start
    let removed = false
    for (let k = 0; k < names.length; k++) {
      if (!match(names[k]!, k)) continue
      removed = true
      out = joinText(out, this.#raw.substring(from, starts[k]!) as Octets)
      from = ends[k]!
    }
    return removed ? this.#remade(joinText(out, this.#raw.substring(from, this.#end) as Octets)) : this
  }

  /** The payload is self-contained, so what was around it matters no more, but for the language. */
  #remade(payload: Octets): Content {
    const scope = { ns: this.#ns, prefixes: undefined, lang: this.#scope.lang, content: undefined }
    const deep = (this.#flags & RAW_CHILDREN) === 0
    const built = deep ? new BuiltContent(readDeep(payload, 0, payload.length, scope), this.#ns) : undefined
    return new RawContent(payload, 0, payload.length, this.#ns, scope, this.#flags, built)
  }
}

/**
 * Joins what stood on both sides of a child that is gone. "]]" and ">" must not become "]]>", which no parser accepts, nor a
 * carriage return and a line feed one line end.
 */
function joinText(before: Octets, behind: Octets): Octets {
  const last = before.charCodeAt(before.length - 1)
  if (last === 0x0d && behind.startsWith('\n')) return join(before, ascii('&#10;'), behind.substring(1) as Octets)
  const at = last !== 0x5d ? -1 : behind.startsWith('>') ? 0 : behind.startsWith(']>') ? 1 : -1
  if (at < 0) return join(before, behind)
  return join(before, behind.substring(0, at) as Octets, ascii('&gt;'), behind.substring(at + 1) as Octets)
}

/** Where the direct children are, and their names. */
interface Index {
  readonly names: readonly ChildName[]
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

function behindElement(s: Octets, bodyEnd: number): number {
  return s.indexOf('>', bodyEnd) + 1
}

function indexChildren(s: Octets, start: number, end: number, scope: Scope): Index {
  const names: ChildName[] = []
  const starts: number[] = []
  const ends: number[] = []
  for (let at = skipText(s, start, end); at < end; ) {
    const tag = readTag(s, at)
    names.push(tagName(s, tag, declared(s, tag, scope)))
    starts.push(at)
    const behind = tag.empty ? tag.end : behindElement(s, skipContent(s, tag.end))
    ends.push(behind)
    at = skipText(s, behind, end)
  }
  return { names, starts, ends }
}

function offsetsOf(s: Octets, tag: Tag, bodyEnd: number, end: number): Offsets {
  const out = {
    start: tag.start,
    nameEnd: tag.nameEnd,
    tagEnd: tag.end,
    bodyEnd,
    end,
    fromAt: -1,
    fromEnd: -1,
    toAt: -1,
    toEnd: -1,
    idAt: -1,
    idEnd: -1,
    typeAt: -1,
    typeEnd: -1,
    langAt: -1,
    langEnd: -1,
    nsAt: -1,
    nsEnd: -1,
  }
  for (let k = 0; k < tag.attrs.length; k += 4) {
    const at = tag.attrs[k + 2]!
    const behind = tag.attrs[k + 3]!
    switch (s.substring(tag.attrs[k]!, tag.attrs[k + 1]!)) {
      case 'from':
        out.fromAt = at
        out.fromEnd = behind
        break
      case 'to':
        out.toAt = at
        out.toEnd = behind
        break
      case 'id':
        out.idAt = at
        out.idEnd = behind
        break
      case 'type':
        out.typeAt = at
        out.typeEnd = behind
        break
      case 'xml:lang':
        out.langAt = at
        out.langEnd = behind
        break
      case 'xmlns':
        out.nsAt = at
        out.nsEnd = behind
        break
    }
  }
  return out
}

/** The text of an element that holds nothing else, from the end of its name on; undefined when there is more to it. */
function simpleText(s: Octets, nameEnd: number): string | undefined {
  const start = behindTag(s, nameEnd)
  if (s.charCodeAt(start - 2) === 0x2f) return ''
  const end = s.indexOf('<', start)
  return s.charCodeAt(end + 1) === 0x2f ? unescapeText(s.substring(start, end) as Octets) : undefined
}

/** Direct children, each lazy in its turn; only where no prefix is used. */
function readShallow(s: Octets, start: number, end: number, scope: Scope): readonly Node[] {
  const nodes: Node[] = []
  for (let i = start; i < end; ) {
    const at = skipText(s, i, end)
    if (at > i) pushText(nodes, s, i, at)
    if (at === end) break
    const tag = readTag(s, at)
    const bodyEnd = tag.empty ? tag.end : skipContent(s, tag.end)
    i = tag.empty ? tag.end : behindElement(s, bodyEnd)
    const { name, ns } = tagName(s, tag, declared(s, tag, scope))
    nodes.push(new LazyElement(s, name, ns, scope, RAW, offsetsOf(s, tag, bodyEnd, i)))
  }
  return nodes
}

function pushText(nodes: Node[], s: Octets, from: number, to: number): void {
  const text = unescapeText(s.substring(from, to) as Octets)
  if (text !== '') nodes.push(text)
}

/** The whole tree in one pass, for what cannot go out as it came. */
function readDeep(s: Octets, start: number, end: number, scope: Scope): readonly Node[] {
  return readNodes(s, start, end, scope).nodes
}

function readNodes(
  s: Octets,
  start: number,
  end: number,
  scope: Scope,
): { readonly nodes: Node[]; readonly at: number } {
  const nodes: Node[] = []
  let i = start
  while (i < end) {
    const at = skipText(s, i, end)
    if (at > i) pushText(nodes, s, i, at)
    i = at
    if (at === end || s.charCodeAt(at + 1) === 0x2f) break
    const tag = readTag(s, at)
    const own = declared(s, tag, scope)
    const { name, ns } = tagName(s, tag, own)
    let children: Node[] = []
    if (tag.empty) i = tag.end
    else {
      const inner = readNodes(s, tag.end, end, innerScopeOf(ns, own))
      children = inner.nodes
      i = behindElement(s, inner.at)
    }
    nodes.push(new BuiltElement(name, ns, tagAttrs(s, tag, own), new BuiltContent(children, ns)))
  }
  return { nodes, at: i }
}
