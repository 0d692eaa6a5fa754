/** `jabber:iq:private` on the wire and in the store (XEP-0049 §2.3). */
import { StanzaError } from '../../stanza/error.ts'
import { stanzaBytes } from '../../stanza/keep.ts'
import { x } from '../../xml/build.ts'
import type { Element } from '../../xml/element.types.ts'
import { XmlError } from '../../xml/errors.ts'
import type { Octets } from '../../xml/octets.ts'
import { parseOctets } from '../../xml/parse.ts'

export const NS_PRIVATE = 'jabber:iq:private'

/** The elements of one query, of which there is one at least, all of the same namespace. */
export interface PrivateQuery {
  readonly ns: string
  readonly elements: readonly Element[]
}

// §3; "Bad Format" is no condition of RFC 6120.
const errorNothingAsked = new StanzaError('RTK_PRIVATE_NOTHING', 'bad-request', { text: 'no element is asked for' })
// §2.3
const errorNothingSet = new StanzaError('RTK_PRIVATE_NOTHING', 'not-acceptable', { text: 'no element is given' })
const errorNoNamespace = new StanzaError('RTK_PRIVATE_NO_NAMESPACE', 'not-acceptable', {
  text: 'an element needs a namespace of its own',
})
const errorNamespaces = new StanzaError('RTK_PRIVATE_NAMESPACES', 'bad-request', {
  text: 'one namespace at a time',
})

/** What a request names, or why it names nothing. Reserved namespaces are not refused (§2.3: that is optional). */
export function readQuery(query: Element, type: 'get' | 'set'): PrivateQuery | StanzaError {
  const { elements } = query
  const [first] = elements
  if (first === undefined) return type === 'get' ? errorNothingAsked : errorNothingSet
  const { ns } = first
  for (const el of elements) {
    if (el.ns === '' || el.ns === NS_PRIVATE) return errorNoNamespace
    if (el.ns !== ns) return errorNamespaces
  }
  return { ns, elements }
}

/** One element that says nothing: what an answer to a request for nothing looks like. */
export function isBlank({ elements: [first, ...others] }: PrivateQuery): boolean {
  return others.length === 0 && first?.attrs.length === 0 && first.children.length === 0
}

/** As it is kept: the query with its elements, and no more. */
export function queryBytes({ elements }: PrivateQuery): Octets {
  return stanzaBytes(x('query', NS_PRIVATE, {}, ...elements))
}

/** Undefined when the bytes are no private data: they may come from a foreign backup. */
export function readKept(bytes: Octets): PrivateQuery | undefined {
  try {
    const el = parseOctets(bytes)
    if (el.name !== 'query' || el.ns !== NS_PRIVATE) return undefined
    const query = readQuery(el, 'set')
    return query instanceof StanzaError ? undefined : query
  } catch (error) {
    if (error instanceof XmlError) return undefined
    throw error
  }
}
