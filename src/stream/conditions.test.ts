/**
 * Every stream error condition (RFC 6120 section 4.9.3): the bytes that cause it, or why this house never sends it. A row is a test; a
 * condition without a row fails.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jid } from '../jid/index.ts'
import { StreamError } from '../stanza/error.ts'
import { streamConditions } from '../stanza/stream-error.ts'
import { encode, type Octets } from '../xml/index.ts'
import { type ClientFailure, runClient, XmppClient } from './client.ts'
import { auth, hashing, header, makeAccount, plain, RawClient, rawPair, type Server, signIn } from './kit.testing.ts'
import { defaultStreamLimits } from './limits.ts'
import { fakeTls, HandClock, idleHandler, MemoryTransport, SeededRandom } from './memory.testing.ts'

const no = () => assert.fail()
const noTls = { prepare: no, revocations: no, withoutList: no }

const account = await makeAccount('r0m30')

type Pair = Server & { readonly client: RawClient }

function secured(options: Parameters<typeof rawPair>[1] = {}): Pair {
  return rawPair(account, { tls: fakeTls(), ...options })
}

interface Row {
  readonly condition: string
  readonly title: string
  /** The code that explains it. */
  readonly code: string
  /** Sends the bytes; they are what the row is about. */
  readonly cause: (pair: Pair) => string
  /** The stream stands already (a header went before), with a resource bound or without. */
  readonly from?: 'nothing' | 'header' | 'bound'
  readonly prepare?: (pair: Pair) => void
}

interface Never {
  readonly condition: string
  readonly never: string
}

function opening(attributes: string, root = 'stream:stream'): string {
  return `<?xml version='1.0'?><${root} ${attributes}>`
}

const ns = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"

