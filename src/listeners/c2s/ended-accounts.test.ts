/** DESIGN.md section 10: nothing of an account goes on after it was removed or forbidden, streams without a session too. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, type Wire } from '../../../plays/language/wire.ts'
import { jid } from '../../jid/index.ts'
import { SymbolicServer } from '../symbolic.testing.ts'

const sections = { listeners: [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }] }
const romeo = jid('romeo@localhost')
const bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>o</resource></bind></iq>"
const plain = (name: string) =>
  `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${btoa(`\0${name}\0secret`)}</auth>`

async function secured(server: SymbolicServer): Promise<Wire> {
  const wire = await server.wire('romeo')
  wire.says(`${header('localhost')}<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
  await wire.hears(/<proceed [^>]*\/>/)
  await wire.secures({ servername: 'localhost', alpn: [], verify: true, ca: server.ca })
  wire.says(header('localhost'))
  await wire.hears(/<\/stream:features>/)
  return wire
}

async function signedIn(server: SymbolicServer, name = 'romeo'): Promise<Wire> {
  const wire = await secured(server)
  wire.says(plain(name))
  await wire.hears(/<success /)
  wire.says(header('localhost'))
  await wire.hears(/<\/stream:features>/)
  return wire
}

/** What modules keep of an account of Romeo's name. */
async function keptOf({ server }: SymbolicServer): Promise<readonly unknown[]> {
  const host = server.core.host('localhost')
  assert.ok(host)
  const { hooks } = server.core.hostType(host.type)
  const parts = await hooks.waitingFold('account:export', [], { host, local: 'romeo' })
  return parts.flatMap((part) => part.rows)
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
      wire.says(plain('romeo'))
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

describe('what is under way when an account is removed leaves nothing behind', () => {
  const item = (n: number) => `<query xmlns='jabber:iq:roster'><item jid='a${n}@localhost'/></query>`
  for (let seed = 1; seed <= 8; seed++) {
    it(`seed ${seed}`, async () => {
      const work = async (server: SymbolicServer) => {
        await server.server.accounts.add(jid('juliet@localhost'), 'secret')
        const his = await signedIn(server)
        his.says(bind)
        await his.hears(/<jid>/)
        const hers = await signedIn(server, 'juliet')
        hers.says(bind)
        await hers.hears(/<jid>/)
        let n = 0
        const both = () => {
          n++
          his.says(`<iq type='set' id='r${n}'>${item(n)}</iq><presence type='subscribe' to='b${n}@localhost'/>`)
          hers.says(
            `<presence type='subscribe' to='romeo@localhost'/><presence type='unsubscribe' to='romeo@localhost'/>`,
          )
          hers.says(`<message to='romeo@localhost' type='chat' id='m${n}'><body>${n}</body></message>`)
        }
        both()
        await his.hears(/id='r1' type='result'/)
        for (let i = 0; i < 10; i++) both()
        // One module is slow to delete what it keeps; the others have deleted theirs by then.
        const slow = Promise.withResolvers<void>()
        server.server.core.hostType('default').hooks.on('account:delete', 'slow', () => slow.promise)
        const removed = server.server.accounts.remove(romeo)
        for (let i = 0; i < 10; i++) {
          both()
          await server.simulation.advance(seed * 5)
        }
        slow.resolve()
        await removed
        both()
        await his.isClosed()
        await server.simulation.settle()
        assert.deepEqual(await keptOf(server), [])
        hers.says(`<iq type='get' id='last'><query xmlns='jabber:iq:roster'/></iq>`)
        await hers.hears(/id='last' type='result'/)
      }
      await SymbolicServer.run(sections, work, seed)
    })
  }
})
