/** What every `Net` promises (net.types.ts), asked of the real one through both socket doors and of the simulated one. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { Transport } from '../world/net.types.ts'
import { ascii } from '../xml/octets.ts'
import { connectPair, End, netKinds, pattern, TCP } from './net-harness.ts'

const temporary = mkdtempSync(join(tmpdir(), 'ratatosk-net-'))
after(() => rmSync(temporary, { recursive: true, force: true }))

const closedAlready = ({ cause }: End): boolean => cause !== undefined

for (const kind of netKinds(temporary)) {
  describe(`net contract: ${kind.name}`, () => {
    it('carries bytes both ways, in order, over TCP and Unix sockets', () =>
      kind.run(async (bench) => {
        for (const place of [TCP, { kind: 'unix', path: bench.unixPath() } as const]) {
          const { client, server, over } = await connectPair(bench, place)
          const bytes = pattern(300_000)
          client.live.write(bytes)
          server.write('welcome')
          await server.until(({ heard }) => heard.length >= bytes.length)
          await client.until(({ heard }) => heard === 'welcome')
          assert.equal(server.heard, bytes)
          assert.deepEqual([client.live.sentBytes, client.live.receivedBytes], [300_000, 7])
          assert.deepEqual([server.live.sentBytes, server.live.receivedBytes], [7, 300_000])
          await over()
        }
      }))

    it('names both ends', () =>
      kind.run(async (bench) => {
        const { client, server, listening, over } = await connectPair(bench, TCP)
        assert.ok(listening.place.kind === 'tcp' && listening.place.port > 0)
        assert.deepEqual(client.live.remote, { host: '127.0.0.1', port: listening.place.port })
        assert.deepEqual(server.live.local, client.live.remote)
        assert.deepEqual(server.live.remote, client.live.local)
        assert.equal(server.live.remote.host, '127.0.0.1')
        await over()
      }))

    it('sends what a tick writes as one piece', () =>
      kind.run(async (bench) => {
        const { client, server, over } = await connectPair(bench, TCP)
        const pieces: string[] = []
        server.onData = (text) => pieces.push(text)
        for (const part of ['one ', 'two ', 'three']) client.write(part)
        assert.equal(client.live.queuedBytes, 13)
        await server.until(({ heard }) => heard === 'one two three')
        assert.equal(client.live.queuedBytes, 0)
        // A rough network may split it again.
        if (!kind.name.includes('rough')) assert.deepEqual(pieces, ['one two three'])
        await over()
      }))

    it('stops a writer whose reader has paused, counts what is queued, and tells when it is gone', () =>
      kind.run(async (bench) => {
        const { client, server, over } = await connectPair(bench, TCP, (_, transport) => transport.pause())
        const bytes = pattern(12_000_000)
        client.live.write(bytes)
        assert.equal(client.live.queuedBytes, bytes.length)
        client.live.write(ascii('.'))
        const turn = Promise.withResolvers<void>()
        bench.world.clock.after(50, turn.resolve, undefined)
        await turn.promise
        const queued = client.live.queuedBytes
        // Public sockets count a write whole until it is done.
        assert.ok(queued > 0 && queued <= bytes.length + (kind.name.includes('plain') ? 1 : 0), `${queued} queued`)
        assert.equal(server.heard, '')
        assert.equal(client.happened('drained'), 0)
        const { behind, behindBytes } = bench.world.net.queues
        assert.equal(behind, 1)
        assert.ok(behindBytes > 0 && behindBytes <= queued, `${behindBytes} of ${queued}`)
        server.live.resume()
        await client.until((end) => end.happened('drained') > 0)
        assert.equal(client.live.queuedBytes, 0)
        await server.until(({ heard }) => heard.length > bytes.length)
        assert.ok(server.heard === `${bytes}.`)
        assert.equal(client.happened('drained'), 1)
        assert.deepEqual(bench.world.net.queues, { behind: 0, behindBytes: 0, handshakes: 0 })
        await over()
      }))

    it('forgets who was behind when his connection is gone', () =>
      kind.run(async (bench) => {
        const { client, server, listening } = await connectPair(bench, TCP, (_, transport) => transport.pause())
        for (let i = 0; i < 12; i++) client.live.write(pattern(1_000_000))
        const turn = Promise.withResolvers<void>()
        bench.world.clock.after(50, turn.resolve, undefined)
        await turn.promise
        client.live.write(ascii('.'))
        assert.equal(bench.world.net.queues.behind, 1)
        client.live.destroy()
        await client.until(closedAlready)
        assert.deepEqual(bench.world.net.queues, { behind: 0, behindBytes: 0, handshakes: 0 })
        server.live.resume()
        await server.until(closedAlready)
        await listening.close()
      }))

    it('delivers nothing between pause and resume, and loses nothing', () =>
      kind.run(async (bench) => {
        const { client, server, over } = await connectPair(bench, TCP)
        const bytes = pattern(200_000)
        let paused = false
        server.onData = () => {
          assert.equal(paused, false)
          paused = true
          server.live.pause()
          bench.world.clock.after(
            1,
            (transport: Transport) => {
              paused = false
              transport.resume()
            },
            server.live,
          )
        }
        client.live.write(bytes)
        await server.until(({ heard }) => heard.length === bytes.length)
        assert.ok(server.heard === bytes)
        await over()
      }))

    it('closes in order: all bytes, the end, then closed on both sides, once', () =>
      kind.run(async (bench) => {
        const { client, server, listening } = await connectPair(bench, TCP)
        server.onEnded = () => {
          server.write('last word')
          server.live.close()
        }
        client.live.write(pattern(500_000))
        client.live.close()
        client.write('too late')
        await server.until(closedAlready)
        await client.until(closedAlready)
        assert.ok(server.heard === pattern(500_000))
        assert.deepEqual(server.events, ['data', 'ended', 'closed'])
        assert.deepEqual(server.cause, { kind: 'peer' })
        assert.deepEqual(client.cause, { kind: 'local' })
        assert.equal(client.happened('closed'), 1)
        // After `close` the caller hears nothing but `closed`.
        assert.equal(client.heard, '')
        client.live.destroy()
        client.live.close()
        await listening.close()
      }))

    it('leaves our direction open when the peer closes its own', () =>
      kind.run(async (bench) => {
        const { client, server, over } = await connectPair(bench, TCP)
        const seen = Promise.withResolvers<void>()
        server.onEnded = () => seen.resolve()
        client.live.close(60_000)
        await seen.promise
        assert.equal(server.cause, undefined)
        server.write('still here')
        const turn = Promise.withResolvers<void>()
        bench.world.clock.after(20, turn.resolve, undefined)
        await turn.promise
        assert.equal(server.live.queuedBytes, 0)
        assert.deepEqual([server.cause, client.cause], [undefined, undefined])
        server.live.close()
        await server.until(closedAlready)
        await client.until(closedAlready)
        await over()
      }))

    it('gives up on a peer that does not close, after the linger time', () =>
      kind.run(async (bench) => {
        const { client, server, over } = await connectPair(bench, TCP)
        const before = bench.world.clock.monoMs()
        client.live.close(60)
        await client.until(closedAlready)
        const took = bench.world.clock.monoMs() - before
        assert.ok(took >= 60, `${took} ms`)
        assert.deepEqual(client.cause, { kind: 'local' })
        assert.equal(client.happened('closed'), 1)
        server.live.destroy()
        await over()
      }))

    it('drops at once: the peer sees a reset, the caller one closed', () =>
      kind.run(async (bench) => {
        const { client, server, over } = await connectPair(bench, TCP)
        client.live.destroy()
        assert.equal(client.cause, undefined, 'closed is never told within destroy')
        await client.until(closedAlready)
        await server.until(closedAlready)
        assert.deepEqual(client.cause, { kind: 'local' })
        assert.deepEqual(server.cause, { kind: 'error', code: 'RTK_NET_RESET', text: 'ECONNRESET' })
        assert.deepEqual(server.events, ['closed'])
        await over()
      }))

    it('lets a handler close and drop within any call', () =>
      kind.run(async (bench) => {
        const first = await connectPair(bench, TCP)
        first.server.onData = () => first.server.live.destroy()
        first.client.write('x')
        await first.server.until(closedAlready)
        await first.over()
        const refused = await bench.world.net.listen(TCP, { backlog: 1 }, (transport) => {
          transport.destroy()
          return new End()
        })
        const client = new End()
        // The reset may be there before the connection is.
        await bench.world.net.connect(refused.place, client, 1_000).then(
          () => client.until(closedAlready),
          (error: { code: string }) => assert.equal(error.code, 'RTK_NET_RESET'),
        )
        await refused.close()
        const third = await connectPair(bench, TCP, (_, transport) => {
          transport.write(ascii('bye'))
          transport.close()
        })
        third.client.onEnded = () => third.client.live.close()
        await third.client.until(closedAlready)
        assert.equal(third.client.heard, 'bye')
        await third.over()
      }))

    it('hands a connection on by its handler', () =>
      kind.run(async (bench) => {
        const { client, server, over } = await connectPair(bench, TCP)
        const next = new End()
        server.onData = () => {
          server.live.handler = next
        }
        client.write('first')
        await server.until(({ heard }) => heard.length > 0)
        client.write('second')
        await next.until(({ heard }) => heard.endsWith('second'))
        assert.equal(server.heard + next.heard, 'firstsecond')
        client.live.destroy()
        await next.until(closedAlready)
        server.cause = next.cause
        await over()
      }))

    it('pauses and resumes accepting', () =>
      kind.run(async (bench) => {
        const { net } = bench.world
        const accepted: End[] = []
        const arrival = new End()
        const listening = await net.listen(TCP, { backlog: 8 }, (transport) => {
          const end = new End()
          end.transport = transport
          accepted.push(end)
          arrival.drained()
          return end
        })
        listening.pauseAccepting()
        const clients = [new End(), new End()]
        for (const client of clients) {
          client.transport = await net.connect(listening.place, client, 1_000)
          client.write('hello')
        }
        const turn = Promise.withResolvers<void>()
        bench.world.clock.after(30, turn.resolve, undefined)
        await turn.promise
        assert.equal(accepted.length, 0)
        listening.resumeAccepting()
        await arrival.until(({ events }) => events.length === 2)
        await Promise.all(accepted.map((end) => end.until(({ heard }) => heard === 'hello')))
        for (const client of clients) client.live.destroy()
        await Promise.all([...accepted, ...clients].map((end) => end.until(closedAlready)))
        await listening.close()
      }))

    it('stops listening and lets accepted connections live on', () =>
      kind.run(async (bench) => {
        const { client, server, listening, over } = await connectPair(bench, TCP)
        await listening.close()
        await assert.rejects(bench.world.net.connect(listening.place, new End(), 1_000), { code: 'RTK_NET_REFUSED' })
        client.write('still here')
        await server.until(({ heard }) => heard === 'still here')
        await over()
      }))

    it('tells why it cannot listen or connect', () =>
      kind.run(async (bench) => {
        const { net } = bench.world
        const listening = await net.listen(TCP, { backlog: 1 }, () => new End())
        await assert.rejects(
          net.listen(listening.place, { backlog: 1 }, () => new End()),
          {
            code: 'RTK_NET_ADDRESS_IN_USE',
          },
        )
        await listening.close()
        await assert.rejects(
          net.listen({ kind: 'tcp', host: '192.0.2.1', port: 0 }, { backlog: 1 }, () => new End()),
          {
            code: 'RTK_NET_ADDRESS_NOT_AVAILABLE',
          },
        )
        const long = { kind: 'unix', path: `/${'x'.repeat(107)}` } as const
        await assert.rejects(
          net.listen(long, { backlog: 1 }, () => new End()),
          { code: 'RTK_NET_PATH_TOO_LONG' },
        )
        const nobody = { kind: 'unix', path: bench.unixPath() } as const
        await assert.rejects(net.connect(nobody, new End(), 1_000), { code: 'RTK_NET_REFUSED', temporary: true })
      }))
  })
}

describe('real Unix sockets', () => {
  it('have the mode that was asked for, and one that a dead server left behind is no obstacle', async () => {
    const kinds = netKinds(temporary).filter(({ name }) => name.startsWith('real'))
    for (const kind of kinds) {
      await kind.run(async ({ world, unixPath }) => {
        const place = { kind: 'unix', path: unixPath() } as const
        const listening = await world.net.listen(place, { backlog: 1, mode: 0o600 }, () => new End())
        assert.equal(statSync(place.path).mode & 0o777, 0o600)
        await assert.rejects(
          world.net.listen(place, { backlog: 1 }, () => new End()),
          { code: 'RTK_NET_ADDRESS_IN_USE' },
        )
        await listening.close()
      })
    }
  })
})
