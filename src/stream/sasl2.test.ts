/** XEP-0388 and XEP-0386 on the server's stream: what is offered, what comes in which order, and what ends the stream. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StanzaError } from '../stanza/error.ts'
import { ascii, x } from '../xml/index.ts'
import {
  auth,
  authenticate,
  bindRequest,
  hashing,
  header,
  makeAccount,
  plain,
  type RawClient,
  rawPair,
  starttls,
} from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'
import { offerHash, offerText } from './sasl/index.ts'
import { bind2Feature } from './sasl2.ts'

const account = await makeAccount('r0m30')
const secured = { tls: fakeTls() }
const right = plain('juliet', 'r0m30')
const NS = "xmlns='urn:xmpp:sasl:2'"
const bind = (inside = '') => `<bind xmlns='urn:xmpp:bind:0'>${inside}</bind>`
const id = 'D4565FA7-4d72-4749-b3d3-740edbf87770'
const agent = `<user-agent id='${id}'><software>AwesomeXMPP</software><device>Kiva's Phone</device></user-agent>`
const bareSuccess = `<success ${NS}><authorization-identifier>juliet@localhost</authorization-identifier></success>`
const boundSuccess = (resource: string) =>
  `<success ${NS}><authorization-identifier>juliet@localhost/${resource}</authorization-identifier><bound xmlns='urn:xmpp:bind:0'/></success>`
const bindOffer =
  "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session></stream:features>"

function streamError(answer: string): string | undefined {
  return /<stream:error><([a-z-]+) .*<\/stream:stream>$/.exec(answer)?.[1]
}

/** What the features offer by SASL2. */
function offerOf(client: RawClient): string {
  return /<authentication .*<\/authentication>/.exec(client.ask(header))?.[0] ?? ''
}

test('section 2.1: the feature beside that of RFC 6120, with the same mechanisms and what may be done inline', () => {
  const { client, driver } = rawPair(account, secured)
  driver.offered = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']
  driver.sasl2Offer = { inline: [bind2Feature(['urn:xmpp:carbons:2']), x('sm', 'urn:xmpp:sm:3')] }
  const features = client.ask(header)
  const list = '<mechanism>SCRAM-SHA-256-PLUS</mechanism><mechanism>SCRAM-SHA-256</mechanism>'
  assert.ok(features.includes(`<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${list}</mechanisms>`), features)
  const inBind = "<bind xmlns='urn:xmpp:bind:0'><inline><feature var='urn:xmpp:carbons:2'/></inline></bind>"
  const inline = `<inline>${inBind}<sm xmlns='urn:xmpp:sm:3'/></inline>`
  assert.ok(features.includes(`<authentication ${NS}>${list}${inline}</authentication>`), features)
})

test('section 3: it is offered inside of TLS only, whatever the host allows in the clear', () => {
  for (const tls of ['required', 'optional', 'none'] as const) {
    const { client, driver } = rawPair(account)
    driver.hosts.set('localhost', { domain: 'localhost', tls, hasSasl2: true })
    assert.equal(offerOf(client), '', tls)
  }
})

test('section 2.1: without a mechanism it is not offered, nor where the host does not speak it', () => {
  const none = rawPair(account, secured)
  none.driver.offered = []
  assert.equal(offerOf(none.client), '')
  const off = rawPair(account, secured)
  off.driver.hosts.set('localhost', { domain: 'localhost', tls: 'required' })
  assert.equal(offerOf(off.client), '')
  assert.equal(streamError(off.client.ask(authenticate('PLAIN', right))), 'unsupported-stanza-type')
})

