/** The stream errors of the server's c2s machine: code, condition (RFC 6120 section 4.9.3) and what the client is told. */
import { type Code, type StreamCondition, StreamError } from '../stanza/error.ts'
import { NS_SERVER } from '../stanza/ns.ts'
import type { Element, XmlFault } from '../xml/index.ts'

function refusal(code: Code, condition: StreamCondition, text?: string): StreamError {
  return new StreamError(code, condition, text)
}

export const c2sErrors = {
  version: refusal('RTK_STREAM_VERSION', 'unsupported-version', 'XMPP 1.0 is spoken here'),
  hostUnknown: refusal('RTK_STREAM_HOST_UNKNOWN', 'host-unknown'),
  hostGone: refusal('RTK_STREAM_HOST_GONE', 'host-gone'),
  hostChanged: refusal('RTK_STREAM_HOST_CHANGED', 'not-authorized', 'sign-in was for another host'),
  fromMalformed: refusal('RTK_STREAM_FROM_MALFORMED', 'invalid-from', 'the from of the stream is no JID'),
  fromOther: refusal('RTK_STREAM_FROM_OTHER', 'invalid-from', 'the from of the stream is not who signed in'),
  fromElsewhere: refusal('RTK_STREAM_FROM_ELSEWHERE', 'invalid-from', 'the from of the stream is of another host'),
  username: refusal('RTK_STREAM_USERNAME', 'internal-server-error'),
  beforeSignIn: refusal('RTK_STREAM_STANZA_BEFORE_SIGN_IN', 'not-authorized', 'sign in first'),
  beforeBind: refusal('RTK_STREAM_STANZA_BEFORE_BIND', 'not-authorized', 'bind a resource first'),
  duringSignIn: refusal('RTK_STREAM_DURING_SIGN_IN', 'policy-violation', 'sign-in is under way'),
  continued: refusal('RTK_STREAM_CONTINUED', 'not-authorized', 'begin again on another stream'),
  signedIn: refusal('RTK_STREAM_SIGNED_IN', 'not-authorized', 'this stream is signed in'),
  unknownElement: refusal('RTK_STREAM_ELEMENT_UNKNOWN', 'unsupported-stanza-type'),
  contentNs: refusal('RTK_STREAM_CONTENT_NS', 'invalid-namespace', 'this is a stream of jabber:client'),
  reopened: refusal('RTK_STREAM_REOPENED', 'bad-format', 'the stream is open'),
  tlsRefused: refusal('RTK_STREAM_TLS_REFUSED', 'not-authorized'),
  timeout: refusal('RTK_STREAM_NEGOTIATION_TIMEOUT', 'policy-violation', 'sign-in took too long'),
  bytes: refusal('RTK_STREAM_NEGOTIATION_BYTES', 'policy-violation', 'too many bytes before sign-in'),
  elements: refusal('RTK_STREAM_NEGOTIATION_ELEMENTS', 'policy-violation', 'too many elements before sign-in'),
  saslRetries: refusal('RTK_STREAM_SASL_RETRIES', 'policy-violation', 'too many failed attempts to sign in'),
  bindRetries: refusal('RTK_STREAM_BIND_RETRIES', 'policy-violation', 'too many failed attempts to bind'),
} as const

/** A first-level element that nobody understands: section 4.8.3 for the other content namespace, else section 4.9.3.24. */
export function unknownElement(el: Element): StreamError {
  return el.ns === NS_SERVER ? c2sErrors.contentNs : c2sErrors.unknownElement
}

/** What the scanner found, as the peer is told. */
export function faultError(fault: XmlFault): StreamError {
  const isTooBig = fault.code === 'RTK_XML_STANZA_BYTES'
  const detail = isTooBig ? { application: { name: 'stanza-too-big', ns: 'urn:xmpp:errors' } } : undefined
  return new StreamError(fault.code, fault.condition, fault.text, undefined, detail)
}
