/** Escaping and its reverse. Canonical: `&`, `<`, `>` in text; `&`, `<`, `'` and white space but the blank in values. */
import { decode, type Octets } from './octets.ts'

const TEXT_SPECIAL = /[&<>\r]/
const TEXT_SPECIALS = /[&<>\r]/g
const VALUE_SPECIAL = /[&<'\t\n\r]/
const VALUE_SPECIALS = /[&<'\t\n\r]/g

function reference(c: string): string {
  switch (c) {
    case '&':
      return '&amp;'
    case '<':
      return '&lt;'
    case '>':
      return '&gt;'
    case "'":
      return '&apos;'
    default:
      return `&#${c.charCodeAt(0)};`
  }
}

/** Text for between tags. Takes text or `Octets` and gives back the same kind. */
export function escapeText(text: Octets): Octets
export function escapeText(text: string): string
export function escapeText(text: string): string {
  return TEXT_SPECIAL.test(text) ? text.replace(TEXT_SPECIALS, reference) : text
}

/** Text for between single quotes. Takes text or `Octets` and gives back the same kind. */
export function escapeAttr(text: Octets): Octets
export function escapeAttr(text: string): string
export function escapeAttr(text: string): string {
  return VALUE_SPECIAL.test(text) ? text.replace(VALUE_SPECIALS, reference) : text
}

/** What does not stand for itself in a value or in text as it comes. */
const VALUE_RAW = /[&\t\n\r]/
const TEXT_RAW = /[&<\r]/

const PREDEFINED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function referenced(name: string): string {
  if (name.charCodeAt(0) !== 0x23) return PREDEFINED[name] ?? ''
  const value = name.charCodeAt(1) === 0x78 ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10)
  return String.fromCodePoint(value)
}

function resolve(text: string): string {
  let out = ''
  let from = 0
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', from)) {
    const end = text.indexOf(';', at)
    out += text.slice(from, at) + referenced(text.slice(at + 1, end))
    from = end + 1
  }
  return out + text.slice(from)
}

/** The value of an attribute, from checked bytes: white space becomes blanks (XML 1.0 section 3.3.3), references resolved. */
export function unescapeAttr(bytes: Octets): string {
  const text = decode(bytes)
  return VALUE_RAW.test(text) ? resolve(text.replace(/\r\n|[\t\n\r]/g, ' ')) : text
}

/** Character data between two tags, from checked bytes: line ends made `\n` (section 2.11), references and CDATA resolved. */
export function unescapeText(bytes: Octets): string {
  let text = decode(bytes)
  if (!TEXT_RAW.test(text)) return text
  if (text.includes('\r')) text = text.replace(/\r\n?/g, '\n')
  if (!text.includes('<![CDATA[')) return resolve(text)
  let out = ''
  let from = 0
  for (let at = text.indexOf('<![CDATA['); at >= 0; at = text.indexOf('<![CDATA[', from)) {
    const end = text.indexOf(']]>', at)
    out += resolve(text.slice(from, at)) + text.slice(at + 9, end)
    from = end + 3
  }
  return out + resolve(text.slice(from))
}
