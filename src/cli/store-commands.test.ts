/** `store migrate` and `store copy` on real files. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { accounts, createAccounts } from '../store/accounts.ts'
import { openSqlite } from '../store/index.ts'
import { createWorld } from '../world/index.ts'
import { run } from './cli.testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'rtk-store-'))
after(() => rmSync(folder, { recursive: true }))
const world = createWorld()

/** Writes a configuration with a data directory of its own. */
function config(name: string, store = ''): string {
  const file = join(folder, `${name}.yaml`)
  writeFileSync(file, `data_dir: ${name}\n${store}`)
  return file
}

const database = (name: string) => join(folder, name, 'ratatosk.db')

async function cli(...argv: string[]) {
  const { exit, out, err } = await run(world, argv)
  return { exit, out: out.replaceAll(folder, ''), err: err.replaceAll(folder, '') }
}

async function accountsOf(name: string): Promise<readonly string[]> {
  const stores = await openSqlite(world, { path: database(name) })
  const store = await stores.open(accounts)
  const list = await store.list({ host: 'localhost', after: '', limit: 1000 })
  await stores.close()
  return list.map((account) => account.name)
}

test('store migrate: a dry run makes nothing and tells what is due, the stores of modules included', async () => {
  const file = config('migrated')
  const dry = await cli('-c', file, 'store', 'migrate', '--dry-run')
  assert.equal(dry.exit, 0, dry.err)
  for (const store of ['account', 'secret', 'offline', 'roster'])
    assert.match(dry.out, new RegExp(`^${store} +1 `, 'm'))
  assert.match(dry.out, /\d+ migrations due, none kept\n$/)
  assert.equal(existsSync(database('migrated')), false)
  const done = await cli('-c', file, 'store', 'migrate')
  assert.match(done.out, /\d+ migrations done\n$/)
  assert.equal((await cli('-c', file, 'store', 'migrate', '--dry-run')).out, 'nothing is due\n')
  assert.equal((await cli('-c', file, 'store', 'migrate', '--json')).out, '')
})

test('store copy: all rows arrive, and never over others', async () => {
  const [from, to] = [config('from'), config('to')]
  await cli('-c', from, 'store', 'migrate')
  const stores = await openSqlite(world, { path: database('from') })
  const names = Array.from({ length: 150 }, (_, index) => `user${String(index).padStart(3, '0')}`)
  await createAccounts(
    await stores.open(accounts),
    names.map((name) => ({
      host: 'localhost',
      name,
      state: 'active' as const,
      origin: 'test',
      created: 1,
      credentials: [],
    })),
  )
  await stores.close()
  const copied = await cli('-c', from, 'store', 'copy', to)
  assert.equal(copied.exit, 0, copied.err)
  assert.match(copied.out, /^account +account +150$/m)
  assert.match(copied.out, /^150 rows of \d+ tables copied\n$/m)
  assert.deepEqual(await accountsOf('to'), names)
  const again = await cli('-c', from, 'store', 'copy', to)
  assert.deepEqual([again.exit, again.out], [1, ''])
  assert.match(again.err, /account has rows already.*RTK_STORE_NOT_EMPTY/)
  assert.match((await cli('-c', from, 'store', 'copy', from)).err, /RTK_STORE_SAME/)
  // Two databases may live in one data directory, which this command has locked itself.
  const beside = join(folder, 'beside.yaml')
  writeFileSync(beside, 'data_dir: from\nstore: { path: beside.db }\n')
  assert.match((await cli('-c', from, 'store', 'copy', beside)).out, /^150 rows of/m)
  const memory = config('memory', 'store: { engine: memory }\n')
  assert.match((await cli('-c', from, 'store', 'copy', memory)).err, /keeps nothing.*RTK_STORE_MEMORY/)
})

test('a store that a server uses is left alone', async () => {
  const file = config('used')
  await cli('-c', file, 'store', 'migrate')
  const lock = await world.disk.lock(join(folder, 'used'))
  try {
    for (const args of [['migrate'], ['migrate', '--dry-run'], ['copy', config('other')]]) {
      const ran = await cli('-c', file, 'store', ...args)
      assert.equal(ran.exit, 1)
      assert.match(ran.err, /in use by process \d+ \(stop the server that has it first\) \[RTK_DISK_LOCKED\]/)
    }
  } finally {
    await lock.release()
  }
})
