/** Reads a stream header, and the XML declaration before it. */
import type { XmlCode } from './errors.ts'
import { escapeAttr } from './escape.ts'
import { headerPrefixes } from './namespaces.ts'
import { decode, encode, type Octets } from './octets.ts'
import type { StreamHeader } from './scanner.types.ts'
import { canonicalNs, declared, NO_SCOPE, type Prefix, readTag, type Scope, tagAttrs, tagName } from './tag.ts'

export interface ReadHeader {
  readonly header: StreamHeader
  /** The name as written, which the end tag must repeat. */
  readonly qualified: Octets
  /** What stanzas inherit. */
  readonly scope: Scope
}

function listed(first: Prefix | undefined): { readonly prefix: string; readonly ns: string }[] {
  const out = []
  for (let p = first; p !== undefined; p = p.next) out.push({ prefix: decode(p.prefix), ns: p.ns })
  return out
}

/** `raw` begins with the root's start tag, already checked; `content` is the content namespace as written. */
export function readHeader(raw: Octets, content: string): ReadHeader {
  const tag = readTag(raw, 0)
  const scope = declared(raw, tag, NO_SCOPE)
  const { name, ns } = tagName(raw, tag, scope)
  const attrs = tagAttrs(raw, tag, scope)
  const header: StreamHeader = {
    name,
    ns,
    prefix: tag.colon < 0 ? '' : decode(raw.substring(1, tag.colon) as Octets),
    attrs,
    attr: (wanted) => attrs.find((attr) => attr.name === wanted && attr.ns === '')?.value,
    lang: scope.lang,
    defaultNs: scope.ns,
    prefixes: listed(scope.prefixes),
  }
  const langAttr = scope.lang === undefined ? undefined : encode(` xml:lang='${escapeAttr(scope.lang)}'`)
  return {
    header,
    qualified: raw.substring(1, tag.nameEnd) as Octets,
    scope: { ...scope, ns: canonicalNs(scope.ns, content), header: headerPrefixes(scope.prefixes), content, langAttr },
  }
}

const DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"([\w.:-]+)"|'([\w.:-]+)')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][\w.-]*)"|'([A-Za-z][\w.-]*)'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>$/

/** What is wrong with `<?…>`: XML 1.0 section 2.8 and RFC 6120 sections 11.5 to 11.8. A standalone declaration is ignored. */
export function checkDeclaration(text: Octets): XmlCode | undefined {
  if (!/^<\?xml[ \t\r\n?]/.test(text)) return 'RTK_XML_INSTRUCTION'
  const found = DECLARATION.exec(text)
  if (found === null) return 'RTK_XML_BAD_DECLARATION'
  if ((found[1] ?? found[2]) !== '1.0') return 'RTK_XML_VERSION'
  const encoding = found[3] ?? found[4]
  return encoding === undefined || encoding.toLowerCase() === 'utf-8' ? undefined : 'RTK_XML_ENCODING'
}
