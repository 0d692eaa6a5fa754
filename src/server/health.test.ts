/** Health as balancers ask for it, byte by byte: many speak HTTP/1.0 without a Host. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { createServer, type Server } from '../index.ts'
import { defineModule } from '../plugin.ts'
import { address } from './embed.testing.ts'

const who = defineModule({
  name: 'who',
  setup(ctx) {
    ctx.http({ method: 'GET', path: '/who', handle: () => new Response('you') })
  },
})

describe('health for balancers', () => {
  let server: Server
  let port = 0

  before(async () => {
    const config = { store: { engine: 'memory' }, listeners: [{ protocol: 'http', address, port: 0 }] }
    server = await createServer({ config, plugins: [who] })
    const place = server.listening[0]?.place
    assert.ok(place?.kind === 'tcp')
    port = place.port
  })
  after(() => server.close())

  /** Sends a request as it is; resolves with the answer when the server has closed, as HTTP/1.0 has it. */
  function ask(...lines: string[]): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    let answer = ''
    const socket = connect(port, address, () => socket.write(`${lines.join('\r\n')}\r\n\r\n`))
    socket.setEncoding('utf8')
    socket.on('data', (text) => {
      answer += text
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
    return promise
  }

  it('answers HTTP/1.0 without Host, as haproxy asks (option httpchk, with and without a path)', async () => {
    assert.match(await ask('OPTIONS / HTTP/1.0'), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\{"status":"ok"\}\n$/)
    assert.match(await ask('GET /ready HTTP/1.0'), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\{"status":"ok"\}\n$/)
    assert.match(await ask('GET /health HTTP/1.0', 'Host: '), /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(await ask('HEAD /ready HTTP/1.0'), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/)
    assert.match(await ask('GET /nothing HTTP/1.0'), /^HTTP\/1\.1 404 /)
  })

  it('gives such a request the one route of a module that there is', async () => {
    assert.match(await ask('GET /who HTTP/1.0'), /^HTTP\/1\.1 200 [\s\S]*you$/)
  })

  it('refuses HTTP/1.1 without Host (RFC 9112 section 3.2)', async () => {
    assert.match(await ask('GET /ready HTTP/1.1', 'Connection: close'), /^HTTP\/1\.1 400 /)
  })

  it('answers 503 when the store is away, 200 to whether the process lives', async () => {
    await server.stores.close()
    for (const line of ['OPTIONS / HTTP/1.0', 'GET /ready HTTP/1.0', 'HEAD /ready HTTP/1.0']) {
      assert.match(await ask(line), /^HTTP\/1\.1 503 /, line)
    }
    assert.match(await ask('GET /health HTTP/1.0'), /^HTTP\/1\.1 200 /)
  })
})
