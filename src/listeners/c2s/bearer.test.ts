/** Sign-in by tokens of an issuer through a whole server: OAUTHBEARER (RFC 7628) and the back end `jwt` (RFC 7519). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, type Wire } from '../../../plays/language/wire.ts'
import { type Issuer, issuerOf, jwks, tokenOf } from '../../auth/jwt.testing.ts'
import { jid } from '../../jid/index.ts'
import { ClientFailure, connectClient } from '../../stream/client.ts'
import { WorldError } from '../../world/error.ts'
import { SymbolicServer, tokenIssuer } from '../symbolic.testing.ts'

const listeners = [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }]
const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const NS_SASL2 = 'urn:xmpp:sasl:2'

type Options = Readonly<Record<string, unknown>>

/** With these options of `auth.jwt`, and back ends. */
const sections = (jwt: Options = {}, backends: readonly string[] = ['jwt']) => ({
  listeners,
  auth: { scram_iterations: 4096, backends, jwt: { keys: '/tls/tokens.json', ...jwt } },
})

async function secured(server: SymbolicServer): Promise<{ wire: Wire; features: string }> {
  const wire = await server.wire('somewhere')
  return { wire, features: await wire.startsTls({ ca: server.ca }) }
}

const claimsOf = (server: SymbolicServer, claims: Options): Options => ({
  sub: 'juliet',
  exp: Math.floor(server.simulation.world('server').clock.wallMs() / 1_000) + 600,
  ...claims,
})
const token = (server: SymbolicServer, claims: Options = {}, issuer: Issuer = tokenIssuer) =>
  tokenOf(issuer, claimsOf(server, claims))

const first = (shown: string, authzid = '') => btoa(`n,${authzid},\x01auth=Bearer ${shown}\x01\x01`)
const auth = (shown: string) => `<auth xmlns='${NS_SASL}' mechanism='OAUTHBEARER'>${first(shown)}</auth>`
const plain = (user: string, password: string) =>
  `<auth xmlns='${NS_SASL}' mechanism='PLAIN'>${btoa(`\0${user}\0${password}`)}</auth>`

/** What an attempt leads to: `in`, or the condition; the errors of RFC 7628 are answered. */
async function tried(wire: Wire, sent: string): Promise<string> {
  wire.says(sent)
  let heard = await wire.hears(/<success [^>]*\/>|<\/challenge>|<\/failure>/)
  if (heard.includes('<challenge')) {
    wire.says(`<response xmlns='${NS_SASL}'>AQ==</response>`)
    heard = await wire.hears(/<\/failure>/)
  }
  return /<failure [^>]*><([a-z-]+)/.exec(heard)?.[1] ?? 'in'
}

async function attempt(server: SymbolicServer, sent: string): Promise<string> {
  const { wire } = await secured(server)
  const result = await tried(wire, sent)
  wire.closes()
  return result
}

