/** Hostile and broken XML with the fault that each deserves: RFC 6120 sections 4.9.3 and 11, XML 1.0, Namespaces in XML. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { least } from '../../tools/lib/least.ts'
import type { XmlCode, XmlCondition } from './errors.ts'
import { defaultLimits, type ScannerLimits } from './limits.ts'
import { eventsOf, recording } from './recorded.ts'

const STREAM = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

interface Case {
  readonly what: string
  /** Bytes behind the stream header, text or numbers. */
  readonly sends: string | readonly (string | number[])[]
  readonly condition: XmlCondition
  readonly code: XmlCode
  /** The bytes come instead of the stream header. */
  readonly bare?: true
}

function row(condition: XmlCondition, code: XmlCode, what: string, sends: Case['sends'], bare?: true): Case {
  return bare ? { what, sends, condition, code, bare } : { what, sends, condition, code }
}

const NWF = 'not-well-formed'
const R = 'restricted-xml'
const E = 'unsupported-encoding'

const cases: readonly Case[] = [
  // RFC 6120 section 11.1
  row(R, 'RTK_XML_COMMENT', 'comment in a stanza', '<message><!--<subject/>--><body/></message>'),
  row(R, 'RTK_XML_COMMENT', 'comment between stanzas', '<presence/><!-- -->'),
  row(R, 'RTK_XML_COMMENT', 'comment before the header', '<!-- hello -->', true),
  row(R, 'RTK_XML_INSTRUCTION', 'processing instruction in a stanza', '<message><?php echo ?></message>'),
  row(R, 'RTK_XML_INSTRUCTION', 'processing instruction between stanzas', "<?xml-stylesheet href='x'?>"),
  row(R, 'RTK_XML_INSTRUCTION', 'processing instruction before the header', "<?xml-stylesheet href='x'?><a/>", true),
  row(R, 'RTK_XML_INSTRUCTION', 'second XML declaration', "<?xml version='1.0'?>"),
  row(R, 'RTK_XML_INSTRUCTION', 'two XML declarations', "<?xml version='1.0'?><?xml version='1.0'?>", true),
  row(R, 'RTK_XML_DTD', 'document type before the header', '<!DOCTYPE lolz [<!ENTITY lol "lol">]>', true),
  row(R, 'RTK_XML_DTD', 'document type between stanzas', '<!DOCTYPE x SYSTEM "file:///etc/passwd">'),
  row(R, 'RTK_XML_DTD', 'entity declaration in a stanza', '<message><!ENTITY lol "lol"></message>'),
  row(R, 'RTK_XML_ENTITY', 'entity that is not predefined, in text', '<message><body>&lol9;</body></message>'),
  row(R, 'RTK_XML_ENTITY', 'entity that is not predefined, in a value', "<message to='&nbsp;'/>"),
  row(R, 'RTK_XML_ENTITY', 'predefined entity in capitals', '<message>&LT;</message>'),
  // section 11.3 and XML 1.0
  row(NWF, 'RTK_XML_TAG_MISMATCH', 'end tag of another element', '<message><body></message>'),
  row(NWF, 'RTK_XML_TAG_MISMATCH', 'end tag that goes on', '<message></messages>'),
  row(NWF, 'RTK_XML_TAG_MISMATCH', 'end tag that stops short', '<message></messag>'),
  row(NWF, 'RTK_XML_TAG_MISMATCH', 'end tag in other case', '<message></Message>'),
  row(NWF, 'RTK_XML_TAG_MISMATCH', 'end tag with an attribute', "<message></message a='b'>"),
  row(
    NWF,
    'RTK_XML_TAG_MISMATCH',
    'end tag with another prefix for the same namespace',
    "<a:m xmlns:a='u' xmlns:b='u'></b:m>",
  ),
  row(NWF, 'RTK_XML_TAG_MISMATCH', 'end tag without a stream', '</stream:stream>', true),
  row(NWF, 'RTK_XML_TAG_MISMATCH', 'end of another stream', '</stream:strean>'),
  row(NWF, 'RTK_XML_TAG_MISMATCH', 'end tag with a blank before its name', '<message></ message>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'name that begins with a digit', '<1message/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'name that begins with a hyphen', '<-a/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'blank before the name', '< message/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'name with a forbidden sign', '<mess$age/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'name that begins with a combining mark', '<\u0301a/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'name with a multiplication sign', '<a\u00d7b/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'name with two colons', '<a:b:c/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'name that is a colon', '<:/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'name that begins with a colon', '<:a/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'name that ends with a colon', '<a:/>'),
  row(NWF, 'RTK_XML_BAD_NAME', 'local name that begins with a digit', "<a:1 xmlns:a='u'/>"),
  row(NWF, 'RTK_XML_BAD_NAME', 'attribute that ends with a colon', "<a xmlns:='u'/>"),
  row(NWF, 'RTK_XML_BAD_NAME', 'attribute with two colons', "<a xml:x:y='u'/>"),
  row(NWF, 'RTK_XML_BAD_NAME', 'attribute whose local name begins with a digit', "<a xml:1='u'/>"),
  row(NWF, 'RTK_XML_BAD_TAG', 'attribute without a value', '<message to/>'),
  row(NWF, 'RTK_XML_BAD_TAG', 'attribute without quotes', '<message to=romeo/>'),
  row(NWF, 'RTK_XML_BAD_TAG', 'attributes without a blank between', "<message to='a'from='b'/>"),
  row(NWF, 'RTK_XML_BAD_TAG', 'something behind the slash', '<message/ >'),
  row(NWF, 'RTK_XML_BAD_TAG', 'no name before the equals sign', "<message ='a'/>"),
  row(NWF, 'RTK_XML_BAD_TAG', 'two equals signs', "<message to=='a'/>"),
  row(NWF, 'RTK_XML_BAD_TAG', 'tag in a tag', '<message <body/>'),
  row(NWF, 'RTK_XML_BAD_TAG', 'something like a CDATA section', '<message><![CDATE[x]]></message>'),
  row(NWF, 'RTK_XML_DUPLICATE_ATTRIBUTE', 'the same attribute twice', "<message to='a' to='b'/>"),
  row(
    NWF,
    'RTK_XML_DUPLICATE_ATTRIBUTE',
    'the same declaration twice',
    "<message xmlns='jabber:client' xmlns='jabber:client'/>",
  ),
  row(NWF, 'RTK_XML_DUPLICATE_ATTRIBUTE', 'the same after resolution', "<m xmlns:a='u' xmlns:b='u' a:x='1' b:x='2'/>"),
  row(
    NWF,
    'RTK_XML_DUPLICATE_ATTRIBUTE',
    'the same after references too',
    "<m xmlns:a='u' xmlns:b='&#117;' a:x='1' b:x='2'/>",
  ),
  row(
    NWF,
    'RTK_XML_DUPLICATE_ATTRIBUTE',
    'the same as one of the header',
    "<m xmlns:a='http://etherx.jabber.org/streams' a:x='' stream:x=''/>",
  ),
  row(NWF, 'RTK_XML_LT_IN_VALUE', 'bare < in a value', "<message to='a<b'/>"),
  row(NWF, 'RTK_XML_CDATA_END', ']]> in text', '<message><body>a]]>b</body></message>'),
  row(NWF, 'RTK_XML_CDATA_END', ']]]> in text', '<message>]]]></message>'),
  row(NWF, 'RTK_XML_BAD_REFERENCE', 'lonely ampersand', '<message>a & b</message>'),
  row(NWF, 'RTK_XML_BAD_REFERENCE', 'empty reference', '<message>&;</message>'),
  row(NWF, 'RTK_XML_BAD_REFERENCE', 'empty number', '<message>&#;</message>'),
  row(NWF, 'RTK_XML_BAD_REFERENCE', 'empty hexadecimal number', '<message>&#x;</message>'),
  row(NWF, 'RTK_XML_BAD_REFERENCE', 'capital X', '<message>&#X41;</message>'),
  row(NWF, 'RTK_XML_BAD_REFERENCE', 'hexadecimal digit in a decimal number', '<message>&#6A;</message>'),
  row(NWF, 'RTK_XML_BAD_REFERENCE', 'reference cut by a tag', '<message>&amp<b/></message>'),
  row(NWF, 'RTK_XML_BAD_REFERENCE', 'entity that begins with a digit', '<message>&1a;</message>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'reference to NUL', '<message>&#0;</message>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'reference to a control', '<message>&#x1F;</message>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'reference to a surrogate', '<message>&#xD800;</message>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'reference to U+FFFE', "<message to='&#xFFFE;'/>"),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'reference beyond Unicode', '<message>&#x110000;</message>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'control in text', '<message><body>\x08</body></message>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'NUL in text', '<message><body>\0</body></message>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'control in a value', "<message to='\x1b'/>"),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'control in CDATA', '<message><![CDATA[\x01]]></message>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'control in a name', '<mess\x01age/>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'control between stanzas', '\x01'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'U+FFFE in text', '<message>\ufffe</message>'),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'U+FFFF in a value', "<message to='\uffff'/>"),
  row(NWF, 'RTK_XML_NOT_XML', 'text before the header', 'GET / HTTP/1.1\r\n', true),
  row(NWF, 'RTK_XML_NOT_XML', 'a byte order mark is a character', '\ufeff<a/>', true),
  row(NWF, 'RTK_XML_BAD_CHARACTER', 'TLS where XML is expected', [[0x16, 0x03, 0x01, 0x02]], true),
  row(NWF, 'RTK_XML_AFTER_END', 'stanza behind the end', '</stream:stream><presence/>'),
  row(NWF, 'RTK_XML_AFTER_END', 'text behind the end', '</stream:stream>x'),
  row(NWF, 'RTK_XML_BAD_DECLARATION', 'declaration without a version', "<?xml encoding='utf-8'?><a/>", true),
  row(NWF, 'RTK_XML_BAD_DECLARATION', 'declaration with something more', "<?xml version='1.0' x='y'?><a/>", true),
  row(
    NWF,
    'RTK_XML_BAD_DECLARATION',
    'declaration in the wrong order',
    "<?xml encoding='utf-8' version='1.0'?><a/>",
    true,
  ),
  row(NWF, 'RTK_XML_BAD_DECLARATION', 'declaration with unlike quotes', '<?xml version=\'1.0"?><a/>', true),
  row('bad-format', 'RTK_XML_VERSION', 'XML 1.1', "<?xml version='1.1'?><a/>", true),
  row('bad-format', 'RTK_XML_TEXT_OUTSIDE', 'text between stanzas', '<presence/>hello'),
  row('bad-format', 'RTK_XML_TEXT_OUTSIDE', 'reference between stanzas', '&#32;'),
  row('bad-format', 'RTK_XML_TEXT_OUTSIDE', 'CDATA between stanzas', '<![CDATA[ ]]>'),
  // Namespaces in XML
  row(
    NWF,
    'RTK_XML_UNBOUND_PREFIX',
    'element with an unbound prefix',
    '<message><foo:body>What is this foo?</foo:body></message>',
  ),
  row(NWF, 'RTK_XML_UNBOUND_PREFIX', 'attribute with an unbound prefix', "<message foo:a='b'/>"),
  row(NWF, 'RTK_XML_UNBOUND_PREFIX', 'prefix out of scope', "<m><a xmlns:p='u'/><p:b/></m>"),
  row(NWF, 'RTK_XML_UNBOUND_PREFIX', 'prefix of another stanza', "<m xmlns:p='u'/><p:b/>"),
  row(NWF, 'RTK_XML_UNBOUND_PREFIX', 'element with the prefix xmlns', '<xmlns:a/>'),
  row(NWF, 'RTK_XML_UNBOUND_PREFIX', 'header with an unbound prefix', "<stream:stream xmlns='jabber:client'>", true),
  row(NWF, 'RTK_XML_BAD_NS_DECLARATION', 'prefix undeclared', "<m xmlns:a=''/>"),
  row(NWF, 'RTK_XML_BAD_NS_DECLARATION', 'prefix xmlns declared', "<m xmlns:xmlns='u'/>"),
  row(NWF, 'RTK_XML_BAD_NS_DECLARATION', 'prefix xml for another namespace', "<m xmlns:xml='u'/>"),
  row(
    NWF,
    'RTK_XML_BAD_NS_DECLARATION',
    'another prefix for the namespace of xml',
    "<m xmlns:a='http://www.w3.org/XML/1998/namespace'/>",
  ),
  row(
    NWF,
    'RTK_XML_BAD_NS_DECLARATION',
    'the namespace of xml as default',
    "<m xmlns='http://www.w3.org/XML/1998/namespace'/>",
  ),
  row(
    NWF,
    'RTK_XML_BAD_NS_DECLARATION',
    'the same with a reference',
    "<m xmlns='http://www.w3.org/XML/1998/name&#115;pace'/>",
  ),
  row(
    NWF,
    'RTK_XML_BAD_NS_DECLARATION',
    'a prefix for the namespace of xmlns',
    "<m xmlns:a='http://www.w3.org/2000/xmlns/'/>",
  ),
  row(
    NWF,
    'RTK_XML_BAD_NS_DECLARATION',
    'the namespace of xmlns as default',
    "<m><a xmlns='http://www.w3.org/2000/xmlns/'/></m>",
  ),
  row('bad-namespace-prefix', 'RTK_XML_CONTENT_PREFIX', 'stanza with a prefix', "<c:message xmlns:c='jabber:client'/>"),
  // section 11.6
  row(E, 'RTK_XML_ENCODING', 'another encoding', "<?xml version='1.0' encoding='UTF-16'?><a/>", true),
  row(E, 'RTK_XML_ENCODING', 'latin1', "<?xml version='1.0' encoding='iso-8859-1'?><a/>", true),
  row(E, 'RTK_XML_BAD_UTF8', 'UTF-16 with its mark', [[0xff, 0xfe, 0x3c, 0]], true),
  row(E, 'RTK_XML_ENCODING', 'UTF-16, big end first', [[0, 0x3c, 0, 0x3f]], true),
  row(E, 'RTK_XML_ENCODING', 'UTF-16, little end first', [[0x3c, 0, 0x3f, 0]], true),
  row(E, 'RTK_XML_BAD_UTF8', 'overlong slash', ['<message>', [0xc0, 0xaf], '</message>']),
  row(E, 'RTK_XML_BAD_UTF8', 'overlong NUL', ['<message>', [0xc0, 0x80], '</message>']),
  row(E, 'RTK_XML_BAD_UTF8', 'overlong, three bytes', ['<message>', [0xe0, 0x80, 0xaf], '</message>']),
  row(E, 'RTK_XML_BAD_UTF8', 'overlong, four bytes', ['<message>', [0xf0, 0x80, 0x80, 0xaf], '</message>']),
  row(E, 'RTK_XML_BAD_UTF8', 'surrogate', ['<message>', [0xed, 0xa0, 0x80], '</message>']),
  row(E, 'RTK_XML_BAD_UTF8', 'beyond U+10FFFF', ['<message>', [0xf4, 0x90, 0x80, 0x80], '</message>']),
  row(E, 'RTK_XML_BAD_UTF8', 'lonely continuation', ["<message to='", [0x80], "'/>"]),
  row(E, 'RTK_XML_BAD_UTF8', 'sequence cut by a tag', ['<message>', [0xe2, 0x82], '</message>']),
  row(E, 'RTK_XML_BAD_UTF8', 'bad byte in a name', ['<a', [0xff], '/>']),
  row(E, 'RTK_XML_BAD_UTF8', 'bad byte in CDATA', ['<a><![CDATA[', [0xc3, 0x28], ']]></a>']),
  row(E, 'RTK_XML_BAD_UTF8', 'bad byte between stanzas', [[0xff]]),
]

function bytesOf(sends: Case['sends']): Buffer {
  if (typeof sends === 'string') return Buffer.from(sends)
  return Buffer.concat(sends.map((part) => Buffer.from(part as string)))
}

test('RCV-03, RCV-04: each broken or restricted document gets its condition and code, whole and byte by byte', () => {
  for (const { what, sends, condition, code, bare } of cases) {
    const bytes = Buffer.concat([Buffer.from(bare ? '' : STREAM), bytesOf(sends)])
    const whole = eventsOf(bytes, [])
    const last = whole.at(-1)
    assert.ok(last !== undefined && 'fault' in last, `${what}: no fault`)
    assert.deepEqual([last.condition, last.fault], [condition, code], what)
    assert.equal(whole.filter((event) => 'fault' in event).length, 1, what)
    assert.deepEqual(eventsOf(bytes, [...bytes.keys()]), whole, what)
  }
})

/** Figures are for the long set. */
const isLong = process.env['RATATOSK_LONG'] === '1'

if (isLong)
  test('RCV-03: each costs less than a millisecond of CPU', async () => {
    for (const { what, sends, bare } of cases) {
      const bytes = Buffer.concat([Buffer.from(bare ? '' : STREAM), bytesOf(sends)])
      const run = () => {
        const before = process.cpuUsage()
        eventsOf(bytes, [])
        const { user, system } = process.cpuUsage(before)
        return user + system
      }
      const cost = await least(1000, run, 20)
      assert.ok(cost < 1000, `${what}: ${cost} µs`)
    }
  })

test('RCV-03: nothing is said after a fault, until the reset', () => {
  const { events, scanner } = recording('stream')
  scanner.write(Buffer.from(`${STREAM}<a></b><presence/>`))
  assert.equal(scanner.write(Buffer.from('<presence/></stream:stream>')), 27)
  assert.equal(events.length, 2)
  scanner.reset()
  scanner.write(Buffer.from(`${STREAM}<presence/></stream:stream>`))
  assert.deepEqual(
    events.slice(2).map((event) => Object.keys(event)[0]),
    ['open', 'stanza', 'close'],
  )
})

interface LimitCase {
  readonly limits: Partial<ScannerLimits>
  readonly code: XmlCode
  /** Just within and just beyond the limit, behind the stream header. */
  readonly within: string
  readonly beyond: string
}

const limitCases: readonly LimitCase[] = [
  {
    limits: { stanzaBytes: 20 },
    code: 'RTK_XML_STANZA_BYTES',
    within: '<message>a</message>',
    beyond: '<message>ab</message>',
  },
  { limits: { depth: 2 }, code: 'RTK_XML_DEPTH', within: '<a><b/></a>', beyond: '<a><b><c/></b></a>' },
  { limits: { elements: 3 }, code: 'RTK_XML_ELEMENTS', within: '<a><b/><b/></a>', beyond: '<a><b/><b/><b/></a>' },
  {
    limits: { attributes: 3 },
    code: 'RTK_XML_ATTRIBUTES',
    within: "<a b='' c='' d=''/>",
    beyond: "<a b='' c='' d='' e=''/>",
  },
  {
    limits: { nameBytes: 13 },
    code: 'RTK_XML_NAME_BYTES',
    within: "<a bcdefghijklmn=''/>",
    beyond: "<a bcdefghijklmno=''/>",
  },
  { limits: { nameBytes: 13 }, code: 'RTK_XML_NAME_BYTES', within: '<abcdefghijklm/>', beyond: '<abcdefghijklmn/>' },
  {
    limits: { prefixes: 2 },
    code: 'RTK_XML_PREFIXES',
    within: "<a xmlns:b='u'><c xmlns:d='u'/><e xmlns:f='u'/></a>",
    beyond: "<a xmlns:b='u'><c xmlns:d='u'><e xmlns:f='u'/></c></a>",
  },
  {
    limits: {},
    code: 'RTK_XML_REFERENCE_BYTES',
    within: `<a>&#x${'41'.padStart(20, '0')};</a>`,
    beyond: `<a>&#x${'41'.padStart(21, '0')};</a>`,
  },
]

test('RCV-02: each limit holds to the byte, whole and byte by byte', () => {
  for (const { limits, code, within, beyond } of limitCases) {
    const all = { ...defaultLimits, ...limits }
    for (const [text, expected] of [
      [within, undefined],
      [beyond, code],
    ] as const) {
      const bytes = Buffer.from(STREAM + text)
      const whole = eventsOf(bytes, [], 'stream', all)
      const last = whole.at(-1)
      assert.equal(last !== undefined && 'fault' in last ? last.fault : undefined, expected, text)
      if (last !== undefined && 'fault' in last) assert.equal(last.condition, 'policy-violation')
      assert.deepEqual(eventsOf(bytes, [...bytes.keys()], 'stream', all), whole, text)
    }
  }
})
