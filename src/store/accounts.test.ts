/** The store of accounts, on every engine. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { accounts, type Credential, createAccounts } from './accounts.ts'
import { engines, withBench } from './contract/harness.test.ts'
import type { StoreChange } from './store.types.ts'

const romeo = { host: 'montague.example', name: 'romeo' }
const details = { state: 'active', origin: 'admin', created: 1_700_000_000_000 } as const
const scram = (mechanism: string, byte: number): Credential => ({
  mechanism,
  parameters: 'i=4096,s=c2FsdA==',
  value: new Uint8Array(64).fill(byte),
})
const credentials = [scram('SCRAM-SHA-1', 1), scram('SCRAM-SHA-256', 2)]

for (const engine of engines) {
  describe(`accounts, ${engine.name}`, () => {
    test(
      'an account is made whole or not at all, and removed with all its rows',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(accounts)
        const heard: StoreChange[] = []
        stores.onChange((told) => heard.push(told))
        assert.equal((await store.create({ ...romeo, ...details }, credentials)).outcome, 'kept')
        assert.equal((await store.create({ ...romeo, ...details }, [scram('SCRAM-SHA-512', 3)])).outcome, 'conflict')
        assert.deepEqual(await store.get(romeo), details)
        assert.deepEqual(await store.credentials(romeo), credentials)
        assert.equal((await store.remove(romeo)).outcome, 'kept')
        assert.equal((await store.remove(romeo)).outcome, 'absent')
        assert.deepEqual([await store.get(romeo), await store.credentials(romeo)], [undefined, []])
        const told = { store: 'account', table: 'account', key: 'montague.example\0romeo' }
        assert.deepEqual(heard, [told, told])
      }),
    )

    test(
      'a log-in needs one read',
      withBench(engine, async (bench) => {
        const store = await (await bench.open()).open(accounts)
        await store.create({ ...romeo, ...details }, credentials)
        const { parameters, value } = scram('SCRAM-SHA-256', 2)
        assert.deepEqual(await store.forSignIn({ ...romeo, mechanism: 'SCRAM-SHA-256' }), {
          state: 'active',
          parameters,
          value,
        })
        assert.deepEqual(await store.forSignIn({ ...romeo, mechanism: 'SCRAM-SHA-512' }), {
          state: 'active',
          parameters: null,
          value: null,
        })
        assert.equal(await store.forSignIn({ ...romeo, name: 'juliet', mechanism: 'SCRAM-SHA-256' }), undefined)
      }),
    )

    test(
      'credentials and state change only on an account that exists',
      withBench(engine, async (bench) => {
        const store = await (await bench.open()).open(accounts)
        assert.equal((await store.replaceCredentials(romeo, credentials)).outcome, 'absent')
        assert.equal((await store.putCredential({ ...romeo, ...scram('X', 1) })).outcome, 'absent')
        assert.equal((await store.setState({ ...romeo, state: 'disabled' })).outcome, 'absent')
        await store.create({ ...romeo, ...details }, credentials)
        assert.equal((await store.replaceCredentials(romeo, [scram('SCRAM-SHA-512', 9)])).outcome, 'kept')
        assert.equal((await store.putCredential({ ...romeo, ...scram('SCRAM-SHA-512', 8) })).outcome, 'kept')
        assert.equal((await store.putCredential({ ...romeo, ...scram('OTHER', 7) })).outcome, 'kept')
        assert.deepEqual(await store.credentials(romeo), [scram('OTHER', 7), scram('SCRAM-SHA-512', 8)])
        assert.equal((await store.removeCredential({ ...romeo, mechanism: 'OTHER' })).changed, 1)
        assert.equal((await store.setState({ ...romeo, state: 'quarantined' })).outcome, 'kept')
        assert.equal((await store.get(romeo))?.state, 'quarantined')
      }),
    )

    test(
      'ten thousand at once, paged by name, counted by host',
      withBench(engine, async (bench) => {
        const stores = await bench.open()
        const store = await stores.open(accounts)
        await store.create({ ...romeo, name: 'user5000', ...details }, credentials)
        const list = Array.from({ length: 10_000 }, (_, index) => ({
          host: romeo.host,
          name: `user${String(index).padStart(4, '0')}`,
          ...details,
          credentials,
        }))
        const created = await createAccounts(store, list)
        assert.equal(created.filter(Boolean).length, 9999)
        assert.equal(created[5000], false)
        assert.ok(stores.metrics.commits <= 30, `${stores.metrics.commits} commits`)
        await store.create({ host: 'capulet.example', name: 'juliet', ...details }, credentials)
        assert.equal((await store.count({ host: romeo.host }))?.accounts, 10_000)
        const names: string[] = []
        for (;;) {
          const page = await store.list({ host: romeo.host, after: names.at(-1) ?? '', limit: 3000 })
          if (page.length === 0) break
          for (const { name } of page) names.push(name)
        }
        assert.deepEqual(
          names,
          list.map((account) => account.name),
        )
      }),
    )
  })
}
