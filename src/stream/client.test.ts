/** The two roles against each other, in memory: every mechanism, with and without TLS. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jid } from '../jid/index.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { x } from '../xml/index.ts'
import { type ClientFailure, type ClientOptions, runClient, XmppClient } from './client.ts'
import { hashing, makeAccount, type Server, type ServerOptions, serve, TestDriver } from './kit.testing.ts'
import { HandClock, idleHandler, MemoryTransport, SeededRandom } from './memory.testing.ts'
import { chooseMechanism, MECHANISMS } from './sasl/index.ts'

const no = () => assert.fail()
const noTls = { prepare: no, revocations: no, withoutList: no }

const account = await makeAccount('r0m30')
const place = { kind: 'tcp', host: '127.0.0.1', port: 5222 } as const

interface Met {
  readonly server: Server
  readonly client: Promise<XmppClient | ClientFailure>
  /** Lets everything happen until the client has come to an end of its negotiation. */
  settle(): Promise<XmppClient | ClientFailure>
}

function meet(
  options: Partial<ClientOptions>,
  prepare: (driver: TestDriver) => void = () => undefined,
  server: ServerOptions = {},
): Met {
  const clock = new HandClock()
  const driver = new TestDriver()
  driver.accounts.set('juliet', account)
  prepare(driver)
  const [far, near] = MemoryTransport.pair(clock, idleHandler)
  const served = serve(near, clock, driver, { directTls: options.tls === 'direct', ...server })
  const world = {
    clock,
    random: new SeededRandom(7),
    hashing,
    net: { tls: noTls, listen: () => assert.fail(), connect: () => assert.fail() },
  }
  const client = runClient(world, far, {
    jid: jid('juliet@localhost'),
    password: 'r0m30',
    place,
    tls: 'starttls',
    ...options,
  })
  return {
    server: served,
    client,
    async settle() {
      let result: XmppClient | ClientFailure | undefined
      client.then((opened) => {
        result = opened
      })
      while (result === undefined) {
        clock.settle()
        await new Promise((resolve) => setImmediate(resolve))
      }
      clock.settle()
      return result
    },
  }
}

const ways = [
  ['starttls', 'rfc6120'],
  ['direct', 'rfc6120'],
  ['none', 'rfc6120'],
  ['starttls', 'sasl2'],
  ['direct', 'sasl2'],
] as const

for (const mechanism of MECHANISMS) {
  for (const [tls, profile] of ways) {
    const isPlus = mechanism.endsWith('-PLUS')
    if (tls === 'none' && isPlus) continue
    test(`${mechanism} over ${tls} by ${profile}: signs in, sends, receives, closes`, async () => {
      const sasl = { allowPlainInClear: true, bindsChannel: isPlus, profile }
      const { server, settle } = meet({ tls, sasl }, (driver) => {
        driver.offered = [mechanism]
        const host = { domain: 'localhost', hasSasl2: true, protectsOffer: true } as const
        driver.hosts.set('localhost', { ...host, tls: tls === 'none' ? 'none' : 'required' })
        if (tls === 'none') driver.mechanisms = () => [mechanism]
      })
      const client = await settle()
      assert.equal(server.driver.requests.length, profile === 'sasl2' ? 1 : 0)
      assert.ok(client instanceof XmppClient, String(client))
      assert.equal(client.jid.toString(), 'juliet@localhost/made')
      assert.equal(server.machine.account?.mechanism, mechanism)
      assert.equal(server.machine.channel.isSecure, tls !== 'none')
      client.send(x('message', NS_CLIENT, { to: 'romeo@localhost' }, x('body', NS_CLIENT, 'Wherefore')))
      server.clock.settle()
      assert.equal(server.driver.sink.stanzas[0]?.childText('body'), 'Wherefore')
      const ended = client.close()
      server.clock.advance(10_000)
      assert.deepEqual(await ended, { kind: 'local' })
      assert.deepEqual(server.driver.ends, [{ kind: 'peer-closed' }])
      assert.equal(server.driver.causes.length, 1)
      assert.equal(server.clock.pendingTimers, 0)
    })
  }
}

test('a wrong password and an unknown name are the same refusal', async () => {
  for (const options of [{ password: 'wrong' }, { jid: jid('nobody@localhost') }]) {
    const { settle, server } = meet(options)
    const failure = await settle()
    assert.ok(!(failure instanceof XmppClient))
    assert.equal(failure.code, 'RTK_CLIENT_SIGN_IN_REFUSED')
    assert.ok(failure.end?.kind === 'refused' && failure.end.condition === 'not-authorized')
    assert.deepEqual(server.driver.ends, [{ kind: 'peer-closed' }])
  }
})

test('SASL2: who we are, what we want in one go, and what came of it', async () => {
  const agent = { id: 'd4565fa7-4d72-4749-b3d3-740edbf87770', software: 'Ratatosk', device: '' }
  const sasl = {
    agent,
    tag: 'squirrel',
    session: [x('enable', 'urn:xmpp:carbons:2')],
    inline: [x('resume', 'urn:xmpp:sm:3')],
  }
  const { server, settle } = meet({ sasl }, (driver) => {
    driver.onInline = ({ jid }) => ({
      bound: { jid: jid.withResource('squirrel/1'), sink: driver.sink },
      elements: [x('failed', 'urn:xmpp:sm:3'), x('bound', 'urn:xmpp:bind:0')],
    })
  })
  const client = await settle()
  assert.ok(client instanceof XmppClient, String(client))
  assert.equal(client.jid.toString(), 'juliet@localhost/squirrel/1')
  assert.ok(client.success?.hasChild('failed', 'urn:xmpp:sm:3'))
  const [request] = server.driver.requests
  assert.deepEqual(request?.agent, agent)
  assert.equal(request?.bind?.childText('tag'), 'squirrel')
  assert.ok(request?.bind?.hasChild('enable', 'urn:xmpp:carbons:2'))
  assert.deepEqual(
    request?.inline.map((el) => el.name),
    ['resume'],
  )
})

test('XEP-0474: our client leaves a server whose offer was changed on its way', async () => {
  const { server, settle } = meet({ sasl: { bindsChannel: false } }, (driver) => {
    const { mechanisms } = driver
    // The first answer is for the features, which somebody changes; what is hashed is the second.
    let calls = 0
    driver.mechanisms = (host, channel) => {
      const all = mechanisms.call(driver, host, channel)
      return ++calls === 1 ? all.filter((name) => !name.includes('512')) : all
    }
  })
  const failure = await settle()
  assert.ok(!(failure instanceof XmppClient))
  assert.equal(failure.code, 'RTK_SASL_OFFER_CHANGED')
  assert.equal(server.driver.signIns.length, 0)
})

test('XEP-0440 section 3, rule 4: our client leaves SASL2 with -PLUS and without types of channel binding', () => {
  const bindings = new Map([['tls-exporter', new Uint8Array(1)]])
  const offer = { mechanisms: ['SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1'], bindingTypes: [] }
  const strict = chooseMechanism({ ...offer, isSasl2: true }, bindings, { allowPlain: false })
  assert.ok('code' in strict && strict.code === 'RTK_SASL_BINDING_STRIPPED')
  assert.ok(!('code' in chooseMechanism(offer, bindings, { allowPlain: false })))
})

test('the resource that was asked for; a refusal to bind is a value', async () => {
  const asked = await meet({ jid: jid('juliet@localhost/balcony') }).settle()
  assert.ok(asked instanceof XmppClient)
  assert.equal(asked.jid.resource, 'balcony')
})
