/** Framings, stopping, restarting, limits that change, and what costs nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Element } from './element.types.ts'
import { defaultLimits } from './limits.ts'
import { eventsOf, type Recorded, recording } from './recorded.ts'
import { Scanner } from './scanner.ts'

const NS = 'jabber:client'
const STREAM = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

function kinds(events: readonly Recorded[]): string[] {
  return events.map((event) => ('fault' in event ? event.fault : (Object.keys(event)[0] ?? '')))
}

function names(events: readonly Recorded[]): string[] {
  return events.flatMap((event) => ('stanza' in event ? [event.stanza[0]] : []))
}

test('a header says everything that a stream machine asks', () => {
  const header = `<?xml version="1.0" encoding='utf-8' standalone="no" ?>\n<s:stream from='a&amp;b' to="é" xml:lang='de-CH'
    xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' version = '1.0' >`
  const sink = { stanza: () => assert.fail(), streamClose: () => assert.fail(), fault: () => assert.fail() }
  let opened = 0
  const scanner = new Scanner('stream', defaultLimits, {
    ...sink,
    streamOpen: (open) => {
      opened++
      assert.deepEqual([open.name, open.ns, open.prefix], ['stream', 'http://etherx.jabber.org/streams', 's'])
      assert.deepEqual(
        ['from', 'to', 'version', 'id'].map((name) => open.attr(name)),
        ['a&b', 'é', '1.0', undefined],
      )
      assert.deepEqual([open.lang, open.defaultNs], ['de-CH', NS])
      assert.deepEqual(open.prefixes, [
        { prefix: 'db', ns: 'jabber:server:dialback' },
        { prefix: 's', ns: 'http://etherx.jabber.org/streams' },
      ])
    },
  })
  scanner.write(Buffer.from(header))
  assert.equal(opened, 1)
})

test('white space between stanzas is counted and nothing else', () => {
  const { events, scanner } = recording('stream')
  scanner.write(Buffer.from(STREAM))
  for (let k = 0; k < 100; k++) scanner.write(Buffer.from(' \n\t\r'))
  assert.deepEqual([scanner.whitespace, scanner.isMidway, scanner.position], [400, false, STREAM.length + 400])
  scanner.write(Buffer.from('<presence/> '))
  assert.deepEqual([scanner.whitespace, names(events)], [401, ['presence']])
})

test('what stands behind <starttls/> is left to the caller', () => {
  const { events, scanner } = recording('stream', defaultLimits, {}, (made) => made.stop())
  const starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
  const bytes = Buffer.from(`${STREAM}${starttls}<injected/>`)
  const first = scanner.write(bytes)
  assert.equal(first, STREAM.length)
  assert.equal(scanner.write(bytes, first), starttls.length)
  assert.deepEqual(kinds(events), ['open', 'stanza'])
  scanner.reset()
  scanner.write(Buffer.from(`<?xml version='1.0'?>${STREAM}`))
  assert.deepEqual(kinds(events), ['open', 'stanza', 'open'])
})

test('a stream that restarts in the middle of a read goes on with the bytes behind', () => {
  const { events, scanner } = recording('stream', defaultLimits, {}, (made) => {
    if (names(events).at(-1) === 'response' && kinds(events).at(-1) === 'stanza') made.reset()
  })
  const bytes = Buffer.from(`${STREAM}<response/>\n<?xml version='1.0'?>${STREAM}<iq/></stream:stream>`)
  for (let k = 0; k < bytes.length; k++) scanner.write(bytes, k, k + 1)
  assert.deepEqual(kinds(events), ['open', 'stanza', 'open', 'stanza', 'close'])
})

test('limits may change between two writes and hold for what is under way', () => {
  const { events, scanner } = recording('stream', { ...defaultLimits, stanzaBytes: 100 })
  scanner.write(Buffer.from(`${STREAM}<message><body>${'x'.repeat(60)}`))
  scanner.limits = defaultLimits
  scanner.write(Buffer.from(`${'x'.repeat(500)}</body></message><message><body>`))
  scanner.limits = { ...defaultLimits, stanzaBytes: 50 }
  scanner.write(Buffer.from('x'.repeat(100)))
  assert.deepEqual(kinds(events), ['open', 'stanza', 'RTK_XML_STANZA_BYTES'])
})

test('RCV-02: a header beyond its limit is cut, also one that never ends', () => {
  const limits = { ...defaultLimits, headerBytes: 300 }
  const big = Buffer.from(`<stream:stream to='${'x'.repeat(5000)}`)
  for (const size of [1, 7, 5000]) {
    const cuts = Array.from({ length: Math.floor(big.length / size) }, (_, k) => k * size)
    const fault = eventsOf(big, cuts, 'stream', limits)[0]
    assert.deepEqual(fault, { fault: 'RTK_XML_HEADER_BYTES', condition: 'policy-violation', position: 300 })
  }
  assert.deepEqual(kinds(eventsOf(Buffer.from(`<?xml ${' '.repeat(400)}`), [], 'stream', limits)), [
    'RTK_XML_HEADER_BYTES',
  ])
})

test('RCV-02: an endless stanza is cut at the limit, not a byte later, and nothing of it is kept', () => {
  const { events, scanner } = recording('stream')
  scanner.write(Buffer.from(`${STREAM}<message><body>`))
  const flood = Buffer.alloc(4096, 0x78)
  for (let k = 0; k < 1000; k++) scanner.write(flood)
  const position = STREAM.length + defaultLimits.stanzaBytes
  assert.deepEqual(events.slice(1), [{ fault: 'RTK_XML_STANZA_BYTES', condition: 'policy-violation', position }])
  assert.equal(scanner.isMidway, false)
})

test('frames: open, stanzas and close, each a document of its own', () => {
  const { events, scanner } = recording('frame')
  const closes: (string | undefined)[] = []
  const frames = [
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='x' version='1.0' xml:lang='de'/>",
    "<?xml version='1.0'?><message xmlns='jabber:client'><body>a</body></message>",
    "<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>",
    "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='wss://y'/>",
  ]
  for (const frame of frames) {
    const bytes = Buffer.from(frame)
    scanner.write(bytes, 0, 9)
    scanner.write(bytes, 9)
    scanner.endFrame()
  }
  assert.deepEqual(kinds(events), ['open', 'stanza', 'stanza', 'close'])
  assert.deepEqual(events[1], {
    stanza: ['message', NS, [], [['body', NS, [], ['a']]]],
    lang: undefined,
    payload: '<body>a</body>',
  })
  const other = new Scanner('frame', defaultLimits, {
    streamOpen: () => assert.fail(),
    stanza: () => assert.fail(),
    fault: () => assert.fail(),
    streamClose: (close?: Element) => void closes.push(close?.attr('see-other-uri')),
  })
  other.write(Buffer.from(frames[3] ?? ''))
  assert.deepEqual(closes, [])
  other.endFrame()
  assert.deepEqual(closes, ['wss://y'])
})

test('frames that are not one document', () => {
  const rows = [
    ['', 'RTK_XML_TRUNCATED'],
    [" <a xmlns='x'/>", 'RTK_XML_NOT_XML'],
    ['<a/><b/>', 'RTK_XML_AFTER_END'],
    ['<a>', 'RTK_XML_TRUNCATED'],
    ['</a>', 'RTK_XML_TAG_MISMATCH'],
    ["<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>", 'RTK_XML_TRUNCATED'],
  ] as const
  for (const [frame, code] of rows) assert.deepEqual(kinds(eventsOf(Buffer.from(frame), [], 'frame')), [code], frame)
})

test('wrappers: children of a body, one body a request', () => {
  const { events, scanner } = recording('wrapper')
  const body = (inside: string): Buffer =>
    Buffer.from(`<body rid='7' xmlns='http://jabber.org/protocol/httpbind' xmlns:x='urn:x'>${inside}</body>`)
  scanner.write(body("<message xmlns='jabber:client'><x:y/></message>\n<presence xmlns='jabber:client'/>"))
  scanner.endFrame()
  scanner.write(body(''))
  scanner.endFrame()
  scanner.write(Buffer.from("<body xmlns='http://jabber.org/protocol/httpbind'/>"))
  scanner.endFrame()
  assert.deepEqual(kinds(events), ['open', 'stanza', 'stanza', 'close', 'open', 'close', 'open', 'close'])
  assert.deepEqual(events[1], {
    stanza: ['message', NS, [], [['y', 'urn:x', [], []]]],
    lang: undefined,
    payload: "<y xmlns='urn:x'/>",
  })
  for (const [inside, code] of [
    ['text', 'RTK_XML_TEXT_OUTSIDE'],
    ['<a></b>', 'RTK_XML_TAG_MISMATCH'],
  ] as const) {
    assert.deepEqual(kinds(eventsOf(body(inside), [], 'wrapper')), ['open', code])
  }
  assert.deepEqual(kinds(eventsOf(body('').subarray(0, -1), [], 'wrapper')), ['open', 'RTK_XML_TRUNCATED'])
})

test('content namespaces of other streams are read as that of clients, and clients’ own refused there', () => {
  const server = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>"
  const { events, scanner } = recording('stream', defaultLimits, { contentNs: 'jabber:server' })
  scanner.write(
    Buffer.from(
      `${server}<message><body/></message><message xmlns='jabber:server'><x xmlns='u'><y xmlns='jabber:server'/></x></message>`,
    ),
  )
  scanner.write(Buffer.from("<message xmlns='jabber:client'/>"))
  assert.deepEqual(events.slice(1), [
    { stanza: ['message', NS, [], [['body', NS, [], []]]], lang: undefined, payload: '<body/>' },
    {
      // RFC 6120 section 4.8.3: what stands inside of an extension element keeps its namespace.
      stanza: ['message', NS, [], [['x', 'u', [], [['y', 'jabber:server', [], []]]]]],
      lang: undefined,
      payload: "<x xmlns='u'><y xmlns='jabber:server'/></x>",
    },
    { fault: 'RTK_XML_CONTENT_NS', condition: 'invalid-namespace', position: server.length + 110 },
  ])
})

test('the clients’ content namespace inside of a server’s stanza is no way round the mapping', () => {
  const { events, scanner } = recording('stream', defaultLimits, { contentNs: 'jabber:server' })
  scanner.write(Buffer.from("<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'>"))
  scanner.write(Buffer.from("<message><a xmlns='jabber:client'><b xmlns='jabber:server'/></a></message>"))
  assert.deepEqual(events.slice(1), [
    { stanza: ['message', NS, [], [['a', NS, [], [['b', NS, [], []]]]]], lang: undefined, payload: '<a><b/></a>' },
  ])
})

test('a scanner may be used inside of another’s callback', () => {
  const inner = recording('stream')
  const outer = recording('stream', defaultLimits, {}, () => {
    inner.scanner.write(Buffer.from(inner.events.length === 0 ? STREAM : '<iq><a'))
    inner.scanner.write(Buffer.from(inner.events.length === 1 && inner.scanner.isMidway ? '/></iq>' : ''))
  })
  outer.scanner.write(Buffer.from(`${STREAM}<message><b/></message><presence/>`))
  assert.deepEqual(
    [names(outer.events), kinds(outer.events)],
    [
      ['message', 'presence'],
      ['open', 'stanza', 'stanza'],
    ],
  )
  assert.ok(!kinds(inner.events).some((kind) => kind.startsWith('RTK')))
  assert.equal(names(inner.events)[0], 'iq')
})

test('the rest of a large read behind an incomplete stanza is not lost', () => {
  const { events, scanner } = recording('stream')
  scanner.write(Buffer.from(`${STREAM}<message><bo`))
  const many = `dy/></message>${`<message><body>${'x'.repeat(100)}</body></message>`.repeat(500)}<presence/>`
  scanner.write(Buffer.from(many))
  assert.equal(names(events).length, 502)
  assert.equal(names(events).at(-1), 'presence')
})
