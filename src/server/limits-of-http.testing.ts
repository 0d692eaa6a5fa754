/** Passes the limits of HTTP, over sockets of this machine, with times short enough for a test. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { HttpRoutes } from '../core/http-routes.ts'
import { Metrics } from '../core/metrics.ts'
import type { Accepted } from '../listeners/acceptor.ts'
import { HttpProtocol } from '../listeners/http/http.ts'
import { defaultHttpLimits } from '../world/http.ts'
import { createWorld } from '../world/index.ts'

const limits = { ...defaultHttpLimits, requestMs: 300, keepAliveMs: 100, checkMs: 20 }

export interface HttpGround {
  readonly metrics: Metrics
  /** Says this; resolves with all that was heard when the other end has closed. */
  says(text: string): Promise<string>
}

/** HTTP with `POST /take`, which takes ten bytes, and `GET /here`. */
export async function overHttp(act: (ground: HttpGround) => Promise<void>): Promise<void> {
  const world = createWorld()
  const metrics = new Metrics()
  const routes = new HttpRoutes(() => true)
  const handle = () => new Response('done')
  routes.add({ method: 'POST', path: '/take', bodyBytesMax: 10, handle })
  routes.add({ method: 'GET', path: '/here', handle })
  const protocol = new HttpProtocol({
    clock: world.clock,
    log: world.log,
    routes,
    refusals: metrics.refusals,
    tls: () => assert.fail('no TLS here'),
    limits,
  })
  const listening = await world.net.listen(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    { backlog: 16, mode: 0 },
    (transport) => {
      const listener = { tls: 'none' } as Accepted['listener']
      const left = () => undefined
      return protocol.accept({
        transport,
        listener,
        client: transport.remote,
        refusal: undefined,
        early: undefined,
        left,
      })
    },
  )
  const { place } = listening
  assert.ok(place.kind === 'tcp')
  try {
    await act({
      metrics,
      says(text) {
        const { promise, resolve, reject } = Promise.withResolvers<string>()
        let heard = ''
        const socket = connect(place.port, '127.0.0.1', () => socket.write(text))
        socket.on('data', (chunk) => {
          heard += chunk
        })
        socket.on('close', () => resolve(heard))
        socket.on('error', reject)
        return promise
      },
    })
  } finally {
    protocol.stop()
    await listening.close()
    await protocol.drained(1_000)
  }
}

const passed = (act: (says: HttpGround['says'], still: () => void) => Promise<string>) => async (metric: string) => {
  let heard = ''
  let moved = 0
  await overHttp(async ({ metrics, says }) => {
    heard = await act(says, () => assert.equal(metrics.value(metric), 0))
    moved = metrics.value(metric)
  })
  return { heard, moved }
}

const post = (body: string) =>
  `POST /take HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
const get = (field: string) => `GET /here HTTP/1.1\r\nHost: localhost\r\nX: ${field}\r\nConnection: close\r\n\r\n`

export const httpProofs = {
  http_header_bytes: passed(async (says, still) => {
    assert.match(await says(get('x'.repeat(limits.headerBytes - 200))), /^HTTP\/1\.1 200 /)
    still()
    return says(get('x'.repeat(limits.headerBytes)))
  }),
  http_body_bytes: passed(async (says, still) => {
    assert.match(await says(post('0123456789')), /^HTTP\/1\.1 200 /)
    still()
    return says(post('0123456789a'))
  }),
  http_request_timeout: passed(async (says) => {
    const heard = await Promise.all(['', 'GET / HTTP/1.1\r\nHost: localhost\r\n'].map(says))
    assert.equal(heard[0], heard[1], 'who says nothing, and who does not come to an end')
    return heard[0] ?? ''
  }),
}
