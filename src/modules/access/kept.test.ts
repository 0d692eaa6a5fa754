/** XEP-0494 §6: what is kept of clients, and how long. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SymbolicServer } from '../../listeners/symbolic.testing.ts'
import { accessStore } from './access.store.ts'
import {
  auth,
  byToken,
  hour,
  laptop,
  list,
  listeners,
  phone,
  romeo,
  type Sasl,
  sections,
  secured,
  signsIn,
  tokenFor,
} from './access.testing.ts'

describe('what is kept of clients (XEP-0494 §6)', () => {
  const kept = async (server: SymbolicServer) =>
    (await server.server.stores.open(accessStore)).ofAccount({ host: 'localhost', local: 'romeo' })

  it('is written down at most once an hour, unless something is new', () =>
    SymbolicServer.run(sections, async (server) => {
      const comes = async (sasl: Sasl) => {
        await (await signsIn(server, sasl)).close()
        return (await kept(server))[0] ?? assert.fail('none')
      }
      const token = await tokenFor(server, phone)
      const first = (await kept(server))[0] ?? assert.fail('none')
      await server.simulation.advance(60_000)
      assert.deepEqual(await comes(byToken(phone, token)), first)
      const named = await comes(byToken({ ...phone, device: 'new phone' }, token))
      assert.equal(named.device, 'new phone')
      await server.simulation.advance(hour)
      const later = await comes(byToken(phone, token))
      assert.ok(later.seen > first.seen)
      assert.equal(later.since, first.since)
    }))

  it('is as new as when the session ended', () =>
    SymbolicServer.run(sections, async (server) => {
      const client = await signsIn(server, { agent: phone })
      await server.simulation.advance(3 * hour)
      const before = (await kept(server))[0]?.seen ?? 0
      await client.close()
      await server.simulation.advance(100)
      assert.ok(((await kept(server))[0]?.seen ?? 0) - before >= 3 * hour - 60_000)
    }))

  it('goes when it was not seen for `remember`', () =>
    SymbolicServer.run({ ...sections, modules: { access: { remember: '2 hours' } } }, async (server) => {
      await (await signsIn(server, { agent: phone })).close()
      await server.simulation.advance(hour)
      const mine = await signsIn(server, { agent: laptop })
      assert.equal((await list(mine)).length, 2)
      await server.simulation.advance(hour + 60_000)
      assert.equal((await list(mine)).length, 1)
      await server.reload({ ...sections, modules: { access: { remember: '2 hours', names: false } } })
      await server.simulation.advance(100)
      assert.deepEqual(
        (await kept(server)).map(({ agent }) => agent),
        [laptop.id],
        'it is gone from the store too',
      )
    }))

  it('is nothing where `remember` is 0: who is there and who has a token is listed', () =>
    SymbolicServer.run({ ...sections, modules: { access: { remember: '0 seconds' } } }, async (server) => {
      await tokenFor(server, phone)
      const mine = await signsIn(server, { agent: laptop })
      assert.deepEqual(
        (await list(mine)).map((one) => one.auth),
        [['password'], ['fast']],
      )
      assert.deepEqual(await kept(server), [])
    }))

  it('is no name where `names` is off', () =>
    SymbolicServer.run({ ...sections, modules: { access: { names: false } } }, async (server) => {
      const [own] = await list(await signsIn(server, { agent: laptop }))
      assert.deepEqual([own?.software, own?.device], [undefined, undefined])
    }))

  it('a guest (XEP-0175) leaves nothing', () =>
    SymbolicServer.run({ listeners, auth: { ...auth, anonymous: true } }, async (server) => {
      const store = await server.server.stores.open(accessStore)
      const wire = await secured(server)
      wire.says(
        `<authenticate xmlns='urn:xmpp:sasl:2' mechanism='ANONYMOUS'><user-agent id='${phone.id}'/><bind xmlns='urn:xmpp:bind:0'/></authenticate>`,
      )
      const local = /<authorization-identifier>([^@]*)@/.exec(await wire.hears(/<\/success>/))?.[1] ?? ''
      assert.notEqual(local, '')
      assert.deepEqual(await store.ofAccount({ host: 'localhost', local }), [])
    }))

  it('goes with its account, and moves with it', () =>
    SymbolicServer.run(sections, async (server) => {
      await tokenFor(server, phone)
      const { hooks } = server.server.core.localHost('localhost')?.type ?? assert.fail()
      const host = server.server.core.host('localhost') ?? assert.fail()
      const exported = await hooks.waitingFold('account:export', [], { host, local: 'romeo' })
      const rows = exported.find((part) => part.store === 'access')?.rows ?? []
      assert.deepEqual(rows, await kept(server))
      await server.server.accounts.remove(romeo)
      assert.deepEqual(await kept(server), [])
      await server.server.accounts.add(romeo, 'secret')
      const bad = [{ agent: 'x' }, { ...rows[0], since: -1 }, { ...rows[0], agent: '' }].map(
        (row) => row as (typeof rows)[0],
      )
      await hooks.waitingNotice('account:import', {
        host,
        local: 'romeo',
        data: [{ store: 'access', rows: [...rows, ...bad] }],
      })
      assert.deepEqual(await kept(server), rows)
      assert.equal(server.told('RTK_ACCESS_IMPORT', 'warn')[0]?.['rows'], 3)
      await tokenFor(server, phone)
      assert.equal((await kept(server)).length, 1)
    }))
})
