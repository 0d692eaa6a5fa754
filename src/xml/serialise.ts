/**
 * Elements to bytes. What came in from a stream goes out as it came, with a new start tag at most: strings are joined, nothing is
 * decoded, and payloads are shared by all copies.
 */
import type { ChildName, Element } from './element.types.ts'
import { unescapeAttr } from './escape.ts'
import { LazyElement, RAW_WHOLE } from './lazy.ts'
import { NS_CLIENT } from './ns.ts'
import { ascii, encode, type Octets, own } from './octets.ts'
import { join, withLastChild, writeElement, writeTag } from './write.ts'

/**
 * The element as it must stand where the default namespace is `contextNs`; '' makes it a document of its own. `prefixes` maps
 * namespaces to prefixes that are declared there, such as that of streams to `stream`.
 */
export function serialise(element: Element, contextNs: string, prefixes?: ReadonlyMap<string, string>): Octets {
  return writeElement(element, { ns: contextNs, prefixes })
}

/** The start tag alone, with attributes set or left out; it ends in ">". For stream headers and for what is written in parts. */
export function startTag(
  element: Element,
  contextNs: string,
  set: Readonly<Record<string, string | undefined>> = {},
  prefixes?: ReadonlyMap<string, string>,
): Octets {
  const { name, ns, attrs } = element.withAttrs(set)
  return writeTag(name, ns, attrs, { ns: contextNs, prefixes })
}

/** The end tag that belongs to it. */
export function endTag(element: Element, contextNs: string, prefixes?: ReadonlyMap<string, string>): Octets {
  const prefix = element.ns === contextNs ? undefined : prefixes?.get(element.ns)
  return encode(prefix === undefined ? `</${element.name}>` : `</${prefix}:${element.name}>`)
}

/** True for what can be restamped by cutting: in the content namespace, and with nothing that comes from the stream around it. */
function isRestampable(element: Element): element is LazyElement {
  if (!(element instanceof LazyElement)) return false
  return (element.flags & RAW_WHOLE) !== 0 && element.ns === NS_CLIENT
}

/** Where an attribute begins, its one blank before it included; `valueAt` is behind its quote. */
function attributeStart(raw: Octets, valueAt: number, nameLength: number): number {
  let i = valueAt - 2
  while (raw.charCodeAt(i) !== 0x3d) i--
  while (raw.charCodeAt(i - 1) <= 0x20) i--
  return i - nameLength - 1
}

const NOWHERE = 0x7fff_ffff

/** Everything behind the name, without `from`, `to` (when they are to go) and `xmlns`. */
function behindName(element: LazyElement, cutFrom: boolean, cutTo: boolean): string {
  const { raw, end } = element
  let i = element.nameEnd
  let from = cutFrom && element.fromAt >= 0 ? element.fromAt : NOWHERE
  let to = cutTo && element.toAt >= 0 ? element.toAt : NOWHERE
  let ns = element.nsAt >= 0 ? element.nsAt : NOWHERE
  let out = ''
  for (;;) {
    if (from < to && from < ns) {
      out += raw.substring(i, attributeStart(raw, from, 4))
      i = element.fromEnd + 1
      from = NOWHERE
    } else if (to < ns) {
      out += raw.substring(i, attributeStart(raw, to, 2))
      i = element.toEnd + 1
      to = NOWHERE
    } else if (ns < NOWHERE) {
      out += raw.substring(i, attributeStart(raw, ns, 5))
      i = element.nsEnd + 1
      ns = NOWHERE
    } else return out + raw.substring(i, end)
  }
}

function overridden(element: Element, from: Octets | undefined, to: Octets | undefined): Element {
  const set: Record<string, string> = {}
  if (from !== undefined) set['from'] = unescapeAttr(from)
  if (to !== undefined) set['to'] = unescapeAttr(to)
  return element.withAttrs(set)
}

/**
 * A stanza for a stream whose default namespace is its content namespace, with `from` and `to` replaced where given. Both are
 * escaped already, as `rawAttr` and `escapeAttr` give them. An xml:lang that only the stream header said is written out.
 */
export function writeStanza(element: Element, from: Octets | undefined, to: Octets | undefined): Octets {
  if (!isRestampable(element)) return serialise(overridden(element, from, to), NS_CLIENT)
  let out = element.raw.substring(element.start, element.nameEnd) + element.inheritedLangAttr
  if (from !== undefined) out += ` from='${from}'`
  if (to !== undefined) out += ` to='${to}'`
  return (out + behindName(element, from !== undefined, to !== undefined)) as Octets
}

/** A child of a stanza as bytes, which declare its namespace. */
export interface WrittenChild extends ChildName {
  readonly bytes: Octets
}

/**
 * One stanza for many recipients: everything but the addresses is made once and shared by all copies.
 * The template keeps no memory but its own, so it may outlive the stanza.
 */
export class StanzaTemplate {
  readonly #head: Octets
  readonly #tail: Octets
  readonly #from: Octets | undefined

  /**
   * `from` replaces that of the stanza in all copies; escaped. `note`: a child that all copies have behind the stanza's own.
   */
  constructor(element: Element, from: Octets | undefined = element.rawAttr('from'), note?: WrittenChild) {
    this.#from = from === undefined ? undefined : own(from)
    let tail: Octets
    let name: Octets
    if (isRestampable(element)) {
      name = element.raw.substring(element.start + 1, element.nameEnd) as Octets
      this.#head = own(join(element.raw.substring(element.start, element.nameEnd) as Octets, element.inheritedLangAttr))
      tail = behindName(element, true, true) as Octets
    } else {
      const bare = serialise(element.withAttrs({ from: undefined, to: undefined }), NS_CLIENT)
      name = encode(element.name)
      this.#head = own(bare.substring(0, name.length + 1) as Octets)
      tail = bare.substring(name.length + 1) as Octets
    }
    this.#tail = own(note === undefined ? tail : withLastChild(tail, name, note.bytes))
  }

  /** A copy for one recipient; both escaped. */
  copy(to: Octets, from: Octets | undefined = this.#from): Octets {
    if (from === undefined) return `${this.#head} to='${to}'${this.#tail}` as Octets
    return `${this.#head} from='${from}' to='${to}'${this.#tail}` as Octets
  }

  /** Bytes that all copies share. */
  get size(): number {
    return this.#head.length + this.#tail.length
  }
}

/** An XML declaration, as RFC 6120 section 11.5 wants it before a stream header. */
export const xmlDeclaration: Octets = ascii("<?xml version='1.0'?>")