describe('OAUTHBEARER through a whole server', () => {
  it('is offered where a back end judges tokens, inside of TLS', async () => {
    await SymbolicServer.run({ listeners }, async (server) => {
      const { wire, features } = await secured(server)
      assert.ok(!features.includes('OAUTHBEARER'))
      assert.equal(await tried(wire, auth(token(server))), 'mechanism-too-weak')
    })
    await SymbolicServer.run(sections(), async (server) => {
      const { features } = await secured(server)
      const [classic = '', sasl2 = ''] = [
        /<mechanisms .*<\/mechanisms>/.exec(features)?.[0],
        /<authentication .*?<inline>/.exec(features)?.[0],
      ]
      for (const offer of [classic, sasl2]) {
        const names = [...offer.matchAll(/<mechanism>([^<]*)</g)].map(([, name]) => name)
        // This back end has no passwords for SCRAM.
        assert.deepEqual(names, ['PLAIN', 'OAUTHBEARER'])
      }
      const wire = await server.wire('somewhere')
      wire.says(header('localhost'))
      assert.ok(!(await wire.hears(/<\/stream:features>/)).includes('mechanism'))
      assert.equal(await tried(wire, auth(token(server))), 'encryption-required')
    })
  })

  it('AUTH-05, AUTH-06: signs in the account of the token, which is made', () =>
    SymbolicServer.run(sections(), async (server) => {
      const host = server.server.core.host('localhost') ?? assert.fail()
      assert.equal(await server.server.accounts.exists(host, 'juliet'), false)
      const { wire } = await secured(server)
      assert.equal(await tried(wire, auth(token(server))), 'in')
      assert.match(await wire.binds(), /^juliet@localhost\//)
      // That there was none was remembered.
      assert.equal(await server.server.accounts.exists(host, 'juliet'), true)
      const [entry] = await server.server.accounts.list(host, '', 10)
      assert.deepEqual([entry?.local, entry?.origin, entry?.state], ['juliet', 'jwt', 'active'])
      assert.equal(await attempt(server, auth(token(server))), 'in')
      assert.equal(await server.server.accounts.count(host), 1)
    }))

  it('AUTH-05: by SASL2 with Bind 2 in one go, and a token of FAST for the next time', () =>
    SymbolicServer.run(sections(), async (server) => {
      const { wire } = await secured(server)
      const initial = `<initial-response>${first(token(server), 'a=juliet@localhost')}</initial-response>`
      const agent = "<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>"
      const wish = "<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>"
      const rest = `${agent}<bind xmlns='urn:xmpp:bind:0'/>${wish}`
      wire.says(`<authenticate xmlns='${NS_SASL2}' mechanism='OAUTHBEARER'>${initial}${rest}</authenticate>`)
      const success = await wire.hears(/<\/success>/)
      assert.match(success, /<authorization-identifier>juliet@localhost\/[^<]+<.*<token [^>]*token='/)
    }))

  it('our client signs in by it in both profiles, and is told why it may not', () =>
    SymbolicServer.run(sections({ scope: 'xmpp' }), async (server) => {
      for (const profile of ['rfc6120', 'sasl2'] as const) {
        const connect = (bearer: string) =>
          connectClient(server.simulation.world('somewhere'), {
            jid: jid('juliet@localhost'),
            password: '',
            place: { kind: 'tcp', host: 'server', port: 5222 },
            tls: 'starttls',
            ca: server.ca,
            sasl: { bearer, profile, authzid: 'juliet@localhost' },
          })
        const good = await connect(token(server, { scope: 'openid xmpp' }))
        assert.ok(!(good instanceof ClientFailure), String(good))
        assert.equal(good.jid.local, 'juliet')
        assert.equal(good.success === undefined, profile === 'rfc6120')
        await good.close()
        const bad = await connect(token(server, { scope: 'openid' }))
        assert.ok(bad instanceof ClientFailure)
        assert.match(bad.text, /not-authorized/)
        const other = await connect(token(server, { scope: 'xmpp', sub: 'romeo' }))
        assert.ok(other instanceof ClientFailure)
        assert.match(other.text, /invalid-authzid/)
      }
    }))

  it('tells a client whose token does not do what it needs, and the operator why', () => {
    const openid_configuration = 'https://id.example/.well-known/openid-configuration'
    return SymbolicServer.run(sections({ scope: 'xmpp', openid_configuration }), async (server) => {
      const { wire } = await secured(server)
      wire.says(auth(token(server)))
      const heard = /<challenge [^>]*>([^<]*)</.exec(await wire.hears(/<\/challenge>/))?.[1] ?? ''
      assert.deepEqual(JSON.parse(atob(heard)), {
        status: 'insufficient_scope',
        scope: 'xmpp',
        'openid-configuration': openid_configuration,
      })
      assert.deepEqual(server.told('RTK_JWT_SCOPE', 'info'), [
        { host: 'localhost', why: 'it has not the scope that is needed' },
      ])
      // It counts before the client has answered.
      assert.equal(server.counter('ratatosk_refusals_total{code="RTK_SASL_BEARER_SCOPE"}'), 1)
    })
  })

  it('RFC 7519 section 4.1.4: a token is good until it ends; its session goes on', () =>
    SymbolicServer.run(sections({ leeway: '10 seconds' }), async (server) => {
      const shown = token(server)
      const { wire } = await secured(server)
      assert.equal(await tried(wire, auth(shown)), 'in')
      await wire.binds()
      for (let seconds = 0; seconds < 605; seconds += 121) {
        // It is there: white space says so.
        wire.says(' ')
        await server.simulation.advance(121_000)
      }
      assert.equal(await attempt(server, auth(shown)), 'in')
      await server.simulation.advance(10_000)
      assert.equal(await attempt(server, auth(shown)), 'credentials-expired')
      assert.equal(await attempt(server, plain('juliet', shown)), 'credentials-expired')
      assert.equal(await attempt(server, auth(token(server))), 'in')
      wire.says("<iq type='get' id='alive' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
      await wire.hears(/id='alive'/)
    }))

  it('a disabled account stays outside, and a removed one is made anew', () =>
    SymbolicServer.run(sections(), async (server) => {
      const { accounts } = server.server
      assert.equal(await attempt(server, auth(token(server))), 'in')
      await accounts.setState(jid('juliet@localhost'), 'disabled')
      assert.equal(await attempt(server, auth(token(server))), 'account-disabled')
      assert.equal(await attempt(server, plain('juliet', token(server))), 'account-disabled')
      await accounts.remove(jid('juliet@localhost'))
      assert.equal(await attempt(server, auth(token(server))), 'in')
    }))

  it('makes no account where that is not wanted', () =>
    SymbolicServer.run(sections(), async (server) => {
      assert.equal(await attempt(server, auth(token(server, { sub: 'romeo' }))), 'in')
      await server.reload(sections({ make_accounts: false }))
      assert.equal(await attempt(server, auth(token(server))), 'not-authorized')
      assert.equal(await attempt(server, plain('juliet', token(server))), 'not-authorized')
      assert.equal(await attempt(server, auth(token(server, { sub: 'romeo' }))), 'in')
      const host = server.server.core.host('localhost') ?? assert.fail()
      assert.equal(await server.server.accounts.exists(host, 'juliet'), false)
    }))

  it('the access rule of the host holds for tokens too', () => {
    const { auth: options } = sections()
    const access = { staff: [{ deny: { user: 'juliet@localhost' } }, { allow: 'all' }] }
    return SymbolicServer.run({ listeners, access, auth: { ...options, access: 'staff' } }, async (server) => {
      assert.equal(await attempt(server, auth(token(server))), 'account-disabled')
      assert.equal(await attempt(server, auth(token(server, { sub: 'mercutio' }))), 'in')
    })
  })

  it('keys are rotated by a reload, without a restart; a broken file changes nothing', () =>
    SymbolicServer.run(sections(), async (server) => {
      const { disk } = server.simulation.world('server')
      const next = issuerOf('ES256', 'next')
      const [old, young] = [token(server), token(server, {}, next)]
      assert.equal(await attempt(server, auth(young)), 'not-authorized')
      await disk.writeText('/tls/tokens.json', jwks(tokenIssuer, next), 0o600)
      assert.equal(await attempt(server, auth(young)), 'not-authorized')
      await server.reload(sections())
      for (const shown of [old, young]) assert.equal(await attempt(server, auth(shown)), 'in')
      await disk.writeText('/tls/tokens.json', 'half a fi', 0o600)
      await assert.rejects(server.reload(sections()), /neither PEM nor JSON/)
      assert.equal(await attempt(server, auth(young)), 'in')
      await disk.writeText('/tls/tokens.json', next.pem, 0o600)
      await server.reload(sections())
      assert.equal(await attempt(server, auth(old)), 'not-authorized')
      assert.equal(await attempt(server, auth(young)), 'in')
    }))

  it('one host type takes tokens, another does not, and a token is for one host', () =>
    SymbolicServer.run(
      {
        listeners,
        hosts: { localhost: 'default', 'b.example': 'tokens' },
        host_types: { tokens: { auth: sections().auth } },
      },
      async (server) => {
        assert.equal(await attempt(server, auth(token(server))), 'mechanism-too-weak')
        const wire = await server.wire('somewhere')
        await wire.startsTls({ ca: undefined }, 'b.example')
        assert.equal(await tried(wire, auth(token(server, { sub: 'juliet@localhost' }))), 'not-authorized')
        assert.equal(await tried(wire, auth(token(server, { aud: 'localhost' }))), 'not-authorized')
        assert.equal(await tried(wire, auth(token(server, { sub: 'juliet@b.example', aud: 'b.example' }))), 'in')
      },
    ))
})

describe('AUTH-07: jwt among other back ends', () => {
  for (const backends of [
    ['jwt', 'internal'],
    ['internal', 'jwt'],
  ]) {
    it(`${backends.join(', ')}: passwords and tokens both let in, by PLAIN too`, () =>
      SymbolicServer.run(sections({}, backends), async (server) => {
        const { features } = await secured(server)
        assert.match(features, /<mechanism>SCRAM-SHA-256<.*<mechanism>PLAIN<.*<mechanism>OAUTHBEARER</)
        assert.equal(await attempt(server, plain('romeo', 'secret')), 'in')
        assert.equal(await attempt(server, plain('romeo', 'wrong')), 'not-authorized')
        assert.equal(await attempt(server, plain('juliet', token(server))), 'in')
        assert.equal(await attempt(server, plain('romeo', token(server))), 'not-authorized', "another's token")
        assert.equal(await attempt(server, auth(token(server))), 'in')
        assert.equal(await attempt(server, auth(token(server, { sub: 'romeo' }))), 'in')
        // The accounts of both are in one list, and a password may be given to any of them.
        const { accounts } = server.server
        await accounts.setPassword(jid('juliet@localhost'), 'r0m30')
        assert.equal(await attempt(server, plain('juliet', 'r0m30')), 'in')
        await accounts.setState(jid('romeo@localhost'), 'disabled')
        assert.equal(await attempt(server, auth(token(server, { sub: 'romeo' }))), 'account-disabled')
      }))

    it(`${backends.join(', ')}: while the store cannot tell it is never a no`, () =>
      SymbolicServer.run(sections({}, backends), async (server) => {
        server.engine.failing = new WorldError('RTK_TEST', 'out of order', { temporary: true })
        assert.equal(await attempt(server, auth(token(server))), 'temporary-auth-failure')
        assert.equal(await attempt(server, plain('juliet', token(server))), 'temporary-auth-failure')
        // What is no token of ours needs no store to say so.
        assert.equal(await attempt(server, auth('abc')), 'not-authorized')
        server.engine.failing = undefined
        assert.equal(await attempt(server, auth(token(server))), 'in')
      }))
  }

  it('one that fails does not hide a token that is good, and is no refusal for a password', () =>
    SymbolicServer.run(sections({}, ['plugin', 'jwt']), async (server) => {
      // No module brings a back end.
      assert.equal(await attempt(server, auth(token(server))), 'in')
      assert.equal(await attempt(server, plain('juliet', token(server))), 'in')
      assert.equal(await attempt(server, plain('juliet', 'no token')), 'temporary-auth-failure')
    }))

  it('alone it keeps no passwords: they are neither set nor asked for', () =>
    SymbolicServer.run(sections(), async (server) => {
      const { accounts, core } = server.server
      const host = core.host('localhost') ?? assert.fail()
      assert.equal(accounts.keeps(host), false)
      await assert.rejects(accounts.add(jid('nurse@localhost'), 'secret'), { code: 'RTK_ACCOUNT_BACKEND' })
      assert.equal(await attempt(server, auth(token(server))), 'in')
      await assert.rejects(accounts.setPassword(jid('juliet@localhost'), 'x'), { code: 'RTK_ACCOUNT_BACKEND' })
      assert.equal(await attempt(server, plain('juliet', 'x')), 'not-authorized')
    }))
})
