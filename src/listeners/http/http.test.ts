/** Connections to an HTTP listener that do not ask, or do not go on, are not kept for ever. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { overHttp } from '../../server/limits-of-http.testing.ts'
import { SymbolicServer } from '../symbolic.testing.ts'

it('a connection is kept for another request, but not for long', () =>
  overHttp(async ({ says, metrics }) => {
    // It would be kept for ever, and this test with it.
    const heard = await says('GET /here HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert.match(heard, /^HTTP\/1\.1 200 [\s\S]*done/)
    assert.deepEqual(metrics.read(), [], 'nobody was refused')
  }))

it('two requests on one connection', () =>
  overHttp(async ({ says }) => {
    const one = 'GET /here HTTP/1.1\r\nHost: localhost\r\n\r\n'
    assert.equal((await says(one + one)).match(/done/g)?.length, 2)
  }))

it('who does not begin TLS is dropped at the deadline', () =>
  SymbolicServer.run(
    {
      limits: { sign_in_timeout: '10 seconds' },
      listeners: [{ name: 'http', protocol: 'http', tls: 'direct', address: '0.0.0.0', port: 5280 }],
    },
    async (server) => {
      const wire = await server.wire('mallory', 5280)
      await server.simulation.advance(9_900)
      assert.equal(wire.cause, undefined)
      assert.equal(server.counter('ratatosk_connections'), 1)
      await server.simulation.advance(200)
      await wire.isClosed()
      assert.equal(server.counter('ratatosk_connections'), 0)
      assert.equal(server.counter('ratatosk_refusals_total{code="RTK_HTTP_TLS_TIMEOUT"}'), 1)
    },
  ))
