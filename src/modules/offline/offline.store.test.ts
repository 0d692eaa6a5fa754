/** How full a mailbox is, by its first and its last row. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { HandClock, testWorld } from '../../store/contract/harness.test.ts'
import { defineStore, integer, octets, text, write } from '../../store/define.ts'
import { openSqlite } from '../../store/index.ts'
import { encode } from '../../xml/octets.ts'
import { offlineStore } from './offline.store.ts'

const directory = mkdtempSync(join(tmpdir(), 'ratatosk-offline-'))
after(() => rmSync(directory, { recursive: true }))

const romeo = { host: 'montague.net', local: 'romeo' }
const open = (path = ':memory:') => openSqlite(testWorld(new HandClock()), { path })
/** So many bytes. */
const message = (size: number) => encode('x'.repeat(size))

describe('a mailbox', () => {
  it('takes as many messages as it may have, also after some have left', async () => {
    const stores = await open()
    const store = await stores.open(offlineStore)
    const add = async (account = romeo) =>
      (await store.add({ ...account, received: 1, stanza: message(10), max: 5, bytesMax: 1_000 })).outcome
    for (let i = 0; i < 5; i++) assert.equal(await add(), 'kept')
    assert.equal(await add(), 'full')
    assert.equal(await add({ ...romeo, local: 'mercutio' }), 'kept', 'each has his own')
    await store.removeUpTo({ ...romeo, seq: 2 })
    assert.deepEqual([await add(), await add(), await add()], ['kept', 'kept', 'full'])
    assert.equal((await store.count(romeo))?.count, 5)
    await store.removeUpTo({ ...romeo, seq: 100 })
    for (let i = 0; i < 5; i++) assert.equal(await add(), 'kept')
    assert.equal(await add(), 'full')
    await stores.close()
  })

  it('takes as many bytes as it may have, also after some have left, and behind what was imported', async () => {
    const stores = await open()
    const store = await stores.open(offlineStore)
    const add = async (size: number) =>
      (await store.add({ ...romeo, received: 1, stanza: message(size), max: 100, bytesMax: 100 })).outcome
    await store.importMessages(romeo, [
      { received: 1, stanza: message(20) },
      { received: 1, stanza: message(30) },
    ])
    assert.deepEqual([await add(51), await add(50), await add(1)], ['full', 'kept', 'full'])
    await store.removeUpTo({ ...romeo, seq: 1 })
    assert.deepEqual([await add(21), await add(20), await add(1)], ['full', 'kept', 'full'])
    const rows = await store.page({ ...romeo, after: 0, limit: 10 })
    assert.deepEqual(
      rows.map(({ seq, stanza }) => [seq, stanza.length]),
      [
        [2, 30],
        [3, 50],
        [4, 20],
      ],
    )
    await stores.close()
  })

  it('of the version before is counted as it was', async () => {
    const path = join(directory, 'before.db')
    const before = defineStore({
      name: 'offline',
      migrations: offlineStore.migrations.slice(0, 1),
      operations: {
        put: write({ host: text, local: text, seq: integer, stanza: octets }, [
          `insert into offline_message (host, local, seq, received, stanza) values (:host, :local, :seq, 1, :stanza)`,
        ]),
      },
    })
    const old = await open(path)
    const kept = await old.open(before)
    for (const seq of [7, 8, 9]) await kept.put({ ...romeo, seq, stanza: message(10 * seq) })
    await kept.put({ ...romeo, local: 'mercutio', seq: 1, stanza: message(500) })
    await old.close()
    const stores = await open(path)
    const store = await stores.open(offlineStore)
    const add = async (size: number, max: number, bytesMax: number) =>
      (await store.add({ ...romeo, received: 1, stanza: message(size), max, bytesMax })).outcome
    // 240 bytes of three messages
    assert.deepEqual([await add(10, 3, 1_000), await add(10, 9, 249), await add(10, 4, 250)], ['full', 'full', 'kept'])
    await store.removeUpTo({ ...romeo, seq: 7 })
    assert.deepEqual([await add(10, 9, 189), await add(10, 9, 190)], ['full', 'kept'])
    await stores.close()
  })
})
