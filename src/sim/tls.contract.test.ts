/** What every TLS engine promises (net.types.ts, DESIGN.md section 10), asked of Node's through both doors and of the simulated. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { TlsCertificate, TlsClientOptions, TlsServerContext } from '../world/net.types.ts'
import { ascii } from '../xml/octets.ts'
import { type Bench, connectPair, type End, netKinds, type Pair, pattern, TCP } from './net-harness.ts'

const temporary = mkdtempSync(join(tmpdir(), 'ratatosk-tls-'))
after(() => rmSync(temporary, { recursive: true, force: true }))

const NAME = 'xmpp.example'
const closedAlready = ({ cause }: End): boolean => cause !== undefined
const secured = ({ info }: End): boolean => info !== undefined

function serverContext(bench: Bench, more: Partial<TlsServerContext> = {}): TlsServerContext {
  const certificate = bench.world.net.tls.prepare(bench.certificate([NAME]))
  return { alpn: [], strictAlpn: false, requestPeerCertificate: false, certificateFor: () => certificate, ...more }
}

function clientOptions(bench: Bench, more: Partial<TlsClientOptions> = {}): TlsClientOptions {
  return { servername: NAME, alpn: [], ca: bench.roots, verify: true, ...more }
}

/** Direct TLS: both start at once. */
async function direct(bench: Bench, context: TlsServerContext, options: TlsClientOptions): Promise<Pair> {
  const pair = await connectPair(bench, TCP, (_, transport) => transport.startTlsServer(context))
  pair.client.live.startTlsClient(options)
  return pair
}

async function succeed(bench: Bench, context: TlsServerContext, options: TlsClientOptions): Promise<Pair> {
  const pair = await direct(bench, context, options)
  await Promise.all([pair.client.until(secured), pair.server.until(secured)])
  return pair
}

