/** What must be right about a peer's stream header before anything else is looked at (RFC 6120 sections 4.7 and 4.8). */
import { type Code, type StreamCondition, StreamError } from '../stanza/error.ts'
import { NS_CLIENT, NS_STREAM } from '../stanza/ns.ts'
import type { StreamHeader } from '../xml/index.ts'

function refusal(code: Code, condition: StreamCondition, text: string): StreamError {
  return new StreamError(code, condition, text)
}

const wrongNamespace = refusal('RTK_STREAM_HEADER_NS', 'invalid-namespace', `the stream namespace is ${NS_STREAM}`)
const wrongName = refusal('RTK_STREAM_HEADER_NAME', 'bad-format', 'the root of a stream is <stream/>')
const wrongPrefix = refusal('RTK_STREAM_HEADER_PREFIX', 'bad-namespace-prefix', 'the prefix of the root is stream')
const wrongContent = refusal('RTK_STREAM_CONTENT_NS', 'invalid-namespace', `the content namespace is ${NS_CLIENT}`)

/**
 * The first thing that is wrong with the namespaces and the name of a root of a c2s stream; undefined when all is right.
 * Both styles of section 4.8.2 are fine: the content namespace as the default one, and prefix-free canonicalisation.
 */
export function headerFault(header: StreamHeader): StreamError | undefined {
  // Section 4.8.1.
  if (header.ns !== NS_STREAM) return wrongNamespace
  if (header.name !== 'stream') return wrongName
  if (header.prefix === '') return undefined
  // Section 4.8.5 lets a server insist on the prefix that everybody uses.
  if (header.prefix !== 'stream') return wrongPrefix
  return header.defaultNs === NS_CLIENT || header.defaultNs === '' ? undefined : wrongContent
}

/**
 * RFC 6120 section 4.7.5: the major version that the peer speaks; 0 without the attribute, and for what is no version at all.
 * Numbers are compared, leading zeros ignored.
 */
export function majorVersion(header: StreamHeader): number {
  const text = header.attr('version')
  if (text === undefined) return 0
  const dot = text.indexOf('.')
  const major = text.slice(0, dot)
  if (dot < 1 || !isDigits(major) || !isDigits(text.slice(dot + 1))) return 0
  return Number(major)
}

function isDigits(text: string): boolean {
  if (text === '' || text.length > 9) return false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 0x30 || c > 0x39) return false
  }
  return true
}
