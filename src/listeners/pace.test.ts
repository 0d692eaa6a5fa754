/** LST-10 and LST-11 in virtual time: how fast connections are accepted, and how fast bytes are read. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { header, type Wire } from '../../plays/language/wire.ts'
import { xml } from '../../plays/language/xml.ts'
import { jid } from '../jid/index.ts'
import { connectClient, XmppClient } from '../stream/client.ts'
import { encode } from '../xml/index.ts'
import { SymbolicServer } from './symbolic.testing.ts'

const c2s = (more: Readonly<Record<string, unknown>>) => ({ protocol: 'c2s', address: '0.0.0.0', ...more })

it('LST-10: 1,000 connects at 50 a second are accepted at 50 a second; none is reset, and another listener is not delayed', async () => {
  const config = {
    limits: { connections_per_address: 2000, sign_in_timeout: '1 hour' },
    listeners: [
      c2s({ name: 'slow', port: 5222, accept_rate: '50/s', backlog: 1024 }),
      c2s({ name: 'free', port: 5223 }),
    ],
  }
  await SymbolicServer.run(config, async (server) => {
    const { simulation } = server
    const began = simulation.now
    const welcomed: number[] = []
    const wires: Wire[] = []
    const welcome = async (): Promise<void> => {
      const wire = await server.wire('crowd')
      wires.push(wire)
      wire.says(header('localhost'))
      await wire.hears(/<\/stream:features>/)
      welcomed.push(simulation.now - began)
    }
    const crowd = Promise.all(Array.from({ length: 1000 }, welcome))
    const others: number[] = []
    for (let n = 0; n < 10; n++) {
      await simulation.advance(1_500)
      const asked = simulation.now
      const wire = await server.wire('other', 5223)
      wire.says(header('localhost'))
      await wire.hears(/<\/stream:features>/)
      others.push(simulation.now - asked)
      wire.closes()
    }
    await crowd
    assert.equal(welcomed.length, 1000)
    assert.ok(wires.every((wire) => wire.cause === undefined))
    for (const [from, to] of [
      [100, 999],
      [100, 500],
      [500, 999],
    ] as const) {
      const rate = ((to - from) * 1000) / ((welcomed[to] ?? 0) - (welcomed[from] ?? 0))
      assert.ok(Math.abs(rate - 50) <= 2.5, `${rate} a second between the ${from}th and the ${to}th`)
    }
    assert.ok(Math.max(...others) < 20, `others waited ${others.map(Math.round)} ms`)
    assert.ok(server.counter('ratatosk_accept_throttled_total') > 0)
  })
})

/** A client of this account, from a host of its name, over direct TLS. */
async function signedIn({ simulation, ca }: SymbolicServer, name: string, port: number): Promise<XmppClient> {
  const client = await connectClient(simulation.world(name), {
    jid: jid(`${name}@localhost`),
    password: 'secret',
    place: { kind: 'tcp', host: 'server', port },
    tls: 'direct',
    ca,
  })
  assert.ok(client instanceof XmppClient, String(client))
  return client
}

it('LST-11: 1 MiB at 3,000 bytes a second with a burst of 20,000 takes the computed time, and waits at the sender', async () => {
  const [rate, burst, size] = [3_000, 20_000, 1_048_576]
  const config = {
    shapers: { slow: { rate: `${rate} B/s`, burst: `${burst} B` } },
    listeners: [c2s({ name: 'shaped', port: 5222, tls: 'direct', shaper: 'slow' })],
  }
  await SymbolicServer.run(config, async (server) => {
    const { simulation } = server
    const { network } = simulation
    network.everywhere = { ...network.everywhere, windowBytes: 4_096 }
    const romeo = await signedIn(server, 'romeo', 5222)
    // What sign-in took of the burst has come back by then.
    await simulation.advance(60_000)
    const began = simulation.now
    const message = `<message to='${romeo.jid}'><body>${'x'.repeat(961)}</body></message>`
    const count = Math.ceil(size / message.length)
    for (let n = 0; n < count; n++) romeo.sendBytes(encode(message))
    const sent = count * message.length
    let most = 0
    while (romeo.transport.queuedBytes > 0) {
      await simulation.advance(1_000)
      const passed = sent - romeo.transport.queuedBytes
      most = Math.max(most, passed - burst - (rate * (simulation.now - began)) / 1000)
    }
    // Nowhere between the two is more than the windows of the network and one read.
    assert.ok(most <= 3 * 4_096, `${most} bytes ahead of the shaper`)
    await romeo.request(xml`<iq to='localhost' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`, 3_600_000)
    const seconds = (simulation.now - began) / 1000
    const computed = (sent - burst) / rate
    assert.ok(Math.abs(seconds - computed) <= computed * 0.02, `${seconds} s instead of ${computed} s`)
    assert.equal(server.server.core.sessions.find(romeo.jid)?.received, count + 1)
    assert.ok(server.counter('ratatosk_shaper_holds_total') > 0)
  })
})

it('LST-11: the shaper of a user counts from his sign-in on, whatever the listener had for him before', async () => {
  const free = { name: 'free', port: 5222, tls: 'direct', shaper: 'of-guests' }
  const slow = { name: 'slow', port: 5223, tls: 'direct', shaper: 'of-friends' }
  const config = {
    access: {
      'of-guests': [{ value: 'slow', if: { user: ['mercutio@localhost'] } }, { value: 'none' }],
      'of-friends': [{ value: 'none', if: { user: ['romeo@localhost'] } }, { value: 'slow' }],
    },
    shapers: { slow: { rate: '1 KB/s', burst: '20 KB' } },
    listeners: [c2s(free), c2s(slow)],
  }
  await SymbolicServer.run(config, async (server) => {
    const { simulation } = server
    const { network } = simulation
    // What one read takes too much is paid behind it, so a whole read counts little.
    network.everywhere = { ...network.everywhere, windowBytes: 4_096 }
    await server.server.accounts.add(jid('mercutio@localhost'), 'secret')
    /** Seconds that 100 KB take. */
    const secondsOf = async (name: string, port: number): Promise<number> => {
      const client = await signedIn(server, name, port)
      await simulation.advance(60_000)
      const began = simulation.now
      const message = `<message to='${client.jid}'><body>${'x'.repeat(900)}</body></message>`
      for (let bytes = 0; bytes < 100_000; bytes += message.length) client.sendBytes(encode(message))
      await client.request(xml`<iq to='localhost' type='get'><ping xmlns='urn:xmpp:ping'/></iq>`, 3_600_000)
      return (simulation.now - began) / 1000
    }
    const seconds = [
      await secondsOf('romeo', 5222),
      await secondsOf('mercutio', 5222),
      await secondsOf('romeo', 5223),
      await secondsOf('mercutio', 5223),
    ]
    const computed = (100_000 - 20_000) / 1_000
    const told = `${seconds.map(Math.round)} s`
    assert.deepEqual(
      seconds.map((one) => (one < 2 ? 'free' : Math.abs(one - computed) < computed * 0.05 ? 'slow' : 'else')),
      ['free', 'slow', 'free', 'slow'],
      told,
    )
  })
})
