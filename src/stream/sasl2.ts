/** XEP-0388: Extensible SASL Profile, version 1.0.4, and XEP-0386: Bind 2, version 1.1.0, as elements. Both roles. */
import { NS_SASL } from '../stanza/ns.ts'
import { type Element, x } from '../xml/index.ts'
import { readBase64, type SaslFailure, toBase64 } from './sasl/index.ts'
import { SASL_FAULT } from './sasl-faults.ts'

export const NS_SASL2 = 'urn:xmpp:sasl:2'
export const NS_BIND2 = 'urn:xmpp:bind:0'

/** XEP-0388 section 2.3. Nobody but the user and the operator is told (same place). */
export interface UserAgent {
  /** A UUID in lower case, one for each installation of a client; '' when none was given, or none that is one. */
  readonly id: string
  /** At most 128 characters; '' without. */
  readonly software: string
  readonly device: string
}

/** `<authenticate/>` (section 2.3). */
export interface Authenticate {
  readonly mechanism: string
  /** Undefined: no initial response, which differs from an empty one (section 2.2). */
  readonly initial: Uint8Array | undefined
  readonly agent: UserAgent | undefined
  /** `<bind/>` of XEP-0386 section 3.2. */
  readonly bind: Element | undefined
  /** What else is asked for in one go; neither data of SASL nor the user agent is among it. */
  readonly inline: readonly Element[]
}

/** Longer names of software and devices are cut. */
const agentTextMax = 128

/** The pattern of the schema (section 8). */
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Data of SASL (section 2.2): an element without content is data of no bytes. */
export function readData(el: Element): Uint8Array | SaslFailure {
  if (el.elements.length > 0) return SASL_FAULT.content
  return readBase64(el.text) ?? SASL_FAULT.encoding
}

export function readAuthenticate(el: Element): Authenticate | SaslFailure {
  const mechanism = el.attr('mechanism')
  if (mechanism === undefined || mechanism === '') return SASL_FAULT.noMechanism
  const first = el.childrenNamed('initial-response', NS_SASL2)
  const agents = el.childrenNamed('user-agent', NS_SASL2)
  const binds = el.childrenNamed('bind', NS_BIND2)
  if (first.length > 1 || agents.length > 1 || binds.length > 1) return SASL_FAULT.content
  const initial = first[0] === undefined ? undefined : readData(first[0])
  if (initial !== undefined && !(initial instanceof Uint8Array)) return initial
  const inline = el.elements.filter((child) => child.ns !== NS_SASL2 && child !== binds[0])
  return { mechanism, initial, agent: readAgent(agents[0]), bind: binds[0], inline }
}

function readAgent(el: Element | undefined): UserAgent | undefined {
  if (el === undefined) return undefined
  const id = (el.attr('id') ?? '').toLowerCase()
  return { id: uuid.test(id) ? ownText(id) : '', software: agentText(el, 'software'), device: agentText(el, 'device') }
}

function agentText(el: Element, name: string): string {
  const text = (el.childText(name, NS_SASL2) ?? '').trim().slice(0, agentTextMax)
  // It is shown on terminals.
  return ownText(text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, ' '))
}

/** It outlives the element, of which a slice would keep all. */
function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8')
}

/** XEP-0386 section 3.2; '' without. */
export function readTag(bind: Element): string {
  return bind.childText('tag', NS_BIND2) ?? ''
}

export function dataElement(name: 'challenge' | 'response' | 'initial-response', data: Uint8Array): Element {
  return x(name, NS_SASL2, toBase64(data))
}

/** Section 2.6.2. */
export function strictFailure(refusal: SaslFailure): Element {
  return x('failure', NS_SASL2, x(refusal.condition, NS_SASL))
}

/** Section 2.6.1: `address` is bare unless a resource is bound. */
export function strictSuccess(data: Uint8Array | undefined, address: string, others: readonly Element[]): Element {
  return x(
    'success',
    NS_SASL2,
    data === undefined ? undefined : x('additional-data', NS_SASL2, toBase64(data)),
    x('authorization-identifier', NS_SASL2, address),
    ...others,
  )
}

/** What stands in the stream feature beside the mechanisms (section 2.1). */
export interface Sasl2Offer {
  /** Children of `<inline/>`, Bind 2 among them. */
  readonly inline: readonly Element[]
  /** Further children of `<authentication/>`. */
  readonly others?: readonly Element[]
}

/** The stream feature; undefined when no mechanism is offered, because then nobody could begin (section 2.1). */
export function authenticationFeature(mechanisms: readonly string[], offer: Sasl2Offer): Element | undefined {
  if (mechanisms.length === 0) return undefined
  return x(
    'authentication',
    NS_SASL2,
    ...mechanisms.map((name) => x('mechanism', NS_SASL2, name)),
    offer.inline.length === 0 ? undefined : x('inline', NS_SASL2, ...offer.inline),
    ...(offer.others ?? []),
  )
}

/** XEP-0386 section 3.1, for `<inline/>`. */
export function bind2Feature(features: readonly string[]): Element {
  const inline = features.map((name) => x('feature', NS_BIND2, { var: name }))
  return x('bind', NS_BIND2, inline.length === 0 ? undefined : x('inline', NS_BIND2, ...inline))
}
