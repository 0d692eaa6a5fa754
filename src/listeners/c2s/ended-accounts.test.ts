/**
 * DESIGN.md section 10: nothing of an account goes on after it was removed or forbidden, streams without a session too; and what was
 * proven with a password that is another by now lets nobody in.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { header, type Wire } from '../../../plays/language/wire.ts'
import { tokenStore } from '../../auth/tokens.store.ts'
import { jid } from '../../jid/index.ts'
import { accounts } from '../../store/accounts.ts'
import { SymbolicServer } from '../symbolic.testing.ts'

const sections = { listeners: [{ name: 'c2s', protocol: 'c2s', address: '0.0.0.0', port: 5222 }] }
const romeo = jid('romeo@localhost')
const bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>o</resource></bind></iq>"
const plain = (name: string) =>
  `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${btoa(`\0${name}\0secret`)}</auth>`

async function secured(server: SymbolicServer): Promise<Wire> {
  const wire = await server.wire('romeo')
  await wire.startsTls({ ca: server.ca })
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
  ['given another password', ({ server }) => server.accounts.setPassword(romeo, 'another secret')],
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

const agent = 'd4565fa7-4d72-4749-b3d3-740edbf87770'
const strictly = (inline: string) =>
  `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>${btoa('\0romeo\0secret')}</initial-response><user-agent id='${agent}'/>${inline}</authenticate>`

/** How many tokens the account has. */
async function tokensOf({ server }: SymbolicServer): Promise<number> {
  const store = await server.stores.open(tokenStore)
  return (await store.ofClient({ host: 'localhost', local: 'romeo', agent })).length
}

describe('a stream that has signed in by SASL2 and waits for something', () => {
  const changes: readonly (readonly [string, (server: SymbolicServer) => Promise<void>])[] = [
    ...endings.filter(([name]) => !name.startsWith('disabled')),
    // There is nothing to revoke yet.
    ['signed out', ({ server }) => server.accounts.revokeTokens(romeo, agent).catch(() => undefined)],
  ]
  for (const [name, change] of changes) {
    it(`gets no token (XEP-0484) when its account was ${name}`, () =>
      SymbolicServer.run(sections, async (server) => {
        const gate = Promise.withResolvers<readonly never[]>()
        server.server.core.hostType('default').hooks.on('sasl2:success', 'slow', () => gate.promise)
        const wire = await secured(server)
        wire.says(strictly(`<request-token xmlns='urn:xmpp:fast:0' mechanism='HT-SHA-256-NONE'/>`))
        await server.simulation.advance(1_000)
        await change(server)
        gate.resolve([])
        await wire.hears(/<stream:error><not-authorized .*<\/stream:stream>/)
        assert.equal(await tokensOf(server), 0)
      }))
  }

  it('keeps no hash (XEP-0480) of a password that is another by now', () =>
    SymbolicServer.run({ ...sections, auth: { scram_iterations: 4096, upgrades: true } }, async (server) => {
      const store = await server.server.stores.open(accounts)
      await store.removeCredential({ host: 'localhost', name: 'romeo', mechanism: 'SCRAM-SHA-256' })
      const wire = await secured(server)
      const task = 'UPGR-SCRAM-SHA-256'
      wire.says(strictly(`<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>${task}</upgrade>`))
      await wire.hears(/<continue .*<\/continue>/)
      wire.says(`<next xmlns='urn:xmpp:sasl:2' task='${task}'/>`)
      await wire.hears(/<salt /)
      await server.server.accounts.setPassword(romeo, 'another secret')
      const kept = () => store.credentials({ host: 'localhost', name: 'romeo' })
      const before = await kept()
      const hash = btoa('x'.repeat(32))
      wire.says(`<task-data xmlns='urn:xmpp:sasl:2'><hash xmlns='urn:xmpp:scram-upgrade:0'>${hash}</hash></task-data>`)
      await wire.hears(/<stream:error><not-authorized .*<\/stream:stream>/)
      assert.deepEqual(await kept(), before)
    }))
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