const rows: readonly (Row | Never)[] = [
  {
    condition: 'bad-format',
    title: 'text between stanzas',
    code: 'RTK_XML_TEXT_OUTSIDE',
    cause: ({ client }) => client.ask('hello'),
  },
  {
    condition: 'bad-format',
    title: 'a root that is not <stream/>',
    code: 'RTK_STREAM_HEADER_NAME',
    from: 'nothing',
    cause: ({ client }) => client.ask(opening(`to='localhost' version='1.0' ${ns}`, 'stream:flow')),
  },
  {
    condition: 'bad-namespace-prefix',
    title: 'the root with another prefix',
    code: 'RTK_STREAM_HEADER_PREFIX',
    from: 'nothing',
    cause: ({ client }) =>
      client.ask(
        opening(
          "to='localhost' version='1.0' xmlns='jabber:client' xmlns:foobar='http://etherx.jabber.org/streams'",
          'foobar:stream',
        ),
      ),
  },
  {
    condition: 'bad-namespace-prefix',
    title: 'a stanza with a prefix',
    code: 'RTK_XML_CONTENT_PREFIX',
    from: 'bound',
    cause: ({ client }) => client.ask("<foo:message xmlns:foo='jabber:client'><foo:body>foo</foo:body></foo:message>"),
  },
  {
    condition: 'conflict',
    title: 'the core ends a session because another took its resource (by bytes: plays/sessions)',
    code: 'RTK_SESSION_REPLACED',
    from: 'bound',
    cause: ({ client, connection }) => {
      connection.close(new StreamError('RTK_SESSION_REPLACED', 'conflict'))
      return client.read()
    },
  },
  {
    condition: 'connection-timeout',
    never:
      'who does not answer is found by the kernel, when nothing can be told to him; our client sends it (see the last tests)',
  },
  {
    condition: 'host-gone',
    never: 'a host goes with a restart, and then nobody knows that it was here; others may say it (see the last tests)',
  },
  {
    condition: 'host-unknown',
    title: 'a host of others',
    code: 'RTK_STREAM_HOST_UNKNOWN',
    from: 'nothing',
    cause: ({ client }) => client.ask(opening(`to='unknown.example' version='1.0' ${ns}`)),
  },
  {
    condition: 'host-unknown',
    title: 'no host at all (section 4.9.1.3)',
    code: 'RTK_STREAM_HOST_UNKNOWN',
    from: 'nothing',
    cause: ({ client }) => client.ask(opening(`version='1.0' ${ns}`)),
  },
  { condition: 'improper-addressing', never: 'it is about streams between servers (section 8.1.1.2)' },
  {
    condition: 'internal-server-error',
    title: 'whoever takes the stanzas throws',
    code: 'RTK_STREAM_HANDLER_FAILED',
    from: 'bound',
    cause: ({ client, driver }) => {
      driver.sink.onStanza = () => {
        throw new Error('a fault of ours')
      }
      return client.ask("<message to='romeo@localhost'/>")
    },
  },
  {
    condition: 'invalid-from',
    title: 'a from that is no JID',
    code: 'RTK_STREAM_FROM_MALFORMED',
    from: 'nothing',
    cause: ({ client }) => client.ask(opening(`from='@' to='localhost' version='1.0' ${ns}`)),
  },
  {
    condition: 'invalid-from',
    title: 'a from inside of TLS that is not who signs in (section 6.4.6)',
    code: 'RTK_STREAM_FROM_OTHER',
    from: 'nothing',
    cause: ({ client }) => {
      client.ask(opening(`from='romeo@localhost' to='localhost' version='1.0' ${ns}`))
      return client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
    },
  },
  {
    condition: 'invalid-from',
    title: 'a from behind sign-in that is another',
    code: 'RTK_STREAM_FROM_OTHER',
    cause: ({ client }) => {
      client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
      return client.ask(opening(`from='romeo@localhost' to='localhost' version='1.0' ${ns}`))
    },
  },
  {
    condition: 'invalid-namespace',
    title: 'the wrong stream namespace',
    code: 'RTK_STREAM_HEADER_NS',
    from: 'nothing',
    cause: ({ client }) =>
      client.ask(opening("to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://wrong.example/'")),
  },
  {
    condition: 'invalid-namespace',
    title: 'a content namespace that is not of clients',
    code: 'RTK_STREAM_CONTENT_NS',
    from: 'nothing',
    cause: ({ client }) =>
      client.ask(
        opening("to='localhost' version='1.0' xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'"),
      ),
  },
  {
    condition: 'invalid-namespace',
    title: 'a stanza of servers (section 4.8.3)',
    code: 'RTK_STREAM_CONTENT_NS',
    from: 'bound',
    cause: ({ client }) => client.ask("<message xmlns='jabber:server' to='romeo@localhost'/>"),
  },
  {
    condition: 'invalid-xml',
    never: 'it is for servers that validate (section 11.4); stanzas are checked where they are read',
  },
  {
    condition: 'not-authorized',
    title: 'a stanza before sign-in',
    code: 'RTK_STREAM_STANZA_BEFORE_SIGN_IN',
    cause: ({ client }) => client.ask("<message to='romeo@example.net'><body>Wherefore art thou?</body></message>"),
  },
  {
    condition: 'not-authorized',
    title: 'a stanza to others before binding (section 7.1)',
    code: 'RTK_STREAM_STANZA_BEFORE_BIND',
    cause: ({ client }) => {
      client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
      client.ask(header)
      return client.ask("<message to='romeo@example.net'/>")
    },
  },
  {
    condition: 'not-authorized',
    title: 'sign-in on a stream that is signed in',
    code: 'RTK_STREAM_SIGNED_IN',
    from: 'bound',
    cause: ({ client }) => client.ask(auth('PLAIN', plain('juliet', 'r0m30'))),
  },
  {
    condition: 'not-authorized',
    title: 'another host behind sign-in',
    code: 'RTK_STREAM_HOST_CHANGED',
    prepare: ({ driver }) => driver.hosts.set('other.example', { domain: 'other.example', tls: 'required' }),
    cause: ({ client }) => {
      client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
      return client.ask(opening(`to='other.example' version='1.0' ${ns}`))
    },
  },
  {
    condition: 'not-well-formed',
    title: 'a prefix that is declared nowhere',
    code: 'RTK_XML_UNBOUND_PREFIX',
    from: 'bound',
    cause: ({ client }) => client.ask('<message><foo:body>What is this foo?</foo:body></message>'),
  },
  {
    condition: 'not-well-formed',
    title: 'bytes that are no XML instead of a header (section 4.9.1.2)',
    code: 'RTK_XML_NOT_XML',
    from: 'nothing',
    cause: ({ client }) => client.ask('GET / HTTP/1.1\r\n\r\n'),
  },
  {
    condition: 'policy-violation',
    title: 'a stanza beyond the limit',
    code: 'RTK_XML_STANZA_BYTES',
    from: 'bound',
    cause: ({ client }) => client.ask(`<message><body>${'the-emacs-manual '.repeat(20_000)}</body></message>`),
  },
  {
    condition: 'policy-violation',
    title: 'too many failed attempts to sign in (section 6.4.5)',
    code: 'RTK_STREAM_SASL_RETRIES',
    cause: ({ client }) =>
      Array.from({ length: defaultStreamLimits.saslRetries + 1 }, () =>
        client.ask(auth('PLAIN', plain('juliet', 'wrong'))),
      ).at(-1) ?? '',
  },
  {
    condition: 'policy-violation',
    title: 'too many failed attempts to bind (section 7.7.3)',
    code: 'RTK_STREAM_BIND_RETRIES',
    cause: ({ client }) => {
      client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
      client.ask(header)
      const request = "<iq type='get' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
      return Array.from({ length: 6 }, () => client.ask(request)).at(-1) ?? ''
    },
  },
  {
    condition: 'policy-violation',
    title: 'more bytes than a peer may send before sign-in',
    code: 'RTK_STREAM_NEGOTIATION_BYTES',
    cause: ({ client }) => client.ask(' '.repeat(70_000)),
  },
  {
    condition: 'policy-violation',
    title: 'more elements than a peer may send before sign-in',
    code: 'RTK_STREAM_NEGOTIATION_ELEMENTS',
    cause: ({ client }) =>
      client.ask(
        "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".repeat(defaultStreamLimits.negotiationElements + 1),
      ),
  },
  {
    condition: 'policy-violation',
    title: 'no sign-in in time',
    code: 'RTK_STREAM_NEGOTIATION_TIMEOUT',
    cause: ({ client, clock }) => {
      clock.advance(60_000)
      return client.read()
    },
  },
  {
    condition: 'policy-violation',
    title: 'not even a header in time (slow loris)',
    code: 'RTK_STREAM_NEGOTIATION_TIMEOUT',
    from: 'nothing',
    cause: ({ client, clock }) => {
      for (const byte of "<?xml version='1.0'?><stream:str") {
        client.send(byte)
        clock.advance(2_000)
      }
      return client.read()
    },
  },
  { condition: 'remote-connection-failed', never: 'nothing about a client is asked of another server' },
  {
    condition: 'reset',
    never: 'a running stream gets no new features, and certificates are swapped without ending streams',
  },
  {
    condition: 'resource-constraint',
    title: 'the listener turns the client away (by bytes: listeners/refusals)',
    code: 'RTK_CONNECTIONS_MAX',
    from: 'nothing',
    prepare: ({ driver }) => {
      driver.refusal = new StreamError('RTK_CONNECTIONS_MAX', 'resource-constraint')
    },
    cause: ({ client }) => client.ask(header),
  },
  {
    condition: 'restricted-xml',
    title: 'a comment',
    code: 'RTK_XML_COMMENT',
    from: 'bound',
    cause: ({ client }) => client.ask('<message><!--<subject/>--></message>'),
  },
  {
    condition: 'restricted-xml',
    title: 'a document type before the header',
    code: 'RTK_XML_DTD',
    from: 'nothing',
    cause: ({ client }) => client.ask("<?xml version='1.0'?><!DOCTYPE foo [<!ENTITY a 'b'>]>"),
  },
  {
    condition: 'see-other-host',
    never: 'nobody is sent elsewhere, as every node has every host; others may say it (see the last tests)',
  },
  {
    condition: 'system-shutdown',
    title: 'the server stops (by a command: plays/streams)',
    code: 'RTK_SERVER_STOPPING',
    from: 'bound',
    cause: ({ client, machine }) => {
      machine.close(new StreamError('RTK_SERVER_STOPPING', 'system-shutdown'))
      return client.read()
    },
  },
  { condition: 'undefined-condition', never: 'every error of this house has a condition of the RFC' },
  {
    condition: 'unsupported-encoding',
    title: 'another encoding in the declaration',
    code: 'RTK_XML_ENCODING',
    from: 'nothing',
    cause: ({ client }) => client.ask(header.replace("version='1.0'?", "version='1.0' encoding='UTF-16'?")),
  },
  {
    condition: 'unsupported-encoding',
    title: 'bytes that are not UTF-8',
    code: 'RTK_XML_BAD_UTF8',
    from: 'bound',
    cause: ({ client }) => {
      client.transport.write('<message><body>\xff</body></message>' as Octets)
      return client.read()
    },
  },
  {
    condition: 'unsupported-feature',
    never: 'the receiving entity offers; only an initiating entity sends it (see the last test)',
  },
  {
    condition: 'unsupported-stanza-type',
    title: 'an unknown element of the content namespace',
    code: 'RTK_STREAM_ELEMENT_UNKNOWN',
    from: 'bound',
    cause: ({ client }) => client.ask("<pubsub xmlns='jabber:client'><publish node='princely_musings'/></pubsub>"),
  },
  {
    condition: 'unsupported-stanza-type',
    title: 'a message of another namespace (section 4.8.4)',
    code: 'RTK_STREAM_ELEMENT_UNKNOWN',
    from: 'bound',
    cause: ({ client }) => client.ask("<ns2:message xmlns:ns2='http://example.org/ns2' to='juliet@localhost'/>"),
  },
  {
    condition: 'unsupported-stanza-type',
    title: 'an unknown element before sign-in',
    code: 'RTK_STREAM_ELEMENT_UNKNOWN',
    cause: ({ client }) => client.ask("<hello xmlns='urn:example'/>"),
  },
  {
    condition: 'unsupported-version',
    title: 'no version, which is 0.9',
    code: 'RTK_STREAM_VERSION',
    from: 'nothing',
    cause: ({ client }) => client.ask(opening(`to='localhost' ${ns}`)),
  },
  {
    condition: 'unsupported-version',
    title: 'a version that is none',
    code: 'RTK_STREAM_VERSION',
    from: 'nothing',
    cause: ({ client }) => client.ask(opening(`to='localhost' version='one' ${ns}`)),
  },
]

