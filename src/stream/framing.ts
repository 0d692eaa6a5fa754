/** How the parts of a stream are written. This is TCP's (RFC 6120 section 4.2); others are RFC 7395's and XEP-0206's. */
import { NS_CLIENT, NS_STREAM } from '../stanza/ns.ts'
import {
  ascii,
  type Element,
  encode,
  escapeAttr,
  type Framing,
  type Octets,
  serialise,
  xmlDeclaration,
} from '../xml/index.ts'
import type { OutHeader } from './machine.types.ts'

export interface StreamFraming {
  /** What the scanner must expect. */
  readonly kind: Framing
  header(header: OutHeader): Octets
  element(el: Element): Octets
  close(): Octets
}

const prefixes: ReadonlyMap<string, string> = new Map([[NS_STREAM, 'stream']])
const closingTag = ascii('</stream:stream>')

function attribute(name: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${name}='${escapeAttr(value)}'`
}

function streamFraming(contentNs: string): StreamFraming {
  return {
    kind: 'stream',
    header(header) {
      const { from, to, id, version, lang } = header
      const attributes =
        attribute('from', from) +
        attribute('to', to) +
        attribute('id', id) +
        attribute('version', version) +
        attribute('xml:lang', lang)
      return encode(`${xmlDeclaration}<stream:stream${attributes} xmlns='${contentNs}' xmlns:stream='${NS_STREAM}'>`)
    },
    element: (el) => serialise(el, NS_CLIENT, prefixes),
    close: () => closingTag,
  }
}

/** Streams of clients, both roles. */
export const clientFraming: StreamFraming = streamFraming(NS_CLIENT)