test('XEP-0440 section 3, rule 5: types of channel binding are named beside a mechanism that binds, and only there', () => {
  for (const offered of [['SCRAM-SHA-256'], ['PLAIN'], ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']]) {
    const { client, driver } = rawPair(account, secured)
    driver.offered = offered
    const features = client.ask(header)
    assert.equal(features.includes("<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"), offered.length === 2, features)
  }
})

test('section 2.1: a from of another host is invalid-from inside of TLS, and means nothing in the clear', () => {
  const inTls = rawPair(account, secured)
  const other = header.replace(' to=', " from='juliet@else.example' to=")
  assert.equal(streamError(inTls.client.ask(other)), 'invalid-from')
  assert.match(rawPair(account).client.ask(other), /<\/stream:features>$/)
})

test('section 2.6.1: success with the bare JID, features at once, no new stream; then binding by RFC 6120', () => {
  const { client, driver, machine } = rawPair(account, secured)
  client.ask(header)
  assert.equal(client.ask(authenticate('PLAIN', right)), `${bareSuccess}${bindOffer}`)
  assert.equal(machine.state, 'binding')
  assert.deepEqual(
    driver.signIns.map(({ jid, mechanism }) => [String(jid), mechanism]),
    [['juliet@localhost', 'PLAIN']],
  )
  assert.match(client.ask(bindRequest), /<jid>juliet@localhost\/made<\/jid>/)
  assert.equal(machine.state, 'established')
})

test('section 2.3: the user agent is read, its id only if it is a UUID, and its texts up to 128 characters', () => {
  const read = (more: string) => {
    const { client, driver } = rawPair(account, secured)
    client.ask(header)
    client.ask(authenticate('PLAIN', right, more))
    return driver.requests[0]?.agent
  }
  assert.deepEqual(read(agent), { id: id.toLowerCase(), software: 'AwesomeXMPP', device: "Kiva's Phone" })
  assert.equal(read(''), undefined)
  assert.deepEqual(read("<user-agent id='me'/>"), { id: '', software: '', device: '' })
  assert.equal(read(`<user-agent><device>${'x'.repeat(200)}</device></user-agent>`)?.device, 'x'.repeat(128))
})

test('what is asked for in one go comes to the driver without SASL data and without the user agent', () => {
  const { client, driver } = rawPair(account, secured)
  client.ask(header)
  const more = `${agent}${bind('<tag>Awesome</tag>')}<resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/>`
  client.ask(authenticate('PLAIN', right, more))
  const [request] = driver.requests
  assert.deepEqual(
    request?.inline.map((el) => `${el.name} ${el.ns}`),
    ['resume urn:xmpp:sm:3'],
  )
  assert.equal(request?.bind?.childText('tag'), 'Awesome')
})

test('XEP-0386 section 3.2: bound in one go: the full JID, <bound/>, features without binding, then the session', () => {
  const { client, driver, machine, connection } = rawPair(account, secured)
  driver.extra = { sasl: [], bind: [x('ver', 'urn:xmpp:features:rosterver')] }
  driver.onBind = (jid, resource) => {
    connection.write(ascii("<message from='localhost'/>"))
    return { jid: jid.withResource(resource), sink: driver.sink }
  }
  client.ask(header)
  const features = "<stream:features><ver xmlns='urn:xmpp:features:rosterver'/></stream:features>"
  assert.equal(
    client.ask(authenticate('PLAIN', right, bind('<tag>balcony</tag>'))),
    `${boundSuccess('balcony')}${features}<message from='localhost'/>`,
  )
  assert.equal(machine.state, 'established')
  client.ask("<message to='romeo@localhost'/>")
  assert.equal(driver.sink.stanzas.length, 1)
  assert.match(client.ask(bindRequest), /<not-allowed /, 'it has its resource')
})

test('a resource that is refused: signed in with the bare JID, and told why by RFC 6120', () => {
  const { client, driver } = rawPair(account, secured)
  driver.onBind = () => new StanzaError('RTK_BIND_SESSIONS_MAX', 'resource-constraint')
  client.ask(header)
  assert.equal(client.ask(authenticate('PLAIN', right, bind())), `${bareSuccess}${bindOffer}`)
  assert.match(client.ask(bindRequest), /<resource-constraint /)
})

test('sections 2.2 and 2.5: SCRAM with its data in elements; XEP-0474: the hash of what both profiles offer', () => {
  const { client } = rawPair(account, secured)
  const mechanisms = [...offerOf(client).matchAll(/<mechanism>([^<]*)/g)].map((found) => found[1] ?? '')
  const first = Buffer.from('n,,n=juliet,r=abcdefgh').toString('base64')
  const challenge = client.ask(authenticate('SCRAM-SHA-1', first))
  const data = new RegExp(`^<challenge ${NS}>([^<]+)</challenge>$`).exec(challenge)?.[1] ?? assert.fail(challenge)
  const offer = offerText(mechanisms, ['tls-exporter', 'tls-server-end-point'])
  const text = Buffer.from(data, 'base64').toString()
  assert.ok(text.endsWith(`,i=4096,h=${offerHash(hashing, 'sha1', offer)}`), text)
  const wrong = Buffer.from(text.replace(/^(r=[^,]*),.*$/, 'c=biws,$1,p=AAAA')).toString('base64')
  assert.match(client.ask(`<response ${NS}>${wrong}</response>`), /<not-authorized /)
})

test('XEP-0474: a host that does not protect its offer sends no hash', () => {
  const first = Buffer.from('n,,n=juliet,r=abcdefgh').toString('base64')
  for (const request of [auth('SCRAM-SHA-1', first), authenticate('SCRAM-SHA-1', first)]) {
    const { client, driver } = rawPair(account, secured)
    driver.hosts.set('localhost', { domain: 'localhost', tls: 'required', hasSasl2: true })
    client.ask(header)
    const data = /^<challenge [^>]*>([^<]+)</.exec(client.ask(request))?.[1] ?? assert.fail()
    assert.match(Buffer.from(data, 'base64').toString(), /,i=4096$/)
  }
})

// Section 2.4: from <authenticate/> to the outcome nothing but its own elements.
const disturbing: readonly (readonly [string, string, string])[] = [
  ['a stanza', "<message to='romeo@localhost'/>", 'not-authorized'],
  ['a second <authenticate/>', authenticate('PLAIN', right), 'policy-violation'],
  ['an <auth/> of RFC 6120', auth('PLAIN', right), 'policy-violation'],
  ['a <response/> of RFC 6120', "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", 'policy-violation'],
  ['an element of SASL2 that has no place here', `<next ${NS} task='x'/>`, 'policy-violation'],
  ['something unknown', "<hello xmlns='urn:example'/>", 'unsupported-stanza-type'],
]

for (const [title, bytes, condition] of disturbing) {
  test(`section 2.4: ${title} amid an exchange ends the stream`, () => {
    const { client, driver } = rawPair(account, secured)
    client.ask(header)
    assert.equal(client.ask(authenticate('PLAIN')), `<challenge ${NS}/>`)
    assert.equal(streamError(client.ask(bytes)), condition)
    assert.equal(driver.ends.length, 1)
  })
}

test('section 2.4: what a module would take ends the stream amid an exchange, and so does a stanza for one', () => {
  for (const bytes of [
    "<enable xmlns='urn:xmpp:sm:3'/>",
    "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>",
  ]) {
    const { client, driver } = rawPair(account, secured)
    driver.claims = () => true
    client.ask(header)
    client.ask(bytes)
    assert.equal(driver.claimed.length, 1, 'before it may be anybody’s')
    client.ask(authenticate('PLAIN'))
    assert.notEqual(streamError(client.ask(bytes)), undefined)
    assert.deepEqual([driver.claimed.length, driver.ends.length], [1, 1])
  }
})

test('section 2.4: STARTTLS amid an exchange ends the stream', () => {
  const { client, driver } = rawPair(account, secured)
  client.ask(header)
  client.ask(authenticate('PLAIN'))
  assert.match(client.ask(starttls), /<\/stream:stream>$/)
  assert.equal(driver.ends.length, 1)
})

test('<authenticate/> amid an exchange of RFC 6120 ends the stream', () => {
  const { client } = rawPair(account, secured)
  client.ask(header)
  client.ask(auth('PLAIN'))
  assert.equal(streamError(client.ask(authenticate('PLAIN', right))), 'policy-violation')
})

test('section 4.8: another <authenticate/> behind <success/> is a stream error, bound or not', () => {
  for (const more of ['', bind('<tag>x</tag>')]) {
    const { client } = rawPair(account, secured)
    client.ask(header)
    assert.match(client.ask(authenticate('PLAIN', right, more)), /^<success/)
    assert.equal(streamError(client.ask(authenticate('PLAIN', right))), 'not-authorized')
  }
})

test('what comes while the driver thinks waits, and is for the session behind <success/>', () => {
  const { client, driver, transport } = rawPair(account, secured)
  driver.later = true
  client.ask(header)
  assert.equal(client.ask(`${authenticate('PLAIN', right, bind('<tag>x</tag>'))}<presence/>`), '')
  driver.answerAll()
  assert.equal(client.read(), '')
  assert.ok(transport.isPaused)
  driver.answerAll()
  assert.equal(client.read(), `${boundSuccess('x')}<stream:features/>`)
  assert.deepEqual(
    driver.sink.stanzas.map((el) => el.name),
    ['presence'],
  )
})

test('an answer that comes after the end is refused, so that its session is ended', () => {
  const { client, driver, machine } = rawPair(account, secured)
  client.ask(header)
  let ticket = 0
  driver.inline = (asked) => {
    ticket = asked
  }
  client.ask(authenticate('PLAIN', right, bind()))
  assert.equal(machine.state, 'inlining')
  machine.close()
  assert.equal(machine.inlined(ticket, { bound: undefined, elements: [] }), false)
  assert.equal(client.read(), '</stream:stream>')
})

test('RFC 6120 section 6.4.5: both profiles together have one budget of attempts', () => {
  const { client, driver } = rawPair(account, { ...secured, limits: { saslRetries: 2 } })
  client.ask(header)
  const wrong = plain('juliet', 'wrong')
  assert.match(client.ask(auth('PLAIN', wrong)), /not-authorized/)
  assert.match(client.ask(authenticate('PLAIN', wrong)), /not-authorized/)
  const last = client.ask(authenticate('PLAIN', wrong))
  assert.equal(streamError(last), 'policy-violation')
  assert.deepEqual(
    driver.ends.map((end) => end.kind === 'error' && end.error.code),
    ['RTK_STREAM_SASL_RETRIES'],
  )
})

test('limits before sign-in hold until a resource is bound: elements, bytes, one element, time', () => {
  const elements = rawPair(account, { ...secured, limits: { negotiationElements: 3 } })
  elements.client.ask(header)
  elements.client.send(`<abort ${NS}/>`.repeat(3))
  assert.equal(streamError(elements.client.ask(authenticate('PLAIN', right))), 'policy-violation')

  const bytes = rawPair(account, { ...secured, limits: { negotiationBytes: 1_000 } })
  bytes.client.ask(header)
  const long = authenticate('PLAIN', right, `<x xmlns='urn:example'>${'x'.repeat(2_000)}</x>`)
  assert.equal(streamError(bytes.client.ask(long)), 'policy-violation')

  const one = rawPair(account, secured)
  one.client.ask(header)
  const larger = authenticate('PLAIN', right, `<x xmlns='urn:example'>${'x'.repeat(20_000)}</x>`)
  assert.equal(streamError(one.client.ask(larger)), 'policy-violation')

  const slow = rawPair(account, { ...secured, limits: { negotiationMs: 1_000 } })
  slow.client.ask(header)
  slow.driver.inline = () => undefined
  slow.client.ask(authenticate('PLAIN', right, bind()))
  slow.clock.advance(1_001)
  assert.equal(streamError(slow.client.read()), 'policy-violation')
})
