import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StanzaError } from '../stanza/error.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { ascii, x } from '../xml/index.ts'
import { auth, bindRequest, header, makeAccount, plain, rawPair, signIn, starttls } from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'

const account = await makeAccount('r0m30')
const secured = { tls: fakeTls() }
const tlsFailure = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"

function idOf(answer: string): string {
  return / id='([^']+)'/.exec(answer)?.[1] ?? assert.fail(`no id in ${answer}`)
}

test('LST-01: header, starttls required, proceed, TLS, restart, mechanisms', () => {
  const { client, machine } = rawPair(account)
  const first = client.ask(header)
  const required =
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
  assert.ok(first.endsWith(required), first)
  assert.equal(client.ask(starttls), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
  assert.equal(machine.state, 'tls')
  client.startTls()
  assert.ok(client.isSecured)
  const second = client.ask(header)
  assert.notEqual(idOf(second), idOf(first))
  const list = /<mechanisms .*<\/mechanisms>/.exec(second)?.[0] ?? ''
  const mechanisms = [...list.matchAll(/<mechanism>([^<]+)/g)].map((match) => match[1])
  assert.deepEqual(mechanisms, [
    'SCRAM-SHA-512-PLUS',
    'SCRAM-SHA-256-PLUS',
    'SCRAM-SHA-1-PLUS',
    'SCRAM-SHA-512',
    'SCRAM-SHA-256',
    'SCRAM-SHA-1',
    'PLAIN',
  ])
  const sasl2 = /<authentication .*<\/authentication>/.exec(second)?.[0] ?? ''
  assert.deepEqual(
    [...sasl2.matchAll(/<mechanism>([^<]+)/g)].map((match) => match[1]),
    mechanisms,
  )
  assert.ok(!second.includes('starttls'))
  const types = [...second.matchAll(/<channel-binding type='([^']+)'/g)].map((match) => match[1])
  assert.deepEqual(types, ['tls-exporter', 'tls-server-end-point'])
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  const third = client.ask(header)
  assert.notEqual(idOf(third), idOf(second))
  assert.ok(!third.includes('mechanisms'))
  assert.match(third, /<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'\/>/)
  assert.match(third, /<session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional\/><\/session>/)
})

test('AUTH-05: XEP-0440: only bindings that the connection has, and none without -PLUS', () => {
  const partial = rawPair(account, { tls: fakeTls({ bindings: { 'tls-server-end-point': 'hash' } }) })
  const answer = partial.client.ask(header)
  assert.match(
    answer,
    /<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-server-end-point'\/><\//,
  )
  const none = rawPair(account, secured)
  none.driver.offered = ['SCRAM-SHA-256']
  assert.ok(!none.client.ask(header).includes('channel-binding'))
})

test('optional TLS: STARTTLS beside the mechanisms for the clear', () => {
  const { client, driver } = rawPair(account)
  driver.hosts.set('localhost', { domain: 'localhost', tls: 'optional' })
  const answer = client.ask(header)
  assert.match(answer, /<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'\/><mechanisms/)
  assert.ok(!answer.includes('PLAIN') && !answer.includes('PLUS'))
})

test('our header answers theirs: from, to, lang, version', () => {
  const { client } = rawPair(account, secured)
  const answer = client.ask(
    header.replace('to=', "from='Juliet@LOCALHOST/x' to=").replace("version='1.0' ", "version='1.7' "),
  )
  assert.match(
    answer,
    /<stream:stream from='localhost' to='juliet@localhost' id='[^']+' version='1.0' xml:lang='en' xmlns/,
  )
  assert.match(client.ask(auth('PLAIN', plain('juliet', 'r0m30'))), /^<success/)
})

test('both styles of section 4.8.2, and a host in another spelling', () => {
  const { client, machine } = rawPair(account, secured)
  const answer = client.ask("<stream xmlns='http://etherx.jabber.org/streams' to='LocalHost.' version='1.0'>")
  assert.equal(machine.state, 'features', answer)
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  client.ask("<stream xmlns='http://etherx.jabber.org/streams' to='localhost' version='1.0'>")
  const bound = client.ask(bindRequest.replace('<iq', "<iq xmlns='jabber:client'"))
  assert.match(bound, /<jid>juliet@localhost\/made<\/jid>/)
  assert.equal(client.ask('</stream>'), '</stream:stream>')
})

test('STARTTLS where it has no place is a TLS failure and the end (section 5.4.2.2)', () => {
  const inTls = rawPair(account, secured)
  inTls.client.ask(header)
  assert.equal(inTls.client.ask(starttls), tlsFailure)
  const without = rawPair(account)
  without.driver.hosts.set('localhost', { domain: 'localhost', tls: 'none' })
  without.client.ask(header)
  assert.equal(without.client.ask(starttls), tlsFailure)
  const bound = rawPair(account, secured)
  signIn(bound.client)
  assert.equal(bound.client.ask(starttls), tlsFailure)
  assert.equal(bound.driver.ends.length, 1)
})

test('PLAIN in two steps, with an empty initial response, and a second <auth/> that replaces the first', () => {
  const { client, machine } = rawPair(account, secured)
  client.ask(header)
  assert.equal(client.ask(auth('PLAIN')), "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</challenge>")
  assert.match(client.ask(auth('PLAIN', '=')), /malformed-request/)
  assert.match(
    client.ask(auth('SCRAM-SHA-256', Buffer.from('n,,n=juliet,r=abcdefgh').toString('base64'))),
    /^<challenge/,
  )
  assert.match(client.ask(auth('PLAIN')), /^<challenge/)
  const response = `<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${plain('juliet', 'r0m30')}</response>`
  assert.equal(client.ask(response), "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
  assert.equal(machine.account?.jid.toString(), 'juliet@localhost')
})

test('an abort while the driver thinks waits for the answer; the answer to a dropped question is ignored', () => {
  const { client, driver, machine, transport } = rawPair(account, secured)
  driver.later = true
  client.ask(header)
  assert.equal(client.ask(auth('PLAIN', plain('juliet', 'wrong'))), '')
  assert.ok(transport.isPaused, 'one question at a time: the client feels it')
  assert.equal(client.ask("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"), '')
  driver.answerAll()
  assert.match(client.read(), /not-authorized.*aborted/)
  assert.ok(!transport.isPaused)
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  machine.answer(1, { kind: 'verified', result: 'right' })
  assert.equal(client.read(), '', 'an old ticket opens nothing')
  driver.answerAll()
  assert.match(client.read(), /^<success/)
})

test('the resource: made, asked for and prepared, refused', () => {
  const { client, driver } = rawPair(account, secured)
  const ask = (resource: string, id = 'b') =>
    client.ask(
      `<iq type='set' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
    )
  client.ask(header)
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  client.ask(header)
  assert.match(
    ask('a\u0007b'.replace('\u0007', '&#xE000;')),
    /^<iq id='b' type='error'><error type='modify'><bad-request/,
  )
  for (const [condition, type] of [
    ['conflict', 'cancel'],
    ['resource-constraint', 'wait'],
    ['not-allowed', 'cancel'],
  ] as const) {
    driver.onBind = () => new StanzaError('RTK_TEST', condition)
    assert.match(ask('balcony'), new RegExp(`^<iq id='b' type='error'><error type='${type}'><${condition}`))
  }
  driver.onBind = (jid, resource) => ({ jid: jid.withResource(resource), sink: driver.sink })
  assert.match(ask('e\u0301 &amp; co', 'ok'), /^<iq id='ok' type='result'>.*<jid>juliet@localhost\/é &amp; co<\/jid>/)
  assert.deepEqual(driver.binds, ['balcony', 'balcony', 'balcony', 'é & co'])
})

test('an empty resource is made by the server', () => {
  const { client, driver } = rawPair(account, secured)
  client.ask(header)
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  client.ask(header)
  client.ask("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource/></bind></iq>")
  assert.deepEqual(driver.binds, [''])
})

test('an iq to the server itself before binding is refused, not fatal', () => {
  const { client, machine } = rawPair(account, secured)
  client.ask(header)
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  client.ask(header)
  const session = "<iq type='set' id='s' to='localhost'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"
  assert.match(client.ask(session), /^<iq id='s' type='error'><error type='wait'><unexpected-request/)
  assert.equal(machine.state, 'binding')
})

test('an old client gets its session; a second bind is refused; then the machine is out of the way', () => {
  const { client, driver } = rawPair(account, secured)
  signIn(client)
  const session = "<iq type='set' id='s' to='localhost'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"
  assert.equal(client.ask(session), "<iq id='s' type='result'/>")
  assert.match(client.ask(bindRequest), /^<iq id='b1' type='error'><error type='cancel'><not-allowed/)
  assert.equal(driver.sink.stanzas.length, 0)
  client.ask("<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq><presence/>")
  client.ask(session)
  assert.deepEqual(
    driver.sink.stanzas.map((el) => el.name),
    ['iq', 'presence', 'iq'],
  )
})

test('what a session writes while it is being bound comes behind its address', () => {
  const { client, driver, connection } = rawPair(account, secured)
  driver.onBind = (jid) => {
    connection.write(ascii("<message from='localhost'/>"))
    return { jid: jid.withResource('r'), sink: driver.sink }
  }
  client.ask(header)
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  client.ask(header)
  assert.match(client.ask(bindRequest), /^<iq id='b1' type='result'>.*<\/iq><message from='localhost'\/>$/)
})

test('an answer that comes when the stream is over: the driver is told to drop its session', () => {
  const { client, driver, machine, clock } = rawPair(account, secured)
  client.ask(header)
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  client.ask(header)
  driver.later = true
  client.ask(bindRequest)
  clock.advance(60_000)
  assert.match(client.read(), /policy-violation/)
  assert.equal(machine.bound(2, new StanzaError('RTK_TEST', 'conflict')), false)
  driver.answerAll()
  assert.equal(machine.jid, undefined)
  assert.equal(client.read(), '')
  assert.equal(driver.ends.length, 1)
})

test('modules stand in the features, and may claim elements', () => {
  const { client, driver } = rawPair(account, secured)
  driver.extra = { sasl: [x('register', 'http://jabber.org/features/iq-register')], bind: [x('sm', 'urn:xmpp:sm:3')] }
  driver.claims = (el) => el.ns === 'urn:xmpp:sm:3' || el.child('query', 'jabber:iq:register') !== undefined
  assert.match(
    client.ask(header),
    /<\/mechanisms>.*<register xmlns='http:\/\/jabber.org\/features\/iq-register'\/><\/stream:features>/,
  )
  client.ask("<iq type='get' id='1'><query xmlns='jabber:iq:register'/></iq>")
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  assert.match(client.ask(header), /<sm xmlns='urn:xmpp:sm:3'\/>/)
  client.ask(bindRequest)
  client.ask("<enable xmlns='urn:xmpp:sm:3'/>")
  assert.deepEqual(
    driver.claimed.map((el) => el.name),
    ['iq', 'enable'],
  )
})

test('resumption by other means: established without an answer to bind', () => {
  const { client, driver, machine } = rawPair(account, secured)
  driver.claims = (_el, stage) => {
    if (stage !== 'bind') return false
    const jid = machine.account?.jid.withResource('resumed')
    if (jid !== undefined) machine.establish({ jid, sink: driver.sink }, x('resumed', 'urn:xmpp:sm:3'))
    return true
  }
  client.ask(header)
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  client.ask(header)
  assert.equal(client.ask("<resume xmlns='urn:xmpp:sm:3' h='1' previd='x'/>"), "<resumed xmlns='urn:xmpp:sm:3'/>")
  assert.equal(machine.jid?.toString(), 'juliet@localhost/resumed')
  client.ask('<message/>')
  assert.equal(driver.sink.stanzas.length, 1)
})

test('RCV-04: a stanza keeps the language of the stream (section 4.7.4)', () => {
  const { client, driver } = rawPair(account, secured)
  signIn(client)
  client.ask('<message><body>Hi</body></message>')
  assert.equal(driver.sink.stanzas[0]?.lang, 'en')
  assert.equal(driver.sink.stanzas[0]?.ns, NS_CLIENT)
})

test('1,000 unknown names get what known ones get: mechanisms, iterations, a stable salt of the same length', () => {
  const first = (name: string) => {
    const { client } = rawPair(account, secured)
    const features = client.ask(header).replace(/^.*<stream:features>/, '')
    const initial = Buffer.from(`n,,n=${name},r=fyko+d2lbbFgONRv9qkxdawL`).toString('base64')
    const challenge = client.ask(auth('SCRAM-SHA-256', initial))
    const data = /<challenge[^>]*>([^<]+)</.exec(challenge)?.[1] ?? assert.fail(challenge)
    const parts = /^r=[^,]+,s=([^,]+),i=(\d+),h=[^,]+$/.exec(Buffer.from(data, 'base64').toString()) ?? assert.fail()
    return { features, salt: parts[1] ?? '', iterations: parts[2] ?? '' }
  }
  const known = first('juliet')
  const salts = new Set<string>()
  for (let i = 0; i < 1000; i++) {
    const unknown = first(`nobody${i}`)
    assert.equal(unknown.features, known.features)
    assert.equal(unknown.iterations, known.iterations)
    assert.equal(unknown.salt.length, known.salt.length)
    salts.add(unknown.salt)
    if (i % 100 === 0) assert.equal(first(`nobody${i}`).salt, unknown.salt, 'the salt of a name changed')
  }
  assert.equal(salts.size, 1000)
})
