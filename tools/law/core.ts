/**
 * What the core may know (SES-07): sessions are small, and a namespace beyond RFC 6120 and 6121 belongs to a module.
 */
import { tokens } from '../lib/lexer.ts'
import type { Fault } from './fault.ts'

/** Lines of all session files of the core together, without tests. */
export const SESSION_LINES = 1_000

export const isSessionFile = (file: string): boolean => /^src\/core\/sessions?(-[^/]*)?\.ts$/.test(file)

/** Namespaces that a file of the core may name itself, and why. Whatever is not here is for a module. */
export const CORE_NAMESPACES: Readonly<Record<string, string>> = {
  'jabber:client': 'content of a stream, RFC 6120 section 4.8.2',
  'jabber:server': 'content of a stream, RFC 6120 section 4.8.2',
  'http://etherx.jabber.org/streams': 'the stream itself, RFC 6120 section 4.8.1',
  'urn:ietf:params:xml:ns:xmpp-streams': 'stream errors, RFC 6120 section 4.9.2',
  'urn:ietf:params:xml:ns:xmpp-stanzas': 'stanza errors, RFC 6120 section 8.3.2',
  'urn:ietf:params:xml:ns:xmpp-bind': 'resource binding, RFC 6120 section 7.2',
  'jabber:iq:roster': 'rosters, RFC 6121 section 2.1',
}

/** Files of the stanza folder that the core may import: those without a XEP in them, and why. */
export const CORE_STANZA: Readonly<Record<string, string>> = {
  'error.ts': 'stanza and stream errors, RFC 6120 sections 4.9 and 8.3',
  'keep.ts': 'copies of stanzas; knows no payload',
  'ns.ts': 'the namespaces of RFC 6120 and 6121',
  'reply.ts': 'answers to an iq, RFC 6120 section 8.2.3',
  'stanza.ts': 'message, presence and iq, RFC 6120 section 8.1',
  'stream-error.ts': 'stream errors, RFC 6120 section 4.9',
}

const NAMESPACE = /(?:urn:(?:xmpp|ietf):|jabber:|https?:\/\/)[^\s'"<>`]+/g
const STANZA_IMPORT = /\.\.\/stanza\/(.+)$/

/** Faults of one file of the core: namespaces and payloads of XEPs in its strings, templates and imports. */
export function coreFaults(file: string, source: string): Fault[] {
  const faults: Fault[] = []
  for (const { kind, text, line } of tokens(source)) {
    if (kind !== 'string' && kind !== 'template') continue
    for (const [namespace] of text.matchAll(NAMESPACE))
      if (!Object.hasOwn(CORE_NAMESPACES, namespace))
        faults.push({ file, line, rule: 'core-namespace', text: namespace })
    const [, payload] = STANZA_IMPORT.exec(text) ?? []
    if (payload !== undefined && !Object.hasOwn(CORE_STANZA, payload))
      faults.push({ file, line, rule: 'core-payload', text: `stanza/${payload} is a XEP's` })
  }
  return faults
}

/** A fault when the sessions of the core have grown beyond what is generic. */
export function sessionSize(sources: ReadonlyMap<string, string>): Fault[] {
  let lines = 0
  let last = ''
  for (const [file, source] of sources) {
    if (!isSessionFile(file)) continue
    lines += source.replace(/\n$/, '').split('\n').length
    last = file
  }
  const text = `the session files of the core have ${lines} lines, ${SESSION_LINES} are too many: what can be a module?`
  return lines < SESSION_LINES ? [] : [{ file: last, line: 1, rule: 'session-size', text }]
}
