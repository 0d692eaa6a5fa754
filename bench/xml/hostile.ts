/** Bytes that are legal (or break a limit only late) and made to cost as much as they can; each fills about 64 KiB. */

const SIZE = 60_000

function filled(part: (k: number) => string): string {
  let out = ''
  for (let k = 0; out.length < SIZE; k++) out += part(k)
  return out
}

const inside = (content: string): string => `<message>${content}</message>`

/** Names of one length that share first, last and middle letter, so that the quick comparison never tells them apart. */
function alike(k: number): string {
  const c = (n: number): string => String.fromCharCode(0x61 + (n % 26))
  return `a${c(k)}${c(k / 26)}bb${c(k)}z`
}

const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEF']
const shortAttributes = letters.map((c) => ` ${c}=''`).join('')
const pairAttributes = letters.map((c) => ` ${c}${c}=''`).join('')
const manyAttributes = Array.from({ length: 32 }, (_, k) => ` ${alike(k)}=''`).join('')
const prefixes = Array.from({ length: 15 }, (_, k) => ` xmlns:p${k.toString(36)}='urn:${k.toString(36)}'`).join('')
const alikePrefixes = Array.from({ length: 15 }, (_, k) => ` xmlns:${alike(k)}='urn:${k}'`).join('')
const sameLocal = Array.from({ length: 15 }, (_, k) => ` p${k.toString(36)}:a=''`).join('')
const deep = '<a>'.repeat(60) + '</a>'.repeat(60)

/** By name: what is sent, as stanzas of a stream. */
export const hostile: Readonly<Record<string, string>> = {
  'tiny stanzas': filled(() => '<a/>'),
  'tiny stanzas with a namespace': filled((k) => `<a xmlns='${k % 7}'/>`),
  'tiny children': inside(filled(() => '<a/>').slice(0, 40_000)),
  'deep nesting': filled(() => inside(deep)),
  'long end tags': inside(filled(() => `<${'a'.repeat(250)}></${'a'.repeat(250)}>`)),
  'attributes alike': inside(filled(() => `<a${manyAttributes}/>`)),
  'short attributes': inside(filled(() => `<a${shortAttributes}/>`)),
  'two-letter attributes': inside(filled(() => `<a${pairAttributes}/>`)),
  declarations: inside(filled(() => "<a xmlns:b='c'/>").slice(0, 40_000)),
  'declarations in force': inside(filled(() => "<a xmlns:b='c'></a>")),
  'default declarations': inside(filled(() => "<a xmlns='b'/>").slice(0, 39_998)),
  'content declarations': inside(filled(() => "<a xmlns='jabber:client'/>")),
  'declarations with references': inside(filled(() => "<a xmlns:b='&#99;'/>")),
  'prefixed elements': `<message${prefixes}>${filled(() => '<p0:a/>')}</message>`,
  'prefixed elements, all prefixes': `<message${prefixes}>${filled((k) => `<p${(k % 15).toString(36)}:a/>`)}</message>`,
  'prefixes alike': `<message${alikePrefixes}>${filled((k) => `<${alike(k % 15)}:a/>`)}</message>`,
  'prefixed attributes, one local name': `<message${prefixes}>${filled(() => `<a${sameLocal}/>`)}</message>`,
  'long namespaces': inside(filled(() => `<a xmlns:b='${'x'.repeat(200)}'/>`)),
  'xml:lang everywhere': inside(filled(() => "<a xml:lang=''/>")),
  'five entities': inside(filled(() => '&lt;&apos;&quot;&gt;&amp;')),
  'character references': inside(filled(() => '&#x10FFFF;&#9;')),
  brackets: inside(filled(() => ']]')),
  'greater signs': inside(filled(() => '>')),
  'empty CDATA': inside(filled(() => '<![CDATA[]]>')),
  'other quotes': inside(filled(() => `<a b='${'"'.repeat(200)}'/>`)),
  'blanks in tags': inside(filled(() => `<a${' '.repeat(200)}/>`)),
  'two-byte text': inside(filled(() => 'é').slice(0, 30_000)),
  'four-byte text': inside(filled(() => '😀').slice(0, 30_000)),
  'two-byte names': inside(filled(() => `<${'é'.repeat(100)}/>`).slice(0, 30_000 - (30_000 % 103))),
  'one long value': `<message id='${'x'.repeat(SIZE)}'/>`,
}
