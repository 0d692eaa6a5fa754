/**
 * Payload codecs: a payload is described once and gives both its type and its wire form.
 *
 *     export const Roster = codec('query', NS, { ver: attr.optional(), items: children(Item) })
 *     export type Roster = TypeOf<typeof Roster>
 *
 * Decoding a stranger's payload gives the value or a fault that names the offending place; it never throws.
 */
import { type Child, x } from './build.ts'
import type { Element } from './element.types.ts'

/** Why a payload was refused; a module answers `bad-request` with it. */
export class CodecFault {
  readonly code = 'RTK_XML_PAYLOAD'
  /** Names from the payload inwards, such as `query/item[2]/@jid`. */
  readonly path: string
  /** A plain sentence that does not repeat what the peer sent. */
  readonly text: string

  constructor(path: string, text: string) {
    this.path = path
    this.text = text
  }

  within(outer: string): CodecFault {
    return new CodecFault(`${outer}/${this.path}`, this.text)
  }
}

export interface Codec<T> {
  readonly name: string
  readonly ns: string
  /** True for an element with this name and namespace. */
  matches(element: Element): boolean
  /** The value, or what is wrong with the element. Children and attributes that are not described are ignored. */
  decode(element: Element): T | CodecFault
  /** @throws XmlError when a text in the value cannot be written in XML. */
  encode(value: T): Element
}

export type TypeOf<C> = C extends Codec<infer T> ? T : never

interface Parts {
  readonly attrs: Record<string, string>
  readonly children: Child[]
}

/** One thing that a payload says. `key` is the property's name and, unless told otherwise, the wire's. */
export interface Field<T, Optional extends boolean = boolean> {
  readonly isOptional: Optional
  read(element: Element, key: string): T | undefined | CodecFault
  write(parts: Parts, key: string, ns: string, value: T): void
}

type Shape = Readonly<Record<string, Field<unknown>>>
type FieldValue<F> = F extends Field<infer T> ? T : never
type OptionalKeys<S extends Shape> = { [K in keyof S]: S[K]['isOptional'] extends true ? K : never }[keyof S]

/** The value that a shape describes. */
export type ValueOf<S extends Shape> = {
  readonly [K in Exclude<keyof S, OptionalKeys<S>>]: FieldValue<S[K]>
} & { readonly [K in OptionalKeys<S>]?: FieldValue<S[K]> | undefined }

/** How a text is read and written. */
interface Scalar<T> {
  readonly what: string
  parse(text: string): T | undefined
  format(value: T): string
}

const anyText: Scalar<string> = { what: 'a text', parse: (text) => text, format: (value) => value }
const someText: Scalar<string> = { what: 'an address', parse: (text) => text || undefined, format: (value) => value }

function integer(min: number, max: number): Scalar<number> {
  return {
    what: `a whole number from ${min} to ${max}`,
    parse: (text) => {
      const value = /^\s*[+-]?\d{1,16}\s*$/.test(text) ? Number(text) : Number.NaN
      return value >= min && value <= max ? value : undefined
    },
    format: String,
  }
}

/** xs:boolean, XML Schema part 2 section 3.2.2. */
const truth: Scalar<boolean> = {
  what: 'true, false, 1 or 0',
  parse: (text) => (text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined),
  format: String,
}

function oneOf<const V extends string>(values: readonly V[]): Scalar<V> {
  return {
    what: `one of ${values.join(', ')}`,
    parse: (text) => values.find((value) => value === text),
    format: (value) => value,
  }
}

/** Where a text stands on the wire. */
interface Place {
  label(key: string): string
  find(element: Element, key: string): string | undefined
  put(parts: Parts, key: string, ns: string, text: string): void
}

function inAttr(name?: string): Place {
  return {
    label: (key) => `@${name ?? key}`,
    find: (element, key) => element.attr(name ?? key),
    put: (parts, key, _ns, text) => {
      parts.attrs[name ?? key] = text
    },
  }
}

function inChild(name?: string, childNs?: string): Place {
  return {
    label: (key) => name ?? key,
    find: (element, key) => element.childText(name ?? key, childNs ?? element.ns),
    put: (parts, key, ns, text) => {
      parts.children.push(x(name ?? key, childNs ?? ns, text))
    },
  }
}

const inText: Place = {
  label: () => 'text()',
  find: (element) => element.text,
  put: (parts, _key, _ns, text) => {
    parts.children.push(text)
  },
}

/** A text somewhere, read as some type. Each method gives a new field. */
export class ScalarField<T, Optional extends boolean> implements Field<T, Optional> {
  readonly isOptional: Optional
  readonly #place: Place
  readonly #scalar: Scalar<T>
  readonly #preset: T | undefined

  constructor(place: Place, scalar: Scalar<T>, isOptional: Optional, preset?: T) {
    this.isOptional = isOptional
    this.#place = place
    this.#scalar = scalar
    this.#preset = preset
  }

