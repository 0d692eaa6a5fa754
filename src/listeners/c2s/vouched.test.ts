/** Sign-in without a password through a whole server: ANONYMOUS (XEP-0175) and EXTERNAL (XEP-0178). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Wire } from '../../../plays/language/wire.ts'
import { jid } from '../../jid/index.ts'
import { authorityPem, type SymbolicList, symbolicCertificate, symbolicRevocations } from '../../sim/index.ts'
import { SymbolicServer } from '../symbolic.testing.ts'

const listeners = [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }]
const anonymous = { listeners, auth: { anonymous: true } }
const auth = (mechanism: string, data: string) =>
  `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${data}</auth>`

interface Shown {
  readonly addresses: readonly string[]
  readonly issuer?: string
}

async function secured(server: SymbolicServer, shown?: Shown): Promise<{ wire: Wire; features: string }> {
  const wire = await server.wire('romeo')
  const { tls } = server.simulation.world('romeo').net
  const certificate =
    shown === undefined
      ? {}
      : { certificate: tls.prepare(symbolicCertificate({ names: [], issuer: 'clients', ...shown })) }
  return { wire, features: await wire.startsTls({ ca: server.ca, ...certificate }) }
}

describe('ANONYMOUS', () => {
  it('is offered where the host says so, and nowhere else', async () => {
    await SymbolicServer.run({ listeners }, async (server) => {
      const { wire, features } = await secured(server)
      assert.ok(!features.includes('ANONYMOUS'))
      wire.says(auth('ANONYMOUS', ''))
      await wire.hears(/<mechanism-too-weak\/>/)
    })
    await SymbolicServer.run(anonymous, async (server) => {
      const { wire, features } = await secured(server)
      assert.match(features, /<mechanism>ANONYMOUS<\/mechanism><\/mechanisms>/)
      wire.says(auth('ANONYMOUS', ''))
      await wire.hears(/<success /)
      assert.match(await wire.binds(), /^[0-9a-f-]{36}@localhost\/./)
    })
  })

  it('AUTH-03: has an access class of its own', () =>
    SymbolicServer.run(
      {
        ...anonymous,
        access: { guests: [{ deny: 'anonymous' }, { allow: 'all' }] },
        auth: { anonymous: true, access: 'guests' },
      },
      async (server) => {
        const { wire } = await secured(server)
        wire.says(auth('ANONYMOUS', ''))
        await wire.hears(/<account-disabled\/>/)
        wire.says(auth('PLAIN', btoa('\0romeo\0secret')))
        await wire.hears(/<success /)
      },
    ))

  it('AUTH-03: two of them are two accounts, and neither can be bound to', () =>
    SymbolicServer.run(anonymous, async (server) => {
      const names = new Set<string>()
      for (let n = 0; n < 2; n++) {
        const { wire } = await secured(server)
        wire.says(auth('ANONYMOUS', btoa('same trace')))
        await wire.hears(/<success /)
        names.add((await wire.binds()).split('@')[0] ?? '')
      }
      assert.equal(names.size, 2)
      const host = server.server.core.host('localhost') ?? assert.fail()
      for (const name of names) assert.equal(await server.server.accounts.exists(host, name), false)
    }))

  it('is given no token to come back with (XEP-0484): nobody would ever take it out of the store', () =>
    SymbolicServer.run(anonymous, async (server) => {
      const { wire } = await secured(server)
      const agent = `<user-agent id='d4565fa7-4d72-4749-b3d3-740edbf87770'/>`
      const wish = `<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>`
      wire.says(`<authenticate xmlns='urn:xmpp:sasl:2' mechanism='ANONYMOUS'>${agent}${wish}</authenticate>`)
      const success = await wire.hears(/<success .*<\/success>/)
      assert.ok(!success.includes('<token'), success)
    }))
})

describe('EXTERNAL', () => {
  const tls = { certificates: [{ cert: '/tls/cert.pem', key: '/tls/key.pem' }], client_ca: '/tls/clients.pem' }

  /** The roots come in by a reload: only then is there a disk to write them to. */
  const run = (work: (server: SymbolicServer) => Promise<void>) =>
    SymbolicServer.run({ listeners }, async (server) => {
      const { disk } = server.simulation.world('server')
      await disk.writeText('/tls/clients.pem', authorityPem('clients'), 0o600)
      await server.reload({ listeners, tls })
      await work(server)
    })

  it('RFC 6120 section 6.3.4: is offered to whoever has shown a certificate for an account of the host', () =>
    run(async (server) => {
      const offered = async (shown?: Shown) => (await secured(server, shown)).features.includes('<mechanism>EXTERNAL<')
      assert.equal(await offered(), false)
      assert.equal(await offered({ addresses: ['romeo@localhost'] }), true)
      assert.equal(await offered({ addresses: [] }), false)
      assert.equal(await offered({ addresses: ['romeo@else.example'] }), false)
      assert.equal(await offered({ addresses: ['romeo@localhost'], issuer: 'nobody' }), false)
    }))

  it('RFC 5280 section 5: one that its authority took back is no way in; a list comes in by a reload, and expires', () =>
    run(async (server) => {
      const { disk } = server.simulation.world('server')
      const listed = { listeners, tls: { ...tls, client_crl: '/tls/clients.crl' } }
      const writes = (list: Omit<SymbolicList, 'issuer'>, issuer = 'clients') =>
        disk.writeText('/tls/clients.crl', symbolicRevocations({ ...list, issuer }), 0o600)
      const shown = { addresses: ['romeo@localhost'] }
      const offered = async () => (await secured(server, shown)).features.includes('<mechanism>EXTERNAL<')
      const before = await secured(server, shown)
      await writes({ revoked: ['juliet@localhost'] })
      await server.reload(listed)
      assert.equal(await offered(), true)
      await writes({ revoked: ['romeo@localhost'] })
      await server.reload(listed)
      const { wire, features } = await secured(server, shown)
      assert.ok(!features.includes('EXTERNAL'))
      wire.says(auth('EXTERNAL', '='))
      await wire.hears(/<invalid-mechanism\/>|<mechanism-too-weak\/>/)
      wire.says(auth('PLAIN', btoa('\0romeo\0secret')))
      await wire.hears(/<success /)
      assert.deepEqual(server.told('RTK_CERTIFICATE_REVOKED', 'info'), [{ address: 'romeo', error: 'CERT_REVOKED' }])
      before.wire.says(auth('EXTERNAL', '='))
      await before.wire.hears(/<success /)

      await writes({ revoked: [], nextUpdate: new Date(server.simulation.world('server').clock.wallMs() + 60_000) })
      await server.reload(listed)
      assert.equal(await offered(), true)
      await server.simulation.advance(61_000)
      assert.equal(await offered(), false)
      const [late] = server.told('RTK_CERTIFICATE_LIST', 'warn')
      assert.equal(late?.['error'], 'CRL_HAS_EXPIRED')
      await server.reload(listed)
      assert.equal(server.told('RTK_TLS_CRL_EXPIRED', 'warn')[0]?.['authority'], 'clients')

      await writes({ revoked: [] }, 'others')
      await server.reload(listed)
      assert.equal(await offered(), false)
      assert.deepEqual(server.told('RTK_TLS_CRL_MISSING', 'warn'), [{ authority: 'clients' }])
      await disk.writeText('/tls/clients.crl', 'garbage', 0o600)
      await assert.rejects(server.reload(listed), /clients.crl: this is no revocation list/)
    }))

  it('AUTH-05: signs in the account of the certificate, and no other', () =>
    run(async (server) => {
      const shown = { addresses: ['romeo@localhost'] }
      const first = await secured(server, shown)
      first.wire.says(auth('EXTERNAL', '='))
      await first.wire.hears(/<success /)
      assert.match(await first.wire.binds(), /^romeo@localhost\//)
      const second = await secured(server, shown)
      second.wire.says(auth('EXTERNAL', btoa('juliet@localhost')))
      await second.wire.hears(/<invalid-authzid\/>/)
    }))

  it('a certificate for an account that was never made, or is disabled, does not let in', () =>
    run(async (server) => {
      const nobody = await secured(server, { addresses: ['nobody@localhost'] })
      nobody.wire.says(auth('EXTERNAL', '='))
      await nobody.wire.hears(/<not-authorized\/>/)
      await server.server.accounts.setState(jid('romeo@localhost'), 'disabled')
      const disabled = await secured(server, { addresses: ['romeo@localhost'] })
      disabled.wire.says(auth('EXTERNAL', '='))
      await disabled.wire.hears(/<account-disabled\/>/)
    }))

  it('a client that shows a bad certificate may still sign in by password', () =>
    run(async (server) => {
      const { wire } = await secured(server, { addresses: ['romeo@localhost'], issuer: 'nobody' })
      wire.says(auth('PLAIN', btoa('\0romeo\0secret')))
      await wire.hears(/<success /)
    }))
})
