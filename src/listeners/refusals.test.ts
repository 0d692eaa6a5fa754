/** LST-08 and LST-12: who may not connect, and how much may come before sign-in. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, type Wire } from '../../plays/language/wire.ts'
import { jid } from '../jid/index.ts'
import { SymbolicServer } from './symbolic.testing.ts'

const sections = (limits: Readonly<Record<string, unknown>>, listener: Readonly<Record<string, unknown>> = {}) => ({
  limits,
  listeners: [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222, ...listener }],
})

const auth = (password: string, name = 'romeo') =>
  `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${btoa(`\0${name}\0${password}`)}</auth>`

const tls = { servername: 'localhost', alpn: [], verify: true }

async function secured(server: SymbolicServer, wire: Wire): Promise<void> {
  wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await wire.hears(/<proceed [^>]*\/>/)
  await wire.secures({ ...tls, ca: server.ca })
  wire.says(header('localhost'))
  await wire.hears(/<\/stream:features>/)
}

describe('LST-12: limits before sign-in', () => {
  it('the 257th connection of an address is refused; others are not, and one that leaves makes room', async () => {
    await SymbolicServer.run(sections({}), async (server) => {
      const wires: Wire[] = []
      for (let n = 0; n < 256; n++) {
        const wire = await server.wire('mallory')
        wire.says(header('localhost'))
        await wire.hears(/<\/stream:features>/)
        wires.push(wire)
      }
      const one = await server.wire('mallory')
      await one.hears(/<stream:error><policy-violation /)
      await one.isClosed()
      assert.equal(server.counter('ratatosk_connections_refused_per_address_total'), 1)
      const other = await server.wire('romeo')
      other.says(header('localhost'))
      await other.hears(/<\/stream:features>/)
      wires[0]?.closes()
      await server.simulation.settle()
      const next = await server.wire('mallory')
      next.says(header('localhost'))
      await next.hears(/<\/stream:features>/)
    })
  })

  it('one connection more than the server takes is refused', async () => {
    await SymbolicServer.run(sections({ connections: 2 }), async (server) => {
      for (const host of ['a', 'b']) await server.wire(host)
      const wire = await server.wire('c')
      await wire.hears(/<stream:error><resource-constraint /)
      await wire.isClosed()
      assert.equal(server.counter('ratatosk_connections_refused_max_total'), 1)
    })
  })

  it('somebody who says his header byte by byte is cut at the deadline', async () => {
    await SymbolicServer.run(sections({ sign_in_timeout: '10 seconds' }), async (server) => {
      const wire = await server.wire('mallory')
      const began = server.simulation.now
      const text = header('localhost')
      for (let n = 0; n < text.length && wire.cause === undefined; n++) {
        wire.says(text[n] ?? '')
        await server.simulation.advance(500)
        if (server.simulation.now - began > 12_000) break
      }
      await wire.hears(/<stream:error><(?:connection-timeout|policy-violation) /)
      await wire.isClosed()
      const lasted = server.simulation.now - began
      assert.ok(lasted >= 10_000 && lasted < 13_000, `${lasted} ms`)
      assert.equal(server.counter('ratatosk_connections'), 0)
    })
  })

  it('somebody who says nothing at all is cut at the deadline, on both kinds of TLS', async () => {
    const listeners = [
      { name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 },
      { name: 'direct', protocol: 'c2s', tls: 'direct', address: '0.0.0.0', port: 5223 },
    ]
    await SymbolicServer.run({ listeners, limits: { sign_in_timeout: '10 seconds' } }, async (server) => {
      const wires = [await server.wire('mallory'), await server.wire('mallory', 5223)]
      await server.simulation.advance(9_900)
      assert.deepEqual(
        wires.map((wire) => wire.cause),
        [undefined, undefined],
      )
      await server.simulation.advance(3_000)
      for (const wire of wires) await wire.isClosed()
      assert.equal(server.counter('ratatosk_connections'), 0)
    })
  })

  it('more bytes than may come before sign-in end the stream', async () => {
    await SymbolicServer.run(sections({ sign_in_bytes: '20 KB', sign_in_elements: 1000 }), async (server) => {
      const wire = await server.wire('mallory')
      await secured(server, wire)
      const abort = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
      wire.says(abort.repeat(Math.ceil(20_000 / abort.length) + 1))
      await wire.hears(/<stream:error><policy-violation /)
      await wire.isClosed()
    })
  })

  it('more elements than may come before sign-in end the stream', async () => {
    await SymbolicServer.run(sections({ sign_in_elements: 20 }), async (server) => {
      const wire = await server.wire('mallory')
      await secured(server, wire)
      wire.says("<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>".repeat(21))
      await wire.hears(/<stream:error><policy-violation /)
      await wire.isClosed()
    })
  })

  it('a refusal that direct TLS cannot tell is in the log, one line a minute and reason', async () => {
    const listener = { name: 'direct', tls: 'direct', port: 5223, access: 'none' }
    await SymbolicServer.run(sections({}, listener), async (server) => {
      const refused = async () => {
        const wire = await server.wire('mallory', 5223)
        await wire.isClosed()
      }
      for (let n = 0; n < 20; n++) await refused()
      assert.deepEqual(server.told('RTK_LISTENER_ACCESS', 'info'), [{ listener: 'direct', address: 'mallory' }])
      await server.simulation.advance(60_000)
      await refused()
      assert.deepEqual(server.told('RTK_LISTENER_ACCESS', 'info').slice(1), [
        { listener: 'direct', address: 'mallory', leftOut: 19 },
      ])
      assert.equal(server.counter('ratatosk_connections_refused_access_total'), 21)
    })
  })

  it('an address that failed too often is refused until the window is over; others are not', async () => {
    const limits = { sign_in_failures: 5, sign_in_failure_window: '1 minute' }
    await SymbolicServer.run(sections(limits), async (server) => {
      let failures = 0
      while (failures < 5) {
        const wire = await server.wire('192.0.2.66')
        await secured(server, wire)
        for (let n = 0; n < 3 && failures < 5; n++, failures++) {
          wire.says(auth('guess'))
          await wire.hears(/<not-authorized\/>/)
        }
        if (failures === 5) await wire.hears(/<stream:error><policy-violation /)
        wire.closes()
      }
      const refused = await server.wire('192.0.2.66')
      await refused.hears(/<stream:error><policy-violation /)
      assert.equal(server.counter('ratatosk_connections_refused_failures_total'), 1)
      const other = await server.wire('192.0.2.67')
      await secured(server, other)
      other.says(auth('secret'))
      await other.hears(/<success /)
      await server.simulation.advance(61_000)
      const later = await server.wire('192.0.2.66')
      await secured(server, later)
      later.says(auth('secret'))
      await later.hears(/<success /)
    })
  })
})

describe('who may connect', () => {
  it('an access rule refuses an address in the words of the protocol', async () => {
    const access = { friends: [{ allow: { address: ['192.0.2.0/24'] } }] }
    await SymbolicServer.run({ access, ...sections({}, { access: 'friends' }) }, async (server) => {
      const wire = await server.wire('198.51.100.1')
      await wire.hears(/<stream:error><policy-violation /)
      await wire.isClosed()
      assert.equal(server.counter('ratatosk_connections_refused_access_total'), 1)
      assert.equal(server.counter('ratatosk_refusals_total{code="RTK_LISTENER_ACCESS"}'), 1, 'counted once')
      await secured(server, await server.wire('192.0.2.5'))
    })
  })

  it('an access rule that asks for users lets everybody knock who may be one, and decides at sign-in', async () => {
    const access = {
      family: [{ deny: { address: ['198.51.100.0/24'] } }, { allow: { user: ['romeo@localhost'] } }],
      others: [{ deny: { rule: 'family' } }, { allow: 'all' }],
    }
    const signsIn = async (server: SymbolicServer, from: string, name: string) => {
      const wire = await server.wire(from)
      await secured(server, wire)
      wire.says(auth('secret', name))
      const heard = await wire.hears(/<success |<failure .*?<\/failure>/)
      wire.closes()
      return /<(success|account-disabled|not-authorized)/.exec(heard)?.[1]
    }
    for (const [rule, expected] of [
      ['family', ['success', 'account-disabled']],
      ['others', ['account-disabled', 'success']],
    ] as const) {
      await SymbolicServer.run({ access, ...sections({}, { access: rule }) }, async (server) => {
        await server.server.accounts.add(jid('tybalt@localhost'), 'secret')
        const found = [await signsIn(server, '192.0.2.1', 'romeo'), await signsIn(server, '192.0.2.1', 'tybalt')]
        assert.deepEqual(found, expected, rule)
        const wire = await server.wire('198.51.100.1')
        if (rule === 'others') assert.equal(await signsIn(server, '198.51.100.1', 'romeo'), 'success')
        else await wire.hears(/<stream:error><policy-violation /)
      })
    }
  })

  it('LST-08: nobody but the balancers may bring a PROXY header, and they have to', async () => {
    const listener = { proxy_protocol: true, proxies: ['192.0.2.1'] }
    await SymbolicServer.run(sections({}, listener), async (server) => {
      const line = 'PROXY TCP4 203.0.113.9 192.0.2.1 40000 5222\r\n'
      const stranger = await server.wire('198.51.100.1')
      stranger.says(line + header('localhost'))
      await stranger.isClosed()
      assert.equal(server.logged('RTK_PROXY_UNTRUSTED'), 1)
      assert.equal(server.counter('ratatosk_connections_refused_proxy_total'), 1)
      await server.simulation.advance(6_000)
      assert.equal(server.logged('RTK_PROXY_HEADER'), 0, 'nobody waits for the header of one that is gone')

      const balancer = await server.wire('192.0.2.1')
      balancer.says(line + header('localhost'))
      await balancer.hears(/<\/stream:features>/)

      const bare = await server.wire('192.0.2.1')
      bare.says(header('localhost'))
      await bare.isClosed()
      assert.equal(server.logged('RTK_PROXY_HEADER'), 1)

      const silent = await server.wire('192.0.2.1')
      silent.says('PROXY TCP4 203.0')
      await server.simulation.advance(5_500)
      await silent.isClosed()
      assert.equal(server.logged('RTK_PROXY_HEADER'), 2)
      assert.equal(server.counter('ratatosk_proxy_header_faults_total'), 2)
    })
  })

  it('a connection that waits for its PROXY header is a connection, for as long as it may wait', async () => {
    const listener = { proxy_protocol: true, proxies: ['192.0.2.1'] }
    const limits = { connections: 2, proxy_header_timeout: '2 seconds' }
    await SymbolicServer.run(sections(limits, listener), async (server) => {
      const wires = [await server.wire('192.0.2.1'), await server.wire('192.0.2.1')]
      assert.equal(server.counter('ratatosk_connections'), 2)
      await (await server.wire('192.0.2.1')).isClosed()
      assert.equal(server.counter('ratatosk_connections_refused_max_total'), 1)
      assert.equal(server.counter('ratatosk_refusals_total{code="RTK_CONNECTIONS_MAX"}'), 1)
      wires[0]?.says(`PROXY TCP4 203.0.113.1 192.0.2.1 40000 5222\r\n${header('localhost')}`)
      await wires[0]?.hears(/<\/stream:features>/)
      assert.equal(server.counter('ratatosk_connections'), 2, 'it is counted once')
      await server.simulation.advance(2_500)
      await wires[1]?.isClosed()
      assert.equal(server.counter('ratatosk_connections'), 1)
      wires[0]?.closes()
      await server.simulation.settle()
      assert.equal(server.counter('ratatosk_connections'), 0)
    })
  })

  it('the limit of an address counts the client that the balancer names', async () => {
    const listener = { proxy_protocol: true, proxies: ['192.0.2.1'] }
    await SymbolicServer.run(sections({ connections_per_address: 1 }, listener), async (server) => {
      const behind = async (client: string) => {
        const wire = await server.wire('192.0.2.1')
        wire.says(`PROXY TCP4 ${client} 192.0.2.1 40000 5222\r\n${header('localhost')}`)
        return wire
      }
      for (const client of ['203.0.113.1', '203.0.113.2']) await (await behind(client)).hears(/<\/stream:features>/)
      await (await behind('203.0.113.1')).hears(/<stream:error><policy-violation /)
    })
  })

  it('whoever has not said who he is when the server stops is dropped: nobody would serve him', async () => {
    const listener = { proxy_protocol: true, proxies: ['192.0.2.1'] }
    await SymbolicServer.run(sections({}, listener), async (server) => {
      const wire = await server.wire('192.0.2.1')
      assert.equal(server.counter('ratatosk_connections'), 1)
      await server.server.close()
      wire.says(`PROXY TCP4 203.0.113.9 192.0.2.1 40000 5222\r\n${header('localhost')}`)
      await wire.isClosed()
      assert.equal(server.counter('ratatosk_connections'), 0)
    })
  })

  it('a balancer that brings no header costs a line of the log, not one a connection', async () => {
    const listener = { proxy_protocol: true, proxies: ['192.0.2.1'] }
    await SymbolicServer.run(sections({}, listener), async (server) => {
      for (let n = 0; n < 3; n++) {
        const wire = await server.wire('192.0.2.1')
        wire.says(header('localhost'))
        await wire.isClosed()
      }
      assert.equal(server.counter('ratatosk_proxy_header_faults_total'), 3)
      assert.equal(server.told('RTK_PROXY_HEADER', 'warn').length, 1)
    })
  })
})