for (const kind of netKinds(temporary)) {
  describe(`TLS contract: ${kind.name}`, () => {
    it('makes a layer over a fresh connection, and tells what it is', () =>
      kind.run(async (bench) => {
        const { client, server, over } = await succeed(bench, serverContext(bench), clientOptions(bench))
        assert.equal(client.info?.protocol, 'TLSv1.3')
        assert.equal(client.info?.cipher, server.info?.cipher)
        assert.equal(server.info?.servername, NAME)
        assert.equal(client.live.tls, client.info)
        assert.equal(client.info?.peerCertificate?.verified, true)
        assert.equal(server.info?.peerCertificate, undefined)
        client.write('ping')
        await server.until(({ heard }) => heard === 'ping')
        server.write('pong')
        await client.until(({ heard }) => heard === 'pong')
        await over()
      }))

    it('shows the same certificate for every name where there is one only, and still knows the name', () =>
      kind.run(async (bench) => {
        const context = serverContext(bench, { isSameForAll: true })
        const known = await succeed(bench, context, clientOptions(bench))
        assert.equal(known.server.info?.servername, NAME)
        assert.equal(known.server.info?.channelBinding('tls-server-end-point')?.length, 32)
        await known.over()
        const options = clientOptions(bench, { verify: false, servername: 'other.example' })
        const other = await succeed(bench, context, options)
        assert.equal(other.server.info?.servername, 'other.example')
        assert.equal(other.client.info?.peerCertificate?.error, 'ERR_TLS_CERT_ALTNAME_INVALID')
        await other.over()
      }))

    it('gives both sides the same channel bindings, and another connection others', () =>
      kind.run(async (bench) => {
        const context = serverContext(bench)
        const one = await succeed(bench, context, clientOptions(bench))
        const two = await succeed(bench, context, clientOptions(bench))
        const exporter = one.client.info?.channelBinding('tls-exporter')
        assert.equal(exporter?.length, 32)
        assert.deepEqual(Buffer.from(exporter), Buffer.from(one.server.info?.channelBinding('tls-exporter') ?? []))
        assert.notDeepEqual(Buffer.from(exporter), Buffer.from(two.server.info?.channelBinding('tls-exporter') ?? []))
        const endPoint = one.client.info?.channelBinding('tls-server-end-point')
        assert.equal(endPoint?.length, 32)
        assert.deepEqual(
          Buffer.from(endPoint),
          Buffer.from(one.server.info?.channelBinding('tls-server-end-point') ?? []),
        )
        assert.deepEqual(
          Buffer.from(endPoint),
          Buffer.from(two.server.info?.channelBinding('tls-server-end-point') ?? []),
        )
        await one.over()
        await two.over()
      }))

    it('starts on a live connection: what was written before leaves in the clear, what after does not', () =>
      kind.run(async (bench) => {
        const context = serverContext(bench)
        const { client, server, over } = await connectPair(bench, TCP)
        const before = pattern(5_000_000)
        server.onData = (text) => {
          if (text !== '<starttls/>') return
          server.live.write(before)
          server.live.startTlsServer(context)
          server.live.write(ascii('secret'))
        }
        client.onData = () => {
          if (client.heard.length === before.length) client.live.startTlsClient(clientOptions(bench))
        }
        client.write('<starttls/>')
        await client.until(({ heard }) => heard.length === before.length + 6)
        assert.ok(client.heard === `${before}secret`)
        assert.deepEqual(client.events, ['data', 'secured', 'data'])
        assert.equal(server.live.queuedBytes, 0)
        await over()
      }))

    it('refuses a certificate from elsewhere, for another name, or none, and both sides learn it', () =>
      kind.run(async (bench) => {
        const context = serverContext(bench)
        const cases: readonly [Partial<TlsClientOptions>, string | undefined][] = [
          [{ ca: undefined }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
          [{ servername: 'other.example' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
        ]
        for (const [options, code] of cases) {
          const { client, server, over } = await direct(bench, context, clientOptions(bench, options))
          await client.until(closedAlready)
          assert.equal(client.cause?.kind, 'tls')
          assert.equal(client.cause?.kind === 'tls' ? client.cause.code : '', code)
          assert.equal(client.info, undefined)
          // TLS 1.3: the server's handshake may be complete before the client gives up.
          server.onEnded = () => server.live.close()
          await server.until(({ cause, events }) => cause !== undefined || events.includes('ended'))
          await over()
        }
        const bare = await direct(
          bench,
          serverContext(bench, { certificateFor: () => undefined }),
          clientOptions(bench),
        )
        await Promise.all([bare.client.until(closedAlready), bare.server.until(closedAlready)])
        assert.equal(bare.client.cause?.kind, 'tls')
        assert.equal(bare.server.cause?.kind, 'tls')
        await bare.over()
      }))

    it('goes on without a believed certificate when asked to, and says what is wrong with it', () =>
      kind.run(async (bench) => {
        const options = clientOptions(bench, { verify: false, servername: 'other.example' })
        const { client, over } = await succeed(bench, serverContext(bench), options)
        assert.equal(client.info?.peerCertificate?.verified, false)
        assert.equal(client.info?.peerCertificate?.error, 'ERR_TLS_CERT_ALTNAME_INVALID')
        assert.ok((client.info?.peerCertificate?.der.length ?? 0) > 0)
        await over()
      }))

    it('chooses by ALPN, refuses a client that offers nothing of ours, takes one that offers nothing', () =>
      kind.run(async (bench) => {
        const strict = serverContext(bench, { alpn: ['xmpp-client', 'http/1.1'], strictAlpn: true })
        const chosen = await succeed(bench, strict, clientOptions(bench, { alpn: ['http/1.1', 'xmpp-client'] }))
        assert.equal(chosen.client.info?.alpn, 'xmpp-client')
        assert.equal(chosen.server.info?.alpn, 'xmpp-client')
        await chosen.over()
        const silent = await succeed(bench, strict, clientOptions(bench))
        assert.equal(silent.server.info?.alpn, '')
        await silent.over()
        const foreign = await direct(bench, strict, clientOptions(bench, { alpn: ['xmpp-server'] }))
        await Promise.all([foreign.client.until(closedAlready), foreign.server.until(closedAlready)])
        assert.deepEqual(foreign.client.cause?.kind === 'tls' && foreign.client.cause.code, NO_PROTOCOL)
        assert.equal(foreign.server.cause?.kind, 'tls')
        await foreign.over()
        const indifferent = await succeed(bench, serverContext(bench), clientOptions(bench, { alpn: ['xmpp-server'] }))
        assert.equal(indifferent.client.info?.alpn, '')
        await indifferent.over()
      }))

    it('shows the certificate of the name that was asked for, and a new one as soon as there is one', () =>
      kind.run(async (bench) => {
        const { tls } = bench.world.net
        const held = new Map<string, TlsCertificate>(
          ['one.example', 'two.example'].map((name) => [name, tls.prepare(bench.certificate([name]))]),
        )
        const context = serverContext(bench, { certificateFor: (name) => held.get(name) })
        const seen = async (name: string): Promise<string> => {
          const { client, over } = await succeed(bench, context, clientOptions(bench, { servername: name }))
          const der = Buffer.from(client.info?.peerCertificate?.der ?? []).toString('base64')
          await over()
          return der
        }
        const before = await seen('one.example')
        assert.notEqual(before, await seen('two.example'))
        assert.equal(before, await seen('one.example'))
        held.set('one.example', tls.prepare(bench.certificate(['one.example', 'new.example'])))
        assert.notEqual(before, await seen('one.example'))
        const unknown = await direct(bench, context, clientOptions(bench, { servername: 'three.example' }))
        await Promise.all([unknown.client.until(closedAlready), unknown.server.until(closedAlready)])
        assert.equal(unknown.client.cause?.kind, 'tls')
        await unknown.over()
      }))

    it('asks for and judges the certificate of a client', () =>
      kind.run(async (bench) => {
        const certificate = bench.world.net.tls.prepare(bench.certificate(['client.example']))
        const asking = serverContext(bench, { requestPeerCertificate: true, peerCa: bench.roots })
        const known = await succeed(bench, asking, clientOptions(bench, { certificate }))
        assert.equal(known.server.info?.peerCertificate?.verified, true)
        await known.over()
        const none = await succeed(bench, asking, clientOptions(bench))
        assert.equal(none.server.info?.peerCertificate, undefined)
        await none.over()
        const stranger = serverContext(bench, { requestPeerCertificate: true })
        const unknown = await succeed(bench, stranger, clientOptions(bench, { certificate }))
        assert.equal(unknown.server.info?.peerCertificate?.verified, false)
        assert.notEqual(unknown.server.info?.peerCertificate?.error, '')
        await unknown.over()
      }))

    it('breaks when clear text comes into a handshake, or the peer leaves', () =>
      kind.run(async (bench) => {
        const start = (_: End, transport: End['live']): void => transport.startTlsServer(serverContext(bench))
        const noise = await connectPair(bench, TCP, start)
        noise.client.write('<stream:stream>')
        await noise.server.until(closedAlready)
        assert.equal(noise.server.cause?.kind, 'tls')
        assert.equal(noise.server.heard, '')
        await noise.over()
        const leaver = await connectPair(bench, TCP, start)
        leaver.client.live.close()
        await leaver.server.until(closedAlready)
        assert.equal(leaver.server.cause?.kind, 'tls')
        await leaver.over()
      }))

    it('keeps order and bounds under TLS: pausing, queue, drained, the end', () =>
      kind.run(async (bench) => {
        const { client, server, listening } = await succeed(bench, serverContext(bench), clientOptions(bench))
        const bytes = pattern(9_000_000)
        server.live.pause()
        client.live.write(bytes)
        const turn = Promise.withResolvers<void>()
        bench.world.clock.after(30, turn.resolve, undefined)
        await turn.promise
        assert.equal(server.heard, '')
        assert.ok(client.live.queuedBytes > 0)
        let paused = false
        let count = 0
        let mostHeld = 0
        server.onData = () => {
          assert.equal(paused, false)
          if (++count > 20) return
          paused = true
          server.live.pause()
          bench.world.clock.soon((transport) => {
            paused = false
            mostHeld = Math.max(mostHeld, transport.heldBytes)
            transport.resume()
          }, server.live)
        }
        server.live.resume()
        await client.until((end) => end.happened('drained') > 0)
        server.onEnded = () => server.live.close()
        client.live.close()
        await Promise.all([client.until(closedAlready), server.until(closedAlready)])
        assert.ok(server.heard === bytes)
        assert.ok(mostHeld > 0, 'records that came together are known to be there')
        assert.equal(server.live.heldBytes, 0)
        assert.deepEqual(server.events.slice(-3), ['data', 'ended', 'closed'])
        assert.deepEqual([client.cause, server.cause], [{ kind: 'local' }, { kind: 'peer' }])
        await listening.close()
      }))

    it('drops a layer at once', () =>
      kind.run(async (bench) => {
        const { client, server, listening } = await succeed(bench, serverContext(bench), clientOptions(bench))
        // Both have said something, so that no session ticket is under way, whose write error would hide the reset.
        client.write('ping')
        await server.until(({ heard }) => heard === 'ping')
        server.write('pong')
        await client.until(({ heard }) => heard === 'pong')
        client.live.destroy()
        await Promise.all([client.until(closedAlready), server.until(closedAlready)])
        assert.deepEqual(client.cause, { kind: 'local' })
        assert.equal(server.cause?.kind, 'error')
        assert.equal(server.happened('closed'), 1)
        assert.equal(client.happened('closed'), 1)
        await listening.close()
      }))

    it('takes back the beginning of a handshake that was read as clear text', () =>
      kind.run(async (bench) => {
        const { client, server, over } = await connectPair(bench, TCP, (end, transport) => {
          end.onData = (text) => {
            end.onData = undefined
            transport.unread(Buffer.from(text, 'latin1'))
            transport.startTlsServer(serverContext(bench))
          }
        })
        client.live.startTlsClient(clientOptions(bench))
        await Promise.all([client.until(secured), server.until(secured)])
        client.write('ping')
        await server.until(({ heard }) => heard.endsWith('ping'))
        await over()
      }))

    it('refuses a key that does not fit', () =>
      kind.run(async (bench) => {
        const [one, other] = [bench.certificate(['a.example']), bench.certificate(['b.example'])]
        const mixed = { certPem: one.certPem, keyPem: other.keyPem }
        assert.throws(() => bench.world.net.tls.prepare(mixed), { code: 'RTK_TLS_BAD_CERTIFICATE' })
        assert.throws(() => bench.world.net.tls.prepare({ certPem: 'none', keyPem: '' }), {
          code: 'RTK_TLS_BAD_CERTIFICATE',
        })
        assert.equal(bench.world.net.tls.prepare(one).isFor('a.example'), true)
        assert.equal(bench.world.net.tls.prepare(one).isFor('b.example'), false)
      }))
  })
}

const NO_PROTOCOL = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'