const ourHeader =
  /^<\?xml version='1\.0'\?><stream:stream from='localhost' .*id='[\w-]{22}'.* xml:lang='en' xmlns='jabber:client' xmlns:stream='http:\/\/etherx\.jabber\.org\/streams'>/

for (const row of rows) {
  if ('never' in row) continue
  test(`RCV-03, RCV-04: ${row.condition}: ${row.title}`, () => {
    const pair = secured()
    row.prepare?.(pair)
    if (row.from === 'bound') signIn(pair.client)
    else if (row.from !== 'nothing') pair.client.ask(header)
    const answer = row.cause(pair)
    if (row.from === 'nothing') {
      // Section 4.9.1.2: a header of ours comes first, whatever theirs was like (here or with an answer before).
      if (answer.includes('<?xml')) assert.match(answer, ourHeader)
    }
    const error =
      /<stream:error><([a-z-]+) xmlns='urn:ietf:params:xml:ns:xmpp-streams'.*<\/stream:error><\/stream:stream>$/
    assert.equal(error.exec(answer)?.[1], row.condition, answer)
    assert.equal(pair.client.hasEnded, true, 'the connection was not closed')
    const end = pair.driver.ends[0]
    assert.ok(end?.kind === 'error')
    assert.equal(end.error.code, row.code)
    assert.equal(pair.driver.ends.length, 1)
    pair.client.send('<message/>')
    assert.equal(pair.client.read(), '', 'something came after the closing tag')
    pair.client.transport.close()
    pair.clock.advance(60_000)
    assert.equal(pair.driver.causes.length, 1)
    assert.equal(pair.clock.pendingTimers, 0)
  })
}

