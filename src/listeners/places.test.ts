/** LST-08: every kind of listener at every kind of place, with and without a balancer in front of it. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { jid } from '../jid/index.ts'
import { runClient, XmppClient } from '../stream/client.ts'
import { createWorld } from '../world/index.ts'
import type { Place, TransportHandler } from '../world/net.types.ts'
import { fromBytes } from '../xml/index.ts'
import { freshFolder, proxied, proxyHeaders, type Served, serveWith } from './listeners.testing.ts'

const kinds = [
  { protocol: 'c2s', tls: 'starttls' },
  { protocol: 'c2s', tls: 'direct' },
  { protocol: 'c2s', tls: 'none' },
  { protocol: 'http', tls: 'none' },
  { protocol: 'http', tls: 'direct' },
] as const
const places = ['IPv4', 'IPv6', 'Unix'] as const
const balancers = ['none', 'v1', 'v2'] as const

type Kind = (typeof kinds)[number]
type Where = (typeof places)[number]

const nameOf = ({ protocol, tls }: Kind, where: Where, isProxied: boolean) =>
  `${protocol}-${tls}-${where}${isProxied ? '-proxied' : ''}`

const idle: TransportHandler = { data() {}, drained() {}, secured() {}, ended() {}, closed() {} }

describe('LST-08, SM-02: a listener', () => {
  const folder = freshFolder()
  const world = createWorld()
  let served: Served

  before(async () => {
    const listeners = kinds.flatMap((kind) =>
      places.flatMap((where) =>
        [false, true].map((isProxied) => {
          const name = nameOf(kind, where, isProxied)
          const at =
            where === 'Unix'
              ? { path: join(folder, name) }
              : { address: where === 'IPv4' ? '127.0.0.1' : '::1', port: 0 }
          return { ...kind, ...at, name, proxy_protocol: isProxied }
        }),
      ),
    )
    served = await serveWith({ listeners }, folder)
  })
  after(() => served[Symbol.asyncDispose]())

  for (const kind of kinds) {
    for (const where of places) {
      for (const balancer of balancers) {
        const header = balancer === 'none' ? undefined : proxyHeaders[balancer]
        const behind = header === undefined ? '' : ` behind PROXY ${balancer}, header and first bytes in one write`
        it(`${kind.protocol}, TLS ${kind.tls}, ${where}${behind}`, async () => {
          const place = served.place(nameOf(kind, where, header !== undefined))
          const address = await (kind.protocol === 'http'
            ? health(place, kind.tls, header)
            : signIn(place, kind.tls, header))
          const own = { IPv4: '127.0.0.1', IPv6: '::1', Unix: '' }[where]
          if (address !== undefined) assert.equal(address, header === undefined ? own : proxied.host)
        })
      }
    }
  }

  /** The address that the session has. */
  async function signIn(place: Place, tls: Kind['tls'], header: Uint8Array | undefined): Promise<string | undefined> {
    if (tls === 'direct' && header !== undefined) {
      const socket = await glued(place, header, ['xmpp-client'])
      assert.equal(socket.alpnProtocol, 'xmpp-client')
      socket.destroy()
    }
    const transport = await world.net.connect(place, idle, 5_000)
    // What is written in one tick leaves in one write: the stream header follows at once.
    if (header !== undefined) transport.write(fromBytes(header))
    const account = jid('romeo@localhost')
    const client = await runClient(world, transport, { jid: account, password: 'secret', place, tls, ca: served.ca })
    assert.ok(client instanceof XmppClient, String(client))
    const info = served.server.core.sessions.find(client.jid)?.info
    const { address } = info ?? assert.fail('no session')
    assert.match(info?.auth ?? '', /^SCRAM-SHA-512(-PLUS)?$/)
    assert.match(info?.tls ?? 'none', tls === 'none' ? /^$/ : /^TLSv1\.[23]$/)
    await client.close()
    return address
  }

  async function health(place: Place, tls: Kind['tls'], header: Uint8Array | undefined): Promise<undefined> {
    const request = 'GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
    const none = new Uint8Array(0)
    const socket = tls === 'direct' ? await glued(place, header ?? none, ['http/1.1']) : connect(target(place))
    socket.write(tls === 'direct' ? request : Buffer.concat([header ?? none, Buffer.from(request)]))
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(answer, /\{"status":"ok"\}/)
  }

  /** TLS whose ClientHello leaves in the same write as what comes before it. */
  function glued(place: Place, first: Uint8Array, alpn: string[]): Promise<TLSSocket> {
    const raw = connect(target(place))
    let before = first
    const joined = new Duplex({
      read() {},
      write(chunk: Uint8Array, _encoding, done) {
        const bytes = Buffer.concat([before, chunk])
        before = new Uint8Array(0)
        raw.write(bytes, done)
      },
    })
    raw.on('data', (chunk) => joined.push(chunk)).on('end', () => joined.push(null))
    const secure = connectTls({ socket: joined, servername: 'localhost', ca: served.ca, ALPNProtocols: alpn })
    return new Promise((resolve, reject) => {
      secure.once('secureConnect', () => resolve(secure)).once('error', reject)
    })
  }
})

function target(place: Place) {
  return place.kind === 'unix' ? { path: place.path } : { host: place.host, port: place.port }
}
