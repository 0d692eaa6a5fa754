/** The two roles against each other, in memory: every mechanism, with and without TLS. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jid } from '../jid/index.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import { x } from '../xml/index.ts'
import { type ClientFailure, type ClientOptions, runClient, XmppClient } from './client.ts'
import { hashing, makeAccount, type Server, type ServerOptions, serve, TestDriver } from './kit.testing.ts'
import { HandClock, idleHandler, MemoryTransport, SeededRandom } from './memory.testing.ts'
import { MECHANISMS } from './sasl/index.ts'

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
    net: { tls: { prepare: () => assert.fail() }, listen: () => assert.fail(), connect: () => assert.fail() },
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

for (const mechanism of MECHANISMS) {
  for (const tls of ['starttls', 'direct', 'none'] as const) {
    const isPlus = mechanism.endsWith('-PLUS')
    if (tls === 'none' && isPlus) continue
    test(`${mechanism} over ${tls}: signs in, sends, receives, closes`, async () => {
      const { server, settle } = meet({ tls, sasl: { allowPlainInClear: true, bindsChannel: isPlus } }, (driver) => {
        driver.offered = [mechanism]
        driver.hosts.set('localhost', { domain: 'localhost', tls: tls === 'none' ? 'none' : 'required' })
        if (tls === 'none') driver.mechanisms = () => [mechanism]
      })
      const client = await settle()
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

test('the resource that was asked for; a refusal to bind is a value', async () => {
  const asked = await meet({ jid: jid('juliet@localhost/balcony') }).settle()
  assert.ok(asked instanceof XmppClient)
  assert.equal(asked.jid.resource, 'balcony')
})
