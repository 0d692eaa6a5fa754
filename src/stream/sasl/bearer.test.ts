/** OAUTHBEARER (RFC 7628): the examples, our client against our server, and hostile bytes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { toUtf8 } from './encoding.ts'
import {
  BearerClient,
  BearerServer,
  type ClientStep,
  MAX_TOKEN,
  type ServerAnswer,
  type ServerStep,
  serverMechanism,
} from './index.ts'

const DOMAIN = 'example.com'
const text = (data: Uint8Array) => Buffer.from(data).toString('utf8')
const help = { scope: 'example_scope', openidConfiguration: 'https://example.com/.well-known/openid-config' }

type Bearer = Extract<ServerAnswer, { kind: 'bearer' }>
const answer = (result: Bearer['result'], username = 'user', more: Bearer['help'] = help): Bearer => ({
  kind: 'bearer',
  result,
  username,
  help: more,
})

/** As the example has it, with ^A. */
const readable = (shown: string) => toUtf8(shown.replaceAll('^A', '\x01'))

const outcome = (step: ServerStep | ClientStep) =>
  step.kind === 'failure' ? `${step.condition} ${step.code}` : step.kind

describe('OAUTHBEARER on the server', () => {
  it('AUTH-05: section 4.1, a token that is good, byte for byte', () => {
    const message =
      'bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB'
    const server = new BearerServer(DOMAIN)
    assert.deepEqual(server.step(Buffer.from(message, 'base64')), {
      kind: 'bearer',
      token: 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==',
    })
    assert.deepEqual(server.resume(answer('right')), { kind: 'success', username: 'user' })
    assert.equal(server.username, 'user')
  })

  it('section 4.3: a client without a token is told what it needs, byte for byte', () => {
    const message = 'bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE='
    const server = new BearerServer(DOMAIN)
    assert.deepEqual(server.step(Buffer.from(message, 'base64')), { kind: 'bearer', token: '' })
    const challenge = server.resume(answer('wrong', ''))
    assert.ok(challenge.kind === 'challenge')
    assert.equal(
      text(challenge.data),
      '{"status":"invalid_token","scope":"example_scope","openid-configuration":"https://example.com/.well-known/openid-config"}',
    )
    assert.equal(challenge.failure?.code, 'RTK_SASL_BEARER_MISSING')
    assert.equal(outcome(server.step(Buffer.from('AQ==', 'base64'))), 'not-authorized RTK_SASL_BEARER_MISSING')
    assert.equal(outcome(server.step(Buffer.from('AQ==', 'base64'))), 'malformed-request RTK_SASL_OUT_OF_ORDER')
  })

  it('section 3.2.2: each way in which a token does not do, with its status', () => {
    const rows: readonly (readonly [result: Bearer['result'], status: string, failure: string])[] = [
      ['wrong', 'invalid_token', 'not-authorized RTK_SASL_BEARER'],
      ['credentials-expired', 'invalid_token', 'credentials-expired RTK_SASL_BEARER_EXPIRED'],
      ['insufficient-scope', 'insufficient_scope', 'not-authorized RTK_SASL_BEARER_SCOPE'],
    ]
    for (const [result, status, failure] of rows) {
      for (const last of ['\x01', '', 'anything', 'x'.repeat(100_000)]) {
        const server = new BearerServer(DOMAIN)
        server.step(readable('n,,^Aauth=Bearer abc^A^A'))
        const challenge = server.resume(answer(result, '', {}))
        assert.ok(challenge.kind === 'challenge')
        assert.deepEqual(JSON.parse(text(challenge.data)), { status })
        assert.equal(outcome(server.step(toUtf8(last))), failure)
      }
    }
    const server = new BearerServer(DOMAIN)
    server.step(readable('n,,^Aauth=Bearer abc^A^A'))
    assert.equal(outcome(server.resume(answer('account-disabled'))), 'account-disabled RTK_SASL_ACCOUNT_DISABLED')
  })

  it('section 3.1: the grammar, and what is outside of it', () => {
    const malformed = 'malformed-request RTK_SASL_MALFORMED'
    const rows: readonly (readonly [message: string, expected: string])[] = [
      ['n,,^Aauth=Bearer abc^A^A', 'bearer'],
      ['y,,^Aauth=bEARER   abc^A^A', 'bearer'],
      ['n,a=user@example.com,^Aauth=Bearer abc^A^A', 'bearer'],
      ['n,,^Ahost=a b\t\r\n^Aport=^AmTHd=POST^Aauth=Bearer a-._~+/1==^A^A', 'bearer'],
      ['n,,^Aauth=^A^A', 'bearer'],
      ['p=tls-exporter,,^Aauth=Bearer abc^A^A', 'malformed-request RTK_SASL_BINDING_MISSING'],
      ['F,n,,^Aauth=Bearer abc^A^A', malformed],
      ['n,a=,^Aauth=Bearer abc^A^A', malformed],
      ['n,a=us=er,^Aauth=Bearer abc^A^A', malformed],
      ['n,user,^Aauth=Bearer abc^A^A', malformed],
      ['^A', malformed],
      ['', malformed],
      ['n,,', malformed],
      ['n,,^A', malformed],
      ['n,,^A^A', malformed],
      ['n,,^Aauth=Bearer abc^A', malformed],
      ['n,,^Aauth=Bearer abc', malformed],
      ['n,,^Aauth=Bearer abc^A^A^A', malformed],
      ['n,,^Aauth=Bearer abc^Aauth=Bearer abc^A^A', malformed],
      ['n,,^A=x^Aauth=Bearer abc^A^A', malformed],
      ['n,,^Aau th=x^Aauth=Bearer abc^A^A', malformed],
      ['n,,^Aother=x^A^A', malformed],
      ['n,,^Aauth=Bearer^A^A', malformed],
      ['n,,^Aauth=Bearer a b^A^A', malformed],
      ['n,,^Aauth=Bearer =abc^A^A', malformed],
      ['n,,^Aauth=Basic abc^A^A', malformed],
      ['n,,^Aauth=Bearer é^A^A', malformed],
      [`n,,^Aauth=Bearer ${'x'.repeat(MAX_TOKEN)}^A^A`, 'bearer'],
      [`n,,^Aauth=Bearer ${'x'.repeat(MAX_TOKEN + 1)}^A^A`, 'malformed-request RTK_SASL_BEARER_BYTES'],
      [`n,,^Aauth=Bearer abc^Amore=${'x'.repeat(20_000)}^A^A`, 'malformed-request RTK_SASL_BEARER_BYTES'],
    ]
    for (const [message, expected] of rows) {
      assert.equal(outcome(new BearerServer(DOMAIN).step(readable(message))), expected, message.slice(0, 60))
    }
    const notUtf8 = Buffer.concat([toUtf8('n,,'), Buffer.from([0xff]), toUtf8('\x01\x01')])
    assert.equal(outcome(new BearerServer(DOMAIN).step(notUtf8)), 'malformed-request RTK_SASL_UTF8')
  })

  it('AUTH-01: the authorization identity is the account of the token, or nobody', () => {
    const rows: readonly (readonly [authzid: string, expected: string])[] = [
      ['user@example.com', 'success'],
      ['USER@EXAMPLE.COM', 'success'],
      ['other@example.com', 'invalid-authzid RTK_SASL_AUTHZID'],
      ['user@example.org', 'invalid-authzid RTK_SASL_AUTHZID'],
      ['user@example.com/r', 'invalid-authzid RTK_SASL_AUTHZID'],
      ['user', 'invalid-authzid RTK_SASL_AUTHZID'],
    ]
    for (const [authzid, expected] of rows) {
      const server = new BearerServer(DOMAIN)
      server.step(readable(`n,a=${authzid},^Aauth=Bearer abc^A^A`))
      assert.equal(outcome(server.resume(answer('right'))), expected, authzid)
    }
  })

  it('asks for a first message that did not come, and takes no call out of order', () => {
    const server = new BearerServer(DOMAIN)
    assert.deepEqual(server.step(undefined), { kind: 'challenge', data: new Uint8Array(0) })
    assert.equal(outcome(server.step(readable('n,,^Aauth=Bearer abc^A^A'))), 'bearer')
    assert.equal(outcome(server.resume({ kind: 'unavailable' })), 'temporary-auth-failure RTK_SASL_UNAVAILABLE')
    const outOfOrder = 'malformed-request RTK_SASL_OUT_OF_ORDER'
    assert.equal(outcome(server.resume(answer('right'))), outOfOrder)
    const other = new BearerServer(DOMAIN)
    assert.equal(outcome(other.resume(answer('right'))), outOfOrder)
    const third = new BearerServer(DOMAIN)
    third.step(readable('n,,^Aauth=Bearer abc^A^A'))
    assert.equal(outcome(third.resume({ kind: 'verified', result: 'right' })), outOfOrder)
  })

  it('never throws, whatever bytes come, and takes no token that was not sent', () => {
    const piece = fc.oneof(
      fc.constantFrom('n,', 'y,', ',', 'a=user@example.com', '\x01', 'auth=', 'Bearer ', 'abc', '=', 'host=x', 'é'),
      fc.string({ maxLength: 8 }),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const message = pieces.join('')
        const step = new BearerServer(DOMAIN).step(toUtf8(message))
        if (step.kind === 'bearer') assert.ok(message.includes(`\x01auth=`) && message.includes(step.token))
        else assert.equal(step.kind, 'failure')
      }),
    )
  })

  it('is made by its name where it was offered', () => {
    const needs = { hashing: undefined as never, domain: DOMAIN, bindings: new Map(), nonce: '' }
    assert.ok(serverMechanism('OAUTHBEARER', { ...needs, offered: ['OAUTHBEARER'] }) instanceof BearerServer)
    assert.equal(serverMechanism('OAUTHBEARER', { ...needs, offered: ['PLAIN'] }), undefined)
  })
})