  /** A whole number; bounds included. */
  int(min = 0, max: number = Number.MAX_SAFE_INTEGER): ScalarField<number, Optional> {
    return new ScalarField(this.#place, integer(min, max), this.isOptional)
  }

  bool(): ScalarField<boolean, Optional> {
    return new ScalarField(this.#place, truth, this.isOptional)
  }

  enum<const V extends string>(...values: readonly V[]): ScalarField<V, Optional> {
    return new ScalarField(this.#place, oneOf(values), this.isOptional)
  }

  /** An address as it is written; not empty, but not checked further: this tier knows no addresses. */
  jid(): ScalarField<string, Optional> {
    return new ScalarField(this.#place, someText, this.isOptional)
  }

  optional(): ScalarField<T, true> {
    return new ScalarField(this.#place, this.#scalar, true)
  }

  /** What is read when nothing is there; then it is not written either. */
  default(preset: T): ScalarField<T, false> {
    return new ScalarField(this.#place, this.#scalar, false, preset)
  }

  read(element: Element, key: string): T | undefined | CodecFault {
    const text = this.#place.find(element, key)
    if (text === undefined) {
      if (this.isOptional || this.#preset !== undefined) return this.#preset
      return new CodecFault(this.#place.label(key), 'It is missing.')
    }
    const value = this.#scalar.parse(text)
    return value === undefined ? new CodecFault(this.#place.label(key), `It must be ${this.#scalar.what}.`) : value
  }

  write(parts: Parts, key: string, ns: string, value: T): void {
    if (value !== this.#preset) this.#place.put(parts, key, ns, this.#scalar.format(value))
  }
}

/** A required attribute that has the property's name; `attr.optional()`, `attr.int().default(5)` and so on. */
export const attr: ScalarField<string, false> = new ScalarField(inAttr(), anyText, false)

/** The same with a name of its own on the wire. */
export function attrNamed(name: string): ScalarField<string, false> {
  return new ScalarField(inAttr(name), anyText, false)
}

/** The element's own text. */
export const text: ScalarField<string, false> = new ScalarField(inText, anyText, false)

/** The text of a child; name and namespace default to the property's name and the payload's namespace. */
export function childText(name?: string, ns?: string): ScalarField<string, false> {
  return new ScalarField(inChild(name, ns), anyText, false)
}

/** An empty child that is there or not; name and namespace default as for `childText`. */
export function flag(name?: string, ns?: string): Field<boolean, false> {
  return {
    isOptional: false,
    read: (element, key) => element.hasChild(name ?? key, ns ?? element.ns),
    write: (parts, key, outer, value) => {
      if (value) parts.children.push(x(name ?? key, ns ?? outer))
    },
  }
}

class ChildField<T, Optional extends boolean> implements Field<T, Optional> {
  readonly isOptional: Optional
  readonly #codec: Codec<T>

  constructor(codec: Codec<T>, isOptional: Optional) {
    this.#codec = codec
    this.isOptional = isOptional
  }

  optional(): ChildField<T, true> {
    return new ChildField(this.#codec, true)
  }

  read(element: Element): T | undefined | CodecFault {
    const child = element.child(this.#codec.name, this.#codec.ns)
    if (child !== undefined) return this.#codec.decode(child)
    return this.isOptional ? undefined : new CodecFault(this.#codec.name, 'It is missing.')
  }

  write(parts: Parts, _key: string, _ns: string, value: T): void {
    parts.children.push(this.#codec.encode(value))
  }
}

/** A child with a codec of its own. */
export function child<T>(codec: Codec<T>): ChildField<T, false> {
  return new ChildField(codec, false)
}

/** All children of one kind, in order; none is an empty list. */
export function children<T>(codec: Codec<T>): Field<readonly T[], false> {
  return {
    isOptional: false,
    read: (element) => {
      const values: T[] = []
      for (const found of element.childrenNamed(codec.name, codec.ns)) {
        const value = codec.decode(found)
        if (value instanceof CodecFault) {
          const inner = value.path.slice(codec.name.length)
          return new CodecFault(`${codec.name}[${values.length + 1}]${inner}`, value.text)
        }
        values.push(value)
      }
      return values
    },
    write: (parts, _key, _ns, values) => {
      for (const value of values) parts.children.push(codec.encode(value))
    },
  }
}

/** A codec for the element with this name and namespace. */
export function codec<const S extends Shape>(name: string, ns: string, shape: S): Codec<ValueOf<S>> {
  const fields = Object.entries(shape)
  return {
    name,
    ns,
    matches: (element) => element.name === name && element.ns === ns,
    decode: (element) => {
      if (element.name !== name || element.ns !== ns) return new CodecFault(name, 'It is another element.')
      const value: Record<string, unknown> = {}
      for (const [key, field] of fields) {
        const read = field.read(element, key)
        if (read instanceof CodecFault) return read.within(name)
        if (read !== undefined) value[key] = read
      }
      // Each field has put what its type says, or nothing when it is optional.
      return value as ValueOf<S>
    },
    encode: (value) => {
      const parts: Parts = { attrs: {}, children: [] }
      const given: Readonly<Record<string, unknown>> = value
      for (const [key, field] of fields) if (given[key] !== undefined) field.write(parts, key, ns, given[key])
      return x(name, ns, parts.attrs, ...parts.children)
    },
  }
}
