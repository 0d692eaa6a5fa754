/** DESIGN.md section 10: nothing of an account goes on after it was removed or forbidden, streams without a session too. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, type Wire } from '../../../plays/language/wire.ts'
import { jid } from '../../jid/index.ts'
import { SymbolicServer } from '../symbolic.testing.ts'

const sections = { listeners: [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }] }
const romeo = jid('romeo@localhost')
const bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>o</resource></bind></iq>"
const auth = `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${btoa('\0romeo\0secret')}</auth>`

async function secured(server: SymbolicServer): Promise<Wire> {
  const wire = await server.wire('romeo')
  wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await wire.hears(/<proceed [^>]*\/>/)
  await wire.secures({ servername: 'localhost', alpn: [], verify: true, ca: server.ca })
  wire.says(header('localhost'))
  await wire.hears(/<\/stream:features>/)
  return wire
}

async function signedIn(server: SymbolicServer): Promise<Wire> {
  const wire = await secured(server)
  wire.says(auth)
  await wire.hears(/<success /)
  wire.says(header('localhost'))
  await wire.hears(/<\/stream:features>/)
  return wire
}

const endings: readonly (readonly [string, (server: SymbolicServer) => Promise<void>])[] = [
  ['removed', ({ server }) => server.accounts.remove(romeo)],
  ['disabled', ({ server }) => server.accounts.setState(romeo, 'disabled')],
  [
    'disabled and made active again',
    async ({ server }) => {
      await server.accounts.setState(romeo, 'disabled')
      await server.accounts.setState(romeo, 'active')
    },
  ],
  [
    'removed, and given to somebody else',
    async ({ server }) => {
      await server.accounts.remove(romeo)
      await server.accounts.add(romeo, 'another secret')
    },
  ],
]

describe('a stream that has signed in and not bound', () => {
  for (const [name, end] of endings) {
    it(`may not bind when its account was ${name}`, async () => {
      await SymbolicServer.run(sections, async (server) => {
        const wire = await signedIn(server)
        await end(server)
        wire.says(bind)
        await wire.hears(/<stream:error><not-authorized .*<\/stream:stream>/)
        await wire.isClosed()
        assert.equal(server.counter('ratatosk_sessions'), 0)
      })
    })
  }

  it('may bind when another account was, or when it has signed in since', async () => {
    await SymbolicServer.run(sections, async (server) => {
      await server.server.accounts.add(jid('juliet@localhost'), 'secret')
      const before = await signedIn(server)
      await server.server.accounts.remove(jid('juliet@localhost'))
      before.says(bind)
      await before.hears(/<jid>romeo@localhost\/o<\/jid>/)
      await server.server.accounts.setState(romeo, 'disabled')
      await before.hears(/<stream:error><not-authorized /)
      await server.server.accounts.setState(romeo, 'active')
      const after = await signedIn(server)
      after.says(bind)
      await after.hears(/<jid>romeo@localhost\/o<\/jid>/)
    })
  })

  it('is as good as gone when the account was removed while its password was looked up', async () => {
    await SymbolicServer.run(sections, async (server) => {
      const wire = await secured(server)
      wire.says(auth)
      const removed = server.server.accounts.remove(romeo)
      await wire.hears(/<success |<failure /)
      await removed
      wire.says(`${header('localhost')}${bind}`)
      await wire.isClosed()
      assert.equal(server.counter('ratatosk_sessions'), 0)
    })
  })
})

it('an account that is being removed exists no more for others', async () => {
  await SymbolicServer.run(sections, async ({ server }) => {
    const host = server.core.host('localhost')
    assert.ok(host)
    assert.equal(await server.accounts.exists(host, 'romeo'), true)
    await server.accounts.setState(romeo, 'leaving')
    assert.equal(await server.accounts.exists(host, 'romeo'), false)
    await assert.rejects(server.accounts.add(romeo, 'secret'), { code: 'RTK_ACCOUNT_EXISTS' })
    await server.accounts.remove(romeo)
    await server.accounts.add(romeo, 'secret')
    assert.equal(await server.accounts.exists(host, 'romeo'), true)
  })
})
