/**
 * The one element type of the house (DESIGN.md section 4): lazy or built, the same interface, immutable.
 * Namespaces are always resolved; no prefix survives for a reader.
 */
import type { Octets } from './octets.ts'

export type Node = Element | string

/** One attribute as a reader sees it. `ns` is '' for an attribute without prefix. */
export interface Attr {
  readonly name: string
  readonly ns: string
  readonly value: string
}

/** Which direct child is meant: its local name, its namespace, or both. */
export interface ChildName {
  readonly name: string
  readonly ns: string
}

export interface Element {
  /** Local name. */
  readonly name: string
  /** Namespace, '' for none. */
  readonly ns: string
  /** The decoded value of an attribute without namespace, entities resolved. */
  attr(name: string): string | undefined
  /** The bytes of an attribute's value as they stand on the wire (still escaped). For the hot path: no decoding. */
  rawAttr(name: string): Octets | undefined
  /** The decoded value of an attribute with a namespace, such as xml:lang. */
  attrNS(ns: string, name: string): string | undefined
  /** All attributes but namespace declarations. */
  readonly attrs: readonly Attr[]
  /** xml:lang in force: its own, else inherited from the stream header or the parent, else undefined. */
  readonly lang: string | undefined
  /** Child nodes, text decoded; built at the first use. */
  readonly children: readonly Node[]
  /** Child elements only. */
  readonly elements: readonly Element[]
  /** The first child element with this name (null: any name) and namespace (undefined: that of the element). */
  child(name: string | null, ns?: string): Element | undefined
  childrenNamed(name: string | null, ns?: string): readonly Element[]
  /** Concatenated direct text. */
  readonly text: string
  /** Text of the first such child, undefined when there is none. */
  childText(name: string, ns?: string): string | undefined
  /** True when such a direct child exists. One cheap pass over the bytes; builds nothing. */
  hasChild(name: string, ns: string): boolean
  /** Names of the direct children, in order; one pass, kept. */
  readonly childNames: readonly ChildName[]
  /**
   * The serialised content, self-contained relative to the stanza namespace: it can follow any start tag of a stream
   * whose default namespace is the one the stanza came under. Shared by all copies of a fan-out.
   */
  readonly payload: Octets
  /** Bytes of the whole element in this form, roughly; what quotas count. */
  readonly size: number
  /** A copy with attributes without namespace set (string) or removed (undefined). The payload stays shared, unbuilt. */
  withAttrs(set: Readonly<Record<string, string | undefined>>): Element
  /** A copy with one more direct child at the end; a lazy element stays lazy. */
  withChild(child: Element): Element
  /** A copy without the direct children that match; a lazy element stays lazy, the same element when none matches. */
  withoutChildren(match: (child: ChildName, index: number) => boolean): Element
}
