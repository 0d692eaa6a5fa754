import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auth, bindRequest, header, makeAccount, plain, rawPair, signIn, starttls } from './kit.testing.ts'
import { fakeTls } from './memory.testing.ts'

const account = await makeAccount('r0m30')
const secured = { tls: fakeTls() }

function messages(count: number, from = 0): string {
  return Array.from({ length: count }, (_, i) => `<message id='${from + i}'/>`).join('')
}

test('plaintext injection: bytes behind <starttls/> in the same read are never taken for secured input (CVE-2011-0411)', () => {
  const { client, machine, driver, connection } = rawPair(account)
  client.ask(header)
  const injected = header + auth('PLAIN', plain('juliet', 'r0m30'))
  assert.equal(client.ask(starttls + injected), "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
  client.startTls()
  assert.equal(client.read(), '', 'the injected header was answered inside of TLS')
  assert.equal(connection.discardedBytes, injected.length)
  assert.equal(machine.account, undefined)
  assert.equal(driver.failures.length, 0)
  assert.match(client.ask(header), /mechanisms/)
})

test('an injected start of a header does not glue to the secured one', () => {
  const { client } = rawPair(account)
  client.ask(header)
  client.ask(`${starttls}<?xml version='1.0'?><stream:stream to='local`)
  client.startTls()
  assert.match(client.ask(header), /^<\?xml version='1.0'\?><stream:stream from='localhost' id='[^']+' version='1.0'/)
})

test('injection while input is kept: what waits behind a question is not handled before TLS either', () => {
  const { client, driver, machine } = rawPair(account)
  driver.hosts.set('localhost', { domain: 'localhost', tls: 'optional' })
  driver.later = true
  client.ask(header)
  const initial = Buffer.from('n,,n=juliet,r=abcdefgh').toString('base64')
  const abort = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
  client.ask(auth('SCRAM-SHA-1', initial) + abort + starttls + header + auth('SCRAM-SHA-1', initial))
  driver.answerAll()
  client.read()
  assert.equal(machine.state, 'tls')
  client.startTls()
  assert.equal(client.read(), '')
  assert.ok(!driver.isAsked)
})

test('one byte a read makes no difference', () => {
  const { client, transport, driver } = rawPair(account)
  transport.readMax = 1
  client.ask(header)
  client.ask(starttls)
  client.startTls()
  signIn(client)
  client.ask('<message><body>é</body></message> \n <presence/>')
  assert.deepEqual(
    driver.sink.stanzas.map((el) => el.name),
    ['message', 'presence'],
  )
  assert.equal(driver.sink.stanzas[0]?.childText('body'), 'é')
})

test('everything in one write, while the driver takes its time: nothing is lost or taken twice', () => {
  const { client, driver } = rawPair(account, secured)
  driver.later = true
  const answer = client.ask(
    header +
      auth('PLAIN', plain('juliet', 'r0m30')) +
      header +
      bindRequest +
      messages(3) +
      '<presence/></stream:stream>',
  )
  assert.match(answer, /<mechanisms/)
  driver.answerAll()
  assert.match(client.read(), /^<success.*<bind/)
  driver.answerAll()
  assert.match(client.read(), /<jid>juliet@localhost\/made<\/jid><\/bind><\/iq><\/stream:stream>$/)
  assert.equal(driver.sink.stanzas.length, 4)
  assert.deepEqual(driver.ends, [{ kind: 'peer-closed' }])
})

test('a stanza behind the binding, in the same read, has the limits of a session', () => {
  const { client, driver } = rawPair(account, secured)
  client.ask(header)
  client.ask(auth('PLAIN', plain('juliet', 'r0m30')))
  client.ask(header)
  client.ask(`${bindRequest}<message><body>${'x'.repeat(50_000)}</body></message>`)
  assert.equal(driver.sink.stanzas[0]?.childText('body')?.length, 50_000)
})

test('on hold nothing comes, reading stops, and all of it comes afterwards, the end of input last', () => {
  const { client, driver, connection, transport, machine } = rawPair(account, secured)
  signIn(client)
  driver.sink.onStanza = (el) => {
    if (el.attr('id') === '1') connection.hold()
  }
  client.ask(messages(4))
  client.send(messages(4, 4))
  client.transport.close(1_000_000)
  client.read()
  assert.equal(driver.sink.stanzas.length, 2)
  assert.ok(transport.isPaused)
  connection.hold()
  connection.release()
  assert.equal(driver.sink.stanzas.length, 2, 'holds nest')
  connection.release()
  assert.equal(driver.sink.stanzas.length, 4)
  assert.equal(machine.state, 'established')
  client.read()
  assert.deepEqual(
    driver.sink.stanzas.map((el) => el.attr('id')),
    ['0', '1', '2', '3', '4', '5', '6', '7'],
  )
  assert.equal(driver.ends[0]?.kind, 'lost')
})

test('a hold and its release inside of one stanza change nothing', () => {
  const { client, driver, connection, transport } = rawPair(account, secured)
  signIn(client)
  driver.sink.onStanza = () => {
    connection.hold()
    connection.release()
  }
  client.ask(messages(10))
  assert.equal(driver.sink.stanzas.length, 10)
  assert.ok(!transport.isPaused)
})

test('a source gets 64 stanzas a turn, then the others', () => {
  const { client, driver, clock, transport } = rawPair(account, secured)
  signIn(client)
  client.send(messages(200))
  const perTurn: number[] = []
  let seen = 0
  let turns = 0
  const count = () => {
    if (driver.sink.stanzas.length > seen) perTurn.push(driver.sink.stanzas.length - seen)
    seen = driver.sink.stanzas.length
    if (seen < 200 && ++turns < 100) clock.soon(count, undefined)
  }
  clock.soon(count, undefined)
  clock.settle()
  assert.deepEqual(perTurn, [64, 64, 64, 8])
  assert.ok(!transport.isPaused)
  assert.deepEqual(
    driver.sink.stanzas.map((el) => Number(el.attr('id'))),
    Array.from({ length: 200 }, (_, i) => i),
  )
})

test('a read of 64 KiB ends the turn too', () => {
  const { client, driver, transport, clock } = rawPair(account, secured)
  signIn(client)
  transport.readMax = 65_536
  client.send(`<message><body>${'x'.repeat(200_000)}</body></message>`)
  let pauses = 0
  const pause = transport.pause.bind(transport)
  transport.pause = () => {
    pauses++
    pause()
  }
  clock.settle()
  assert.equal(pauses, 3)
  assert.equal(driver.sink.stanzas.length, 1)
})

test('64 KiB end a turn in however many reads they come: TLS tells a record at a time', () => {
  const { client, driver, transport, clock, connection } = rawPair(account, secured)
  signIn(client)
  clock.settle()
  const record = Buffer.from(`<message><body>${'x'.repeat(16_384)}</body></message>`)
  const seen: number[] = []
  // Two turns, of four records each and one that was told already.
  for (let turn = 0; turn < 2; turn++) {
    for (let n = 0; n < 5; n++) connection.data(record, 0, record.length)
    seen.push(driver.sink.stanzas.length)
    assert.ok(transport.isPaused)
    clock.settle()
    assert.ok(!transport.isPaused)
    seen.push(driver.sink.stanzas.length)
  }
  assert.deepEqual(seen, [4, 5, 8, 10])
})

test('a full turn is one in which more was there to be handled: honest traffic has none, however much it is', () => {
  const fullTurns = { value: 0 }
  const { client, driver, transport, clock, connection } = rawPair(account, { ...secured, connection: { fullTurns } })
  signIn(client)
  clock.settle()
  const one = `<message><body>${'x'.repeat(1_000)}</body></message>`
  // A megabyte, some at a time: sixteen turns end by their bytes, with nothing left.
  for (let n = 0; n < 100; n++) {
    client.send(one.repeat(10))
    clock.settle()
  }
  assert.equal(driver.sink.stanzas.length, 1_000)
  assert.equal(fullTurns.value, 0)

  // 200 stanzas in one read: three turns leave some behind.
  client.send(messages(200))
  clock.settle()
  assert.equal(fullTurns.value, 3)

  // Three reads as long as a turn, and a rest.
  transport.readMax = 65_536
  client.send(`<message><body>${'x'.repeat(200_000)}</body></message>`)
  clock.settle()
  assert.equal(fullTurns.value, 6)

  // A turn's bytes in records, and one that was told already; then one that the transport holds, of which it tells.
  const record = Buffer.from(`<message><body>${'x'.repeat(16_384)}</body></message>`)
  for (let n = 0; n < 5; n++) connection.data(record, 0, record.length)
  clock.settle()
  assert.equal(fullTurns.value, 7)
  for (let n = 0; n < 3; n++) connection.data(record, 0, record.length)
  transport.heldBytes = record.length
  clock.settle()
  assert.equal(fullTurns.value, 8)
  transport.heldBytes = 0
  for (let n = 0; n < 4; n++) connection.data(record, 0, record.length)
  clock.settle()
  assert.equal(fullTurns.value, 8, 'nothing was left')
})

test('RCV-08: white space between stanzas is a keep-alive', () => {
  const { client, connection, driver } = rawPair(account, secured)
  signIn(client)
  client.ask(' \n ')
  client.ask(' ')
  assert.equal(connection.whitespace, 4)
  assert.equal(driver.ends.length, 0)
})

test('a session that has its stanzas ends the stream from inside of one: the rest is thrown away', () => {
  const { client, driver, connection } = rawPair(account, secured)
  signIn(client)
  driver.sink.onStanza = () => connection.close()
  assert.equal(client.ask(messages(5)), '</stream:stream>')
  assert.equal(driver.sink.stanzas.length, 1)
  assert.deepEqual(driver.ends, [{ kind: 'local' }])
  assert.equal(client.ask('</stream:stream>'), '')
  assert.ok(client.hasEnded)
})

test('a TLS handshake that fails is a lost connection, without XML', () => {
  const { client, driver, machine } = rawPair(account)
  client.ask(header)
  client.ask(starttls)
  const before = client.transport.log.length
  client.send('no client hello')
  assert.equal(client.read(), '')
  assert.ok(client.transport.log.length > before)
  assert.equal(machine.state, 'gone')
  assert.deepEqual(
    driver.ends.map((end) => end.kind),
    ['lost'],
  )
  assert.equal(driver.causes[0]?.kind, 'tls')
})

test('a handshake that never ends is cut at the deadline, without XML', () => {
  for (const direct of [true, false]) {
    const pair = rawPair(account, { directTls: direct })
    if (!direct) {
      pair.client.ask(header)
      pair.client.ask(starttls)
    }
    pair.clock.advance(60_000)
    assert.equal(pair.client.read(), '')
    assert.ok(pair.client.hasEnded)
    assert.equal(pair.driver.ends.length, 1)
  }
})

test('the peer that never takes our end is let go after the linger', () => {
  const { client, clock, driver } = rawPair(account, secured)
  signIn(client)
  client.ask('</stream:stream>')
  assert.equal(driver.causes.length, 0)
  clock.advance(2_000)
  assert.equal(driver.causes.length, 1)
})
