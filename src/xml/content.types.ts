/** What is between a start tag and its end tag: raw bytes or built nodes, shared by all copies with other start tags. */
import type { ChildName, Element, Node } from './element.types.ts'
import type { Octets } from './octets.ts'

export interface Content {
  readonly children: readonly Node[]
  readonly names: readonly ChildName[]
  /** Serialised, to stand where the default namespace is that of the element. */
  readonly payload: Octets
  append(child: Element): Content
  /** Itself when nothing matches. */
  without(match: (child: ChildName, index: number) => boolean): Content
}

/** How a namespace is written: the default one and those that have a prefix at this place. */
export interface WriteScope {
  readonly ns: string
  /** Namespace to prefix, such as that of streams to `stream`. */
  readonly prefixes?: ReadonlyMap<string, string> | undefined
}

/** Elements of this house write themselves; it is how a lazy one goes out as the bytes it came in. */
export interface SelfWriting {
  write(scope: WriteScope): Octets
}
