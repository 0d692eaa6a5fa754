/** What only the leaner TLS layer has to see to itself; the rest is the TLS contract's (sim/tls.contract.test.ts). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLIENT_RENEG_LIMIT, connect, type TLSSocket } from 'node:tls'
import { createWorld } from './index.ts'
import { makeAuthority, makeHostCertificate } from './local-ca.ts'
import type { CloseCause, TransportHandler } from './net.types.ts'

const now = new Date()
const authority = makeAuthority(now)

async function again(client: TLSSocket): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  client.once('close', () => resolve(false))
  client.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error === null))
  return promise
}

for (const [protocol, peers] of [
  ['the leaner layer', false],
  ['the other one', true],
] as const) {
  test(`a peer may ask for another handshake a few times, then the connection is over: ${protocol}`, async () => {
    const { net } = createWorld()
    const certificate = net.tls.prepare(makeHostCertificate(authority, ['localhost'], now))
    const closed = Promise.withResolvers<CloseCause>()
    const context = {
      ...{ alpn: [], strictAlpn: false, requestPeerCertificate: peers, isSameForAll: true },
      certificateFor: () => certificate,
    }
    const listening = await net.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, { backlog: 4 }, (transport) => {
      transport.startTlsServer(context)
      const handler: TransportHandler = {
        data() {},
        drained() {},
        secured() {},
        ended() {},
        closed: (cause) => closed.resolve(cause),
      }
      return handler
    })
    const { place } = listening
    assert.ok(place.kind === 'tcp')
    const client = connect({ port: place.port, host: '127.0.0.1', maxVersion: 'TLSv1.2', rejectUnauthorized: false })
    client.on('error', () => undefined)
    await new Promise((resolve) => client.once('secureConnect', resolve))
    for (let time = 0; time < CLIENT_RENEG_LIMIT; time++) assert.equal(await again(client), true, String(time))
    assert.equal(await again(client), false)
    assert.equal((await closed.promise).kind, 'tls')
    await listening.close()
  })
}
