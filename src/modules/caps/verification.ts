/**
 * XEP-0115 §5: the verification string, made of what disco#info tells. Byte strings throughout: sorted as they are, they are
 * in the order of "i;octet" (RFC 4790 section 9.3).
 */
import type { Hashing, HashName } from '../../world/hashing.types.ts'
import type { Element } from '../../xml/element.types.ts'
import { NS_XML } from '../../xml/ns.ts'
import { decode, encode, type Octets, own } from '../../xml/octets.ts'

export const NS_CAPS = 'http://jabber.org/protocol/caps'
export const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NS_DATA = 'jabber:x:data'
const formTypeField = 'FORM_TYPE'

/** By the names of the IANA registry (§9.1). */
const algorithms: ReadonlyMap<string, HashName> = new Map([
  ['sha-1', 'sha1'],
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
])

/**
 * Forms whose FORM_TYPE is nobody's feature. In the string that is hashed, features and the parts of a form look alike (§9.3):
 * who takes a client's string may pass some of its features off as a form, and nothing but the form's name tells.
 */
const trustedForms: ReadonlySet<string> = new Set([
  'http://jabber.org/network/serverinfo',
  'urn:xmpp:dataforms:softwareinfo',
])

export interface HashedIdentity {
  readonly category: string
  readonly type: string
  /** '' for none, as the name. */
  readonly lang: string
  readonly name: string
}

export interface HashedForm {
  readonly formType: string
  readonly fields: readonly { readonly name: string; readonly values: readonly string[] }[]
}

/** All that goes into a verification string. */
export interface HashedInfo {
  readonly identities: readonly HashedIdentity[]
  readonly features: readonly string[]
  readonly forms: readonly HashedForm[]
}

/** §5.1: the base64 of the hash; undefined for an algorithm that is not known here. */
export function verificationString(hashing: Hashing, algorithm: string, info: HashedInfo): string | undefined {
  const name = algorithms.get(algorithm)
  if (name === undefined) return undefined
  const hash = hashing.hash(name, Buffer.from(verificationInput(info), 'latin1'))
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('base64')
}

/** §5.1 steps 1 to 8. */
export function verificationInput({ identities, features, forms }: HashedInfo): Octets {
  const parts: Octets[] = []
  for (const identity of identities.map(encodedIdentity).sort(byIdentity)) parts.push(identity.join('/') as Octets)
  for (const feature of features.map(factor).sort()) parts.push(feature)
  const encoded = forms.map((form) => ({ formType: factor(form.formType), fields: form.fields }))
  for (const { formType, fields } of encoded.sort((a, b) => compare(a.formType, b.formType))) {
    parts.push(formType)
    const named = fields.map(({ name, values }) => ({ name: factor(name), values }))
    for (const { name, values } of named.sort((a, b) => compare(a.name, b.name))) {
      parts.push(name, ...values.map(factor).sort())
    }
  }
  return parts.map((part) => `${part}<`).join('') as Octets
}

/** §5.1, the note: a '<' stays the '&lt;' that it was on the wire, or it would part what belongs together. */
function factor(text: string): Octets {
  return encode(text.includes('<') ? text.replaceAll('<', '&lt;') : text)
}

type EncodedIdentity = readonly [category: Octets, type: Octets, lang: Octets, name: Octets]

function encodedIdentity({ category, type, lang, name }: HashedIdentity): EncodedIdentity {
  return [factor(category), factor(type), factor(lang), factor(name)]
}

/** §5.1 step 2: by category, then type, then language. */
function byIdentity(a: EncodedIdentity, b: EncodedIdentity): number {
  return compare(a[0], b[0]) || compare(a[1], b[1]) || compare(a[2], b[2]) || compare(a[3], b[3])
}

function compare(a: Octets, b: Octets): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** What an answer to disco#info tells. */
export interface ReadInfo extends HashedInfo {
  /** False: its hash may be right, and still somebody else who has it may tell something else (§9.3). */
  readonly isConclusive: boolean
}

/** §5.4: reads a disco#info answer; undefined when it is ill-formed. Its strings share no memory with the answer. */
export function readInfo(query: Element): ReadInfo | undefined {
  const identities = query.childrenNamed('identity', NS_INFO).map(readIdentity)
  const features = query.childrenNamed('feature', NS_INFO).map((feature) => text(feature.attr('var')))
  const forms: HashedForm[] = []
  for (const el of query.childrenNamed('x', NS_DATA)) {
    const form = readForm(el)
    if (form === 'ill-formed') return undefined
    if (form !== undefined) forms.push(form)
  }
  if (!identities.every(isIdentity) || features.includes('')) return undefined
  // §5.4 rules 3.3 to 3.5.
  const keys = identities.map((identity) => encodedIdentity(identity).join('/'))
  if (!areUnique(keys) || !areUnique(features) || !areUnique(forms.map((form) => form.formType))) return undefined
  const isConclusive = forms.every((form) => trustedForms.has(form.formType))
  return { identities: identities.filter(isIdentity), features, forms, isConclusive }
}

/**
 * XEP-0030 section 3.1: category and type are never empty. That and the rest keep a feature such as `http://…` from being
 * passed off as an identity.
 */
function readIdentity(el: Element): HashedIdentity | undefined {
  const category = text(el.attr('category'))
  const type = text(el.attr('type'))
  const lang = text(el.attrNS(NS_XML, 'lang'))
  if (category === '' || type === '' || `${category}${type}`.includes('/') || !/^[A-Za-z0-9-]*$/.test(lang)) {
    return undefined
  }
  return { category, type, lang, name: text(el.attr('name')) }
}

function isIdentity(identity: HashedIdentity | undefined): identity is HashedIdentity {
  return identity !== undefined
}

/** §5.4 rules 3.5 and 3.6. Undefined: a form that does not count. */
export function readForm(el: Element): HashedForm | 'ill-formed' | undefined {
  const fields = el.childrenNamed('field', NS_DATA)
  const typed = fields.filter((field) => field.attr('var') === formTypeField)
  const [first] = typed
  if (first === undefined || first.attr('type') !== 'hidden') return undefined
  const formTypes = new Set(typed.flatMap(valuesOf))
  if (formTypes.size > 1) return 'ill-formed'
  const [formType] = formTypes
  if (formType === undefined || formType === '') return undefined
  const others = fields.filter((field) => !typed.includes(field))
  const read = others.map((field) => ({ name: text(field.attr('var')), values: valuesOf(field) }))
  const names = read.map(({ name }) => name)
  return names.includes('') || !areUnique(names) ? 'ill-formed' : { formType, fields: read }
}

function valuesOf(field: Element): readonly string[] {
  return field.childrenNamed('value', NS_DATA).map((value) => text(value.text))
}

function areUnique(texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length
}

/** '' for none; without the memory of what it was cut from. */
export function text(given: string | undefined): string {
  return given === undefined || given === '' ? '' : decode(own(encode(given)))
}