test('all 25 conditions of section 4.9.3 have a row', () => {
  assert.equal(streamConditions.length, 25)
  assert.deepEqual([...new Set(rows.map((row) => row.condition))].sort(), [...streamConditions].sort())
})

test('host-gone and see-other-host: said for a driver that knows of gone hosts, or a listener that has another place', () => {
  const late = secured()
  late.driver.hosts.set('old.example', 'gone')
  const gone = late.client.ask(opening(`to='old.example' version='1.0' ${ns}`))
  assert.match(gone, /<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'\/><\/stream:error>/)
  const sent = secured()
  const detail = { otherHost: '[::1]:9222' }
  sent.driver.refusal = new StreamError('RTK_MOVED', 'see-other-host', undefined, undefined, detail)
  assert.match(sent.client.ask(header), /<see-other-host xmlns='[^']*'>\[::1\]:9222<\/see-other-host><\/stream:error>/)
  for (const { client } of [late, sent]) assert.equal(client.hasEnded, true)
})

interface ClientRun {
  readonly clock: HandClock
  readonly server: RawClient
  readonly near: MemoryTransport
  readonly opened: Promise<XmppClient | ClientFailure>
}

/** Our client, to a server of raw bytes. */
function clientRun(): ClientRun {
  const clock = new HandClock()
  const [far, near] = MemoryTransport.pair(clock, idleHandler)
  const server = new RawClient(near, clock)
  const world = {
    clock,
    random: new SeededRandom(1),
    hashing,
    net: { tls: noTls, listen: () => assert.fail(), connect: () => assert.fail() },
  }
  const options = {
    jid: jid('juliet@localhost'),
    password: '',
    place: { kind: 'unix', path: '' },
    tls: 'none',
  } as const
  const opened: Promise<XmppClient | ClientFailure> = runClient(world, far, options)
  return { clock, server, near, opened }
}

test('connection-timeout: our client hears nothing in time', async () => {
  const { clock, server, opened } = clientRun()
  assert.match(server.read(), /<stream:stream /)
  clock.advance(3_600_000)
  const error =
    "<stream:error><connection-timeout xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
  assert.equal(server.read(), error)
  const failure = await opened
  assert.ok(!(failure instanceof XmppClient))
  assert.equal(failure.code, 'RTK_CLIENT_NEGOTIATION_TIMEOUT')
})

test('unsupported-feature: our client is asked for something that it cannot do', async () => {
  const { server, near, opened } = clientRun()
  server.read()
  near.write(encode(opening(`from='localhost' id='1' version='1.0' ${ns}`)))
  const answer = server.ask(
    "<stream:features><example xmlns='urn:xmpp:example'><required/></example></stream:features>",
  )
  assert.equal(
    answer,
    "<stream:error><unsupported-feature xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
  )
  const failure = await opened
  assert.ok(!(failure instanceof XmppClient))
  assert.equal(failure.code, 'RTK_CLIENT_FEATURE_UNSUPPORTED')
})