describe('OAUTHBEARER on the client', () => {
  const begun = (client: BearerClient) => {
    const step = client.begin()
    assert.ok(step.kind === 'response')
    return step.data
  }

  it('AUTH-05: shows its token, and is let in', () => {
    for (const authzid of [undefined, 'us=,er@example.com']) {
      const client = new BearerClient({ token: 'abc', ...(authzid === undefined ? {} : { authzid }) })
      const server = new BearerServer(DOMAIN)
      assert.deepEqual(server.step(begun(client)), { kind: 'bearer', token: 'abc' })
      const done = server.resume(answer('right', authzid === undefined ? 'user' : 'us=,er'))
      assert.equal(done.kind, 'success')
      assert.deepEqual(client.finish(undefined), { kind: 'success' })
    }
  })

  it('section 3.2.3: answers an error, so that it hears of its failure', () => {
    const client = new BearerClient({ token: 'abc' })
    const server = new BearerServer(DOMAIN)
    server.step(begun(client))
    const challenge = server.resume(answer('wrong', ''))
    assert.ok(challenge.kind === 'challenge')
    const dummy = client.step(challenge.data)
    assert.deepEqual(dummy, { kind: 'response', data: toUtf8('\x01') })
    assert.deepEqual(JSON.parse(client.error), {
      status: 'invalid_token',
      scope: help.scope,
      'openid-configuration': help.openidConfiguration,
    })
    assert.ok(dummy.kind === 'response')
    assert.equal(outcome(server.step(dummy.data)), 'not-authorized RTK_SASL_BEARER')
    // A server that then lets it in is not to be trusted.
    assert.equal(client.finish(undefined).kind, 'failure')
  })

  it('takes no call out of order', () => {
    const empty = new Uint8Array(0)
    const rows: readonly (readonly ((client: BearerClient) => ClientStep)[])[] = [
      [(client) => client.step(empty)],
      [(client) => client.resume()],
      [(client) => client.finish(undefined)],
      [(client) => client.begin(), (client) => client.begin()],
      [(client) => client.begin(), (client) => client.finish(toUtf8('data'))],
      [(client) => client.begin(), (client) => client.step(empty), (client) => client.step(empty)],
    ]
    for (const calls of rows) {
      const client = new BearerClient({ token: 'abc' })
      assert.equal(calls.map((call) => call(client)).at(-1)?.kind, 'failure')
    }
  })
})
