/** The element as its readers see it, lazy and built, and the builder. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { x } from './build.ts'
import type { Element } from './element.types.ts'
import { XmlError } from './errors.ts'
import { defaultLimits } from './limits.ts'
import { decode, encode } from './octets.ts'
import { parseBytes, parseElement } from './parse.ts'
import { Scanner } from './scanner.ts'
import { endTag, serialise, startTag } from './serialise.ts'
import { xml } from './template.ts'

const NS = 'jabber:client'
const TEXT =
  `<message xmlns='${NS}' to='a@b' from='c&amp;d' type='chat' id='7' xml:lang='de' x:y='z' xmlns:x='urn:x' other='&#10;'>` +
  `<body>Hallo &lt;<![CDATA[&]]></body> <body xml:lang='ru'>Привет</body><active xmlns='urn:c'/><x:p>1<q/></x:p></message>`
const lazy = parseElement(TEXT)
const built = x(
  'message',
  NS,
  { to: 'a@b', from: 'c&d', type: 'chat', id: '7', 'xml:lang': 'de', '{urn:x}y': 'z', other: '\n', missing: undefined },
  x('body', NS, 'Hallo ', '<', '', '&'),
  ' ',
  x('body', NS, { 'xml:lang': 'ru' }, 'Привет'),
  undefined,
  null,
  x('active', 'urn:c'),
  x('p', 'urn:x', '1', x('q', NS)),
)

for (const [kind, element] of [
  ['lazy', lazy],
  ['built', built],
] as const) {
  test(`what a reader sees, ${kind}`, () => {
    assert.deepEqual([element.name, element.ns, element.lang], ['message', NS, 'de'])
    assert.deepEqual(
      ['to', 'from', 'type', 'id', 'other', 'none', 'xml:lang', 'xmlns', 'y'].map((name) => element.attr(name)),
      ['a@b', 'c&d', 'chat', '7', '\n', undefined, undefined, undefined, undefined],
    )
    assert.equal(element.rawAttr('from'), 'c&amp;d')
    assert.equal(element.rawAttr('other'), '&#10;')
    assert.equal(element.rawAttr('none'), undefined)
    assert.equal(element.attrNS('urn:x', 'y'), 'z')
    assert.equal(element.attrs.length, 7)
    assert.equal(element.child('body')?.text, 'Hallo <&')
    assert.equal(element.childText('body'), 'Hallo <&')
    assert.equal(element.childText('none'), undefined)
    assert.equal(element.child(null, 'urn:c')?.name, 'active')
    assert.equal(element.child('active'), undefined)
    assert.deepEqual(
      element
        .childrenNamed('body')
        .map(({ text, lang }) => [text, lang])
        .at(1),
      ['Привет', 'ru'],
    )
    assert.equal(element.childrenNamed(null).length, 2)
    assert.equal(element.text, ' ')
    assert.equal(element.elements.length, 4)
    assert.equal(element.children.length, 5)
    assert.deepEqual(
      [element.hasChild('active', 'urn:c'), element.hasChild('active', NS), element.hasChild('q', NS)],
      [true, false, false],
    )
    assert.deepEqual(element.childNames, [
      { name: 'body', ns: NS },
      { name: 'body', ns: NS },
      { name: 'active', ns: 'urn:c' },
      { name: 'p', ns: 'urn:x' },
    ])
    assert.equal(element.child('p', 'urn:x')?.child('q', NS)?.ns, NS)
    assert.ok(Math.abs(element.size - TEXT.length) < 40)
  })

  test(`copies leave the original alone, ${kind}`, () => {
    const before = serialise(element, NS)
    const changed = element.withAttrs({ to: undefined, id: '8', new: "'" })
    assert.deepEqual(
      [changed.attr('to'), changed.attr('id'), changed.attr('new'), changed.lang],
      [undefined, '8', "'", 'de'],
    )
    assert.equal(changed.payload, element.payload)
    const more = element.withChild(x('extra', 'urn:e'))
    assert.ok(more.hasChild('extra', 'urn:e') && !element.hasChild('extra', 'urn:e'))
    const less = more.withoutChildren(({ name }) => name === 'body' || name === 'extra')
    assert.deepEqual(
      less.childNames.map(({ name }) => name),
      ['active', 'p'],
    )
    assert.equal(
      element.withoutChildren(() => false),
      element,
    )
    assert.equal(serialise(element, NS), before)
    assert.deepEqual(parseElement(decode(serialise(less, ''))).childNames, less.childNames)
  })
}

test('bad values cannot slip in by a copy', () => {
  for (const element of [lazy, built]) {
    assert.throws(() => element.withAttrs({ to: '\0' }), { code: 'RTK_XML_ILLEGAL_TEXT' })
    assert.throws(() => element.withAttrs({ 'a b': 'x' }), { code: 'RTK_XML_ILLEGAL_NAME' })
    assert.throws(() => element.withAttrs({ xmlns: 'x' }), { code: 'RTK_XML_ILLEGAL_NAME' })
  }
})

test('texts that meet where a child was stay well-formed and the same', () => {
  const rows = [
    ']]<x/>>',
    ']<x/>]>',
    ']<x/>]<x/>>',
    ']]<x/><x/>>',
    ']<x/>>',
    'a\r<x/>\nb',
    '<x/>>',
    '<![CDATA[]]]]><x/>>',
    ']]<x/>',
  ] as const
  for (const text of rows) {
    const element = parseElement(`<a xmlns='${NS}'>${text}</a>`)
    const less = parseElement(
      decode(
        serialise(
          element.withoutChildren(() => true),
          '',
        ),
      ),
    )
    assert.deepEqual([less.text, less.elements.length], [element.text, 0], text)
  }
})

test('RCV-04: the language of the parent is that of the children', () => {
  assert.deepEqual(
    parseElement("<a xml:lang='de'><b/><c xml:lang='fr'/></a>").elements.map(({ lang }) => lang),
    ['de', 'fr'],
  )
})

test('names, namespaces and texts are checked at construction', () => {
  const rows: readonly [() => Element, string][] = [
    [() => x('a b', NS), 'RTK_XML_ILLEGAL_NAME'],
    [() => x('a:b', NS), 'RTK_XML_ILLEGAL_NAME'],
    [() => x('', NS), 'RTK_XML_ILLEGAL_NAME'],
    [() => x('a', NS, { '1': 'x' }), 'RTK_XML_ILLEGAL_NAME'],
    [() => x('a', NS, { xmlns: 'x' }), 'RTK_XML_ILLEGAL_NAME'],
    [() => x('a', NS, { 'b:c': 'x' }), 'RTK_XML_ILLEGAL_NAME'],
    [() => x('a', NS, { b: '\x01' }), 'RTK_XML_ILLEGAL_TEXT'],
    [() => x('a', NS, 'lone \ud800'), 'RTK_XML_ILLEGAL_TEXT'],
    [() => x('a', NS, 'x', '\uffff'), 'RTK_XML_ILLEGAL_TEXT'],
    [() => x('a', 'urn:\0'), 'RTK_XML_ILLEGAL_TEXT'],
    [() => x('a', 'http://www.w3.org/2000/xmlns/'), 'RTK_XML_ILLEGAL_NAMESPACE'],
    [() => x('a', NS, { '{}b': 'x' }), 'RTK_XML_ILLEGAL_NAMESPACE'],
  ]
  for (const [build, code] of rows) assert.throws(build, (error) => error instanceof XmlError && error.code === code)
})

test('the canonical form', () => {
  const rows: readonly [Element, string, string][] = [
    [x('a', NS), '', "<a xmlns='jabber:client'/>"],
    [x('a', NS), NS, '<a/>'],
    [x('a', ''), NS, "<a xmlns=''/>"],
    [x('a', NS, x('b', '', x('c', NS))), NS, "<a><b xmlns=''><c xmlns='jabber:client'/></b></a>"],
    [x('a', NS, { b: `<>&'"\t\n\r` }), NS, `<a b='&lt;>&amp;&apos;"&#9;&#10;&#13;'/>`],
    [x('a', NS, `<>&'"\t\n\r]]>`), NS, `<a>&lt;&gt;&amp;'"\t\n&#13;]]&gt;</a>`],
    [x('a', NS, { '{urn:x}b': '1', '{urn:x}c': '2' }), NS, "<a xmlns:a0='urn:x' a0:b='1' xmlns:a1='urn:x' a1:c='2'/>"],
    [x('é', 'urn:é', 'é'), NS, encode("<é xmlns='urn:é'>é</é>")],
  ]
  for (const [element, context, expected] of rows) assert.equal(serialise(element, context), expected)
})

test('a namespace with a prefix at that place is written with it', () => {
  const prefixes = new Map([['http://etherx.jabber.org/streams', 'stream']])
  const features = x(
    'features',
    'http://etherx.jabber.org/streams',
    x('bind', 'urn:b'),
    x('error', 'http://etherx.jabber.org/streams'),
  )
  const expected = "<stream:features><bind xmlns='urn:b'/><stream:error/></stream:features>"
  assert.equal(serialise(features, NS, prefixes), expected)
  assert.equal(serialise(parseElement(decode(serialise(features, ''))), NS, prefixes), expected)
  assert.equal(startTag(features, NS, { to: 'x' }, prefixes), "<stream:features to='x'>")
  assert.equal(endTag(features, NS, prefixes), '</stream:features>')
  assert.equal(endTag(features, NS), '</features>')
})

test('documents: where they are broken is said', () => {
  assert.throws(() => parseElement(''), { code: 'RTK_XML_TRUNCATED' })
  assert.throws(() => parseElement('<a>'), { code: 'RTK_XML_TRUNCATED', position: 3 })
  assert.throws(() => parseElement('<a/><b/>'), { code: 'RTK_XML_AFTER_END', position: 4 })
  assert.throws(() => parseElement('é<a/>'), { code: 'RTK_XML_NOT_XML' })
  assert.throws(() => parseBytes(Uint8Array.of(0x3c, 0x61, 0x3e, 0xff)), { code: 'RTK_XML_BAD_UTF8', position: 3 })
  assert.equal(parseElement('\n <a/>\n').name, 'a')
})

test('the template escapes what is put in', () => {
  const element = xml`
    <message to='${`a'b"<&`}' xmlns="jabber:client"><body>${'<x/> & "\'\n'}</body>${x('y', 'urn:y', 'é')}${5}</message>`
  assert.equal(element.attr('to'), `a'b"<&`)
  assert.equal(element.childText('body'), '<x/> & "\'\n')
  assert.equal(element.child('y', 'urn:y')?.text, 'é')
  assert.equal(element.text, '5')
})

test('a payload is found however its namespace is spelt, and wherever its prefix stands', () => {
  const found: boolean[] = []
  const scanner = new Scanner('stream', defaultLimits, {
    streamOpen: () => undefined,
    stanza: (element) => found.push(element.hasChild('delay', 'urn:xmpp:delay')),
    streamClose: () => undefined,
    fault: (fault) => assert.fail(fault.text),
  })
  const rows: readonly (readonly [string, boolean])[] = [
    [`<message><body>urn:xmpp:delay</body></message>`, false],
    [`<message><body>plain</body></message>`, false],
    [`<message><delay xmlns='urn:xmpp:delay'/></message>`, true],
    [`<message><delay xmlns='urn:xmpp:d&#101;lay'/></message>`, true],
    [`<message xmlns:d='urn:xmpp:delay'><d:delay/></message>`, true],
    [`<message><h:delay/></message>`, true],
    [`<message><h:delay>&amp;</h:delay></message>`, true],
    [`<message><x xmlns='urn:x'><delay xmlns='urn:xmpp:delay'/></x></message>`, false],
  ]
  const stream = `<stream:stream xmlns='${NS}' xmlns:stream='http://etherx.jabber.org/streams' xmlns:h='urn:xmpp:delay'>`
  scanner.write(Buffer.from(stream + rows.map(([text]) => text).join('')))
  assert.deepEqual(
    found,
    rows.map(([, expected]) => expected),
  )
})
