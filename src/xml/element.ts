/** The element in its built form, and what it shares with the lazy one (`lazy.ts`). */
import { checkedAttrName, checkedText } from './check.ts'
import type { Content, SelfWriting, WriteScope } from './content.types.ts'
import type { Attr, ChildName, Element, Node } from './element.types.ts'
import { escapeAttr } from './escape.ts'
import { NS_XML } from './ns.ts'
import { encode, type Octets } from './octets.ts'
import { innerScope, writeNodes, writeParts } from './write.ts'

const NO_NODES: readonly Node[] = []

/** Everything that follows from name, attributes and content. */
export abstract class BaseElement implements Element, SelfWriting {
  readonly name: string
  readonly ns: string

  constructor(name: string, ns: string) {
    this.name = name
    this.ns = ns
  }

  abstract readonly attrs: readonly Attr[]
  abstract readonly content: Content
  abstract readonly lang: string | undefined
  abstract readonly size: number
  abstract write(scope: WriteScope): Octets

  attr(name: string): string | undefined {
    return this.attrNS('', name)
  }

  rawAttr(name: string): Octets | undefined {
    const value = this.attrNS('', name)
    return value === undefined ? undefined : encode(escapeAttr(value))
  }

  attrNS(ns: string, name: string): string | undefined {
    for (const attr of this.attrs) if (attr.name === name && attr.ns === ns) return attr.value
    return undefined
  }

  get children(): readonly Node[] {
    return this.content.children
  }

  get elements(): readonly Element[] {
    return this.children.filter((node) => typeof node !== 'string')
  }

  child(name: string | null, ns: string = this.ns): Element | undefined {
    for (const node of this.children) if (typeof node !== 'string' && matches(node, name, ns)) return node
    return undefined
  }

  childrenNamed(name: string | null, ns: string = this.ns): readonly Element[] {
    return this.elements.filter((element) => matches(element, name, ns))
  }

  get text(): string {
    let out = ''
    for (const node of this.children) if (typeof node === 'string') out += node
    return out
  }

  childText(name: string, ns: string = this.ns): string | undefined {
    return this.child(name, ns)?.text
  }

  hasChild(name: string, ns: string): boolean {
    for (const child of this.childNames) if (child.name === name && child.ns === ns) return true
    return false
  }

  get childNames(): readonly ChildName[] {
    return this.content.names
  }

  get payload(): Octets {
    return this.content.payload
  }

  withAttrs(set: Readonly<Record<string, string | undefined>>): Element {
    return new BuiltElement(this.name, this.ns, changed(this.attrs, set), this.content)
  }

  withChild(child: Element): Element {
    return new BuiltElement(this.name, this.ns, this.attrs, this.content.append(child))
  }

  withoutChildren(match: (child: ChildName, index: number) => boolean): Element {
    const content = this.content.without(match)
    return content === this.content ? this : new BuiltElement(this.name, this.ns, this.attrs, content)
  }
}

function matches(element: Element, name: string | null, ns: string): boolean {
  return (name === null || element.name === name) && element.ns === ns
}

/** The attributes with some set in place or added at the end, and some removed. */
export function changed(attrs: readonly Attr[], set: Readonly<Record<string, string | undefined>>): readonly Attr[] {
  const out: Attr[] = []
  for (const attr of attrs)
    if (attr.ns !== '' || !Object.hasOwn(set, attr.name)) out.push(attr)
    else replace(out, attr.name, set[attr.name])
  for (const name of Object.keys(set)) {
    if (!attrs.some((attr) => attr.ns === '' && attr.name === name)) replace(out, checkedAttrName(name), set[name])
  }
  return out
}

function replace(out: Attr[], name: string, value: string | undefined): void {
  if (value !== undefined) out.push({ name, ns: '', value: checkedText(value) })
}

/** Content made of nodes. */
export class BuiltContent implements Content {
  readonly children: readonly Node[]
  readonly #ns: string
  #payload: Octets | undefined
  #names: readonly ChildName[] | undefined

  /** `ns` is the namespace of the element around it. */
  constructor(children: readonly Node[], ns: string) {
    this.children = children
    this.#ns = ns
  }

  get names(): readonly ChildName[] {
    return (this.#names ??= this.children
      .filter((node) => typeof node !== 'string')
      .map(({ name, ns }) => ({ name, ns })))
  }

  get payload(): Octets {
    return (this.#payload ??= writeNodes(this.children, { ns: this.#ns }))
  }

  append(child: Element): Content {
    return new BuiltContent([...this.children, child], this.#ns)
  }

  without(match: (child: ChildName, index: number) => boolean): Content {
    let index = 0
    const kept = this.children.filter(
      (node) => typeof node === 'string' || !match({ name: node.name, ns: node.ns }, index++),
    )
    return kept.length === this.children.length ? this : new BuiltContent(kept, this.#ns)
  }
}

/** An element with attributes as values; its content may be built nodes or the bytes of a lazy element. */
export class BuiltElement extends BaseElement {
  readonly attrs: readonly Attr[]
  readonly content: Content

  constructor(name: string, ns: string, attrs: readonly Attr[], content: Content) {
    super(name, ns)
    this.attrs = attrs
    this.content = content
  }

  /** An element without content. */
  static empty(name: string, ns: string, attrs: readonly Attr[]): BuiltElement {
    return new BuiltElement(name, ns, attrs, new BuiltContent(NO_NODES, ns))
  }

  get lang(): string | undefined {
    return this.attrNS(NS_XML, 'lang')
  }

  get size(): number {
    let bytes = 2 * this.name.length + 5 + this.payload.length
    for (const { name, value } of this.attrs) bytes += name.length + value.length + 4
    return bytes
  }

  write(scope: WriteScope): Octets {
    // Under a prefix the default namespace stays that of the outside, so the shared payload would not suit.
    const inner = innerScope(this.ns, scope)
    const payload = inner.ns === this.ns ? this.payload : writeNodes(this.children, inner)
    return writeParts(this.name, this.ns, this.attrs, payload, scope)
  }
}
