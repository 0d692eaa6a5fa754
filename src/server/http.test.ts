/** Routes of modules over a real connection: who may ask, how much he may send, and whose address counts. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { createServer, type Server } from '../index.ts'
import { defineModule, opt } from '../plugin.ts'
import { address } from './embed.testing.ts'

const echo = defineModule({
  name: 'echo',
  options: { who: opt.access({ default: 'all', description: 'Who may ask.' }) },
  setup(ctx) {
    ctx.http({
      method: 'POST',
      path: '/echo/:name',
      bodyBytesMax: 10,
      handle: async (request, { name }) => new Response(`${name}: ${await request.text()}`),
    })
    ctx.http({ method: 'GET', path: '/who', access: ctx.options.who, handle: () => new Response('you') })
    ctx.http({
      method: 'GET',
      path: '/fault',
      handle: () => {
        throw new Error('the secret of the fault')
      },
    })
    ctx.http({ method: 'GET', path: '/away', cors: true, handle: () => Response.redirect('https://other.example/') })
    ctx.http({ method: 'GET', path: '/long', handle: () => new Response('x'.repeat(3_000_000)) })
  },
})

const config = {
  hosts: ['localhost', 'bücher.example'],
  store: { engine: 'memory' },
  access: { friends: [{ allow: { address: '198.51.100.0/24' } }] },
  modules: { echo: { who: 'friends' } },
  listeners: [
    { protocol: 'http', address, port: 0, name: 'plain' },
    { protocol: 'http', address, port: 0, name: 'behind', proxy_protocol: true },
  ],
}

function portOf(server: Server, name: string): number {
  const place = server.listening.find((listener) => listener.name === name)?.place
  assert.ok(place?.kind === 'tcp')
  return place.port
}

/** Sends bytes; resolves with all that comes until the other end closes. */
function raw(port: number, text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let answer = ''
  const socket = connect(port, address, () => socket.write(text))
  socket.on('data', (chunk) => {
    answer += chunk
  })
  socket.on('end', () => socket.end())
  socket.on('close', () => resolve(answer))
  socket.on('error', reject)
  return promise
}

const get = (path: string, host = 'localhost') => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
const post = (body: string, more = '') =>
  `POST /echo/me HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\nConnection: close\r\n${more}\r\n${body}`

describe('HTTP routes of modules', () => {
  it('takes bodies up to their limit', async () => {
    const server = await createServer({ config, plugins: [echo] })
    try {
      const port = portOf(server, 'plain')
      assert.match(await raw(port, post('0123456789')), /^HTTP\/1\.1 200 [\s\S]*me: 0123456789/)
      assert.match(await raw(port, post('0123456789a')), /^HTTP\/1\.1 413 /)
      const chunked =
        'POST /echo/me HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\na\r\n0\r\n\r\n'
      assert.match(await raw(port, chunked), /^HTTP\/1\.1 413 /)
      assert.match(await raw(port, get('/echo/me')), /^HTTP\/1\.1 404 /)
      assert.match(await raw(port, 'nonsense\r\n\r\n'), /^HTTP\/1\.1 400 /)
      assert.match(await raw(port, `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /)
      // A host's name may be in its ASCII form (RFC 5891 section 4.4).
      assert.match(await raw(port, get('/fault', 'xn--bcher-kva.example')), /^HTTP\/1\.1 500 /)
      assert.doesNotMatch(await raw(port, get('/fault')), /secret/)
      const away = await raw(port, get('/away'))
      assert.match(away, /^HTTP\/1\.1 302 /)
      assert.match(away, /^access-control-allow-origin: \*\r$/im)
      assert.match(away, /^location: https:\/\/other\.example\/\r$/im)
      const long = await raw(port, get('/long'))
      assert.equal(long.slice(long.indexOf('\r\n\r\n') + 4).replaceAll(/[^x]/g, '').length, 3_000_000)
    } finally {
      await server.close()
    }
  })

  it('asks an access rule about the address of the client, not of his balancer', async () => {
    const server = await createServer({ config, plugins: [echo] })
    try {
      assert.match(await raw(portOf(server, 'plain'), get('/who')), /^HTTP\/1\.1 403 /)
      const behind = portOf(server, 'behind')
      const from = (client: string) => `PROXY TCP4 ${client} 127.0.0.1 50000 80\r\n${get('/who')}`
      assert.match(await raw(behind, from('198.51.100.7')), /^HTTP\/1\.1 200 [\s\S]*you/)
      assert.match(await raw(behind, from('203.0.113.7')), /^HTTP\/1\.1 403 /)
    } finally {
      await server.close()
    }
  })

  it('ends idle connections when the server stops', async () => {
    const server = await createServer({ config, plugins: [echo] })
    const idle = raw(portOf(server, 'plain'), get('/fault').replace('Connection: close\r\n', ''))
    const silent = raw(portOf(server, 'plain'), '')
    while (server.metrics.value('ratatosk_connections') < 2) await new Promise(setImmediate)
    await server.close()
    await Promise.all([idle, silent])
  })

  it('answers what it was asked before it stopped, and nothing more on that connection', async () => {
    const asked = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const slow = defineModule({
      name: 'slow',
      setup(ctx) {
        const handle = async () => {
          asked.resolve()
          await gate.promise
          return new Response('at last')
        }
        ctx.http({ method: 'GET', path: '/slow', handle })
      },
    })
    const server = await createServer({ config: { ...config, modules: {} }, plugins: [slow] })
    const answer = raw(portOf(server, 'plain'), get('/slow').replace('Connection: close\r\n', ''))
    await asked.promise
    const closing = server.close()
    // The listeners are closed, and the connections told.
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    gate.resolve()
    assert.match(await answer, /^HTTP\/1\.1 200 [\s\S]*at last/)
    await closing
  })
})
