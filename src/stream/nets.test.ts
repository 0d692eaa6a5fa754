/** Both roles over every net: real sockets of both kinds, simulated ones calm and rough; STARTTLS and direct TLS with real handshakes. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, test } from 'node:test'
import { jid } from '../jid/index.ts'
import { type Bench, netKinds } from '../sim/net-harness.ts'
import { NS_CLIENT } from '../stanza/ns.ts'
import type { TlsServerContext } from '../world/net.types.ts'
import { x } from '../xml/index.ts'
import { C2sServer } from './c2s-server.ts'
import { ClientFailure, type ClientOptions, connectClient, XmppClient } from './client.ts'
import { Connection } from './connection.ts'
import { clientFraming } from './framing.ts'
import { makeAccount, TestDriver } from './kit.testing.ts'
import { defaultStreamLimits } from './limits.ts'

const temporary = mkdtempSync(`${tmpdir()}/ratatosk-stream-`)
after(() => rmSync(temporary, { recursive: true }))

/** A server on loopback; the drivers of its clients, in the order they came. */
async function listen(bench: Bench, directTls: boolean) {
  const { world } = bench
  // The simulator's hashing is its own.
  const account = await makeAccount('r0m30', undefined, world.hashing)
  const certificate = world.net.tls.prepare(bench.certificate(['localhost']))
  const context: TlsServerContext = {
    alpn: ['xmpp-client'],
    strictAlpn: true,
    requestPeerCertificate: false,
    certificateFor: () => certificate,
  }
  const drivers: TestDriver[] = []
  const listening = await world.net.listen(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    { backlog: 16 },
    (transport) => {
      const limits = defaultStreamLimits
      const connection = new Connection(transport, {
        clock: world.clock,
        framing: clientFraming,
        limits: limits.before,
        startTls: (end) => end.startTlsServer(context),
      })
      const driver = new TestDriver()
      driver.accounts.set('juliet', account)
      driver.sink.onStanza = (el) => connection.send(el.withAttrs({ from: 'echo@localhost' }))
      drivers.push(driver)
      const { random, hashing } = world
      const machine = new C2sServer({ effects: connection, driver, limits, random, hashing })
      driver.machine = machine
      connection.run(machine, directTls ? { domain: '' } : undefined)
      return connection
    },
  )
  return { listening, drivers }
}

for (const kind of netKinds(temporary)) {
  for (const tls of ['starttls', 'direct'] as const) {
    test(`${kind.name}, ${tls}: SCRAM bound to the channel, 200 stanzas there and back, an end in good order`, () =>
      kind.run(async (bench) => {
        const { listening, drivers } = await listen(bench, tls === 'direct')
        const back: string[] = []
        const all = Promise.withResolvers<void>()
        const options: ClientOptions = {
          jid: jid('juliet@localhost/balcony'),
          password: 'r0m30',
          place: listening.place,
          tls,
          ca: bench.roots,
          onStanza: (el) => {
            back.push(el.attr('id') ?? '')
            if (back.length === 200) all.resolve()
          },
        }
        const client = await connectClient(bench.world, options)
        assert.ok(client instanceof XmppClient, String(client))
        const driver = drivers[0] ?? assert.fail()
        assert.match(driver.machine?.account?.mechanism ?? '', /-PLUS$/)
        for (let i = 0; i < 200; i++)
          client.send(x('message', NS_CLIENT, { id: String(i) }, x('body', NS_CLIENT, 'ä'.repeat(i))))
        await all.promise
        assert.deepEqual(
          back,
          Array.from({ length: 200 }, (_, i) => String(i)),
        )
        assert.deepEqual(await client.close(), { kind: 'local' })
        await listening.close()
        assert.deepEqual(driver.ends, [{ kind: 'peer-closed' }])
      }))

    test(`${kind.name}, ${tls}: a wrong authority, a wrong password`, () =>
      kind.run(async (bench) => {
        const { listening, drivers } = await listen(bench, tls === 'direct')
        const options = { jid: jid('juliet@localhost'), password: 'r0m30', place: listening.place, tls }
        const untrusted = await connectClient(bench.world, options)
        assert.ok(untrusted instanceof ClientFailure)
        assert.ok(untrusted.end?.kind === 'refused' && untrusted.end.step === 'tls', String(untrusted))
        assert.equal(drivers[0]?.machine?.account, undefined)
        const wrong = await connectClient(bench.world, { ...options, ca: bench.roots, password: 'wrong' })
        assert.ok(wrong instanceof ClientFailure)
        assert.equal(wrong.code, 'RTK_CLIENT_SIGN_IN_REFUSED')
        await listening.close()
      }))
  }
}

test('nobody listens: a value, not an exception', () =>
  netKinds(temporary)[3]?.run(async (bench) => {
    const place = { kind: 'tcp', host: '127.0.0.1', port: 1 } as const
    const failure = await connectClient(bench.world, { jid: jid('juliet@localhost'), password: '', place, tls: 'none' })
    assert.ok(failure instanceof ClientFailure)
    assert.equal(failure.code, 'RTK_NET_REFUSED')
  }))
